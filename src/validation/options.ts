/** Validates the options and fills in the defaults; an error names the option that is not allowed. */
import { InvalidArgumentError } from "../errors.js";
import type { StoreSettings } from "../options.js";
import { messageOf } from "../values/describe.js";
import { mustBe, nonNegativeInteger, oneOf, optionalObject } from "./arguments.js";

/** The longest busy timeout that SQLite accepts, almost 25 days. */
const LONGEST_BUSY_TIMEOUT = 2_147_483_647;

/**
 * The end of the year 9999, in milliseconds; the limit applies before the epoch too. A session continues from its latest
 * time, one millisecond per message, so the limit leaves room below the last time that a Date can hold.
 */
const LATEST_TIME = 253_402_300_799_999;

/** Options for opening a file. They cannot apply to a host's Database, which is already open. */
const FILE_OPTIONS = ["synchronous"] as const;

export const DEFAULT_BUSY_TIMEOUT = 5_000;

const DEFAULTS: StoreSettings = {
  busyTimeout: DEFAULT_BUSY_TIMEOUT,
  synchronous: "full",
  readonly: false,
  versionConflict: "error",
  shareOutputs: true,
  vectorMemory: 256 * 1024 * 1024,
  keepCheckpoints: Number.POSITIVE_INFINITY,
  clock: () => Date.now(),
};

const OPTION_NAMES = [
  "busyTimeout",
  "synchronous",
  "readonly",
  "versionConflict",
  "shareOutputs",
  "vectorMemory",
  "keepCheckpoints",
  "clock",
] as const satisfies readonly (keyof StoreSettings)[];

/**
 * @param isForHostDatabase Whether the store uses a Database that the host application opened.
 * @throws {InvalidArgumentError} if a name is unknown or a value is not allowed.
 */
export function settingsOf(options: unknown, isForHostDatabase = false): StoreSettings {
  const given = withoutAbsent(optionalObject("options", options, OPTION_NAMES));
  if (isForHostDatabase) {
    rejectFileOptions(given);
  }
  const option = { ...DEFAULTS, ...given };
  return {
    busyTimeout: busyTimeout(option.busyTimeout),
    synchronous: oneOf("options.synchronous", option.synchronous, ["full", "normal"]),
    readonly: boolean("options.readonly", option.readonly),
    versionConflict: oneOf("options.versionConflict", option.versionConflict, ["error", "next"]),
    shareOutputs: boolean("options.shareOutputs", option.shareOutputs),
    vectorMemory: nonNegativeInteger("options.vectorMemory", option.vectorMemory),
    keepCheckpoints: keepCheckpoints(option.keepCheckpoints),
    clock: clock(option.clock),
  };
}

function rejectFileOptions(given: Record<string, unknown>): void {
  const name = FILE_OPTIONS.find((option) => option in given);
  if (name !== undefined) {
    throw new InvalidArgumentError(
      `options.${name}`,
      "cannot be given with an open Database, whose own settings apply: leave it out",
    );
  }
}

function withoutAbsent(named: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(named).filter(([, value]) => value !== undefined && value !== null),
  );
}

export function busyTimeout(value: unknown): number {
  const milliseconds = nonNegativeInteger("options.busyTimeout", value);
  if (milliseconds > LONGEST_BUSY_TIMEOUT) {
    throw mustBe("options.busyTimeout", `at most ${LONGEST_BUSY_TIMEOUT} ms`, value);
  }
  return milliseconds;
}

function keepCheckpoints(value: unknown): number {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && Number(value) >= 1)) {
    return Number(value);
  }
  throw mustBe("options.keepCheckpoints", "an integer of at least 1, or Infinity", value);
}

export function boolean(argument: string, value: unknown): boolean {
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

/** A clock that returns whole milliseconds, which is what the file stores. */
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
