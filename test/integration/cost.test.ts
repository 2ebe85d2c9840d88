/** What a call costs, counted instead of timed: the statements it executes and the rows it reads. */
import type { Statement } from "bun:sqlite";
import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { watchOpening } from "../support/opened-database.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

interface Cost {
  executions: number;
  rows: number;
}

const SESSION = "the-session";
const CHECKPOINT = "c10";
const NESTED_SESSION = "a-session-with-a-graph-within-a-graph";

const CALLS: Readonly<Record<string, (store: SqliteCheckpointStore) => Promise<unknown>>> = {
  addMessage: (store) => store.addMessage(SESSION, buildMessage(SESSION)),
  saveCheckpoint: (store) => store.saveCheckpoint(buildCheckpoint(SESSION, { version: 1_000_000 })),
  updateSession: (store) => store.updateSession(SESSION, { title: "new" }),
  getSession: (store) => store.getSession(SESSION),
  "getMessages, the last 5": (store) => store.getMessages(SESSION, { limit: 5 }),
  "getMessages, a page before": (store) => store.getMessages(SESSION, { before: 15, limit: 5 }),
  getCheckpoint: (store) => store.getCheckpoint(CHECKPOINT),
  "getLatestCheckpoint in any namespace": (store) => store.getLatestCheckpoint(SESSION),
  "getLatestCheckpoint in the root namespace": (store) => store.getLatestCheckpoint(SESSION, ""),
  "getLatestCheckpoint in a named one": (store) => store.getLatestCheckpoint(SESSION, "graph"),
  "getLatestCheckpoint of the outer graph": (store) => store.getLatestCheckpoint(NESTED_SESSION),
  "getMessages, a page before a message": (store) => store.getMessages(SESSION, { beforeId: 15, limit: 5 }),
  "listCheckpoints, a page before a checkpoint": (store) =>
    store.listCheckpoints(SESSION, { beforeId: CHECKPOINT, limit: 5 }),
  "listCheckpoints, the newest 5": (store) => store.listCheckpoints(SESSION, { limit: 5 }),
  "fork at the tenth of the messages": (store) => store.fork(CHECKPOINT),
};

let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await createTemporaryFolder();
});

afterAll(() => folder.remove());

test.each(Object.keys(CALLS))(
  "%s executes as much and reads as much, however much is in the file",
  async (name) => {
    const inSmall = await costOf(name, 20);
    expect(inSmall.executions).toBeGreaterThan(0);
    expect(await costOf(name, 5_000)).toEqual(inSmall);
  },
);

/** In a file whose session has so many messages and checkpoints. */
async function costOf(name: string, size: number): Promise<Cost> {
  const path = join(folder.path, `${name.replaceAll(/\W/g, "-")}-${size}.db`);
  await new SqliteCheckpointStore(path).close();
  fill(path, size);
  const cost: Cost = { executions: 0, rows: 0 };
  let isOpen = false;
  const { result: store } = watchOpening(
    path,
    () => new SqliteCheckpointStore(path),
    (statement) => {
      if (isOpen) count(statement, cost);
    },
  );
  isOpen = true;
  await CALLS[name]?.(store);
  const counted = { ...cost };
  await store.close();
  return counted;
}

function fill(path: string, size: number): void {
  const rows = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${size})`;
  runOn(
    path,
    `INSERT INTO sessions (id, directory, created_at, updated_at) VALUES ('${SESSION}', './d', 1, 1)`,
    `${rows} INSERT INTO messages (session_id, role, created_at) SELECT '${SESSION}', 'user', i FROM n`,
    `${rows} INSERT INTO checkpoints (id, session_id, namespace, version, step, source, node_results, created_at)
       SELECT 'c' || i, '${SESSION}', iif(i % 2, 'graph', ''), i, 0, 'loop', '{}', i FROM n`,
    `INSERT INTO sessions (id, directory, created_at, updated_at) VALUES ('${NESTED_SESSION}', './d', 1, 1)`,
    `${rows} INSERT INTO checkpoints (id, session_id, namespace, version, step, source, node_results, pending_nodes, created_at)
       SELECT 'n' || i, '${NESTED_SESSION}', iif(i % 2, 'inner', ''), i, 0, 'loop', '{}', '["inner"]', i FROM n`,
  );
}

/** Counts what a statement executes and reads; transactions are statements too. */
function count(statement: Statement, cost: Cost): void {
  for (const method of ["run", "get", "all", "values"] as const) {
    const execute = statement[method].bind(statement);
    spyOn(statement, method).mockImplementation((...parameters: never[]) => {
      const result: unknown = execute(...parameters);
      cost.executions += 1;
      cost.rows += Array.isArray(result) ? result.length : 1;
      return result as never;
    });
  }
}
