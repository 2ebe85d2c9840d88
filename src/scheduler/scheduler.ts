/**
 * Every call passes through the scheduler: writes go to the write queue, reads wait for earlier writes, and all calls are
 * rejected once the store is closed.
 */
import { retryWhileBusy } from "../database/busy-retry.js";
import type { Connection } from "../database/connection.js";
import { isBusy, toStoreError } from "../database/sqlite-errors.js";
import { StoreClosedError, StoreReadonlyError } from "../errors.js";
import type { StoreSettings } from "../options.js";
import { overdueTurn } from "../runtime/event-loop.js";
import { WriteQueue } from "./write-queue.js";

export class Scheduler {
  readonly #connection: Connection;
  readonly #settings: StoreSettings;
  readonly #queue: WriteQueue;
  readonly #reads = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(connection: Connection, settings: StoreSettings) {
    this.#connection = connection;
    this.#settings = settings;
    this.#queue = new WriteQueue(connection, settings.busyTimeout);
  }

  /**
   * Runs `write` in a transaction and passes it the current time. Resolves with its result after the commit.
   *
   * @param onCommitted Called after the commit, before the caller continues.
   *
   * @throws synchronously if the store is closed or read-only: call it in an async method, which rejects instead.
   */
  write<T>(write: (now: number) => T, onCommitted?: () => void): Promise<T> {
    this.#rejectClosed();
    if (this.#settings.readonly) {
      throw new StoreReadonlyError("it was opened with readonly: true. Open it without `readonly` to write.");
    }
    return this.#queue.enqueue(() => write(this.#settings.clock()), onCommitted);
  }

  /**
   * Runs `read` immediately if no write is pending and no lock blocks it, otherwise as soon as possible. Sometimes it waits for a
   * turn of the event loop, because a loop that awaits reads would let nothing else run.
   *
   * @throws synchronously if the store is closed or the read fails: call it in an async method, which rejects instead.
   */
  read<T>(read: () => T): T | Promise<T> {
    this.#rejectClosed();
    const turn = overdueTurn();
    if (turn === undefined && this.#queue.isIdle) {
      try {
        return read();
      } catch (error) {
        if (!isBusy(error)) {
          throw toStoreError(error, this.#settings.busyTimeout);
        }
      }
    }
    return this.#track(this.#readAfterWrites(read, turn));
  }

  /** Runs a read that yields to the event loop between its steps. */
  readInSteps<T>(read: () => Promise<T>): Promise<T> {
    this.#rejectClosed();
    return this.#track(this.#readAfterWrites(read, overdueTurn()));
  }

  /** Waits for all earlier calls, then closes the connection. A second call waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAfterCalls();
    return this.#closing;
  }

  /** Registers a read, so that close() awaits it. */
  async #track<T>(result: Promise<T>): Promise<T> {
    this.#reads.add(result);
    try {
      return await result;
    } finally {
      this.#reads.delete(result);
    }
  }

  /** Waits for the writes called before it, but not for those called while it waits for the turn. */
  async #readAfterWrites<T>(read: () => T | Promise<T>, turn: Promise<void> | undefined): Promise<T> {
    if (turn !== undefined || !this.#queue.isIdle) {
      await Promise.all([turn, this.#queue.settled()]);
    }
    return retryWhileBusy(read, this.#settings.busyTimeout);
  }

  async #closeAfterCalls(): Promise<void> {
    await this.#queue.drained();
    await Promise.allSettled(this.#reads);
    this.#connection.close();
  }

  #rejectClosed(): void {
    if (this.#closing !== undefined) {
      throw new StoreClosedError();
    }
  }
}
