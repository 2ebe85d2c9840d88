/**
 * The types of the framework's checkpoint contract.
 *
 * They are structural copies: the framework's own package cannot be installed from the registry, and TypeScript
 * compares shapes, so a store that implements these interfaces fits the framework's. Every time is an integer
 * number of milliseconds since the Unix epoch.
 */

/** A conversation or run: what messages and checkpoints belong to. */
export interface Session {
  /** A UUID, chosen by the store. */
  id: string;
  /** The folder that the run works in. */
  directory: string;
  createdAt: number;
  /** Moves forward with every message and every update; lists are ordered by it. */
  updatedAt: number;
  title?: string;
  workspaceId?: string;
  metadata?: Record<string, unknown>;
}

/** What may be said of a session when it is created. */
export interface SessionOptions {
  title?: string | undefined;
  workspaceId?: string | undefined;
  metadata?: Record<string, unknown> | undefined;
}

/**
 * What {@link CheckpointStore.updateSession} takes. Absent or `undefined` keeps a field, `null` clears it.
 * `id`, `createdAt` and `updatedAt` are accepted, because a whole session may be passed, and ignored.
 */
export interface SessionUpdates {
  title?: string | null | undefined;
  workspaceId?: string | null | undefined;
  /** Cannot be cleared: every session has a directory. */
  directory?: string | undefined;
  /** Replaced whole, not merged. */
  metadata?: Record<string, unknown> | null | undefined;
  id?: string | undefined;
  createdAt?: number | undefined;
  updatedAt?: number | undefined;
}

/** Who said a message. */
export type MessageRole = "user" | "assistant" | "system" | "tool";

/** A model's request to call a tool. */
export interface ToolCall {
  name: string;
  toolUseId: string;
  input: Record<string, unknown>;
}

/** What a tool answered. */
export interface StoredToolResult {
  toolUseId: string;
  content: string;
  status?: string;
  fullOutputRef?: string;
}

