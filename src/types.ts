/**
 * The types of the framework's checkpoint contract.
 *
 * They are structural copies: the framework's own package cannot be installed from the registry, and TypeScript
 * compares types by structure, so a store that implements these interfaces is compatible with the framework. Every time
 * is an integer number of milliseconds since the Unix epoch.
 */

/** A conversation or run, which owns messages and checkpoints. */
export interface Session {
  /** A UUID, chosen by the store. */
  id: string;
  /** The run's working directory. */
  directory: string;
  createdAt: number;
  /** Moves forward with every message and every update; lists are ordered by it. */
  updatedAt: number;
  title?: string;
  workspaceId?: string;
  metadata?: Record<string, unknown>;
}

/** Optional fields of a new session. */
export interface SessionOptions {
  title?: string | undefined;
  workspaceId?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
}

/**
 * Changes for {@link CheckpointStore.updateSession}. An absent or `undefined` field keeps its value, `null` clears it.
 * `id`, `createdAt` and `updatedAt` are ignored; they are allowed so that you can pass a whole session.
 */
export interface SessionUpdates {
  title?: string | null | undefined;
  workspaceId?: string | null | undefined;
  /** Cannot be cleared: every session has a directory. */
  directory?: string | undefined;
  /** Replaced as a whole, not merged. */
  metadata?: Record<string, unknown> | null | undefined;
  id?: string | undefined;
  createdAt?: number | undefined;
  updatedAt?: number | undefined;
}

/** Author of a message. */
export type MessageRole = "user" | "assistant" | "system" | "tool";

/** A model's request to call a tool. */
export interface ToolCall {
  name: string;
  toolUseId: string;
  input: Record<string, unknown>;
}

/** A tool's result. */
export interface StoredToolResult {
  toolUseId: string;
  content: string;
  status?: string;
  fullOutputRef?: string;
}

/** One message of a session's conversation. */
export interface StoredMessage {
  /** Increases across the whole file and is never reused. */
  id: number;
  sessionId: string;
  role: MessageRole;
  createdAt: number;
  content?: string;
  toolCalls?: ToolCall[];
  toolResults?: StoredToolResult[];
  tokensIn?: number;
  tokensOut?: number;
}

/** A message passed to {@link CheckpointStore.addMessage}. */
export type NewMessage = Omit<StoredMessage, "id" | "createdAt">;

/** Which part of a conversation to read. */
export interface GetMessagesOptions {
  /** Only messages with `createdAt` below this time (milliseconds). */
  before?: number | undefined;
  /** Only messages before the message with this id. Pages by id, so it skips no message, whatever their times. */
  beforeId?: number | undefined;
  /** Maximum number of messages: the last ones of those selected. 0 or absent: all. */
  limit?: number | undefined;
}

/** Node status. */
export type NodeStatus = "pending" | "running" | "completed" | "failed" | "skipped";

/** The result of one node of the graph. */
export interface CheckpointNodeResult {
  /** Files from older versions also hold `"Complete"`, `"Failed"` and `"Skipped"`, which are returned unchanged. */
  status: NodeStatus;
  output?: unknown;
  error?: string;
  startedAt?: number;
  completedAt?: number;
}

/** Why the graph saved a checkpoint. */
export type CheckpointSource = "input" | "loop" | "interrupt" | "fork";

/** The state of a graph after one wave of nodes. */
export interface Checkpoint {
  /** A UUID, chosen by the store. */
  id: string;
  sessionId: string;
  /** Keeps graphs within one session apart; `""` unless the graph names one. */
  namespace: string;
  /** Unique within a session and namespace. */
  version: number;
  /** The number of the wave: a new run counts from 0, a resumed run from its checkpoint's step. */
  step: number;
  source: CheckpointSource;
  createdAt: number;
  nodeResults: Record<string, CheckpointNodeResult>;
  /** The nodes that a resumed run starts with. */
  pendingNodes: string[];
  /** The checkpoint that this one was forked from or follows. */
  parentId?: string;
  nodeId?: string;
  cycleState?: CycleState;
}

/** Progress of a loop in the graph. */
export interface CycleState {
  backEdge: string;
  iteration: number;
}

/** A checkpoint passed to {@link CheckpointBackend.saveCheckpoint}. */
export type NewCheckpoint = Omit<Checkpoint, "id" | "createdAt">;

/** Which checkpoints of a session to list. */
export interface ListCheckpointsOptions {
  /** Maximum number of results, the newest ones. 0 or absent: all. */
  limit?: number | undefined;
  namespace?: string | undefined;
  /** Only checkpoints that were saved before the checkpoint with this id. */
  beforeId?: string | undefined;
}

/** Optional fields of a fork. */
export interface ForkOptions {
  /** Default: `"Fork of "` and the original's title, or the checkpoint's id if it has no title. */
  title?: string | undefined;
}

