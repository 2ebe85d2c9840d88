/**
 * The gate that every call passes: writes go to the write queue, reads wait for the writes called before them, and
 * nothing passes once the store is closed.
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
   * Runs `write` in a transaction with the time it is run at; resolves with what it returns, after the commit.
   *
   * @throws at once where the store is closed or read-only: call it in an async method, which rejects instead.
   */
  write<T>(write: (now: number) => T): Promise<T> {
    this.#refuseClosed();
    if (this.#settings.readonly) {
      throw new StoreReadonlyError("it was opened with readonly: true. Open it without to write.");
    }
    return this.#queue.enqueue(() => write(this.#settings.clock()));
  }

  /**
   * Runs `read` at once where no write is pending and no lock is in the way, otherwise as soon as that is so. Now and then it
   * waits for a turn of the event loop: a loop that awaits reads would let nothing else run, not even what it waits for.
   *
   * @throws at once where the store is closed, or the read fails: call it in an async method, which rejects instead.
   */
  read<T>(read: () => T): T | Promise<T> {
    this.#refuseClosed();
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

  /** The same for a read that lets other work through in between. */
  readInSteps<T>(read: () => Promise<T>): Promise<T> {
    this.#refuseClosed();
    return this.#track(this.#readAfterWrites(read, overdueTurn()));
  }

  /** Waits for every call made before, then closes the connection. Calling it again waits for the same. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAfterCalls();
    return this.#closing;
  }

  /** Closing waits for it. */
  async #track<T>(result: Promise<T>): Promise<T> {
    this.#reads.add(result);
    try {
      return await result;
    } finally {
      this.#reads.delete(result);
    }
  }

  /** Waits for the writes called before it, not for those that are called while it waits for the turn. */
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

  #refuseClosed(): void {
    if (this.#closing !== undefined) {
      throw new StoreClosedError();
    }
  }
}
