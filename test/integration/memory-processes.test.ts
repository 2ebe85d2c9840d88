/** The memory in a file that others write to as well: 0.2.3, another process, another store, a reader, VACUUM. */
import type { Database, SQLQueryBindings } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Entity,
  type Fact,
  JsonPlusSerializer,
  SqliteCheckpointStore,
  VectorDimensionError,
} from "@obsku/checkpoint-sqlite";
import { VectorGroup } from "../../src/search/vector-group.js";
import { Child } from "../support/children.js";
import { buildEntity, buildFact } from "../support/memory-builders.js";
import { naiveCosine, naiveSearch } from "../support/naive-search.js";
import { namedVector } from "../support/named-vector.js";
import { rejectionOf } from "../support/outcomes.js";
import { SharedFile } from "../support/shared-file.js";
import { rowsOf } from "../support/sql.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

const FIXTURES = join(import.meta.dir, "..", "fixtures");

let file: SharedFile;
let folder: TemporaryFolder;
let path: string;
let store: SqliteCheckpointStore;
let other: Database;
let sessionId: string;

beforeEach(async () => {
  file = await SharedFile.create();
  ({ folder, path, store, other, sessionId } = file);
});

afterEach(() => file.remove());

function run(sql: string, ...parameters: SQLQueryBindings[]): void {
  rowsOf(other, sql, ...parameters);
}

interface PlainRow {
  readonly id: string;
  readonly embedding: SQLQueryBindings;
  readonly workspaceId?: string;
  readonly sessionId?: string;
}

/** As 0.2.3 writes it, in its columns alone. */
function insertEntity(row: PlainRow, verb = "INSERT"): void {
  run(
    `${verb} INTO entities (id, session_id, workspace_id, name, type, attributes, relationships, created_at, updated_at, embedding)
     VALUES (?, ?, ?, ?, 'domain', '{}', '[]', 1, 1, ?)`,
    ...[row.id, row.sessionId ?? sessionId, row.workspaceId ?? null, row.id, row.embedding],
  );
}

function insertFact(row: PlainRow, verb = "INSERT"): void {
  run(
    `${verb} INTO facts (id, workspace_id, content, confidence, source_session_id, created_at, embedding)
     VALUES (?, ?, ?, 0.5, NULL, 1, ?)`,
    ...[row.id, row.workspaceId ?? null, row.id, row.embedding],
  );
}

function idsOf(memories: readonly (Entity | Fact)[]): string[] {
  return memories.map((memory) => memory.id);
}

interface Kind {
  readonly table: "entities" | "facts";
  insert(row: PlainRow, verb?: string): void;
  search(embedding: number[], options?: { workspaceId?: string; topK?: number }): Promise<string[]>;
}

const kinds: readonly Kind[] = [
  {
    table: "entities",
    insert: insertEntity,
    search: async (embedding, options) => idsOf(await store.searchEntitiesSemantic(embedding, options)),
  },
  {
    table: "facts",
    insert: insertFact,
    search: async (embedding, options) => idsOf(await store.searchFactsSemantic(embedding, options)),
  },
];

