/** How SQLite answers every statement of the store: by index, whatever is in the file. */
import type { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { foreignKeysOf, tablesOf } from "../support/catalogue.js";
import { buildEntity, buildFact } from "../support/memory-builders.js";
import { watchOpening } from "../support/opened-database.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const SOURCES = join(import.meta.dir, "..", "..", "src");
const ROOMS_WITH_STATEMENTS = ["rows", "search", "tables"];

/** The reads that have to stay fast however much is in the file: which index terms their search must use, at least. */
const SEARCHES: Readonly<Record<string, string>> = {
  "SESSIONS_SQL.select": "sessions (id=?)",
  "SESSIONS_SQL.exists": "sessions (id=?)",
  "SESSIONS_SQL.listInWorkspace": "sessions (workspace_id=?)",
  "MESSAGES_SQL.list": "messages (session_id=?)",
  "MESSAGES_SQL.page": "messages (session_id=? AND created_at<?)",
  "MESSAGES_SQL.pageBefore": "messages (session_id=? AND created_at<?)",
  "MESSAGES_SQL.copyToFork": "messages (session_id=? AND created_at<?)",
  "CHECKPOINTS_SQL.select": "checkpoints (id=?)",
  "CHECKPOINTS_SQL.origin": "checkpoints (id=?)",
  "CHECKPOINTS_SQL.listInRoot": "checkpoints (session_id=?)",
  "CHECKPOINTS_SQL.listInNamespace": "checkpoints (session_id=? AND namespace=?)",
  "CHECKPOINTS_SQL.listInRootBefore": "checkpoints (session_id=? AND created_at<?)",
  "CHECKPOINTS_SQL.listInNamespaceBefore": "checkpoints (session_id=? AND namespace=? AND created_at<?)",
  "CHECKPOINTS_SQL.nextVersion": "checkpoints (session_id=? AND namespace=?)",
  "ENTITIES_SQL.select": "entities (id=?)",
  "ENTITIES_SQL.listInSession": "entities (session_id=?)",
  "ENTITIES_SQL.listInWorkspace": "entities (workspace_id=?)",
  "ENTITIES_SQL.listOfType": "entities (type=?)",
  "OUTPUTS_SWEEP_SQL.checkpoints": "checkpoints (session_id=?)",
  "OUTPUTS_SWEEP_SQL.stored": "checkpoint_sqlite_outputs (session_id=?)",
  "OUTPUTS_SWEEP_SQL.delete": "checkpoint_sqlite_outputs (session_id=? AND hash=?)",
  "FACTS_SQL.select": "facts (id=?)",
  "FACTS_SQL.listInWorkspace": "facts (workspace_id=?)",
  "VECTORS_SQL.page": "checkpoint_sqlite_vectors (rowid>?)",
  "VECTORS_SQL.revisionsOfSession": "checkpoint_sqlite_vectors (owner=? AND session_id=?)",
  "VECTORS_SQL.revisionsOfWorkspace": "checkpoint_sqlite_vectors (owner=? AND workspace_id=?)",
};

/** A list of everything may walk a table, or an index of it, from end to end, in its own order. */
const LISTS_OF_EVERYTHING = [
  "SESSIONS_SQL.list",
  "ENTITIES_SQL.list",
  "FACTS_SQL.list",
  "VECTORS_SQL.revisions",
];

const SORTED_LISTS = [
  // It returns every row of its table: an index in its order would save the sort, and cost every message a page.
  "SESSIONS_SQL.list",
  // Hashes and lists of one session's outputs, before they are deleted.
  "OUTPUTS_SWEEP_SQL.stored",
];

/** It gathers hashes in a temporary table of its own. */
const SET_OF_HASHES = "OUTPUTS_SQL.neededByCheckpoint";

/** It sorts and scans what it has found by searches: one checkpoint a namespace, and the names of its nodes. */
const LATEST_OF_OUTERMOST = "CHECKPOINTS_SQL.latestOfOutermost";

/** One session with most of the rows, many with few, one workspace with most of the sessions. */
const SKEWED = [
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
   INSERT INTO sessions SELECT 's' || i, iif(i % 10, 'w', 'v' || i), NULL, './d', i, i, NULL FROM n`,
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
   INSERT INTO messages (session_id, role, created_at) SELECT iif(i % 10, 's1', 's' || (i / 10)), 'user', i FROM n`,
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
   INSERT INTO checkpoints (id, session_id, namespace, version, step, node_results, created_at)
   SELECT 'c' || i, iif(i % 10, 's1', 's' || (i / 10)), iif(i % 3, 'graph', 'n' || (i % 7)), i, 0, '{}', i FROM n`,
  "ANALYZE",
];

/** Few sessions, large and small namespaces in each: what ANALYZE counts makes the index of versions look narrow. */
const MIXED = [
  "INSERT INTO sessions VALUES ('s1', NULL, NULL, './d', 1, 1, NULL), ('s2', NULL, NULL, './d', 1, 1, NULL)",
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
   INSERT INTO checkpoints (id, session_id, namespace, version, step, node_results, created_at)
   SELECT 'c' || i, 's' || (1 + i % 2), iif(i % 10, '', 'n' || i), i, 0, '{}', i FROM n`,
  "ANALYZE",
];

/** Nearly every checkpoint in a namespace of its own. */
const NAMED = MIXED.map((sql) => sql.replace("iif(i % 10, '', 'n' || i)", "iif(i % 10, 'n' || i, '')"));

const CONTENTS = { empty: [], skewed: SKEWED, "of mixed namespaces": MIXED, "of many namespaces": NAMED };

const statements = await exportedStatements();
let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await createTemporaryFolder();
  for (const [name, content] of Object.entries(CONTENTS)) {
    await new SqliteCheckpointStore(fileOf(name)).close();
    runOn(fileOf(name), ...content);
  }
});

