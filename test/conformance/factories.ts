/** The stores that the conformance suite runs on, found by the package's name. */
import { describe, test } from "bun:test";
import { join } from "node:path";
import { CheckpointStoreError, type MemoryStore, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { ReopeningMemoryStore } from "../support/reopening-store.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { ConformanceOptions, PersistentStoreUnderTest, StoreUnderTest } from "./conformance-suite.js";

type Options = NonNullable<ConstructorParameters<typeof SqliteCheckpointStore>[1]>;

/** How a store of a file is opened. */
type Opening = (open: () => MemoryStore) => MemoryStore;

const runner = { describe, test };
const errorBase = CheckpointStoreError;

export function inMemory(): ConformanceOptions<MemoryStore> {
  return {
    name: "in memory",
    runner,
    errorBase,
    createStore: () => createInMemory(),
    createStoreWithClock: (clock) => createInMemory({ clock }),
    createStoreTakingNextVersion: () => createInMemory({ versionConflict: "next" }),
  };
}

export function inFile(
  name: string,
  opened: Opening,
  options: Options = {},
): ConformanceOptions<MemoryStore> {
  return {
    name,
    runner,
    errorBase,
    createStore: () => createInFile(opened, options),
    createStoreWithClock: (clock) => createInFile(opened, { ...options, clock }),
    createStoreTakingNextVersion: () => createInFile(opened, { ...options, versionConflict: "next" }),
    // Its tests reopen it themselves.
    ...(opened === once && { createPersistentStore: () => createPersistentStore(options) }),
  };
}

export function once(open: () => MemoryStore): MemoryStore {
  return open();
}

export function again(open: () => MemoryStore): MemoryStore {
  return new ReopeningMemoryStore(open);
}

function createInMemory(options: Options = {}): StoreUnderTest<MemoryStore> {
  const store = open(":memory:", options);
  return { store, dispose: () => store.close() };
}

async function createInFile(opened: Opening, options: Options = {}): Promise<StoreUnderTest<MemoryStore>> {
  const folder = await createTemporaryFolder();
  const store = opened(() => open(join(folder.path, "checkpoints.db"), options));
  return { store, dispose: () => store.close().finally(() => folder.remove()) };
}

async function createPersistentStore(options: Options): Promise<PersistentStoreUnderTest<MemoryStore>> {
  const folder = await createTemporaryFolder();
  return { open: () => open(join(folder.path, "checkpoints.db"), options), dispose: () => folder.remove() };
}

function open(path: string, options: Options = {}): MemoryStore {
  return new SqliteCheckpointStore(path, options);
}