for (const { table, insert, search } of kinds) {
  describe(`${table} changed by plain SQL behind the store's back`, () => {
    test("are found by the very next search once they are inserted", async () => {
      expect(await search([1, 0])).toEqual([]);
      insert({ id: "a", embedding: "[1,0]" });
      expect(await search([1, 0])).toEqual(["a"]);
      insert({ id: "b", embedding: "[3, 4]", workspaceId: "ws" });
      insert({ id: "none", embedding: null });
      expect(await search([1, 0])).toEqual(["a", "b"]);
      expect(await search([1, 0], { workspaceId: "ws" })).toEqual(["b"]);
    });

    test("are found by what they are after an update, and no longer by what they were", async () => {
      insert({ id: "a", embedding: "[1,0]" });
      insert({ id: "b", embedding: "[4,3]" });
      expect(await search([1, 0])).toEqual(["a", "b"]);
      run(`UPDATE ${table} SET embedding = '[-1,0]' WHERE id = 'a'`);
      expect(await search([1, 0])).toEqual(["b"]);
      run(`UPDATE ${table} SET embedding = '[0.5,0]' WHERE id = 'a'`);
      expect(await search([1, 0])).toEqual(["a", "b"]);
      run(`UPDATE ${table} SET embedding = NULL WHERE id = 'a'`);
      expect(await search([1, 0])).toEqual(["b"]);
      run(`UPDATE ${table} SET embedding = '[1,2,3]'`);
      expect(await search([1, 2, 3])).toEqual(["b", "a"]);
      expect(await rejectionOf(search([1, 0]))).toBeInstanceOf(VectorDimensionError);
    });

    test("are found in the workspace and under the id that an update gave them", async () => {
      insert({ id: "a", embedding: "[1,0]", workspaceId: "old" });
      expect(await search([1, 0], { workspaceId: "old" })).toEqual(["a"]);
      run(`UPDATE ${table} SET workspace_id = 'new'`);
      expect(await search([1, 0], { workspaceId: "old" })).toEqual([]);
      expect(await search([1, 0], { workspaceId: "new" })).toEqual(["a"]);
      run(`UPDATE ${table} SET workspace_id = NULL, id = 'b'`);
      expect(await search([1, 0], { workspaceId: "new" })).toEqual([]);
      expect(await search([1, 0])).toEqual(["b"]);
    });

    test("are found under the id that another one had just before", async () => {
      insert({ id: "a", embedding: "[1,0]" });
      insert({ id: "b", embedding: "[4,3]" });
      expect(await search([1, 0])).toEqual(["a", "b"]);
      run(`UPDATE ${table} SET id = 'c' WHERE id = 'a'`);
      run(`UPDATE ${table} SET id = 'a' WHERE id = 'b'`);
      expect(await search([1, 0])).toEqual(["c", "a"]);
    });

    test("are found as INSERT OR REPLACE left them", async () => {
      insert({ id: "a", embedding: "[1,0]" });
      insert({ id: "b", embedding: "[1,1]" });
      expect(await search([1, 0])).toEqual(["a", "b"]);
      insert({ id: "a", embedding: "[-1,0]" }, "INSERT OR REPLACE");
      expect(await search([1, 0])).toEqual(["b"]);
      insert({ id: "a", embedding: "[2,0]" }, "INSERT OR REPLACE");
      expect(await search([1, 0])).toEqual(["a", "b"]);
      insert({ id: "a", embedding: null }, "INSERT OR REPLACE");
      expect(await search([1, 0])).toEqual(["b"]);
      insert({ id: "b", embedding: "[5,5]" }, "INSERT OR IGNORE");
      expect(await search([1, 0])).toEqual(["b"]);
    });

    test("are no longer found once they are deleted, however many", async () => {
      for (let n = 0; n < 600; n++) insert({ id: `${n}`, embedding: `[${n + 1},1]` });
      expect(await search([1, 0], { topK: 2 })).toEqual(["599", "598"]);
      run(`DELETE FROM ${table} WHERE CAST(id AS INTEGER) >= 550`);
      expect(await search([1, 0], { topK: 2 })).toEqual(["549", "548"]);
      insert({ id: "new", embedding: "[1,0]" });
      run(`DELETE FROM ${table} WHERE CAST(id AS INTEGER) BETWEEN 3 AND 549`);
      expect(await search([1, 0])).toEqual(["new", "2", "1", "0"]);
      run(`DELETE FROM ${table}`);
      expect(await search([1, 0])).toEqual([]);
      insert({ id: "last", embedding: "[1,0]" });
      expect(await search([1, 0])).toEqual(["last"]);
    });

    test("are found in a transaction's result, never in what it took back", async () => {
      insert({ id: "a", embedding: "[1,0]" });
      run("BEGIN IMMEDIATE");
      insert({ id: "b", embedding: "[1,1]" });
      run(`DELETE FROM ${table} WHERE id = 'a'`);
      expect(await search([1, 0])).toEqual(["a"]);
      run("ROLLBACK");
      expect(await search([1, 0])).toEqual(["a"]);
      insert({ id: "c", embedding: "[1,1]" });
      expect(await search([1, 0])).toEqual(["a", "c"]);
    });

    test("are found as before after VACUUM, and as they were changed after it", async () => {
      for (const id of ["a", "b", "c", "d"]) insert({ id, embedding: `[${id.charCodeAt(0) - 90},1]` });
      run(`DELETE FROM ${table} WHERE id = 'b'`);
      expect(await search([1, 0])).toEqual(["d", "c", "a"]);
      run("VACUUM");
      expect(await search([1, 0])).toEqual(["d", "c", "a"]);
      run(`UPDATE ${table} SET embedding = '[1,0]' WHERE id = 'a'`);
      run("VACUUM");
      insert({ id: "e", embedding: "[1,100]" });
      expect(await search([1, 0])).toEqual(["a", "d", "c", "e"]);
    });

    test("keep their order among equals: inserted last comes first", async () => {
      for (const id of ["b", "c", "a"]) insert({ id, embedding: "[1,2]" });
      expect(await search([1, 2])).toEqual(["a", "c", "b"]);
      expect(await search([1, 2], { topK: 1 })).toEqual(["a"]);
    });
  });
}

