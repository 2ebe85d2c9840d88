/**
 * The only write path. Writes called together are committed together.
 *
 * All writes called in one turn of the event loop share one `BEGIN IMMEDIATE … COMMIT`, and so one fsync. Writes that
 * share a transaction have a savepoint each, so one that fails does not affect the others. No write resolves before the commit.
 *
 * Limits: a transaction runs synchronously from BEGIN to COMMIT and blocks the event loop meanwhile. Waiting for another
 * connection's lock blocks it only while SQLite itself waits, a few milliseconds per attempt.
 */
import { delayBeforeRetry } from "../database/busy-retry.js";
import type { Connection, Statements } from "../database/connection.js";
import { codeOf, isBusy, SQLITE, toStoreError } from "../database/sqlite-errors.js";
import { HostTransactionError, OutcomeUnknownError, StoreBusyError } from "../errors.js";
import { elapsed, nextTurn } from "../runtime/event-loop.js";

/** IMMEDIATE takes the write lock at the start: a transaction that reads before it writes can fail without a way to wait. */
export const TRANSACTION_SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  savepoint: "SAVEPOINT one_write",
  releaseSavepoint: "RELEASE one_write",
  rollbackToSavepoint: "ROLLBACK TO one_write",
};

/** Takes the write lock of one database without an earlier read, after which it could fail without a way to wait. */
const CHANGE_NOTHING = `
  DELETE FROM main.checkpoint_sqlite_migrations
  WHERE FALSE`;

/** A write that is not settled yet. Its `run` may be called again if its transaction is rolled back. */
interface PendingWrite {
  /** Numbers the writes in call order. */
  sequence: number;
  /** When to give up waiting for the lock, by {@link elapsed}. */
  deadline: number;
  /** Runs the statements, and returns a function that resolves the caller's promise after the commit. */
  run: () => Acknowledgement;
  reject: (error: Error) => void;
}

type Acknowledgement = () => void;

/** The outcome of a transaction. After "locked" and "halved" its writes are pending again. */
type BatchOutcome = "settled" | "locked" | "halved";

/** A read that waits until all earlier writes are settled. */
interface WaitingRead {
  lastWrite: number;
  resume: () => void;
}

export class WriteQueue {
  readonly #connection: Connection;
  readonly #busyTimeout: number;
  readonly #statements: Statements<keyof typeof TRANSACTION_SQL>;
  /** In call order. Between turns of the event loop it holds all unsettled writes. */
  #pending: PendingWrite[] = [];
  /** Maximum number of writes in the next transaction: smaller after a transaction that failed as a whole. */
  #largestBatch = Number.POSITIVE_INFINITY;
  #waitingReads: WaitingRead[] = [];
  #lastSequence = 0;
  #isDraining = false;
  #draining: Promise<void> = Promise.resolve();

  /** @param busyTimeout How long a write waits for the lock after its call, in milliseconds. */
  constructor(connection: Connection, busyTimeout: number) {
    this.#connection = connection;
    this.#busyTimeout = busyTimeout;
    this.#statements = connection.statements(TRANSACTION_SQL);
  }