/** One message of a session's conversation. */
export interface StoredMessage {
  /** Grows across the whole file, never reused. */
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

/** A message as it is handed to {@link CheckpointStore.addMessage}. */
export type NewMessage = Omit<StoredMessage, "id" | "createdAt">;

/** Which part of a conversation to read. */
export interface GetMessagesOptions {
  /** Only messages with `createdAt` below this time (milliseconds). */
  before?: number | undefined;
  /** Only messages that come before the message with this id: the way to page that loses none, whatever their times. */
  beforeId?: number | undefined;
  /** Only the last so many of what remains. 0 or absent: all. */
  limit?: number | undefined;
}

/** What has become of a node. */
export type NodeStatus = "pending" | "running" | "completed" | "failed" | "skipped";

/** What is known of one node of the graph. */
export interface CheckpointNodeResult {
  /** Files of older writers also hold `"Complete"`, `"Failed"` and `"Skipped"`: they are read as they are. */
  status: NodeStatus;
  output?: unknown;
  error?: string;
  startedAt?: number;
  completedAt?: number;
}

/** What made the graph save a checkpoint. */
export type CheckpointSource = "input" | "loop" | "interrupt" | "fork";

/** Where a graph stood after one wave of nodes. */
export interface Checkpoint {
  /** A UUID, chosen by the store. */
  id: string;
  sessionId: string;
  /** Keeps graphs within one session apart; `""` unless the graph names one. */
  namespace: string;
  /** Unique within a session and namespace. */
  version: number;
  /** The wave's number: from 0 in a run that begins anew, from the checkpoint's in one that is resumed. */
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

/** How far a loop of the graph has come. */
export interface CycleState {
  backEdge: string;
  iteration: number;
}

/** A checkpoint as it is handed to {@link CheckpointBackend.saveCheckpoint}. */
export type NewCheckpoint = Omit<Checkpoint, "id" | "createdAt">;

/** Which checkpoints of a session to list. */
export interface ListCheckpointsOptions {
  /** The newest so many. 0 or absent: all. */
  limit?: number | undefined;
  namespace?: string | undefined;
  /** Only checkpoints that were saved before the checkpoint with this id. */
  beforeId?: string | undefined;
}

/** What may be said of a fork when it is made. */
export interface ForkOptions {
  /** Default: `"Fork of "` and the original's title, or the checkpoint's id where it has none. */
  title?: string | undefined;
}

/** What the framework reads and forks through. */
export interface CheckpointStore {
  /** Begins a session. `createdAt` and `updatedAt` are the same. */
  createSession(directory: string, options?: SessionOptions): Promise<Session>;
  /** `null` for an unknown id. */
  getSession(sessionId: string): Promise<Session | null>;
  /**
   * All sessions, or those of a workspace: newest `updatedAt` first, of the same millisecond the last created first.
   *
   * @param workspaceId Absent: all. `""` is a workspace like any other.
   */
  listSessions(workspaceId?: string): Promise<Session[]>;
  /**
   * Sets title, workspaceId, directory and metadata where they are given, and moves `updatedAt` forward.
   *
   * @throws {SessionNotFoundError}
   */
  updateSession(sessionId: string, updates: SessionUpdates): Promise<void>;
  /**
   * Deletes a session with its messages, checkpoints and entities; facts learned in it stay, without their
   * `sourceSessionId`. An unknown id is no error.
   *
   * @throws {StorageError} if the host has switched foreign keys off on the Database it passed: nothing would go along.
   */
  deleteSession(sessionId: string): Promise<void>;
  /**
   * Adds a message to the end of a session's conversation and moves the session's `updatedAt` to its time.
   *
   * `createdAt` is the clock's time, or as many milliseconds later as are needed for it to be above that of every
   * message and checkpoint already in the session.
   *
   * @throws {SessionNotFoundError}
   */
  addMessage(sessionId: string, message: NewMessage): Promise<StoredMessage>;
  /**
   * A session's conversation, or the end of it, oldest first. `limit` takes the last of the messages before `beforeId`
   * and `before`, so you can page backwards: pass the first message's id as the next page's `beforeId`.
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
   * The newest saved checkpoint of a session: the one that a run resumes from. `null` if there is none.
   *
   * With a namespace: the newest in it. Without one: the newest of the run itself, not of a graph that runs as a node of
   * another one. Such a graph saves under the node's id as its namespace, so a namespace is nested if the newest
   * checkpoint of another namespace has a node of that name, in `nodeResults` or `pendingNodes`. Independent graphs
   * under names of their own are not nested; if all are nested in each other, the newest of all is returned.
   */
  getLatestCheckpoint(sessionId: string, namespace?: string): Promise<Checkpoint | null>;
  /**
   * A session's checkpoints, newest saved first. Pass the last one's id as `beforeId` to get the next page.
   *
   * @throws {SessionNotFoundError}
   * @throws {InvalidArgumentError} if `beforeId` is not the id of a checkpoint of the session.
   * @throws {CheckpointCorruptionError} if a checkpoint does not decode; the error names it. Page past it with `beforeId`,
   *   or remove it with {@link deleteCheckpoint}.
   */
  listCheckpoints(sessionId: string, options?: ListCheckpointsOptions): Promise<Checkpoint[]>;
  /**
   * Begins a new session at a checkpoint: with the original's directory, workspaceId and metadata, every message that
   * was added before the checkpoint was saved, and a copy of the checkpoint (`source` "fork", `parentId` the original's
   * id). One transaction; the original is left as it is.
   *
   * @throws {CheckpointNotFoundError}
   */
  fork(checkpointId: string, options?: ForkOptions): Promise<Session>;
  /**
   * Waits for every call made before it, and closes the file (not a host's Database). Calls made after it reject with
   * StoreClosedError. Calling it again waits for the same.
   */
  close(): Promise<void>;
}

/** What a graph run takes as `checkpointStore`. */
export interface CheckpointBackend extends CheckpointStore {
  /**
   * Saves where a graph stands.
   *
   * @throws {SessionNotFoundError}
   * @throws {CheckpointVersionConflictError} where the version exists in the session and namespace, unless the store
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

/** An entity as it is handed to {@link MemoryStore.saveEntity}. */
export type NewEntity = Omit<Entity, "id" | "createdAt" | "updatedAt">;

/**
 * What {@link MemoryStore.updateEntity} takes. Absent or `undefined` keeps a field; `null` clears workspaceId and
 * embedding. `id`, `sessionId`, `createdAt` and `updatedAt` are accepted and ignored.
 */
export interface EntityUpdates {
  name?: string | undefined;
  type?: string | undefined;
  /** Replaced whole. */
  attributes?: Record<string, unknown> | undefined;
  /** Replaced whole. */
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
  /** The newest so many. 0 or absent: all. */
  limit?: number | undefined;
}

/** Something an agent holds to be true, across sessions. */
export interface Fact {
  /** A UUID, chosen by the store. */
  id: string;
  content: string;
  /** From 0 to 1. */
  confidence: number;
  createdAt: number;
  workspaceId?: string;
  /** Where it was learned; lost when that session is deleted, while the fact stays. */
  sourceSessionId?: string;
  embedding?: number[];
}

/** A fact as it is handed to {@link MemoryStore.saveFact}. */
export type NewFact = Omit<Fact, "id" | "createdAt">;

/** Which facts to list: all given filters apply together. */
export interface ListFactsOptions {
  workspaceId?: string | undefined;
  /** Only facts with at least this confidence. */
  minConfidence?: number | undefined;
  /** The newest so many. 0 or absent: all. */
  limit?: number | undefined;
}

/** How a semantic search ranks and what it leaves out. */
export interface SemanticSearchOptions {
  workspaceId?: string | undefined;
  /** The least cosine similarity, from -1 to 1. Default: 0. */
  threshold?: number | undefined;
  /** At most so many results. Default: 10. */
  topK?: number | undefined;
}

/** The same for entities, which can be limited to a session too. */
export interface EntitySearchOptions extends SemanticSearchOptions {
  sessionId?: string | undefined;
}

/** What an agent's memory takes as `store`. */
export interface MemoryStore extends CheckpointBackend {
  /** Whether the two searches below rank by similarity: true here. */
  hasSemanticSearch: boolean;
  /**
   * Saves an entity of a session. `createdAt` and `updatedAt` are the same.
   *
   * @throws {SessionNotFoundError}
   */
  saveEntity(entity: NewEntity): Promise<Entity>;
  /** `null` for an unknown id. */
  getEntity(entityId: string): Promise<Entity | null>;
  /** Newest first; all given filters apply together. */
  listEntities(options: ListEntitiesOptions): Promise<Entity[]>;
  /**
   * Sets name, type, attributes, relationships, workspaceId and embedding where they are given, and moves `updatedAt`
   * forward. Attributes and relationships are replaced whole; `null` clears workspaceId and embedding.
   *
   * @throws {EntityNotFoundError}
   */
  updateEntity(entityId: string, updates: EntityUpdates): Promise<void>;
  /** An unknown id is no error. */
  deleteEntity(entityId: string): Promise<void>;
  /**
   * Saves a fact, which outlives the session that it was learned in.
   *
   * @throws {SessionNotFoundError} where `sourceSessionId` is given and there is no such session.
   */
  saveFact(fact: NewFact): Promise<Fact>;
  /** `null` for an unknown id. */
  getFact(factId: string): Promise<Fact | null>;
  /** Newest first; all given filters apply together. */
  listFacts(options: ListFactsOptions): Promise<Fact[]>;
  /** An unknown id is no error. */
  deleteFact(factId: string): Promise<void>;
  /**
   * The entities whose embeddings are most similar to the given one (cosine), best first, among equals the newest first.
   * Exact. Embeddings with another number of dimensions are left out as long as there is one that can be compared.
   *
   * @param embedding Finite numbers, at least one.
   * @throws {VectorDimensionError} where embeddings pass the filters and none has the query's number of dimensions.
   */
  searchEntitiesSemantic(embedding: number[], options?: EntitySearchOptions): Promise<Entity[]>;
  /**
   * The same for facts.
   *
   * @param embedding Finite numbers, at least one.
   * @throws {VectorDimensionError} where embeddings pass the filters and none has the query's number of dimensions.
   */
  searchFactsSemantic(embedding: number[], options?: SemanticSearchOptions): Promise<Fact[]>;
}