describe("sessions deleted by plain SQL", () => {
  test("take their entities out of the next search, and leave their facts in it", async () => {
    const entity = await store.saveEntity(buildEntity(sessionId, { embedding: [1, 0] }));
    const fact = await store.saveFact(buildFact({ sourceSessionId: sessionId, embedding: [1, 0] }));
    expect(await store.searchEntitiesSemantic([1, 0])).toEqual([entity]);
    run("DELETE FROM sessions WHERE id = ?", sessionId);
    expect(await store.searchEntitiesSemantic([1, 0])).toEqual([]);
    const { sourceSessionId: _, ...rest } = fact;
    expect(await store.searchFactsSemantic([1, 0])).toStrictEqual([rest]);
  });

  test("do not hide an entity that an update moved to another session", async () => {
    const elsewhere = await store.createSession("./e");
    insertEntity({ id: "a", embedding: "[1,0]" });
    const search = (id: string) => store.searchEntitiesSemantic([1, 0], { sessionId: id });
    expect(idsOf(await search(sessionId))).toEqual(["a"]);
    run("UPDATE entities SET session_id = ?", elsewhere.id);
    expect([idsOf(await search(sessionId)), idsOf(await search(elsewhere.id))]).toEqual([[], ["a"]]);
  });
});

describe("memories in a file that 0.2.3 wrote", () => {
  const expected = readExpected();
  let published: SqliteCheckpointStore;
  let file: string;

  beforeEach(() => {
    file = join(folder.path, "published.db");
    copyFileSync(join(FIXTURES, "published-0.2.3.db"), file);
    published = new SqliteCheckpointStore(file);
  });

  afterEach(() => published.close());

  test("read back equal, each and as lists newest first", async () => {
    for (const entity of expected.entities)
      expect(await published.getEntity(entity.id)).toStrictEqual(entity);
    for (const fact of expected.facts) expect(await published.getFact(fact.id)).toStrictEqual(fact);
    expect(await published.listEntities({})).toStrictEqual(expected.entities.toSorted(newestFirst));
    expect(await published.listFacts({})).toStrictEqual(expected.facts.toSorted(newestFirst));
  });

  test("are found by search, whole", async () => {
    for (const entity of expected.entities.filter((each) => each.embedding !== undefined)) {
      const found = await published.searchEntitiesSemantic(entity.embedding ?? [], { threshold: 0.999 });
      expect(found).toStrictEqual([entity]);
    }
    for (const fact of expected.facts.filter((each) => each.embedding !== undefined)) {
      const found = await published.searchFactsSemantic(fact.embedding ?? [], { threshold: 0.999 });
      expect(found).toStrictEqual([fact]);
    }
    expect(await rejectionOf(published.searchFactsSemantic([1]))).toBeInstanceOf(VectorDimensionError);
  });

  test("are updated, and found by their new embeddings and not by the old ones", async () => {
    const [entity] = expected.entities.filter((each) => each.embedding !== undefined);
    const id = entity?.id ?? "";
    await published.updateEntity(id, { embedding: [0, 0, 0, 1], attributes: { fresh: new Date(1) } });
    expect(idsOf(await published.searchEntitiesSemantic([0, 0, 0, 1], { threshold: 1 }))).toEqual([id]);
    expect(await published.searchEntitiesSemantic([0.1, 0.2, -0.3, 0], { threshold: 0.5 })).toEqual([]);
    expect((await published.getEntity(id))?.attributes).toEqual({ fresh: new Date(1) });
  });
});

