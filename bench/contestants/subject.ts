/**
 * What the workloads ask of a contestant. It is the store's own contract, narrowed to the calls that are measured, so
 * that the store and 0.2.3 are measured as they are, without a wrapper.
 */
import type {
  ForkOptions,
  GetMessagesOptions,
  ListCheckpointsOptions,
  NewCheckpoint,
  NewMessage,
  SemanticSearchOptions,
  SessionOptions,
} from "../../src/types.js";

/** The floor answers at once, all others by promises. */
export type Awaitable<T> = T | Promise<T>;

/** How sure a commit is before it is acknowledged: SQLite's `synchronous`. */
export type Durability = "full" | "normal";

/** What a thread of LangGraph can do as well. */
export interface Subject {
  createSession(directory: string, options?: SessionOptions): Awaitable<{ id: string }>;
  getSession(sessionId: string): Awaitable<unknown>;
  addMessage(sessionId: string, message: NewMessage): Awaitable<unknown>;
  getMessages(sessionId: string, options?: GetMessagesOptions): Awaitable<readonly unknown[]>;
  saveCheckpoint(checkpoint: NewCheckpoint): Awaitable<{ id: string }>;
  getLatestCheckpoint(sessionId: string, namespace?: string): Awaitable<unknown>;
  listCheckpoints(sessionId: string, options?: ListCheckpointsOptions): Awaitable<readonly unknown[]>;
  deleteSession(sessionId: string): Awaitable<void>;
  close(): Awaitable<void>;
}

/** What only stores of the contract can do. */
export interface StoreSubject extends Subject {
  listSessions(workspaceId?: string): Awaitable<readonly unknown[]>;
  updateSession(sessionId: string, updates: { metadata: Record<string, unknown> }): Awaitable<void>;
  getCheckpoint(checkpointId: string): Awaitable<unknown>;
  fork(checkpointId: string, options?: ForkOptions): Awaitable<{ id: string }>;
  searchFactsSemantic(embedding: number[], options?: SemanticSearchOptions): Awaitable<readonly unknown[]>;
}
