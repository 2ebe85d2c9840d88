/** How SQLite answers the statements of prune, compact, export, import and copy: by index, whatever is in the file. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { EXPIRED_CHECKPOINTS_SQL } from "../../src/maintenance/expired-checkpoints.js";
import { EXPORT_SQL } from "../../src/maintenance/export-sessions.js";
import { IDLE_SESSIONS_SQL } from "../../src/maintenance/idle-sessions.js";
import { PRUNE_SQL } from "../../src/maintenance/prune.js";
import { REWRITING_SQL } from "../../src/maintenance/rewriting.js";
import { CREATE_STAGED, STAGING_SQL } from "../../src/maintenance/staging.js";
import { OUTPUTS_SWEEP_SQL } from "../../src/tables/outputs-sweep.js";
import { rowsOf, runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const GROUPS = {
  PRUNE_SQL,
  EXPIRED_CHECKPOINTS_SQL,
  IDLE_SESSIONS_SQL,
  OUTPUTS_SWEEP_SQL,
  REWRITING_SQL,
  EXPORT_SQL,
  STAGING_SQL,
};

/** They walk a table of the file, or an index of it, from end to end, in its own order. */
const WALKS = ["PRUNE_SQL.count", "REWRITING_SQL.count", "EXPORT_SQL.count"];

/** Pages of a table in its own order. */
const PAGES: Readonly<Record<string, string>> = {
  "PRUNE_SQL.page": "sessions USING INDEX sqlite_autoindex_sessions_1 (id>?)",
  "EXPORT_SQL.page": "sessions USING INTEGER PRIMARY KEY (rowid>?)",
  "REWRITING_SQL.next": "checkpoints USING INTEGER PRIMARY KEY (rowid>?)",
  "REWRITING_SQL.nextSession": "sessions USING COVERING INDEX sqlite_autoindex_sessions_1 (id>?)",
};

/** What has to stay fast however much is in the other sessions. */
const SEARCHES: Readonly<Record<string, readonly string[]>> = {
  "EXPIRED_CHECKPOINTS_SQL.nthNewestInRoot": [
    "checkpoints USING INDEX idx_checkpoints_saved_root (session_id=?)",
  ],
  "EXPIRED_CHECKPOINTS_SQL.nthNewestInNamespace": [
    "checkpoints USING INDEX idx_checkpoints_saved_namespace (session_id=? AND namespace=?)",
  ],
  "EXPIRED_CHECKPOINTS_SQL.beforeInRoot": [
    "checkpoints USING INDEX idx_checkpoints_saved_root (session_id=? AND created_at<?)",
  ],
  "EXPIRED_CHECKPOINTS_SQL.beforeInNamespace": [
    "checkpoints USING INDEX idx_checkpoints_saved_namespace (session_id=? AND namespace=? AND created_at<?)",
  ],
  "EXPORT_SQL.checkpoints": [
    "checkpoints USING INDEX idx_checkpoints_saved_root (session_id=?)",
    "checkpoints USING INDEX idx_checkpoints_saved_named (session_id=?)",
  ],
  "EXPORT_SQL.messages": ["messages USING COVERING INDEX idx_messages_session (session_id=?)"],
  "EXPORT_SQL.entities": ["entities USING INDEX idx_entities_session (session_id=?)"],
  "EXPORT_SQL.facts": ["facts USING INDEX idx_facts_source_session (source_session_id=?)"],
  "EXPORT_SQL.otherFacts": ["facts USING INDEX idx_facts_source_session (source_session_id=?)"],
};

const statements = Object.entries(GROUPS).flatMap(([group, texts]) =>
  Object.entries(texts).map(([name, sql]) => ({ name: `${group}.${name}`, sql })),
);

