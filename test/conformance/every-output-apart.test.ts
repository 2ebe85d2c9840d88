/** The conformance of stores for which no output is too small to be kept apart. */
import type { MemoryStore } from "@obsku/checkpoint-sqlite";
import { sharingEverything } from "../support/large-outputs.js";
import {
  type ConformanceOptions,
  describeCheckpointStoreConformance,
  type StoreUnderTest,
} from "./conformance-suite.js";
import { again, inFile } from "./factories.js";

// Not those of the memory, which has no outputs.
describeCheckpointStoreConformance(
  sharingAll(inFile("in a file that is reopened between any two calls, with every output apart", again)),
);

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
