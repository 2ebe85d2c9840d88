/** The vectors that are kept in addition to the embeddings: kept in step whatever is done to the file, by whomever. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { Connection } from "../../src/database/connection.js";
import { VectorsTable } from "../../src/search/vectors-table.js";
import { buildEntity } from "../support/memory-builders.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const PUBLISHED = join(import.meta.dir, "..", "fixtures", "published-0.2.3.db");

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "memory.db");
});

afterEach(() => folder.remove());

function fact(content: string, embedding: number[]) {
  return { content, confidence: 1, embedding };
}

async function contents(store: SqliteCheckpointStore, query: number[]): Promise<string[]> {
  return (await store.searchFactsSemantic(query, { threshold: -1, topK: 100 })).map(({ content }) => content);
}

async function withStore<T>(use: (store: SqliteCheckpointStore) => Promise<T>): Promise<T> {
  await using store = new SqliteCheckpointStore(path);
  return await use(store);
}

describe("a search inside a host's transaction that is rolled back", () => {
  let host: Database;
  let store: SqliteCheckpointStore;

  beforeEach(async () => {
    host = new Database(path);
    host.run("PRAGMA foreign_keys = ON");
    store = new SqliteCheckpointStore(host);
    await store.saveFact(fact("kept", [1, 0]));
    expect(await contents(store, [1, 0])).toEqual(["kept"]);
  });

  afterEach(async () => {
    await store.close();
    host.close();
  });

  test("sees a deletion, and finds the row again afterwards", async () => {
    host.run("BEGIN");
    host.run("DELETE FROM facts");
    expect(await contents(store, [1, 0])).toEqual([]);
    host.run("ROLLBACK");
    expect(await contents(store, [1, 0])).toEqual(["kept"]);
  });

  test("sees a new row, and what is saved afterwards under the same revision is found", async () => {
    host.run("BEGIN");
    host.run("INSERT INTO facts (id, content, created_at, embedding) VALUES ('x', 'undone', 1, '[0, 1]')");
    expect(await contents(store, [1, 0])).toEqual(["kept", "undone"]);
    host.run("ROLLBACK");
    await store.saveFact(fact("later", [1, 0.1]));
    expect(await contents(store, [1, 0])).toEqual(["kept", "later"]);
  });
});

describe("a change by somebody else", () => {
  test("of an entity's session is followed by the filter", async () => {
    await withStore(async (store) => {
      const [from, to] = [await store.createSession("./from"), await store.createSession("./to")];
      const { id } = await store.saveEntity({
        sessionId: from.id,
        name: "n",
        type: "t",
        attributes: {},
        relationships: [],
        embedding: [1, 2],
      });
      const idsIn = async (sessionId: string) =>
        (await store.searchEntitiesSemantic([1, 2], { sessionId })).map((entity) => entity.id);
      expect(await idsIn(from.id)).toEqual([id]);
      runOn(path, `UPDATE entities SET session_id = '${to.id}'`);
      expect({ from: await idsIn(from.id), to: await idsIn(to.id) }).toEqual({ from: [], to: [id] });
    });
  });

  test("that replaces a row by its row id, which runs no trigger, does not stop a search", async () => {
    await withStore(async (store) => {
      await store.saveFact(fact("replaced", [1, 0]));
      await store.saveFact(fact("other", [0, 1]));
      expect(await contents(store, [1, 0])).toEqual(["replaced", "other"]);
      runOn(
        path,
        "INSERT OR REPLACE INTO facts (rowid, id, content, created_at, embedding) VALUES (1, 'new', 'new', 1, '[1, 1]')",
      );
      expect(await contents(store, [1, 0])).toEqual(["new", "other"]);
    });
  });

  test("that replaces rows by their row ids does not stop a search without memory", async () => {
    await using store = new SqliteCheckpointStore(path, { vectorMemory: 0 });
    await Promise.all(Array.from({ length: 30 }, (_, n) => store.saveFact(fact(`old ${n}`, [1, n / 100]))));
    runOn(
      path,
      "INSERT OR REPLACE INTO facts (rowid, id, content, created_at, embedding) SELECT rowid, 'new' || rowid, 'new', 1, '[1, 9]' FROM facts",
    );
    expect(await contents(store, [1, 0])).toEqual(Array.from({ length: 30 }, () => "new"));
  });

  test("of more rows than the log of deletions holds, with none left, is no matter of dimensions", async () => {
    await withStore(async (store) => {
      await Promise.all(Array.from({ length: 1_500 }, (_, n) => store.saveFact(fact(`f${n}`, [1, n]))));
      await contents(store, [1, 0]);
      runOn(path, "DELETE FROM facts");
      expect(await contents(store, [1, 0, 0])).toEqual([]);
    });
  });

  test("of more rows than the log of deletions holds is seen whole", async () => {
    await withStore(async (store) => {
      const many = Array.from({ length: 1_500 }, (_, n) => store.saveFact(fact(`f${n}`, [1, n])));
      await Promise.all([...many, store.saveFact(fact("stays", [1, -1]))]);
      expect((await contents(store, [1, 0])).length).toBe(100);
      runOn(path, "DELETE FROM facts WHERE content <> 'stays'");
      expect(await contents(store, [1, 0])).toEqual(["stays"]);
    });
  });

  test("that rebuilds a table, and so drops its triggers, is made good when the file is opened next", async () => {
    await withStore((store) => store.saveFact(fact("before", [1, 0])));
    runOn(
      path,
      "CREATE TABLE copy AS SELECT * FROM facts",
      "DROP TABLE facts",
      `CREATE TABLE facts (id TEXT PRIMARY KEY, workspace_id TEXT, content TEXT NOT NULL, confidence REAL DEFAULT 1.0,
         source_session_id TEXT, created_at INTEGER NOT NULL, embedding BLOB,
         FOREIGN KEY (source_session_id) REFERENCES sessions (id) ON DELETE SET NULL)`,
      "INSERT INTO facts SELECT * FROM copy",
      "DROP TABLE copy",
    );
    await withStore(async (store) => {
      await store.saveFact(fact("after", [1, 0.1]));
      expect(await contents(store, [1, 0])).toEqual(["before", "after"]);
    });
  });
});

describe("a store that stays open", () => {
  test("finds what is right after another process has created the vectors again", async () => {
    await using open = new SqliteCheckpointStore(path);
    for (let n = 0; n < 10; n++) await open.saveFact(fact(`f${n}`, [1, n]));
    expect((await contents(open, [0, 1]))[0]).toBe("f9");
    runOn(
      path,
      "DROP TRIGGER checkpoint_sqlite_fact_inserted",
      "DELETE FROM facts WHERE content IN ('f8', 'f9')",
    );
    await withStore((store) => store.saveFact(fact("by the other", [1, 7.5])));
    await open.saveFact(fact("by this one", [1, 7.25]));
    expect((await contents(open, [0, 1])).slice(0, 4)).toEqual(["by the other", "by this one", "f7", "f6"]);
  });

  test("sees a read-only file from 0.2.3 change after another process has migrated it", async () => {
    copyFileSync(PUBLISHED, path);
    await using readonly = new SqliteCheckpointStore(path, { readonly: true });
    expect(await contents(readonly, [0.5, 0.5, 0, 0])).toHaveLength(1);
    await withStore((store) => store.saveFact(fact("new", [0.5, 0.5, 0, 0.1])));
    expect(await contents(readonly, [0.5, 0.5, 0, 0])).toEqual(["example.com is owned by Jo", "new"]);
  });

  test("holds nothing of a host's transaction that begins during a search and is rolled back", async () => {
    const host = new Database(path);
    host.run("PRAGMA foreign_keys = ON");
    const store = new SqliteCheckpointStore(host);
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.saveFact(fact(`f${n}`, [1, n / 1_000]))));
    const during = contents(store, [1, 0.5]);
    host.run("BEGIN");
    host.run("DELETE FROM facts WHERE content IN ('f499', 'f500', 'f501')");
    await during;
    host.run("ROLLBACK");
    expect((await contents(store, [1, 0.5])).slice(0, 3).toSorted()).toEqual(["f499", "f500", "f501"]);
    await store.close();
    host.close();
  });

  test("takes no row of such a transaction for the one that later gets its revision", async () => {
    const host = new Database(path);
    host.run("PRAGMA foreign_keys = ON");
    const store = new SqliteCheckpointStore(host);
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.saveFact(fact(`f${n}`, [1, 1 + n]))));
    const during = contents(store, [1, 0]);
    host.run("BEGIN");
    host.run("INSERT INTO facts (id, content, created_at, embedding) VALUES ('x', 'undone', 1, '[-1, 0]')");
    await during;
    host.run("ROLLBACK");
    await store.saveFact(fact("later", [1, 0]));
    expect((await store.searchFactsSemantic([1, 0], { topK: 1 })).map(({ content }) => content)).toEqual([
      "later",
    ]);
    await store.close();
    host.close();
  });
});

describe("the binary form", () => {
  const missingUnits = () =>
    withDatabase(path, (database) =>
      database.query("SELECT count(*) AS missing FROM checkpoint_sqlite_vectors WHERE unit IS NULL").get(),
    );

  test("of what 0.2.3 wrote is kept in the file after the first search", async () => {
    copyFileSync(PUBLISHED, path);
    await withStore(async () => {});
    expect(missingUnits()).toEqual({ missing: 2 });
    await withStore((store) => contents(store, [0.5, 0.5, 0, 0]));
    expect(missingUnits()).toEqual({ missing: 0 });
  });

  test("goes with its row, whoever deletes it", async () => {
    await withStore(async (store) => {
      const { id } = await store.saveFact(fact("deleted here", [1, 0]));
      await store.saveFact(fact("deleted by another", [0, 1]));
      await store.deleteFact(id);
    });
    runOn(path, "DELETE FROM facts");
    withDatabase(path, (database) =>
      expect(rowsOf(database, "SELECT owner, id FROM checkpoint_sqlite_vectors")).toEqual([]),
    );
  });

  test("is not needed to search a file from 0.2.3 that is opened read-only", async () => {
    copyFileSync(PUBLISHED, path);
    await using store = new SqliteCheckpointStore(path, { readonly: true });
    expect(await contents(store, [0.5, 0.5, 0, 0])).toEqual(["example.com is owned by Jo"]);
    expect(await store.searchEntitiesSemantic([0.1, 0.2, -0.3, 0])).toHaveLength(1);
  });
});

describe("similarity", () => {
  const random = Array.from({ length: 384 }, (_, n) => Math.sin(n * n + 1));

  test("of equal vectors is exactly 1, of opposite ones exactly -1", async () => {
    await withStore(async (store) => {
      await store.saveFact(fact("same", random));
      const opposite = random.map((component) => -component);
      expect(await store.searchFactsSemantic(random, { threshold: 1 })).toHaveLength(1);
      expect(await store.searchFactsSemantic(opposite, { threshold: -1 })).toHaveLength(1);
    });
  });
});

test("reads in one state see nothing that others commit meanwhile, and hold nothing open afterwards", async () => {
  await withStore((store) => store.saveFact(fact("before", [1, 0])));
  const connection = new Connection(new Database(path), path, true);
  const table = new VectorsTable(connection);
  const writeAnother = () =>
    runOn(path, "INSERT INTO facts (id, content, created_at, embedding) VALUES ('x', 'x', 1, '[1, 0]')");
  const [before, after] = table.inSnapshot(() => {
    const state = table.state();
    writeAnother();
    return [state, table.state()] as const;
  });
  expect(after).toEqual(before);
  expect(table.state()).not.toEqual(before);
  const failing = () => {
    throw new Error("fails");
  };
  expect(() => table.inSnapshot(failing)).toThrow("fails");
  expect(connection.isInTransaction).toBe(false);
  connection.close();
});

test("a deletion is seen by the next search with the same filter, whatever its query's dimensions", async () => {
  await withStore(async (store) => {
    const gone = await store.saveFact({ ...fact("gone", [1, 0]), workspaceId: "w" });
    await store.saveFact({ ...fact("other", [0, 1]), workspaceId: "another" });
    expect(await store.searchFactsSemantic([1, 0], { workspaceId: "w" })).toHaveLength(1);
    await store.deleteFact(gone.id);
    expect(await store.searchFactsSemantic([1, 0, 0], { workspaceId: "w" })).toEqual([]);
  });
});

test("the best is found though float32 rounds it down and another up", async () => {
  // The last component of 256 equal ones, so much smaller that the unit vector's components are off by part of a last place.
  const vector = (lastPlaces: number) => [
    ...Array.from({ length: 255 }, () => 1),
    Math.sqrt(1 - lastPlaces * 2 ** -23 * 512),
  ];
  await withStore(async (store) => {
    await store.saveFact(fact("best", vector(0.499)));
    await store.saveFact(fact("rounded up", vector(0.501)));
    const query = Array.from({ length: 256 }, () => 1);
    expect((await store.searchFactsSemantic(query, { topK: 1 })).map(({ content }) => content)).toEqual([
      "best",
    ]);
  });
});

describe("a search that changes overtake during every pause ends, with what is there then", () => {
  /** Far fewer are needed; a search that starts over each time needs all of them. */
  const MOST_TURNS = 300;
  const ALL = { threshold: -1, topK: 1_000_000 };

  let other: Database;

  beforeEach(() => {
    other = new Database(path);
  });

  afterEach(() => other.close());

  /** Changes something in every turn until the search ends; returns what it found, and what was in the file at that moment. */
  async function searchAmidChanges<Found>(
    search: () => Promise<Found[]>,
    idsOf: (found: Found) => string,
    change: () => void,
    table: string,
  ): Promise<{ found: string[]; there: string[] }> {
    let outcome: { found: string[]; there: string[] } | undefined;
    const searching = search().then((rows) => {
      const there = rowsOf<{ id: string }>(other, `SELECT id FROM ${table} ORDER BY id`).map(({ id }) => id);
      outcome = { found: rows.map(idsOf).sort(), there };
    });
    for (let turn = 0; outcome === undefined; turn++) {
      expect(turn).toBeLessThan(MOST_TURNS);
      change();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await searching;
    return outcome;
  }

  test.each([
    ["in memory", 1_000_000],
    ["read from the file", 0],
  ])("though its candidates are updated, %s", async (_, vectorMemory) => {
    await using store = new SqliteCheckpointStore(path, { vectorMemory });
    const { id: sessionId } = await store.createSession("./d");
    const entities = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        store.saveEntity(buildEntity(sessionId, { embedding: [1, n / 1_000] })),
      ),
    );
    let updates = 0;
    const { found, there } = await searchAmidChanges(
      () => store.searchEntitiesSemantic([1, 0], ALL),
      ({ id }) => id,
      () => {
        for (const step of [1, 2, 3, 4, 5, 6, 7, 8]) {
          const id = entities[(updates++ * 997 + step * 125) % 1_000]?.id ?? "";
          void store.updateEntity(id, { embedding: [1, ((updates * 7_919) % 1_000) / 1_000] });
        }
      },
      "entities",
    );
    expect(found).toEqual(there);
  });

  test.each([
    ["loaded", 100_000_000],
    ["read from the file", 0],
  ])("though rows are written faster than they are %s", async (_, vectorMemory) => {
    await using store = new SqliteCheckpointStore(path, { vectorMemory });
    const insert = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
      INSERT INTO facts (id, content, created_at, embedding)
      SELECT lower(hex(randomblob(8))), 'c', 1, '[1, ' || i || ']' FROM n`;
    rowsOf(other, insert);
    const { found, there } = await searchAmidChanges(
      () => store.searchFactsSemantic([1, 0], ALL),
      ({ id }) => id,
      () => void rowsOf(other, insert),
      "facts",
    );
    expect(found).toEqual(there);
  });
});
