/** The options of a store: their units, defaults and bounds, and the check that rejects everything else by name. */

import { messageOf } from "./describe.js";
import { InvalidArgumentError } from "./errors.js";
import { mustBe, nonNegativeInteger, oneOf, optionFields } from "./validation/arguments.js";

/** How a store opens its file and behaves. All are optional; unknown names are rejected. */
export interface SqliteCheckpointStoreOptions {
  /**
   * How long a call waits for a lock that another connection holds, in milliseconds. 0: one attempt.
   * The event loop goes on while it waits; only opening a store waits synchronously.
   * @default 5000
   */
  busyTimeout?: number | undefined;
  /**
   * When a commit is on disk. `"full"`: before its promise resolves, so that nothing acknowledged is lost in a
   * power cut. `"normal"`: about three times as fast, but a power cut or a crash of the machine may take back
   * what was acknowledged since the log was last copied into the file (every 8 MB); the file stays consistent. Killing the process loses nothing at either setting.
   * @default "full"
   */
  synchronous?: "full" | "normal" | undefined;
  /**
   * Opens an existing file without changing it; every write then rejects with StoreReadonlyError. With a Database that is open
   * already, of whichever kind, the same.
   * @default false
   */
  readonly?: boolean | undefined;
  /**
   * What saveCheckpoint does where the version already exists in the session and namespace. `"error"`: rejects
   * with CheckpointVersionConflictError. `"next"`: saves one above the highest version there, and returns it.
   * @default "error"
   */
  versionConflict?: "error" | "next" | undefined;
  /**
   * How much memory the vectors of semantic search may take, in bytes; 0: none. A vector takes 4 bytes a dimension and
   * about 100 more. What does not fit is read from the file at every search, which is some twenty times slower.
   * @default 268435456 (256 MiB: 160,000 vectors of 384 dimensions)
   */
  vectorMemory?: number | undefined;
  /**
   * Source of timestamps: milliseconds since the Unix epoch, up to the end of the year 9999. For tests; a session's times never
   * run backwards whatever it returns. The default follows a faked system time. Waiting never does: fake timers change nothing about
   * `busyTimeout`.
   * @default Date.now
   */
  clock?: (() => number) | undefined;
}

/**
 * An open `Database` of `bun:sqlite`, by its shape: with its type these declarations would not compile without `@types/bun`.
 * Anything else of this shape is rejected with InvalidArgumentError.
 */
export interface HostDatabase {
  readonly filename: string;
  readonly handle: number;
  readonly inTransaction: boolean;
}

/** The options with every default filled in. */
export interface StoreSettings {
  busyTimeout: number;
  synchronous: "full" | "normal";
  readonly: boolean;
  versionConflict: "error" | "next";
  vectorMemory: number;
  clock: () => number;
}

/** What SQLite's own busy timeout can hold, almost 25 days. */
const LONGEST_BUSY_TIMEOUT = 2_147_483_647;

/**
 * The end of the year 9999, in milliseconds before and after the epoch. A session goes on from the latest time in it, a millisecond
 * per message, so the bound leaves room up to the last time that a Date can hold.
 */
const LATEST_TIME = 253_402_300_799_999;

/** Options that say how a file is opened: a host's Database is open already, with settings of its own. */
const FILE_OPTIONS = ["synchronous"] as const;

const DEFAULTS: StoreSettings = {
  busyTimeout: 5_000,
  synchronous: "full",
  readonly: false,
  versionConflict: "error",
  vectorMemory: 256 * 1024 * 1024,
  clock: () => Date.now(),
};

const OPTION_NAMES = [
  "busyTimeout",
  "synchronous",
  "readonly",
  "versionConflict",
  "vectorMemory",
  "clock",
] as const satisfies readonly (keyof StoreSettings)[];

/**
 * @param isForHostDatabase Whether the store uses a Database that the host application opened.
 * @throws {InvalidArgumentError} for an unknown name or a value that is not allowed.
 */
export function settingsOf(options: unknown, isForHostDatabase = false): StoreSettings {
  const given = withoutAbsent(optionFields("options", options, OPTION_NAMES));
  if (isForHostDatabase) {
    refuseFileOptions(given);
  }
  const option = { ...DEFAULTS, ...given };
  return {
    busyTimeout: busyTimeout(option.busyTimeout),
    synchronous: oneOf("options.synchronous", option.synchronous, ["full", "normal"]),
    readonly: boolean("options.readonly", option.readonly),
    versionConflict: oneOf("options.versionConflict", option.versionConflict, ["error", "next"]),
    vectorMemory: nonNegativeInteger("options.vectorMemory", option.vectorMemory),
    clock: clock(option.clock),
  };
}

function refuseFileOptions(given: Record<string, unknown>): void {
  const name = FILE_OPTIONS.find((option) => option in given);
  if (name !== undefined) {
    throw new InvalidArgumentError(
      `options.${name}`,
      "cannot be given with an open Database: it is used with the settings it was opened with",
    );
  }
}

function withoutAbsent(named: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(named).filter(([, value]) => value !== undefined && value !== null),
  );
}

function busyTimeout(value: unknown): number {
  const milliseconds = nonNegativeInteger("options.busyTimeout", value);
  if (milliseconds > LONGEST_BUSY_TIMEOUT) {
    throw mustBe("options.busyTimeout", `at most ${LONGEST_BUSY_TIMEOUT} ms`, value);
  }
  return milliseconds;
}

function boolean(argument: string, value: unknown): boolean {
  if (typeof value !== "boolean") {
    throw mustBe(argument, "true or false", value);
  }
  return value;
}

function read(clock: () => unknown): unknown {
  try {
    return clock();
  } catch (error) {
    throw new InvalidArgumentError("options.clock", `threw: ${messageOf(error)}`, { cause: error });
  }
}

/** Whole milliseconds, as the file holds them. */
function clock(value: unknown): () => number {
  if (typeof value !== "function") {
    throw mustBe("options.clock", "a function that returns milliseconds", value);
  }
  return () => {
    const now = read(() => Reflect.apply(value, undefined, []));
    if (typeof now !== "number" || !(Math.abs(now) <= LATEST_TIME)) {
      throw mustBe("options.clock", "a function that returns milliseconds, up to the year 9999", now);
    }
    return Math.trunc(now);
  };
}
