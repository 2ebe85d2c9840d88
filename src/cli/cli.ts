/** What commands share: the output, the signal that stops them, and how they open a file. */
import { statSync } from "node:fs";
import type { LongRunningOptions, Progress } from "../maintenance/index.js";
import type { SqliteCheckpointStoreOptions } from "../options.js";
import type { SqliteCheckpointStore } from "../sqlite-checkpoint-store.js";
import { confirm } from "./confirm.js";
import { CommandFailure } from "./failures.js";
import { Output } from "./output.js";
import { ProgressLine } from "./progress.js";
import { oneLine } from "./text.js";

/** The options that every command has. */
export interface CommonOptions {
  isJson: boolean;
  isDebugging: boolean;
  usesPager: boolean;
  busyTimeout: number | undefined;
}

const BEFORE_PARSING: CommonOptions = {
  isJson: false,
  isDebugging: false,
  usesPager: false,
  busyTimeout: undefined,
};

export class Cli {
  #output = new Output(BEFORE_PARSING);
  #common = BEFORE_PARSING;
  #isChanging = false;
  #isReading = false;

  /** @param signal Aborted by SIGINT, SIGTERM and SIGHUP. */
  constructor(readonly signal: AbortSignal) {}

  /** Called before a command runs. */
  configure(common: CommonOptions): void {
    this.#common = common;
    this.#output = new Output(common);
  }

  get output(): Output {
    return this.#output;
  }

  /** Whether the command is one that changes a file. */
  get isChanging(): boolean {
    return this.#isChanging;
  }

  /** Whether the command shows what a store reads: interrupted, it shows nothing. */
  get isReading(): boolean {
    return this.#isReading;
  }

  get isDebugging(): boolean {
    return this.#common.isDebugging;
  }

  get #busyTimeout(): { busyTimeout?: number } {
    const { busyTimeout } = this.#common;
    return busyTimeout === undefined ? {} : { busyTimeout };
  }

  /** Opens the file read-only for the work, and leaves nothing next to it. */
  async read<T>(file: string, work: (store: SqliteCheckpointStore) => Promise<T>): Promise<T> {
    requireFile(file);
    this.#isReading = true;
    return leavingNothing(file, async () => {
      await using store = await openStore(file, { readonly: true, ...this.#busyTimeout });
      return await untilAborted(this.signal, work(store));
    });
  }

  /** Opens the file for the work, or creates it; one of an older version is upgraded in place. */
  async write<T>(file: string, work: (store: SqliteCheckpointStore) => Promise<T>): Promise<T> {
    await using store = await openStore(file, this.#busyTimeout);
    return await work(store);
  }

  /** Runs a maintenance function, and shows how far it has come. */
  async long<T>(
    work: (options: LongRunningOptions & { onProgress: (progress: Progress) => void }) => Promise<T>,
  ): Promise<T> {
    const progress = new ProgressLine();
    try {
      return await work({ signal: this.signal, onProgress: progress.show, ...this.#busyTimeout });
    } finally {
      progress.clear();
    }
  }

  /** Likewise, for one that only reads the file. */
  async longRead<T>(file: string, work: (options: LongRunningOptions) => Promise<T>): Promise<T> {
    requireFile(file);
    return leavingNothing(file, () => this.long(work));
  }

  /** Says what will be done, and asks. */
  confirm(what: string, isAgreed: boolean | undefined): Promise<void> {
    this.#isChanging = true;
    return confirm(what, isAgreed === true, this.signal);
  }
}

/** Loaded if it is needed, as the store is: SQLite and what is built on it take longer to load than all the rest. */
async function leavingNothing<T>(file: string, work: () => Promise<T>): Promise<T> {
  const readOnly = await import("../maintenance/read-only.js");
  return readOnly.leavingNothing(file, work);
}

/**
 * Rejects with the signal's reason if that comes first; work that still runs then ends with its store, which is closed. A signal
 * that came before does not count: an interrupted import reads what it leaves behind.
 */
async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function openStore(
  file: string,
  options: SqliteCheckpointStoreOptions,
): Promise<SqliteCheckpointStore> {
  const { SqliteCheckpointStore } = await import("../sqlite-checkpoint-store.js");
  return new SqliteCheckpointStore(file, options);
}

/**
 * For what is only read, before anything is asked. The store's own message is about its option `readonly`.
 *
 * @throws {CommandFailure} if there is no such file.
 */
export function requireFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  const shown = oneLine(JSON.stringify(file));
  if (found === undefined) {
    throw new CommandFailure(`There is no file ${shown}.`);
  }
  if (found.isDirectory()) {
    throw new CommandFailure(`${shown} is a directory.`);
  }
}
