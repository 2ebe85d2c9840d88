/**
 * Short write transactions alongside running stores.
 *
 * Limits: each blocks the event loop from BEGIN to COMMIT; callers keep them short by {@link stepOf}.
 */
import { retryWhileBusy } from "../database/busy-retry.js";
import type { Connection } from "../database/connection.js";
import { codeOf, SQLITE } from "../database/sqlite-errors.js";
import { OutcomeUnknownError } from "../errors.js";
import { ignoredByTrigger } from "../rows/column-reader.js";
import { elapsed, sleep } from "../runtime/event-loop.js";

/** How much one transaction deletes or writes at most. */
export const STEP_ROWS = 200;
export const STEP_BYTES = 4 * 1024 * 1024;

/** The first of the rows that together stay within one step; at least one, however large it is. */
export function stepOf<T extends { bytes: number }>(rows: readonly T[]): T[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += row.bytes;
    return index > 0 && (index >= STEP_ROWS || bytes > STEP_BYTES);
  });
  return end === -1 ? [...rows] : rows.slice(0, end);
}

/**
 * For a row that was found in the same transaction: deleting it again and again until it is gone would never end.
 *
 * @throws {StorageError} if a trigger ignores the deletion.
 */
export function requireDeleted(table: string, { changes }: { changes: number }): void {
  if (changes === 0) {
    throw ignoredByTrigger(table);
  }
}

export class ShortTransactions {
  readonly #connection: Connection;
  readonly #busyTimeout: number;
  /** For how many milliseconds the last one held the write lock. */
  #lastHeld = 0;

  constructor(connection: Connection, busyTimeout: number) {
    this.#connection = connection;
    this.#busyTimeout = busyTimeout;
  }

  /**
   * Commits what `work` does, or rolls it back if it throws. `work` is called again after a transaction that a lock was in the
   * way of.
   *
   * Before it takes the lock it leaves it free for as long as it held it last: writers that wait for it try at random times, and
   * would find no gap between transactions that follow each other at once.
   */
  async run<T>(work: () => T): Promise<T> {
    if (this.#lastHeld > 0) {
      await sleep(this.#lastHeld);
    }
    return retryWhileBusy(() => this.#attempt(work), this.#busyTimeout);
  }

  #attempt<T>(work: () => T): T {
    this.#connection.refuseMovedFile();
    this.#connection.queryOnce("BEGIN IMMEDIATE");
    const began = elapsed();
    try {
      const result = work();
      this.#commit();
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    } finally {
      this.#lastHeld = elapsed() - began;
    }
  }

  #commit(): void {
    try {
      this.#connection.queryOnce("COMMIT");
    } catch (error) {
      throw codeOf(error) === SQLITE.IOERR ? new OutcomeUnknownError({ cause: error }) : error;
    }
  }

  /** SQLite may have rolled back already. If this fails, it does so when the file is opened next. */
  #rollBack(): void {
    try {
      if (this.#connection.isInTransaction) {
        this.#connection.queryOnce("ROLLBACK");
      }
    } catch {
      // The error that led here says more.
    }
  }
}
