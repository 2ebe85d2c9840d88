import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type CheckpointBackend, CheckpointStoreError, SqliteCheckpointStore } from "../../src/index.js";
import { ReopeningStore } from "../support/reopening-store.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import {
  describeCheckpointStoreConformance,
  type PersistentStoreUnderTest,
  type StoreUnderTest,
} from "./conformance-suite.js";

type Options = NonNullable<ConstructorParameters<typeof SqliteCheckpointStore>[1]>;

const runner = { describe, test, expect };
const errorBase = CheckpointStoreError;

describeCheckpointStoreConformance({
  name: "in memory",
  runner,
  errorBase,
  createStore: () => createInMemory(),
  createStoreWithClock: (clock) => createInMemory({ clock }),
  createStoreTakingNextVersion: () => createInMemory({ versionConflict: "next" }),
});

describeCheckpointStoreConformance({
  name: "in a file",
  runner,
  errorBase,
  createStore: () => createInFile(once),
  createStoreWithClock: (clock) => createInFile(once, { clock }),
  createStoreTakingNextVersion: () => createInFile(once, { versionConflict: "next" }),
  createPersistentStore,
});

describeCheckpointStoreConformance({
  name: "in a file that is closed and reopened between any two calls",
  runner,
  errorBase,
  createStore: () => createInFile(again),
  createStoreWithClock: (clock) => createInFile(again, { clock }),
  createStoreTakingNextVersion: () => createInFile(again, { versionConflict: "next" }),
});

function once(open: () => CheckpointBackend): CheckpointBackend {
  return open();
}

function again(open: () => CheckpointBackend): CheckpointBackend {
  return new ReopeningStore(open);
}

function createInMemory(options: Options = {}): StoreUnderTest {
  const store = open(":memory:", options);
  return { store, dispose: () => store.close() };
}

async function createInFile(
  opened: (open: () => CheckpointBackend) => CheckpointBackend,
  options: Options = {},
): Promise<StoreUnderTest> {
  const folder = await createTemporaryFolder();
  const store = opened(() => open(join(folder.path, "checkpoints.db"), options));
  return { store, dispose: () => store.close().finally(() => folder.remove()) };
}

async function createPersistentStore(): Promise<PersistentStoreUnderTest> {
  const folder = await createTemporaryFolder();
  return { open: () => open(join(folder.path, "checkpoints.db")), dispose: () => folder.remove() };
}

function open(path: string, options: Options = {}): CheckpointBackend {
  return new SqliteCheckpointStore(path, options);
}