afterAll(() => folder.remove());

test("there are statements to look at, those of the latest, a page and a list among them", () => {
  const names = statements.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(Object.keys(SEARCHES)));
});

test("every statement that is looked at here is used by its own file", () => {
  for (const { name, sql, file } of statements) {
    const key = name.split(".")[1] ?? "";
    const uses = readFileSync(file, "utf8").match(new RegExp(`[.,{ ]${key}\\b(?!:)`, "g")) ?? [];
    expect(uses.length, `${name}: ${sql}`).toBeGreaterThan(0);
  }
});

// What SQLite does cannot be seen through bun:sqlite, only timed: see statements in src/database/connection.ts.
test("no statement that sorts, joins or takes a maximum shows SQLite a bare parameter", () => {
  const isPlannedByValue = /ORDER BY|JOIN|(?:max|min)\((?:\w+\.)?\w+\)/;
  const bareParameter = /(?:[=<>]|LIMIT|IN \()\s*\?/;
  const bare = statements.filter(({ sql }) => isPlannedByValue.test(sql) && bareParameter.test(sql));
  expect(bare.map(({ name }) => name)).toEqual([]);
});

test("a store prepares no statement on its tables apart from those that are inspected here", async () => {
  const path = fileOf("called");
  await new SqliteCheckpointStore(path).close();
  const { result: store, statements: prepared } = watchOpening(path, () => new SqliteCheckpointStore(path));
  await callEverything(store);
  await store.close();
  const exported = new Set(statements.map(({ sql }) => sql));
  const tables = /\b(sessions|messages|checkpoints|entities|facts)\b/;
  expect(prepared.filter((sql) => exported.has(sql)).length).toBeGreaterThan(40);
  expect(prepared.filter((sql) => !exported.has(sql) && tables.test(sql))).toEqual([]);
});

describe.each(Object.keys(CONTENTS))("in a file that is %s", (content) => {
  const others = statements.filter(({ name }) => name !== LATEST_OF_OUTERMOST && name !== SET_OF_HASHES);
  test.each(others)("$name neither scans a table nor sorts", ({ name, sql }) => {
    const plan = planOf(content, sql);
    expect(plan.filter((step) => step.includes("TEMP B-TREE") && !SORTED_LISTS.includes(name))).toEqual([]);
    expect(plan.filter((step) => /AUTOMATIC/.test(step))).toEqual([]);
    const scans = plan.filter((step) => /^SCAN (?!CONSTANT ROW|\w+ VIRTUAL TABLE)/.test(step));
    expect(LISTS_OF_EVERYTHING.includes(name) ? [] : scans).toEqual([]);
  });

  test.each(Object.entries(SEARCHES))("%s searches an index of %s", (name, search) => {
    const sql = statements.find((statement) => statement.name === name)?.sql ?? "";
    const [table = "", terms = ""] = search.split(/ (?=\()/);
    const searches = planOf(content, sql).filter((step) => step.startsWith(`SEARCH ${table} USING `));
    expect(searches).toHaveLength(1);
    expect(searches[0]).toContain(terms.slice(0, -1));
  });

  test("a session's checkpoints of all namespaces are merged from two indexes", () => {
    const sql = statements.find(({ name }) => name === "CHECKPOINTS_SQL.list")?.sql ?? "";
    expect(planOf(content, sql)).toEqual([
      "MERGE (UNION ALL)",
      "LEFT",
      "SEARCH checkpoints USING INDEX idx_checkpoints_saved_root (session_id=?)",
      "RIGHT",
      "SEARCH checkpoints USING INDEX idx_checkpoints_saved_named (session_id=?)",
    ]);
  });

  test("the latest of a session with one namespace is found by searches of an index", () => {
    const sql = statements.find(({ name }) => name === "CHECKPOINTS_SQL.latestOfLastNamespace")?.sql ?? "";
    expect(
      planOf(content, sql)
        .filter((step) => step.startsWith("SEARCH"))
        .toSorted(),
    ).toEqual([
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_namespace (session_id=?)",
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_root (session_id=?)",
      "SEARCH checkpoints USING INTEGER PRIMARY KEY (rowid=?)",
      "SEARCH other USING COVERING INDEX idx_checkpoints_version (session_id=? AND namespace<?)",
    ]);
  });

  test("the latest of the outermost graph looks at checkpoints by searches only", () => {
    const sql = statements.find(({ name }) => name === LATEST_OF_OUTERMOST)?.sql ?? "";
    const looks = planOf(content, sql).filter((step) =>
      /^(SEARCH|SCAN) (checkpoints|newest|latest) USING/.test(step),
    );
    expect(looks.toSorted()).toEqual([
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_version (session_id=? AND namespace>?)",
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_version (session_id=?)",
      "SEARCH checkpoints USING INTEGER PRIMARY KEY (rowid=?)",
      "SEARCH checkpoints USING INTEGER PRIMARY KEY (rowid=?)",
      "SEARCH latest USING INTEGER PRIMARY KEY (rowid=?)",
      "SEARCH newest USING COVERING INDEX idx_checkpoints_saved_namespace (session_id=? AND namespace=?)",
      "SEARCH newest USING COVERING INDEX idx_checkpoints_saved_root (session_id=?)",
    ]);
    expect(planOf(content, sql)).not.toContain("SCAN checkpoints");
  });

  test.each([SET_OF_HASHES, "OUTPUTS_SQL.copy"])(
    "%s looks at checkpoints and outputs by searches only",
    (wanted) => {
      const sql = statements.find(({ name }) => name === wanted)?.sql ?? "";
      const looks = planOf(content, sql).filter((step) =>
        /(SEARCH|SCAN) (saved|whole|outputs|checkpoint\w*)\b/.test(step),
      );
      expect(looks.length).toBeGreaterThan(0);
      for (const look of looks) expect(look).toMatch(/^SEARCH \w+ USING (COVERING )?INDEX /);
    },
  );

  test("the checkpoints that expired at a save are found by searches of one index", () => {
    const searchesOf = (statement: string) =>
      planOf(content, statements.find(({ name }) => name === `RETENTION_SQL.${statement}`)?.sql ?? "")
        .filter((step) => step.startsWith("SEARCH"))
        .toSorted();
    expect(searchesOf("deleteExpiredInRoot")).toEqual([
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_root (session_id=? AND created_at<?)",
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_root (session_id=?)",
      "SEARCH checkpoints USING INTEGER PRIMARY KEY (rowid=?)",
    ]);
    expect(searchesOf("deleteExpiredInNamespace")).toEqual([
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_namespace (session_id=? AND namespace=? AND created_at<?)",
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_namespace (session_id=? AND namespace=?)",
      "SEARCH checkpoints USING INTEGER PRIMARY KEY (rowid=?)",
    ]);
  });

  test("the times of a session's clock are the ends of an index", () => {
    const sql = statements.find(({ name }) => name === "SESSION_CLOCKS_SQL.latest")?.sql ?? "";
    const searches = planOf(content, sql).filter((step) => / (messages|checkpoints) USING /.test(step));
    expect(searches).toEqual([
      "SEARCH messages USING COVERING INDEX idx_messages_session (session_id=?)",
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_root (session_id=?)",
      "SEARCH checkpoints USING INDEX idx_checkpoints_saved_named (session_id=?)",
    ]);
  });
});

test("for every foreign key there is an index, so that deleting a session scans no table", () => {
  inspect("empty", (database) => {
    const keys = tablesOf(database).flatMap((table) =>
      foreignKeysOf(database, table).map((key) => ({ table, column: key.split(" ")[0] ?? "" })),
    );
    expect(keys.map(({ table }) => table).toSorted()).toEqual([
      "checkpoint_sqlite_outputs",
      "checkpoints",
      "entities",
      "facts",
      "messages",
    ]);
    for (const { table, column } of keys) {
      const leading = rowsOf<{ name: string }>(
        database,
        `SELECT column.name
         FROM pragma_index_list(?) AS list
         JOIN pragma_index_info(list.name) AS column ON column.seqno = 0`,
        table,
      ).map(({ name }) => name);
      expect(leading, `${table}.${column}`).toContain(column);
    }
  });
});

/** Statements are prepared at their first use. */
async function callEverything(store: SqliteCheckpointStore): Promise<void> {
  const { id } = await store.createSession("./everything", { workspaceId: "w" });
  await store.listSessions();
  await store.listSessions("w");
  await store.updateSession(id, { title: "t" });
  const message = await store.addMessage(id, buildMessage(id));
  await store.getMessages(id);
  await store.getMessages(id, { limit: 1 });
  await store.getMessages(id, { beforeId: message.id });
  const checkpoint = await store.saveCheckpoint(buildCheckpoint(id, { namespace: "n" }));
  await store.saveCheckpoint(buildCheckpoint(id));
  for (const namespace of [undefined, "", "n"]) {
    await store.getLatestCheckpoint(id, namespace);
    await store.listCheckpoints(id, { namespace });
    await store.listCheckpoints(id, { namespace, beforeId: checkpoint.id });
  }
  await store.getCheckpoint(checkpoint.id);
  const fork = await store.fork(checkpoint.id);
  await store.getMessages("unknown").catch(() => []);
  const entity = await store.saveEntity(buildEntity(id, { embedding: [1, 0] }));
  await store.updateEntity(entity.id, { name: "renamed", embedding: [0, 1] });
  await store.listEntities({ type: "person" });
  for (const filter of [{}, { sessionId: id }, { workspaceId: "w" }]) {
    await store.listEntities(filter);
    await store.searchEntitiesSemantic([1, 0], filter);
  }
  const fact = await store.saveFact(buildFact({ embedding: [1, 0], sourceSessionId: id }));
  for (const filter of [{}, { workspaceId: "w" }]) {
    await store.listFacts(filter);
    await store.searchFactsSemantic([1, 0], filter);
  }
  await store.getEntity(entity.id);
  await store.getFact(fact.id);
  await store.deleteEntity(entity.id);
  await store.deleteFact(fact.id);
  await store.searchFactsSemantic([1, 0]);
  await store.deleteMessage(message.id);
  await store.deleteCheckpoint(checkpoint.id);
  await store.deleteSession(fork.id);
}

interface NamedStatement {
  readonly file: string;
  readonly name: string;
  readonly sql: string;
}

/** Every statement of every object named …_SQL that a file of those rooms exports. */
async function exportedStatements(): Promise<NamedStatement[]> {
  const found: NamedStatement[] = [];
  const files = ROOMS_WITH_STATEMENTS.flatMap((room) =>
    readdirSync(join(SOURCES, room)).map((file) => join(SOURCES, room, file)),
  );
  for (const file of files.toSorted()) {
    const module: unknown = await import(file);
    for (const [group, texts] of Object.entries(module ?? {})) {
      if (!group.endsWith("_SQL")) continue;
      for (const [name, sql] of Object.entries(texts ?? {}))
        found.push({ file, name: `${group}.${name}`, sql: String(sql) });
    }
  }
  return found;
}

function planOf(file: string, sql: string): string[] {
  return inspect(file, (database) =>
    rowsOf<{ detail: string }>(database, `EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) =>
      // Before SQLite 3.53 a row value is shown with all its columns.
      detail.replace(/ (\w+)\.(?=\w+)/, " ").replace(/\((created_at),(?:rowid|id)\)<\(\?,\?\)/, "$1<?"),
    ),
  );
}

function inspect<T>(name: string, look: (database: Database) => T): T {
  return withDatabase(fileOf(name), look);
}

function fileOf(name: string): string {
  return join(folder.path, `${name}.db`);
}
