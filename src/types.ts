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
export interface MessagePage {
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
export interface CheckpointPage {
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
  createSession(directory: string, options?: SessionOptions): Promise<Session>;
  getSession(sessionId: string): Promise<Session | null>;
  listSessions(workspaceId?: string): Promise<Session[]>;
  updateSession(sessionId: string, updates: SessionUpdates): Promise<void>;
  deleteSession(sessionId: string): Promise<void>;
  addMessage(sessionId: string, message: NewMessage): Promise<StoredMessage>;
  getMessages(sessionId: string, options?: MessagePage): Promise<StoredMessage[]>;
  getCheckpoint(checkpointId: string): Promise<Checkpoint | null>;
  getLatestCheckpoint(sessionId: string, namespace?: string): Promise<Checkpoint | null>;
  listCheckpoints(sessionId: string, options?: CheckpointPage): Promise<Checkpoint[]>;
  fork(checkpointId: string, options?: ForkOptions): Promise<Session>;
  close(): Promise<void>;
}

/** What a graph run takes as `checkpointStore`. */
export interface CheckpointBackend extends CheckpointStore {
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
export interface EntityFilter {
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
export interface FactFilter {
  workspaceId?: string | undefined;
  /** Only facts with at least this confidence. */
  minConfidence?: number | undefined;
  /** The newest so many. 0 or absent: all. */
  limit?: number | undefined;
}

/** How a semantic search ranks and what it leaves out. */
export interface SemanticSearch {
  workspaceId?: string | undefined;
  /** The least cosine similarity, from -1 to 1. Default: 0. */
  threshold?: number | undefined;
  /** At most so many results. Default: 10. */
  topK?: number | undefined;
}

/** The same for entities, which can be limited to a session too. */
export interface EntitySearch extends SemanticSearch {
  sessionId?: string | undefined;
}

/** What an agent's memory takes as `store`. */
export interface MemoryStore extends CheckpointBackend {
  /** Whether the two searches below rank by similarity: true here. */
  hasSemanticSearch: boolean;
  saveEntity(entity: NewEntity): Promise<Entity>;
  getEntity(entityId: string): Promise<Entity | null>;
  listEntities(options: EntityFilter): Promise<Entity[]>;
  updateEntity(entityId: string, updates: EntityUpdates): Promise<void>;
  deleteEntity(entityId: string): Promise<void>;
  saveFact(fact: NewFact): Promise<Fact>;
  getFact(factId: string): Promise<Fact | null>;
  listFacts(options: FactFilter): Promise<Fact[]>;
  deleteFact(factId: string): Promise<void>;
  searchEntitiesSemantic(embedding: number[], options?: EntitySearch): Promise<Entity[]>;
  searchFactsSemantic(embedding: number[], options?: SemanticSearch): Promise<Fact[]>;
}
