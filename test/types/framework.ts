/**
 * As much of `@obsku/framework`, which is not on the registry, as the documentation's examples use: for the compiler alone,
 * nothing here is ever run. What it takes from a store is the contract next to this file.
 */
import type { Checkpoint, CheckpointBackend, MemoryStore } from "./contract.js";

declare const kind: unique symbol;

export interface Graph {
  readonly [kind]: "graph";
}

export interface Agent {
  readonly [kind]: "agent";
}

export interface RunOptions {
  input: string;
  checkpointStore?: CheckpointBackend;
  sessionId?: string;
  resumeFrom?: Checkpoint;
  onCheckpoint?: (checkpoint: Checkpoint) => void;
}

export interface MemoryOptions {
  enabled: boolean;
  store: MemoryStore;
  entityMemory?: boolean;
  longTermMemory?: boolean;
  embeddingProvider?: object;
}

export declare function graph(definition: object): Graph;

export declare function run(graph: Graph, options: RunOptions): Promise<unknown>;

export declare function agent(options: { memory?: MemoryOptions }): Agent;
