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

interface Transaction {
  /** How many it changed, those of triggers and cascades too. */
  rows: number;
  /** How much of the file it filled or freed. */
  bytes: number;
  /** Whether timers fired since the transaction before, so that a writer of this process could take the lock. */
  hadGap: boolean;
}

/** Each write transaction of the work. */
async function transactionsOf(work: () => Promise<unknown>): Promise<Transaction[]> {
  const transactions: Transaction[] = [];
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
  let [before, pages, isGap, hadGap] = [0, 0, true, true];
  const spy = spyOn(Connection.prototype, "queryOnce").mockImplementation(function (
    this: Connection,
    sql,
    ...given
  ) {
    if (sql === "COMMIT") {
      const bytes = Math.abs(pagesOf(this) - pages) * 4_096;
      transactions.push({ rows: changesOf(this) - before, bytes, hadGap });
      isGap = false;
      setTimeout(() => {
        isGap = true;
      });
    }
    const result = queryOnce.call(this, sql, ...given);
    if (sql === "BEGIN IMMEDIATE") [before, pages, hadGap] = [changesOf(this), pagesOf(this), isGap];
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
  "%s takes many transactions, each of some hundred rows and some megabytes, with gaps for writers",
  async (_, shareOutputs, work, least) => {
    await fill(shareOutputs);
    const transactions = await transactionsOf(work);
    expect(transactions.length).toBeGreaterThanOrEqual(least);
    expect(Math.max(...transactions.map(({ rows }) => rows))).toBeLessThanOrEqual(MOST_ROWS);
    // One row, however large, goes over the limit; and pages are not filled to the last byte.
    expect(Math.max(...transactions.map(({ bytes }) => bytes))).toBeLessThanOrEqual(2 * STEP_BYTES);
    expect(transactions.filter(({ hadGap }) => !hadGap)).toEqual([]);
  },
  60_000,
);
