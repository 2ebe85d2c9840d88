/** What the conformance suite asks of a store's factory and of a test runner, and what its parts share. */
import assert from "node:assert/strict";
import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import { type ErrorClass, rejectionWith } from "../support/failures.js";
import { assertIncludes } from "./assertions.js";

export interface StoreUnderTest<Store extends CheckpointBackend = CheckpointBackend> {
  readonly store: Store;
  dispose(): Promise<void>;
}

/** Data that outlives a store: `open` may be called again once the store before was closed. */
export interface PersistentStoreUnderTest<Store extends CheckpointBackend = CheckpointBackend> {
  open(): Store;
  dispose(): Promise<void>;
}

/** As bun:test, node:test, Vitest and Jest have them. */
export interface TestRunner {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
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
  readonly errorBase?: ErrorClass<Error>;
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
  /** Rejected, with an error that has everything the contract promises of every error. */
  assertStoreError(promise: Promise<unknown>, expected: ExpectedError): Promise<CaughtError>;
  /** Rejected as an invalid argument, whose message begins with one of these names. */
  assertArgumentNamed(promise: Promise<unknown>, names: readonly string[]): Promise<void>;
}

export function createContext<Store extends CheckpointBackend>(
  options: ConformanceOptions<Store>,
): ConformanceContext<Store> {
  const { describe, test } = options.runner;
  const { createStoreWithClock, createPersistentStore, createStoreTakingNextVersion } = options;
  return {
    describe,
    test,
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
    assertStoreError: (promise, expected) => storeErrorOf(options, promise, expected),
    async assertArgumentNamed(promise, names) {
      const expected = { tag: "InvalidArgumentError", startsWith: "Invalid argument: " };
      const { message } = await storeErrorOf(options, promise, expected);
      const [argument = ""] = message.slice(expected.startsWith.length).split(/[ .[]/);
      assert.ok(names.includes(argument), `Names none of ${names.join(", ")}: ${message}`);
    },
  };
}

async function storeErrorOf(
  { errorBase = Error }: ConformanceOptions,
  promise: Promise<unknown>,
  { tag, startsWith = "", includes = "" }: ExpectedError,
): Promise<CaughtError> {
  const error = await rejectionWith(errorBase, promise);
  const { message, name } = error;
  const [_tag, code, retryable]: unknown[] = ["_tag", "code", "retryable"].map((key) =>
    Reflect.get(error, key),
  );
  assert.deepEqual({ _tag, name, message }, { _tag: tag, name: tag, message });
  assert.deepEqual(
    { code: typeof code, retryable: typeof retryable },
    { code: "string", retryable: "boolean" },
  );
  assert.notEqual(code, "");
  assert.equal(message.slice(0, startsWith.length), startsWith);
  assertIncludes(message, includes);
  return { code, retryable, message };
}