function readExpected(): { entities: Entity[]; facts: Fact[] } {
  const text = readFileSync(join(FIXTURES, "published-0.2.3.expected.json"), "utf8");
  const all = new JsonPlusSerializer().deserialize(text);
  const [entities, facts]: unknown[] = ["entities", "facts"].map((key) => Reflect.get(Object(all), key));
  if (!isListOf(entities, isEntity) || !isListOf(facts, isFact)) throw new TypeError("Not the fixture");
  if (entities.length !== 2 || facts.length !== 2) throw new TypeError("Not the whole fixture");
  return { entities, facts };
}

function isListOf<T>(list: unknown, is: (value: unknown) => value is T): list is T[] {
  return Array.isArray(list) && list.every(is);
}

function isEntity(value: unknown): value is Entity {
  return ["id", "sessionId", "name", "type"].every(
    (key) => typeof Reflect.get(Object(value), key) === "string",
  );
}

function isFact(value: unknown): value is Fact {
  return ["id", "content"].every((key) => typeof Reflect.get(Object(value), key) === "string");
}

function newestFirst(a: Entity | Fact, b: Entity | Fact): number {
  return b.createdAt - a.createdAt;
}

const corruptEmbeddings: readonly (readonly [string, SQLQueryBindings])[] = [
  ["no JSON", "[1,"],
  ["an empty text", ""],
  ["a JSON text", '"text"'],
  ["a JSON object", '{"0":1}'],
  ["a list of texts", '["1","2"]'],
  ["a list with null", "[1,null]"],
  ["a list in a list", "[[1,2]]"],
  ["a number beyond float64", "[1e999,1]"],
  ["an integer", 5],
  ["a float", 0.5],
  ["bytes", new Uint8Array([1, 2, 3, 4])],
];

describe("an embedding that cannot be read", () => {
  for (const { table, insert, search } of kinds) {
    for (const [name, embedding] of corruptEmbeddings) {
      test(`${name} in ${table} is left out of searches, and hides no row`, async () => {
        insert({ id: "good", embedding: "[1,0]", workspaceId: "good" });
        insert({ id: "the-bad-one", embedding, workspaceId: "bad" });
        for (const [options, found] of [
          [{}, ["good"]],
          [{ workspaceId: "bad" }, []],
          [{ workspaceId: "good" }, ["good"]],
        ] as const) {
          expect(await search([1, 0], options)).toEqual([...found]);
        }
        const listed = table === "entities" ? await store.listEntities({}) : await store.listFacts({});
        expect(listed.map((row) => [row.id, row.embedding])).toEqual([
          ["the-bad-one", undefined],
          ["good", [1, 0]],
        ]);
      });
    }

    test(`an empty list in ${table}, which 0.2.3 can hold, is found by no search and fails none`, async () => {
      insert({ id: "good", embedding: "[1,0]" });
      insert({ id: "empty", embedding: "[]" });
      expect(await search([1, 0])).toEqual(["good"]);
    });

    test(`in ${table} is found once it is fixed`, async () => {
      for (const id of ["a", "b"]) insert({ id, embedding: "[1,", workspaceId: "ws" });
      expect(await search([1, 0])).toEqual([]);
      run(`UPDATE ${table} SET embedding = '[1,0]' WHERE id = 'a'`);
      expect(await search([1, 0])).toEqual(["a"]);
    });

    test(`in ${table} with a binary form that is whole is left out too`, async () => {
      insert({ id: "a", embedding: "[1,0]" });
      insert({ id: "b", embedding: "[1,1]" });
      expect(await search([1, 0])).toEqual(["a", "b"]);
      run("DROP TRIGGER checkpoint_sqlite_entity_updated");
      run("DROP TRIGGER checkpoint_sqlite_fact_updated");
      run(`UPDATE ${table} SET embedding = '[1,' WHERE id = 'a'`);
      expect(await search([1, 0])).toEqual(["b"]);
    });
  }
});

