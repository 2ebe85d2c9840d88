/** How SQLite answers the inspector's statements: a page must not wait for the rows of other sessions. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { INSPECTOR_SQL, OUTPUTS_SQL } from "../../src/inspector/reading/statements.js";
import { rowsOf, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

/** They read all sessions, or an index of them: once per state of the file. */
const WALKS_OF_SESSIONS = [
  "countSessions",
  "workspaces",
  "order",
  "orderInWorkspace",
  "countInWorkspace",
  "search",
];

const STATEMENTS = Object.entries({ ...INSPECTOR_SQL, ...OUTPUTS_SQL });

let folder: TemporaryFolder;
let path: string;

beforeAll(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  await new SqliteCheckpointStore(path).close();
});
afterAll(() => folder.remove());

test.each(STATEMENTS)("%s scans no table of rows", (name, sql) => {
  const plan = withDatabase(path, (database) => rowsOf(database, `EXPLAIN QUERY PLAN ${sql}`)).map(
    ({ detail }) => String(detail),
  );
  const scans = plan.filter((line) =>
    /^SCAN (?:main\.)?(?:sessions|messages|checkpoints|checkpoint_sqlite_outputs|first|piece)\b/.test(line),
  );
  expect({ name, scans: WALKS_OF_SESSIONS.includes(name) ? [] : scans }).toEqual({ name, scans: [] });
  expect(scans.filter((line) => !/\bsessions\b/.test(line))).toEqual([]);
});
