/** The options that every maintenance function takes, and the one check of them. */
import { nextTurn } from "../runtime/event-loop.js";
import { type Fields, mustBe, optionalObject, text } from "../validation/arguments.js";
import { busyTimeout, DEFAULT_BUSY_TIMEOUT } from "../validation/options.js";
import { isInstance } from "../values/describe.js";

/** How far a maintenance function has come. */
export interface Progress {
  done: number;
  total: number;
  /** What is counted, in the plural: `"rows"`, `"pages"`, … */
  unit: string;
}

/** Options of a function that may take long. All are optional; unknown names are rejected. */
export interface LongRunningOptions {
  /** Rejects with the signal's reason at the next step. What was committed before stays. */
  signal?: AbortSignal | undefined;
  /** Called after each step. What it throws rejects the call. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /**
   * How long to wait for a lock that another connection holds, in milliseconds. 0: one attempt.
   * @default 5000
   */
  busyTimeout?: number | undefined;
}

const LONG_RUNNING_NAMES = ["signal", "onProgress", "busyTimeout"] as const;

type LongRunningName = (typeof LONG_RUNNING_NAMES)[number];

/**
 * The options of a call, its own and those of every long-running function, each read once.
 *
 * @param names The names of the function's own options.
 * @throws {InvalidArgumentError} for an unknown name or a value that is not allowed.
 *
 * @internal
 */
export function longRunning<Name extends string = never>(
  options: unknown,
  names: readonly Name[] = [],
): { given: Fields<Name>; work: LongWork } {
  const given = optionalObject<Name | LongRunningName>("options", options, [...names, ...LONG_RUNNING_NAMES]);
  return { given, work: new LongWork(given) };
}

/**
 * Work in steps: between two of them it can be aborted, reports its progress, and yields to the event loop.
 *
 * @internal
 */
export class LongWork {
  readonly busyTimeout: number;
  readonly signal: AbortSignal | undefined;
  readonly #onProgress: ((progress: Progress) => unknown) | undefined;

  constructor(given: Fields<LongRunningName>) {
    this.busyTimeout = busyTimeout(given.busyTimeout ?? DEFAULT_BUSY_TIMEOUT);
    this.signal = optionalSignal(given.signal);
    this.#onProgress = optionalCallback(given.onProgress);
  }

  /** @throws the signal's reason. */
  throwIfAborted(): void {
    this.signal?.throwIfAborted();
  }

  report(progress: Progress): void {
    this.#onProgress?.(progress);
  }

  /** Ends a step. To be called outside a transaction that others wait for. */
  async endStep(progress: Progress): Promise<void> {
    this.throwIfAborted();
    this.report(progress);
    await nextTurn();
    this.throwIfAborted();
  }
}

/**
 * A path of a file, which `:memory:` is not: there is nothing in it to maintain.
 *
 * @internal
 */
export function filePath(argument: string, value: unknown): string {
  const path = text(argument, value);
  if (path === ":memory:") {
    throw mustBe(argument, "the path of a file", path);
  }
  return path;
}

function optionalSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (!isInstance(value, AbortSignal)) {
    throw mustBe("options.signal", "an AbortSignal", value);
  }
  return value;
}

function optionalCallback(value: unknown): ((progress: Progress) => unknown) | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== "function") {
    throw mustBe("options.onProgress", "a function", value);
  }
  return (progress) => Reflect.apply(value, undefined, [progress]);
}