describe("the binary form", () => {
  const missing = () =>
    rowsOf(other, "SELECT owner, id FROM checkpoint_sqlite_vectors WHERE unit IS NULL ORDER BY id");

  test("is written with the row that the store itself saves or updates", async () => {
    const entity = await store.saveEntity(buildEntity(sessionId, { embedding: [1, 0] }));
    await store.saveFact(buildFact({ embedding: [1, 0] }));
    await store.updateEntity(entity.id, { embedding: [3, 4] });
    expect(missing()).toEqual([]);
    expect(rowsOf(other, "SELECT count(*) AS count FROM checkpoint_sqlite_vectors")).toEqual([{ count: 2 }]);
  });

  test("is filled in, after a search, for rows that others wrote", async () => {
    insertEntity({ id: "a", embedding: "[1,0]" });
    insertEntity({ id: "b", embedding: "[3,4]" });
    insertFact({ id: "c", embedding: "[1,0]" });
    expect(missing()).toHaveLength(3);
    await store.searchEntitiesSemantic([1, 0]);
    await store.searchFactsSemantic([1, 0]);
    await store.close();
    expect(missing()).toEqual([]);
    await using reopened = new SqliteCheckpointStore(path);
    expect(idsOf(await reopened.searchEntitiesSemantic([1, 0]))).toEqual(["a", "b"]);
    run("UPDATE entities SET embedding = '[9,0]' WHERE id = 'b'");
    expect(missing()).toEqual([{ owner: "entity", id: "b" }]);
    expect(idsOf(await reopened.searchEntitiesSemantic([1, 0]))).toEqual(["b", "a"]);
  });

  test("follows every row: there is one for each embedding and none besides", async () => {
    const count = () =>
      rowsOf(
        other,
        `SELECT
           (SELECT count(*) FROM checkpoint_sqlite_vectors) AS vectors,
           (SELECT count(*) FROM entities WHERE embedding IS NOT NULL)
           + (SELECT count(*) FROM facts WHERE embedding IS NOT NULL) AS embeddings`,
      );
    const entities = await Promise.all(
      Array.from({ length: 10 }, (_, n) => store.saveEntity(buildEntity(sessionId, { embedding: [n, 1] }))),
    );
    for (let n = 0; n < 10; n++) insertFact({ id: `${n}`, embedding: n % 2 === 0 ? `[${n}]` : null });
    expect(count()).toEqual([{ vectors: 15, embeddings: 15 }]);
    const [first, second] = entities;
    await store.deleteEntity(first?.id ?? "");
    await store.updateEntity(second?.id ?? "", { embedding: null });
    await store.deleteFact("0");
    insertFact({ id: "2", embedding: null }, "INSERT OR REPLACE");
    expect(count()).toEqual([{ vectors: 11, embeddings: 11 }]);
    await store.deleteSession(sessionId);
    expect(count()).toEqual([{ vectors: 3, embeddings: 3 }]);
  });

  test("that is damaged changes no answer", async () => {
    const saved = [
      await store.saveFact(buildFact({ embedding: [3, 4] })),
      await store.saveFact(buildFact({ embedding: [1, 0] })),
    ];
    await store.close();
    for (const damaged of [new Uint8Array(0), new Uint8Array(3), "text", null]) {
      run("UPDATE checkpoint_sqlite_vectors SET unit = ?", damaged);
      await using reopened = new SqliteCheckpointStore(path);
      expect(await reopened.searchFactsSemantic([1, 0])).toEqual(saved.toReversed());
    }
  });
});

