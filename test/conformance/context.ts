/** What the conformance suite asks of a store's factory and of a test runner, and what its parts share. */
import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import { difference } from "../support/difference.js";

export interface StoreUnderTest<Store extends CheckpointBackend = CheckpointBackend> {
  readonly store: Store;
  dispose(): Promise<void>;
}

/** Data that outlives a store: `open` may be called again once the store before was closed. */
export interface PersistentStoreUnderTest<Store extends CheckpointBackend = CheckpointBackend> {
  open(): Store;
  dispose(): Promise<void>;
}

export interface Matchers {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toBeGreaterThan(expected: number): void;
  toBeGreaterThanOrEqual(expected: number): void;
}

export interface TestRunner {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
  expect(actual: unknown): Matchers;
}

/** `Store` is what the tests are to see of it: a CheckpointBackend, or a MemoryStore for those of the memory. */
export interface ConformanceOptions<Store extends CheckpointBackend = CheckpointBackend> {
  /** What the store is called in the names of the tests. */
  readonly name: string;
  readonly runner: TestRunner;
  /** A fresh, empty store. */
  createStore(): Promise<StoreUnderTest<Store>> | StoreUnderTest<Store>;
  /** The same, telling the time by `clock` (milliseconds since the epoch). Without it those tests are left out. */
  createStoreWithClock?(clock: () => number): Promise<StoreUnderTest<Store>> | StoreUnderTest<Store>;
  /** One that saves a version which exists under the next free one. Without it those tests are left out. */
  createStoreTakingNextVersion?(): Promise<StoreUnderTest<Store>> | StoreUnderTest<Store>;
  /** For stores whose data outlives them. Without it those tests are left out. */
  createPersistentStore?(): Promise<PersistentStoreUnderTest<Store>> | PersistentStoreUnderTest<Store>;
  /** The class that all of the store's errors extend, if it has one. */
  readonly errorBase?: abstract new (
    ...args: never[]
  ) => Error;
}

/** A clock that stands still until it is set. */
export interface ManualClock {
  now: number;
}

export interface ExpectedError {
  readonly tag: string;
  readonly startsWith?: string;
  readonly includes?: string;
}

export interface CaughtError {
  readonly code: unknown;
  readonly retryable: unknown;
  readonly message: string;
}

export interface ConformanceContext<Store extends CheckpointBackend = CheckpointBackend> extends TestRunner {
  testStore(name: string, body: (store: Store) => Promise<void>): void;
  testStoreWithClock(name: string, body: (store: Store, clock: ManualClock) => Promise<void>): void;
  testStoreTakingNext(name: string, body: (store: Store) => Promise<void>): void;
  testPersistentStore(name: string, body: (subject: PersistentStoreUnderTest<Store>) => Promise<void>): void;
  /** Deep and exact; see test/support/difference.ts. */
  expectSame(actual: unknown, expected: unknown): void;
  /** It is a row, and these have neither `null` nor anything else: `undefined`, or no such property. */
  expectAbsent(row: unknown, keys: readonly string[]): void;
  /** Rejected, with an error that has everything the contract promises of every error. */
  expectStoreError(promise: Promise<unknown>, expected: ExpectedError): Promise<CaughtError>;
  /** Rejected as an invalid argument, whose message begins with one of these names. */
  expectArgumentNamed(promise: Promise<unknown>, names: readonly string[]): Promise<void>;
}

export function createContext<Store extends CheckpointBackend>(
  options: ConformanceOptions<Store>,
): ConformanceContext<Store> {
  const { describe, test, expect } = options.runner;
  const { createStoreWithClock, createPersistentStore, createStoreTakingNextVersion } = options;
  return {
    describe,
    test,
    expect,
    testStore: (name, body) =>
      test(name, async () => {
        const subject = await options.createStore();
        await body(subject.store).finally(() => subject.dispose());
      }),
    testStoreWithClock(name, body) {
      if (!createStoreWithClock) return;
      test(name, async () => {
        const clock: ManualClock = { now: 1_800_000_000_000 };
        const subject = await createStoreWithClock(() => clock.now);
        await body(subject.store, clock).finally(() => subject.dispose());
      });
    },
    testStoreTakingNext(name, body) {
      if (!createStoreTakingNextVersion) return;
      test(name, async () => {
        const subject = await createStoreTakingNextVersion();
        await body(subject.store).finally(() => subject.dispose());
      });
    },
    testPersistentStore(name, body) {
      if (!createPersistentStore) return;
      test(name, async () => {
        const subject = await createPersistentStore();
        await body(subject).finally(() => subject.dispose());
      });
    },
    expectSame: (actual, expected) => expect(difference(actual, expected)).toBe(undefined),
    expectAbsent(row, keys) {
      if (typeof row !== "object" || row === null) throw new TypeError(`Not a row: ${String(row)}`);
      expect(keys.filter((key) => Reflect.get(row, key) !== undefined)).toEqual([]);
    },
    expectStoreError: async (promise, expected) =>
      checkStoreError(options, await rejectionOf(promise), expected),
    expectArgumentNamed: async (promise, names) => {
      const expected = { tag: "InvalidArgumentError", startsWith: "Invalid argument: " };
      const { message } = checkStoreError(options, await rejectionOf(promise), expected);
      const [argument = ""] = message.slice(expected.startsWith.length).split(/[ .[]/);
      expect({ isNamed: names.includes(argument), message }).toEqual({ isNamed: true, message });
    },
  };
}

export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => "it was fulfilled",
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error(`The call should have been rejected with an Error, but: ${String(outcome)}`);
}

function checkStoreError(options: ConformanceOptions, error: Error, expected: ExpectedError): CaughtError {
  const { expect } = options.runner;
  const { message, name } = error;
  const [tag, code, retryable]: unknown[] = ["_tag", "code", "retryable"].map((key) =>
    Reflect.get(error, key),
  );
  expect({ tag, name, message }).toEqual({ tag: expected.tag, name: expected.tag, message });
  expect({ code: typeof code, retryable: typeof retryable }).toEqual({
    code: "string",
    retryable: "boolean",
  });
  expect(code).toEqual(typeof code === "string" && code !== "" ? code : "a code that is not empty");
  if (options.errorBase) expect(error instanceof options.errorBase).toBe(true);
  const start = expected.startsWith ?? "";
  expect(message.slice(0, start.length)).toBe(start);
  const part = expected.includes ?? "";
  expect(message.includes(part) ? part : message).toBe(part);
  return { code, retryable, message };
}
