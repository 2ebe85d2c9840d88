/**
 * The one write path: what is called together is committed together.
 *
 * All writes called in one turn of the event loop share one `BEGIN IMMEDIATE … COMMIT`, and so one fsync. Each runs
 * in a savepoint of its own, so that one that fails takes nothing with it. No promise settles before the commit.
 *
 * Limits: a transaction runs synchronously from BEGIN to COMMIT and blocks the event loop for as long as it takes. Waiting for
 * another connection's lock blocks it only while SQLite itself waits, for some milliseconds per attempt.
 */
import { delayBeforeRetry } from "../database/busy-retry.js";
import type { Connection, Statements } from "../database/connection.js";
import { codeOf, isBusy, SQLITE, toStoreError } from "../database/sqlite-errors.js";
import { HostTransactionError, OutcomeUnknownError, StoreBusyError } from "../errors.js";
import { elapsed, nextTurn } from "../runtime/event-loop.js";

/** IMMEDIATE takes the write lock first: a transaction that reads before it writes can fail with no way to wait. */
export const TRANSACTION_SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  savepoint: "SAVEPOINT one_write",
  releaseSavepoint: "RELEASE one_write",
  rollbackToSavepoint: "ROLLBACK TO one_write",
};

/** Takes the write lock of one database, without a read before it that could fail with no way to wait. */
const CHANGE_NOTHING = `
  DELETE FROM main.checkpoint_sqlite_migrations
  WHERE FALSE`;

/** A write that was called and is not settled yet. Its `run` may be called again, should its transaction be rolled back. */
interface PendingWrite {
  /** In the order of the calls. */
  sequence: number;
  /** When to give up waiting for the lock, by {@link elapsed}. */
  deadline: number;
  /** Runs the statements, and returns what tells the caller of it after the commit. */
  run: () => Acknowledgement;
  reject: (error: Error) => void;
}

type Acknowledgement = () => void;

/** What came of a transaction. Writes that a lock is in the way of, or that were halved, are pending again. */
type BatchOutcome = "settled" | "locked" | "halved";

/** A read that waits until every write called before it is settled. */
interface WaitingRead {
  lastWrite: number;
  resume: () => void;
}

export class WriteQueue {
  readonly #connection: Connection;
  readonly #busyTimeout: number;
  readonly #statements: Statements<keyof typeof TRANSACTION_SQL>;
  /** In the order of the calls. While the event loop turns, all that are not settled are here. */
  #pending: PendingWrite[] = [];
  /** How many writes the next transaction takes at most: fewer after one that failed as a whole. */
  #largestBatch = Number.POSITIVE_INFINITY;
  #waitingReads: WaitingRead[] = [];
  #lastSequence = 0;
  #isDraining = false;
  #draining: Promise<void> = Promise.resolve();

  /** @param busyTimeout How long a write waits for the lock, in milliseconds from its call. */
  constructor(connection: Connection, busyTimeout: number) {
    this.#connection = connection;
    this.#busyTimeout = busyTimeout;
    this.#statements = connection.statements(TRANSACTION_SQL);
  }

  /** Resolves with what `write` returns, once it is committed. */
  enqueue<T>(write: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#pending.push({
        sequence: ++this.#lastSequence,
        deadline: elapsed() + this.#busyTimeout,
        run: () => {
          const result = write();
          return () => resolve(result);
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

  /** Resolves when every write that was called before is settled. */
  settled(): Promise<void> {
    if (this.isIdle) {
      return Promise.resolve();
    }
    return new Promise((resume) => {
      this.#waitingReads.push({ lastWrite: this.#lastSequence, resume });
    });
  }

  /** Resolves when nothing is pending any more. */
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
        this.#largestBatch *= 2; // The one at fault may be behind, and the rest need not pay for it.
      }
      this.#resumeReads();
      if (!this.isIdle) {
        await (outcome === "locked" ? delayBeforeRetry() : nextTurn());
      }
    }
    this.#isDraining = false;
  }

  /** Runs writes in one transaction. Those that are to be tried again are pending again. */
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
      this.#rollBack(); // One of ours whose rollback failed.
    }
    this.#connection.refuseMovedFile();
    this.#takeLock();
    this.#connection.rememberLog();
  }

  /** IMMEDIATE locks every database that a host has attached. If one of them is in the way, the lock of our own file will do. */
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

  /** A write that is alone needs no savepoint: the transaction is its own. */
  #runEach(writes: readonly PendingWrite[]): Acknowledgement[] {
    return writes.length === 1
      ? writes.map((write) => write.run())
      : writes.map((write) => this.#runInSavepoint(write));
  }

  /** @throws what no single write can be blamed for: SQLite gave up the transaction, or a lock is in its way. */
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

  /** Nothing of the transaction is in the file, unless its commit failed half way to the disk. */
  #afterRollback(writes: readonly PendingWrite[], error: unknown, wasCommitting: boolean): BatchOutcome {
    if (isBusy(error)) {
      // In a rollback journal, as a host's database may have, readers can be in the way of a commit.
      return this.#putBack(writes, "locked");
    }
    if (wasCommitting && codeOf(error) === SQLITE.IOERR) {
      return this.#rejectAll(writes, new OutcomeUnknownError({ cause: error }));
    }
    return writes.length > 1 ? this.#halve(writes) : this.#rejectAll(writes, error);
  }

  /**
   * Together they failed, perhaps because the disk is almost full: the one at fault fails alone. Halves find it among n
   * writes in about 2 log n transactions, and what fails before its commit costs no sync.
   */
  #halve(writes: readonly PendingWrite[]): BatchOutcome {
    this.#largestBatch = Math.ceil(writes.length / 2);
    return this.#putBack(writes, "halved");
  }

  /** They were called before all that are pending. */
  #putBack(writes: readonly PendingWrite[], outcome: "locked" | "halved"): BatchOutcome {
    this.#pending = [...writes, ...this.#pending];
    return outcome;
  }

  /** SQLite may have rolled back already. Where that fails, it does so when the file is opened next. */
  #rollBack(): void {
    try {
      if (this.#connection.isInTransaction) {
        this.#statements.rollback.run();
      }
    } catch {
      // The error that led here says more.
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