describe("a second store in the same process", () => {
  test("and the first find at once what the other saves, updates and deletes", async () => {
    const second = new SqliteCheckpointStore(path);
    const find = () => Promise.all([store, second].map((each) => each.searchEntitiesSemantic([1, 0])));
    const a = await store.saveEntity(buildEntity(sessionId, { embedding: [1, 0] }));
    expect(await find()).toEqual([[a], [a]]);
    const b = await second.saveEntity(buildEntity(sessionId, { embedding: [1, 1] }));
    expect(await find()).toEqual([
      [a, b],
      [a, b],
    ]);
    await store.updateEntity(b.id, { embedding: [-1, 0] });
    expect(await find()).toEqual([[a], [a]]);
    await second.deleteEntity(a.id);
    expect(await find()).toEqual([[], []]);
    await second.close();
  });

  test("that is readonly searches what was there and what comes, and writes nothing", async () => {
    insertFact({ id: "a", embedding: "[1,0]" });
    const reader = new SqliteCheckpointStore(path, { readonly: true });
    expect(idsOf(await reader.searchFactsSemantic([1, 0]))).toEqual(["a"]);
    insertFact({ id: "b", embedding: "[2,0]" });
    const saved = await store.saveFact(buildFact({ embedding: [3, 0] }));
    expect(idsOf(await reader.searchFactsSemantic([1, 0]))).toEqual([saved.id, "b", "a"]);
    run("DELETE FROM facts WHERE id = 'b'");
    expect(idsOf(await reader.searchFactsSemantic([1, 0]))).toEqual([saved.id, "a"]);
    await reader.close();
    const missing = "SELECT id FROM checkpoint_sqlite_vectors WHERE unit IS NULL";
    expect(rowsOf(other, missing)).toEqual([{ id: "a" }]);
  });
});

describe("two processes", () => {
  test("one writing while the other searches: never a wrong row, and at the end everything is found", async () => {
    const child = Child.start("memory-writer.ts", [path, sessionId, "60"]);
    try {
      await child.ready();
      let isDone = false;
      const answering = child.answer().finally(() => {
        isDone = true;
      });
      const query = namedVector("the query");
      let searches = 0;
      for (; !isDone; searches++) {
        // Searches alone never let the event loop hear of the child: it would search forever.
        await new Promise((resolve) => setImmediate(resolve));
        const options = { threshold: 0.5, topK: 1 + (searches % 200) };
        expectRightRows(query, options, await store.searchEntitiesSemantic(query, { sessionId, ...options }));
        expectRightRows(query, options, await store.searchFactsSemantic(query, options));
      }
      const { names, contents } = asLeft(await answering);
      expect([names.length, contents.length, searches > 0]).toEqual([120, 60, true]);
      const all = { threshold: -1, topK: 1000 };
      const entities = await store.searchEntitiesSemantic(query, all);
      const facts = await store.searchFactsSemantic(query, all);
      expect(entities.map((entity) => entity.name).toSorted()).toEqual(names.toSorted());
      expect(facts.map((fact) => fact.content).toSorted()).toEqual(contents.toSorted());
      const listed = await store.listEntities({});
      expect(entities).toEqual(naiveSearch(listed, { embedding: query, ...all }).found);
    } finally {
      await child.stop();
    }
  }, 30_000);
});

/** Whole rows, each once, best first, none below the threshold and not too many. */
function expectRightRows(
  query: readonly number[],
  { threshold, topK }: { threshold: number; topK: number },
  found: readonly (Entity | Fact)[],
): void {
  for (const memory of found) {
    expect(memory.embedding).toEqual(namedVector("name" in memory ? memory.name : memory.content));
  }
  const similarities = found.map((memory) => naiveCosine(query, memory.embedding ?? []));
  expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));
  expect(similarities.filter((similarity) => similarity < threshold)).toEqual([]);
  expect(new Set(idsOf(found)).size).toBe(found.length);
  expect(found.length).toBeLessThanOrEqual(topK);
}

function asLeft(answer: unknown): { names: string[]; contents: string[] } {
  const [names, contents]: unknown[] = ["names", "contents"].map((key) => Reflect.get(Object(answer), key));
  if (!Array.isArray(names) || !Array.isArray(contents)) throw new TypeError("Not the child's answer");
  return { names: names.map(String), contents: contents.map(String) };
}

