import { describe, test } from "bun:test";
import { join } from "node:path";
import { CheckpointStoreError, type MemoryStore, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { ReopeningMemoryStore } from "../support/reopening-store.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import {
  type ConformanceOptions,
  describeCheckpointStoreConformance,
  describeMemoryStoreConformance,
  type PersistentStoreUnderTest,
  type StoreUnderTest,
} from "./conformance-suite.js";

type Options = NonNullable<ConstructorParameters<typeof SqliteCheckpointStore>[1]>;

const runner = { describe, test };
const errorBase = CheckpointStoreError;

const stores: readonly ConformanceOptions<MemoryStore>[] = [
  {
    name: "in memory",
    runner,
    errorBase,
    createStore: () => createInMemory(),
    createStoreWithClock: (clock) => createInMemory({ clock }),
    createStoreTakingNextVersion: () => createInMemory({ versionConflict: "next" }),
  },
  {
    name: "in a file",
    runner,
    errorBase,
    createStore: () => createInFile(once),
    createStoreWithClock: (clock) => createInFile(once, { clock }),
    createStoreTakingNextVersion: () => createInFile(once, { versionConflict: "next" }),
    createPersistentStore,
  },
  {
    name: "in a file that is closed and reopened between any two calls",
    runner,
    errorBase,
    createStore: () => createInFile(again),
    createStoreWithClock: (clock) => createInFile(again, { clock }),
    createStoreTakingNextVersion: () => createInFile(again, { versionConflict: "next" }),
  },
];

for (const options of stores) {
  describeCheckpointStoreConformance(options);
  describeMemoryStoreConformance(options);
}

function once(open: () => MemoryStore): MemoryStore {
  return open();
}

function again(open: () => MemoryStore): MemoryStore {
  return new ReopeningMemoryStore(open);
}

function createInMemory(options: Options = {}): StoreUnderTest<MemoryStore> {
  const store = open(":memory:", options);
  return { store, dispose: () => store.close() };
}

async function createInFile(
  opened: (open: () => MemoryStore) => MemoryStore,
  options: Options = {},
): Promise<StoreUnderTest<MemoryStore>> {
  const folder = await createTemporaryFolder();
  const store = opened(() => open(join(folder.path, "checkpoints.db"), options));
  return { store, dispose: () => store.close().finally(() => folder.remove()) };
}

async function createPersistentStore(): Promise<PersistentStoreUnderTest<MemoryStore>> {
  const folder = await createTemporaryFolder();
  return { open: () => open(join(folder.path, "checkpoints.db")), dispose: () => folder.remove() };
}

function open(path: string, options: Options = {}): MemoryStore {
  return new SqliteCheckpointStore(path, options);
}