/** Read and fork API of the framework. */
export interface CheckpointStore {
  /** Creates a session. `createdAt` and `updatedAt` are equal. */
  createSession(directory: string, options?: SessionOptions): Promise<Session>;
  /** `null` for an unknown id. */
  getSession(sessionId: string): Promise<Session | null>;
  /**
   * All sessions, or those of a workspace, newest `updatedAt` first. Ties: the last created first.
   *
   * @param workspaceId Absent: all. `""` is a workspace like any other.
   */
  listSessions(workspaceId?: string): Promise<Session[]>;
  /**
   * Sets the given ones of title, workspaceId, directory and metadata, and moves `updatedAt` forward.
   *
   * @throws {SessionNotFoundError}
   */
  updateSession(sessionId: string, updates: SessionUpdates): Promise<void>;
  /**
   * Deletes a session with its messages, checkpoints and entities. Facts learned in it stay and lose their
   * `sourceSessionId`. An unknown id is no error.
   *
   * @throws {StorageError} if the host has switched foreign keys off on the Database it passed: the session's rows
   *   would stay behind.
   */
  deleteSession(sessionId: string): Promise<void>;
  /**
   * Adds a message to the end of a session's conversation and moves the session's `updatedAt` to its time.
   *
   * `createdAt` is the clock's time, or later if needed to come after the session's `updatedAt` and every message and
   * checkpoint already in the session.
   *
   * @throws {SessionNotFoundError}
   */
  addMessage(sessionId: string, message: NewMessage): Promise<StoredMessage>;
  /**
   * A session's conversation, or the end of it, oldest first. `limit` takes the last of the messages that `beforeId`
   * and `before` select, so you can page backwards: pass the first message's id as the next page's `beforeId`.
   *
   * @throws {SessionNotFoundError}
   * @throws {InvalidArgumentError} if `beforeId` is not the id of a message of the session.
   * @throws {CheckpointCorruptionError} if a message does not decode; the error names it. Page past it with `beforeId`, or
   *   remove it with {@link deleteMessage}.
   *
   * @example
   * let page = await store.getMessages(session.id, { limit: 20 });
   * const earlier = await store.getMessages(session.id, { limit: 20, beforeId: page[0]?.id });
   */
  getMessages(sessionId: string, options?: GetMessagesOptions): Promise<StoredMessage[]>;
  /** `null` for an unknown id. */
  getCheckpoint(checkpointId: string): Promise<Checkpoint | null>;
  /**
   * A session's latest checkpoint, which a run resumes from. `null` if there is none.
   *
   * With a namespace: the latest in it. Without one: the latest of the run itself, not of a graph that runs as a node of
   * another one. Such a graph saves under the node's id as its namespace, so a namespace is nested if the latest
   * checkpoint of another namespace has a node of that name, in `nodeResults` or `pendingNodes`. Independent graphs
   * with their own names are not nested. If all namespaces are nested in each other, the latest of all is returned.
   */
  getLatestCheckpoint(sessionId: string, namespace?: string): Promise<Checkpoint | null>;
  /**
   * A session's checkpoints, the last saved first. Pass the last one's id as `beforeId` to get the next page.
   *
   * @throws {SessionNotFoundError}
   * @throws {InvalidArgumentError} if `beforeId` is not the id of a checkpoint of the session.
   * @throws {CheckpointCorruptionError} if a checkpoint does not decode; the error names it. Page past it with `beforeId`,
   *   or remove it with {@link deleteCheckpoint}.
   */
  listCheckpoints(sessionId: string, options?: ListCheckpointsOptions): Promise<Checkpoint[]>;
  /**
   * Starts a new session from a checkpoint. Copies the original session's directory, workspaceId and metadata, every
   * message added before the checkpoint was saved, and the checkpoint itself (`source` "fork", `parentId` the original's
   * id), in one transaction. The original stays unchanged.
   *
   * @throws {CheckpointNotFoundError}
   */
  fork(checkpointId: string, options?: ForkOptions): Promise<Session>;
  /**
   * Waits for all earlier calls, then closes the file (but not a host's Database). Later calls reject with
   * StoreClosedError. A second `close()` waits for the first.
   */
  close(): Promise<void>;
}

/** The type of a graph run's `checkpointStore`. */
export interface CheckpointBackend extends CheckpointStore {
  /**
   * Saves the state of a graph.
   *
   * @throws {SessionNotFoundError}
   * @throws {CheckpointVersionConflictError} if the session and namespace already have this version, unless the store
   *   was opened with `versionConflict: "next"`.
   */
  saveCheckpoint(checkpoint: NewCheckpoint): Promise<Checkpoint>;
}

/** A typed edge from one entity to another. */
export interface Relationship {
  targetId: string;
  type: string;
}

/** Something an agent remembers: a person, a host, a project. */
export interface Entity {
  /** A UUID, chosen by the store. */
  id: string;
  /** Deleted with its session. */
  sessionId: string;
  name: string;
  type: string;
  attributes: Record<string, unknown>;
  relationships: Relationship[];
  createdAt: number;
  updatedAt: number;
  workspaceId?: string;
  embedding?: number[];
}