  /** Resolves with the result of `write` once it is committed; `onCommitted` is called then, before the caller continues. */
  enqueue<T>(write: () => T, onCommitted: () => void = () => {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#pending.push({
        sequence: ++this.#lastSequence,
        deadline: elapsed() + this.#busyTimeout,
        run: () => {
          const result = write();
          return () => {
            resolve(result);
            try {
              onCommitted();
            } catch {
              // The write is committed; what would be remembered of it only saves time.
            }
          };
        },
        reject,
      });
      if (!this.#isDraining) {
        this.#draining = this.#drain();
      }
    });
  }

  get isIdle(): boolean {
    return this.#pending.length === 0;
  }

  /** Resolves when all earlier writes are settled. */
  settled(): Promise<void> {
    if (this.isIdle) {
      return Promise.resolve();
    }
    return new Promise((resume) => {
      this.#waitingReads.push({ lastWrite: this.#lastSequence, resume });
    });
  }

  /** Resolves when no write is pending. */
  drained(): Promise<void> {
    return this.#draining;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    this.#largestBatch = Number.POSITIVE_INFINITY;
    await nextTurn();
    while (!this.isIdle) {
      const outcome = this.#runTogether(this.#pending.splice(0, this.#largestBatch));
      if (outcome === "locked") {
        this.#rejectExpired();
      }
      if (outcome === "settled") {
        this.#largestBatch *= 2; // The failing write may be settled by now, and the others should be batched again.
      }
      this.#resumeReads();
      if (!this.isIdle) {
        await (outcome === "locked" ? delayBeforeRetry() : nextTurn());
      }
    }
    this.#isDraining = false;
  }

  /** Runs writes in one transaction. Writes to retry become pending again. */
  #runTogether(writes: readonly PendingWrite[]): BatchOutcome {
    try {
      this.#begin();
    } catch (error) {
      return isBusy(error) ? this.#putBack(writes, "locked") : this.#rejectAll(writes, error);
    }
    let isCommitting = false;
    try {
      const acknowledgements = this.#runEach(writes);
      isCommitting = true;
      this.#statements.commit.run();
      for (const acknowledge of acknowledgements) {
        acknowledge();
      }
      return "settled";
    } catch (error) {
      this.#rollBack();
      return this.#afterRollback(writes, error, isCommitting);
    }
  }

  #begin(): void {
    if (this.#connection.isInTransaction) {
      if (!this.#connection.isOwned) {
        throw new HostTransactionError();
      }
      this.#rollBack(); // One of ours, because its rollback failed.
    }
    this.#connection.refuseMovedFile();
    this.#takeLock();
    this.#connection.readDataVersion();
  }

  /** IMMEDIATE also locks every database that a host has attached. If one of them is locked, locking our own file is enough. */
  #takeLock(): void {
    try {
      this.#statements.begin.run();
    } catch (error) {
      if (!isBusy(error) || !this.#connection.hasAttached) {
        throw error;
      }
      this.#lockOwnFile();
    }
  }

  #lockOwnFile(): void {
    this.#connection.queryOnce("BEGIN");
    try {
      this.#connection.queryOnce(CHANGE_NOTHING);
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** A single write needs no savepoint. */
  #runEach(writes: readonly PendingWrite[]): Acknowledgement[] {
    return writes.length === 1
      ? writes.map((write) => write.run())
      : writes.map((write) => this.#runInSavepoint(write));
  }

  /** @throws errors of the whole batch: SQLite rolled back the transaction, or a lock blocks it. */
  #runInSavepoint(write: PendingWrite): Acknowledgement {
    this.#statements.savepoint.run();
    let acknowledgement: Acknowledgement;
    try {
      acknowledgement = write.run();
    } catch (error) {
      if (!this.#connection.isInTransaction || isBusy(error)) {
        throw error;
      }
      this.#statements.rollbackToSavepoint.run();
      acknowledgement = () => write.reject(toStoreError(error, this.#busyTimeout));
    }
    this.#statements.releaseSavepoint.run();
    return acknowledgement;
  }

  /** None of the transaction is in the file, unless the commit failed halfway to the disk. */
  #afterRollback(writes: readonly PendingWrite[], error: unknown, wasCommitting: boolean): BatchOutcome {
    if (isBusy(error)) {
      // With a rollback journal, which a host's database may use, readers can block a commit.
      return this.#putBack(writes, "locked");
    }
    if (wasCommitting && codeOf(error) === SQLITE.IOERR) {
      return this.#rejectAll(writes, new OutcomeUnknownError({ cause: error }));
    }
    return writes.length > 1 ? this.#halve(writes) : this.#rejectAll(writes, error);
  }

  /**
   * The batch failed as a whole, perhaps because the disk is almost full, but only the failing write should be rejected. Halving
   * finds it among n writes in about 2 log n transactions, and a transaction that fails before its commit costs no fsync.
   */
  #halve(writes: readonly PendingWrite[]): BatchOutcome {
    this.#largestBatch = Math.ceil(writes.length / 2);
    return this.#putBack(writes, "halved");
  }

  /** Puts writes back at the front: they were called before all pending ones. */
  #putBack(writes: readonly PendingWrite[], outcome: "locked" | "halved"): BatchOutcome {
    this.#pending = [...writes, ...this.#pending];
    return outcome;
  }

  /** SQLite may have rolled back already. If a rollback fails, SQLite rolls back when the file is opened next. */
  #rollBack(): void {
    try {
      if (this.#connection.isInTransaction) {
        this.#statements.rollback.run();
      }
    } catch {
      // The original error is more useful.
    }
  }

  #rejectAll(writes: readonly PendingWrite[], error: unknown): BatchOutcome {
    for (const write of writes) {
      write.reject(toStoreError(error, this.#busyTimeout));
    }
    return "settled";
  }

  #rejectExpired(): void {
    const now = elapsed();
    const expired = this.#pending.filter((write) => write.deadline <= now);
    this.#pending = this.#pending.filter((write) => write.deadline > now);
    this.#rejectAll(expired, new StoreBusyError(this.#busyTimeout));
  }

  #resumeReads(): void {
    const oldestPending = this.#pending[0]?.sequence ?? Number.POSITIVE_INFINITY;
    const ready = this.#waitingReads.filter((read) => read.lastWrite < oldestPending);
    this.#waitingReads = this.#waitingReads.filter((read) => read.lastWrite >= oldestPending);
    for (const read of ready) {
      read.resume();
    }
  }
}