describe("the memory of vectors", () => {
  test("of a group is what its blocks take, and grows by whole blocks only when there is no room", () => {
    const group = new VectorGroup("entity", 8);
    expect([group.count, group.bytes]).toEqual([0, 0]);
    const block = group.bytesToAdd;
    for (let revision = 1; revision <= 1000; revision++) {
      const before = group.bytes;
      const more = group.bytesToAdd;
      group.add(revision, [1, 0, 0, 0, 0, 0, 0, 0]);
      expect(group.bytes).toBe(before + more);
      expect(group.bytes).toBeGreaterThanOrEqual(revision * 8 * Float32Array.BYTES_PER_ELEMENT);
      expect([0, block]).toContain(more);
    }
    expect(group.count).toBe(1000);
    expect(group.bytes % block).toBe(0);
    expect(group.bytes).toBeLessThan(1000 * (8 * Float32Array.BYTES_PER_ELEMENT + 100) + block);
  });

  test("of a group is used again by what comes after a deletion", () => {
    const group = new VectorGroup("fact", 2);
    while (group.bytesToAdd === 0 || group.count === 0) group.add(group.count + 1, [1, 0]);
    const { bytes, count } = group;
    for (let revision = 1; revision <= 10; revision++) group.delete(revision);
    group.delete(10_000);
    expect([group.count, group.bytes, group.bytesToAdd]).toEqual([count - 10, bytes, 0]);
    for (let revision = 1001; revision <= 1010; revision++) group.add(revision, [0, 1]);
    expect([group.count, group.bytes]).toEqual([count, bytes]);
    const query = new Float64Array([0, 1]);
    expect([group.placeOf(1), group.placeOf(10_000)]).toEqual([undefined, undefined]);
    for (let revision = 1001; revision <= 1010; revision++) {
      const place = group.placeOf(revision) ?? Number.NaN;
      expect([group.revisionAt(place), group.similarityAt(place, query)]).toEqual([revision, 1]);
    }
    expect([...group.revisions()]).toHaveLength(count);
  });

  for (const [limit, leastHeld] of [
    [0, 0],
    [1000, 0],
    [60_000, 1],
    [200_000, 512],
    [10_000_000, 1400],
  ] as const) {
    test(`of a store stays within vectorMemory: ${limit}, and the answers are the same`, async () => {
      const saved = await Promise.all(
        Array.from({ length: 700 }, (_, n) => {
          const embedding = namedVector(`${n}`);
          return Promise.all([
            store.saveFact(buildFact({ embedding })),
            store.saveEntity(buildEntity(sessionId, { embedding: embedding.slice(0, 3 + (n % 2)) })),
          ]);
        }),
      );
      const facts = saved.map(([fact]) => fact).reverse();
      const entities = saved.map(([, entity]) => entity).reverse();
      await using limited = new SqliteCheckpointStore(path, { vectorMemory: limit });
      const added = spyOn(VectorGroup.prototype, "add");
      try {
        for (const topK of [1, 30, 1000]) {
          const embedding = namedVector(`query ${topK}`);
          const found = await limited.searchFactsSemantic(embedding, { topK });
          expect(idsOf(found)).toEqual(idsOf(naiveSearch(facts, { embedding, topK }).found));
          const three = embedding.slice(0, 3);
          const others = await limited.searchEntitiesSemantic(three, { topK, sessionId });
          expect(idsOf(others)).toEqual(idsOf(naiveSearch(entities, { embedding: three, topK }).found));
        }
        const groups = [...new Set(added.mock.contexts)].filter((each) => each instanceof VectorGroup);
        const bytes = groups.reduce((sum, group) => sum + group.bytes, 0);
        const held = groups.reduce((sum, group) => sum + group.count, 0);
        expect(bytes).toBeLessThanOrEqual(limit);
        expect(held).toBeGreaterThanOrEqual(leastHeld);
      } finally {
        added.mockRestore();
      }
    });
  }
});