const CONTENTS: Readonly<Record<string, readonly string[]>> = {
  empty: [],
  skewed: [
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
     INSERT INTO sessions SELECT 's' || i, iif(i % 10, 'w', 'v' || i), NULL, './d', i, i, NULL FROM n`,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
     INSERT INTO messages (session_id, role, created_at) SELECT iif(i % 10, 's1', 's' || (i / 10)), 'user', i FROM n`,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
     INSERT INTO checkpoints (id, session_id, namespace, version, step, node_results, created_at)
     SELECT 'c' || i, iif(i % 10, 's1', 's' || (i / 10)), iif(i % 3, '', 'n' || (i % 7)), i, 0, '{}', i FROM n`,
    "ANALYZE",
  ],
};

let folder: TemporaryFolder;
const open = new Map<string, Database>();

beforeAll(async () => {
  folder = await createTemporaryFolder();
  for (const [name, content] of Object.entries(CONTENTS)) {
    const path = join(folder.path, `${name}.db`);
    await new SqliteCheckpointStore(path).close();
    runOn(path, ...content);
    const database = new Database(path, { readwrite: true });
    for (const create of CREATE_STAGED) database.run(create);
    open.set(name, database);
  }
});

afterAll(async () => {
  for (const database of open.values()) database.close(true);
  await folder.remove();
});

/** Without the steps that look at the staged tables: one session's, in a database of their own. */
/** Hashes and lists of one session's outputs, before they are deleted. */
const SORTED_LIST = "OUTPUTS_SWEEP_SQL.stored";

function planOf(content: string, sql: string): string[] {
  const database = open.get(content);
  if (database === undefined) throw new Error(`No file ${content}`);
  return rowsOf<{ detail: string }>(database, `EXPLAIN QUERY PLAN ${sql}`)
    .map(({ detail }) =>
      detail
        .replace(/ (?:main|temp)\.(?=\w+)/, " ")
        .replaceAll(/\(created_at,rowid\)([<>])\(\?,\?\)/g, "created_at$1?"),
    )
    .filter((step) => !/^(SCAN|SEARCH) (staged|staged_\w+|new_ids)\b/.test(step));
}

describe.each(Object.keys(CONTENTS))("in a file that is %s", (content) => {
  test.each(statements)("$name neither scans a table nor sorts", ({ name, sql }) => {
    const plan = planOf(content, sql);
    const sorts = plan.filter((step) => /TEMP B-TREE|AUTOMATIC/.test(step) && name !== SORTED_LIST);
    expect(sorts).toEqual([]);
    const scans = plan.filter((step) => /^SCAN (?!CONSTANT ROW|namespaces)/.test(step));
    expect(WALKS.includes(name) ? [] : scans).toEqual([]);
  });

  test.each(Object.entries(PAGES))("%s goes on from where it was", (name, search) => {
    const sql = statements.find((statement) => statement.name === name)?.sql ?? "";
    expect(planOf(content, sql)).toEqual([`SEARCH ${search}`]);
  });

  test.each(Object.entries(SEARCHES))("%s searches its index", (name, searches) => {
    const sql = statements.find((statement) => statement.name === name)?.sql ?? "";
    const found = planOf(content, sql).filter((step) => step.startsWith("SEARCH"));
    expect(found).toEqual(searches.map((search) => `SEARCH ${search}`));
  });

  test("whether a session is idle is found by searches of an index", () => {
    const searches = planOf(content, IDLE_SESSIONS_SQL.isIdle).filter((step) => step.startsWith("SEARCH"));
    expect(searches).toEqual([
      "SEARCH sessions USING INDEX sqlite_autoindex_sessions_1 (id=?)",
      "SEARCH messages USING COVERING INDEX idx_messages_session (session_id=? AND created_at>?)",
      "SEARCH checkpoints USING COVERING INDEX idx_checkpoints_saved_root (session_id=? AND created_at>?)",
      "SEARCH checkpoints USING INDEX idx_checkpoints_saved_named (session_id=? AND created_at>?)",
      "SEARCH entities USING INDEX idx_entities_session (session_id=?)",
    ]);
  });
});
