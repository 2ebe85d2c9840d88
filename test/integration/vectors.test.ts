/** The vectors beside the embeddings: kept in step whatever is done to the file, by whomever. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "../../src/index.js";
import { runOn, withDatabase } from "../support/sql.js";
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
  test("finds what is right after another has made the vectors anew", async () => {
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

  test("sees a read-only file of 0.2.3 change after another has brought it up to date", async () => {
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

  test("is not needed to search a file of 0.2.3 that is opened read-only", async () => {
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
