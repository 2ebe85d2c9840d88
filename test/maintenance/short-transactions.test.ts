/**
 * How long a writer waits for maintenance: as long as one transaction takes. Counted in rows, which do not depend on the machine.
 *
 * `import` and `copySession` are not here: each writes a whole session in one transaction.
 */
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { Connection } from "../../src/database/connection.js";
import { SqliteCheckpointStore } from "../../src/index.js";
import { compact, prune } from "../../src/maintenance/index.js";
import { STEP_BYTES, STEP_ROWS } from "../../src/maintenance/transactions.js";
import { buildMessage } from "../support/builders.js";
import { buildWave, longText } from "../support/large-outputs.js";
import { rowsOf } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

/** Steps of rows from two tables meet in the transaction that deletes a session's last rows. */
const MOST_ROWS = 2 * STEP_ROWS + 1;

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});

afterEach(() => folder.remove());

/** One session with more of everything than a transaction may take. */
async function fill(shareOutputs: boolean): Promise<void> {
  await using store = new SqliteCheckpointStore(path, {
    synchronous: "normal",
    shareOutputs,
    clock: () => 1_000,
  });
  const { id } = await store.createSession("./d");
  await Promise.all(
    Array.from({ length: 450 }, (_, version) => [
      store.saveCheckpoint(
        buildWave(id, version, { same: longText(1, 60_000), own: longText(version, 3_000) }),
      ),
      store.addMessage(id, buildMessage(id)),
    ]).flat(),
  );
}

/** Of each write transaction: how many rows it changed, those of triggers and cascades too, and how much of the file it filled or freed. */
async function transactionsOf(work: () => Promise<unknown>): Promise<{ rows: number; bytes: number }[]> {
  const transactions: { rows: number; bytes: number }[] = [];
  const { queryOnce } = Connection.prototype;
  const pagesOf = ({ database }: Connection) =>
    Number(
      rowsOf(
        database,
        "SELECT page_count - freelist_count AS used FROM pragma_page_count, pragma_freelist_count",
      )[0]?.used,
    );
  const changesOf = ({ database }: Connection) =>
    Number(rowsOf(database, "SELECT total_changes() AS n")[0]?.n);
  let [before, pages] = [0, 0];
  const spy = spyOn(Connection.prototype, "queryOnce").mockImplementation(function (
    this: Connection,
    sql,
    ...given
  ) {
    if (sql === "COMMIT") {
      transactions.push({ rows: changesOf(this) - before, bytes: Math.abs(pagesOf(this) - pages) * 4_096 });
    }
    const result = queryOnce.call(this, sql, ...given);
    if (sql === "BEGIN IMMEDIATE") [before, pages] = [changesOf(this), pagesOf(this)];
    return result;
  });
  try {
    await work();
  } finally {
    spy.mockRestore();
  }
  return transactions.filter(({ rows }) => rows > 0);
}

test.each<[string, boolean, () => Promise<unknown>, number]>([
  ["prune of checkpoints and their outputs", true, () => prune(path, { keepCheckpoints: 1 }), 5],
  ["prune of large checkpoints", false, () => prune(path, { keepCheckpoints: 1 }), 6],
  ["prune of an idle session", true, () => prune(path, { sessionsIdleSince: 5_000 }), 6],
  ["compact into the shared form", false, () => compact(path, { shareOutputs: true }), 6],
  ["compact into the whole form", true, () => compact(path, { whole: true }), 6],
])(
  "%s takes many transactions, each of some hundred rows and some megabytes",
  async (_, shareOutputs, work, least) => {
    await fill(shareOutputs);
    const transactions = await transactionsOf(work);
    expect(transactions.length).toBeGreaterThanOrEqual(least);
    expect(Math.max(...transactions.map(({ rows }) => rows))).toBeLessThanOrEqual(MOST_ROWS);
    // One row, however large, goes over the limit; and pages are not filled to the last byte.
    expect(Math.max(...transactions.map(({ bytes }) => bytes))).toBeLessThanOrEqual(2 * STEP_BYTES);
  },
  60_000,
);