/** An entity passed to {@link MemoryStore.saveEntity}. */
export type NewEntity = Omit<Entity, "id" | "createdAt" | "updatedAt">;

/**
 * Changes for {@link MemoryStore.updateEntity}. An absent or `undefined` field keeps its value; `null` clears workspaceId
 * and embedding. `id`, `sessionId`, `createdAt` and `updatedAt` are accepted and ignored.
 */
export interface EntityUpdates {
  name?: string | undefined;
  type?: string | undefined;
  /** Replaced as a whole. */
  attributes?: Record<string, unknown> | undefined;
  /** Replaced as a whole. */
  relationships?: Relationship[] | undefined;
  workspaceId?: string | null | undefined;
  embedding?: number[] | null | undefined;
  id?: string | undefined;
  sessionId?: string | undefined;
  createdAt?: number | undefined;
  updatedAt?: number | undefined;
}

/** Which entities to list: all given filters apply together. */
export interface ListEntitiesOptions {
  sessionId?: string | undefined;
  workspaceId?: string | undefined;
  type?: string | undefined;
  /** Maximum number of results, the newest ones. 0 or absent: all. */
  limit?: number | undefined;
}

/** Something an agent knows, across sessions. */
export interface Fact {
  /** A UUID, chosen by the store. */
  id: string;
  content: string;
  /** From 0 to 1. */
  confidence: number;
  createdAt: number;
  workspaceId?: string;
  /** The session it was learned in. Deleting that session clears this field and keeps the fact. */
  sourceSessionId?: string;
  embedding?: number[];
}

/** A fact passed to {@link MemoryStore.saveFact}. */
export type NewFact = Omit<Fact, "id" | "createdAt">;

/** Which facts to list: all given filters apply together. */
export interface ListFactsOptions {
  workspaceId?: string | undefined;
  /** Only facts with at least this confidence. */
  minConfidence?: number | undefined;
  /** Maximum number of results, the newest ones. 0 or absent: all. */
  limit?: number | undefined;
}

/** Filters and limits of a semantic search. */
export interface SemanticSearchOptions {
  workspaceId?: string | undefined;
  /** Minimum cosine similarity, from -1 to 1. Default: 0. */
  threshold?: number | undefined;
  /** Maximum number of results. Default: 10. */
  topK?: number | undefined;
}

/** Filters and limits of a semantic search for entities, which can also select a session. */
export interface EntitySearchOptions extends SemanticSearchOptions {
  sessionId?: string | undefined;
}

/** The type of an agent memory's `store`. */
export interface MemoryStore extends CheckpointBackend {
  /** Whether the two semantic searches rank by similarity: true for this store. */
  hasSemanticSearch: boolean;
  /**
   * Saves an entity of a session. `createdAt` and `updatedAt` are equal.
   *
   * @throws {SessionNotFoundError}
   */
  saveEntity(entity: NewEntity): Promise<Entity>;
  /** `null` for an unknown id. */
  getEntity(entityId: string): Promise<Entity | null>;
  /** Newest first; all given filters apply together. */
  listEntities(options: ListEntitiesOptions): Promise<Entity[]>;
  /**
   * Sets the given ones of name, type, attributes, relationships, workspaceId and embedding, and moves `updatedAt`
   * forward. Attributes and relationships are replaced as a whole; `null` clears workspaceId and embedding.
   *
   * @throws {EntityNotFoundError}
   */
  updateEntity(entityId: string, updates: EntityUpdates): Promise<void>;
  /** An unknown id is no error. */
  deleteEntity(entityId: string): Promise<void>;
  /**
   * Saves a fact, which outlives the session it was learned in.
   *
   * @throws {SessionNotFoundError} if `sourceSessionId` is given and no session has that id.
   */
  saveFact(fact: NewFact): Promise<Fact>;
  /** `null` for an unknown id. */
  getFact(factId: string): Promise<Fact | null>;
  /** Newest first; all given filters apply together. */
  listFacts(options: ListFactsOptions): Promise<Fact[]>;
  /** An unknown id is no error. */
  deleteFact(factId: string): Promise<void>;
  /**
   * The entities whose embeddings are most similar to the given one (cosine), best first. Ties: newest first. The search
   * is exact. It skips embeddings with another number of dimensions, unless all have another number.
   *
   * @param embedding Finite numbers, at least one.
   * @throws {VectorDimensionError} if the filters match embeddings and none has the query's number of dimensions.
   */
  searchEntitiesSemantic(embedding: number[], options?: EntitySearchOptions): Promise<Entity[]>;
  /**
   * The facts whose embeddings are most similar to the given one; see {@link searchEntitiesSemantic}.
   *
   * @param embedding Finite numbers, at least one.
   * @throws {VectorDimensionError} if the filters match embeddings and none has the query's number of dimensions.
   */
  searchFactsSemantic(embedding: number[], options?: SemanticSearchOptions): Promise<Fact[]>;
}
