import { describe, test } from "bun:test";
import { join } from "node:path";
import { CheckpointStoreError, type MemoryStore, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { sharingEverything } from "../support/large-outputs.js";
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

/** How a store of a file is opened. */
type Opening = (open: () => MemoryStore) => MemoryStore;

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
  inFile("in a file", once),
  inFile("in a file that is closed and reopened between any two calls", again),
  inFile("in a file, with every output in its row", once, { shareOutputs: false }),
];

for (const options of stores) {
  describeCheckpointStoreConformance(options);
  describeMemoryStoreConformance(options);
}

// Not those of the memory, which has no outputs.
describeCheckpointStoreConformance(
  sharingAll(inFile("in a file that is reopened between any two calls, with every output apart", again)),
);

function inFile(name: string, opened: Opening, options: Options = {}): ConformanceOptions<MemoryStore> {
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

/** As long as a store is in use, there is no output that is too small to be shared. */
function sharingAll(options: ConformanceOptions<MemoryStore>): ConformanceOptions<MemoryStore> {
  const { createStoreWithClock, createStoreTakingNextVersion } = options;
  return {
    ...options,
    createStore: () => whileSharing(options.createStore),
    ...(createStoreWithClock && {
      createStoreWithClock: (clock) => whileSharing(() => createStoreWithClock(clock)),
    }),
    ...(createStoreTakingNextVersion && {
      createStoreTakingNextVersion: () => whileSharing(createStoreTakingNextVersion),
    }),
  };
}

async function whileSharing(
  create: () => Promise<StoreUnderTest<MemoryStore>> | StoreUnderTest<MemoryStore>,
): Promise<StoreUnderTest<MemoryStore>> {
  const sharing = sharingEverything();
  const { store, dispose } = await create();
  return { store, dispose: () => dispose().finally(() => sharing[Symbol.dispose]()) };
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
