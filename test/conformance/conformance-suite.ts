/**
 * What a checkpoint store, and a memory store, has to do for the code that calls it, as tests. The store comes from a factory and the
 * test functions are arguments, so that the suite can be run against any store under any runner:
 *
 *     describeCheckpointStoreConformance({ name: "my store", createStore, runner: { describe, test } });
 *
 * A store with memory (entities, facts and their semantic search) passes describeMemoryStoreConformance as well.
 *
 * Every test makes its own store; none depends on another, on time passing or on the machine's speed.
 */
import type { MemoryStore } from "@obsku/checkpoint-sqlite";
import { describeArguments } from "./arguments.js";
import { describeCheckpointOrder } from "./checkpoint-order.js";
import { describeCheckpoints } from "./checkpoints.js";
import { describeConcurrency } from "./concurrency.js";
import { type ConformanceOptions, createContext } from "./context.js";
import { describeEntities } from "./entities.js";
import { describeErrors } from "./errors.js";
import { describeFacts } from "./facts.js";
import { describeFork } from "./fork.js";
import { describeForkExactness } from "./fork-exactness.js";
import { describeLifecycle } from "./lifecycle.js";
import { describeMemoryCalls } from "./memory-calls.js";
import { describeMessages } from "./messages.js";
import { describeNestedGraphs } from "./nested-graphs.js";
import { describeSemanticSearch } from "./semantic-search.js";
import { describeSessions } from "./sessions.js";
import { describeText } from "./text.js";
import { describeValues } from "./values.js";

export type { ConformanceOptions, PersistentStoreUnderTest, StoreUnderTest, TestRunner } from "./context.js";

export function describeCheckpointStoreConformance(options: ConformanceOptions): void {
  const context = createContext(options);
  context.describe(`checkpoint store: ${options.name}`, () => {
    describeSessions(context);
    describeMessages(context);
    describeCheckpoints(context);
    describeCheckpointOrder(context);
    describeNestedGraphs(context);
    describeFork(context);
    describeForkExactness(context);
    describeValues(context);
    describeText(context);
    describeConcurrency(context);
    describeErrors(context);
    describeArguments(context);
    describeLifecycle(context);
  });
}

export function describeMemoryStoreConformance(options: ConformanceOptions<MemoryStore>): void {
  const context = createContext(options);
  context.describe(`memory store: ${options.name}`, () => {
    describeEntities(context);
    describeFacts(context);
    describeSemanticSearch(context);
    describeMemoryCalls(context);
  });
}
