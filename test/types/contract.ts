/**
 * The class held against the framework's interfaces, by the compiler alone: nothing here is ever run.
 *
 * The first half declares the contract as the framework does, and takes nothing from this package, so that a change
 * of this package's own types cannot change what they are held against. It holds with `exactOptionalPropertyTypes`
 * (the project's tsconfig.json) and without (tsconfig.loose.json next to this file).
 */
import type { Database } from "bun:sqlite";
import type * as ours from "@obsku/checkpoint-sqlite";
import { CheckpointStoreError, JsonPlusSerializer, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";

// ---- The contract ----

interface Session {
  id: string;
  directory: string;
  createdAt: number;
  updatedAt: number;
  title?: string;
  workspaceId?: string;
  metadata?: Record<string, unknown>;
}

interface SessionOptions {
  title?: string;
  workspaceId?: string;
  metadata?: Record<string, unknown>;
}

interface ToolCall {
  name: string;
  toolUseId: string;
  input: Record<string, unknown>;
}

interface StoredToolResult {
  toolUseId: string;
  content: string;
  status?: string;
  fullOutputRef?: string;
}

interface StoredMessage {
  id: number;
  sessionId: string;
  role: "user" | "assistant" | "system" | "tool";
  createdAt: number;
  content?: string;
  toolCalls?: ToolCall[];
  toolResults?: StoredToolResult[];
  tokensIn?: number;
  tokensOut?: number;
}

interface CheckpointNodeResult {
  status: "pending" | "running" | "completed" | "failed" | "skipped";
  output?: unknown;
  error?: string;
  startedAt?: number;
  completedAt?: number;
}

export interface Checkpoint {
  id: string;
  sessionId: string;
  namespace: string;
  version: number;
  step: number;
  source: "input" | "loop" | "interrupt" | "fork";
  createdAt: number;
  nodeResults: Record<string, CheckpointNodeResult>;
  pendingNodes: string[];
  parentId?: string;
  nodeId?: string;
  cycleState?: { backEdge: string; iteration: number };
}

interface CheckpointStore {
  createSession(directory: string, options?: SessionOptions): Promise<Session>;
  getSession(sessionId: string): Promise<Session | null>;
  listSessions(workspaceId?: string): Promise<Session[]>;
  updateSession(sessionId: string, updates: Partial<Session>): Promise<void>;
  deleteSession(sessionId: string): Promise<void>;
  addMessage(sessionId: string, message: Omit<StoredMessage, "id" | "createdAt">): Promise<StoredMessage>;
  getMessages(sessionId: string, options?: { before?: number; limit?: number }): Promise<StoredMessage[]>;
  getCheckpoint(checkpointId: string): Promise<Checkpoint | null>;
  getLatestCheckpoint(sessionId: string, namespace?: string): Promise<Checkpoint | null>;
  listCheckpoints(sessionId: string, options?: { limit?: number; namespace?: string }): Promise<Checkpoint[]>;
  fork(checkpointId: string, options?: { title?: string }): Promise<Session>;
  close(): Promise<void>;
}

export interface CheckpointBackend extends CheckpointStore {
  saveCheckpoint(checkpoint: Omit<Checkpoint, "id" | "createdAt">): Promise<Checkpoint>;
}

interface Relationship {
  targetId: string;
  type: string;
}

interface Entity {
  id: string;
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

interface Fact {
  id: string;
  content: string;
  confidence: number;
  createdAt: number;
  workspaceId?: string;
  sourceSessionId?: string;
  embedding?: number[];
}

export interface MemoryStore extends CheckpointBackend {
  hasSemanticSearch: boolean;
  saveEntity(entity: Omit<Entity, "id" | "createdAt" | "updatedAt">): Promise<Entity>;
  getEntity(id: string): Promise<Entity | null>;
  updateEntity(id: string, updates: Partial<Entity>): Promise<void>;
  deleteEntity(id: string): Promise<void>;
  listEntities(options: {
    sessionId?: string;
    workspaceId?: string;
    type?: string;
    limit?: number;
  }): Promise<Entity[]>;
  saveFact(fact: Omit<Fact, "id" | "createdAt">): Promise<Fact>;
  getFact(id: string): Promise<Fact | null>;
  deleteFact(id: string): Promise<void>;
  listFacts(options: { workspaceId?: string; minConfidence?: number; limit?: number }): Promise<Fact[]>;
  searchEntitiesSemantic(
    embedding: number[],
    options?: { sessionId?: string; workspaceId?: string; threshold?: number; topK?: number },
  ): Promise<Entity[]>;
  searchFactsSemantic(
    embedding: number[],
    options?: { workspaceId?: string; threshold?: number; topK?: number },
  ): Promise<Fact[]>;
}

// ---- The tools of the proofs ----

/** Does not compile unless it is given `true`. */
type Assert<Proof extends true> = Proof;

/** Identical, with the same optionality and modifiers; not merely assignable both ways. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : { these: A; differ: B };

/** Written as tuples, so that unions are compared whole. */
type Takes<Target, Given> = [Given] extends [Target] ? true : { cannot: Target; take: Given };

/** Spells an interface out, so that two of them are compared by their properties. */
type Spelled<T> = { [K in keyof T]: T[K] };

type Store = SqliteCheckpointStore;

// ---- What must compile ----

export const store: CheckpointStore = new SqliteCheckpointStore();
export const backend: CheckpointBackend = new SqliteCheckpointStore("./runs.db");
export const withOptions: CheckpointBackend = new SqliteCheckpointStore("./runs.db", {
  busyTimeout: 100,
  synchronous: "normal",
  readonly: true,
  versionConflict: "next",
  clock: () => 0,
});
export const withNoOptions: CheckpointBackend[] = [
  new SqliteCheckpointStore(":memory:", {}),
  new SqliteCheckpointStore(":memory:", undefined),
  new SqliteCheckpointStore(":memory:", null),
  new SqliteCheckpointStore(":memory:", { busyTimeout: undefined }),
];
export const ofHost = (database: Database): CheckpointBackend => new SqliteCheckpointStore(database);
export const memory: MemoryStore = new SqliteCheckpointStore("./memory.db", { vectorMemory: 0 });
export const disposed: AsyncDisposable = new SqliteCheckpointStore();

/** Our declarations of the interfaces and the framework's stand for each other. */
export const framework = (given: ours.CheckpointBackend): CheckpointBackend => given;
export const own = (given: SqliteCheckpointStore): ours.CheckpointBackend => given;
export const frameworkMemory = (given: ours.MemoryStore): MemoryStore => given;
export const ownMemory = (given: SqliteCheckpointStore): ours.MemoryStore => given;

/** The values that go over the contract are the same types, in both directions and in every property. */
export type Values = [
  Assert<Same<Spelled<ours.Session>, Spelled<Session>>>,
  Assert<Same<Spelled<ours.ToolCall>, Spelled<ToolCall>>>,
  Assert<Same<Spelled<ours.StoredToolResult>, Spelled<StoredToolResult>>>,
  Assert<Takes<ours.StoredMessage, StoredMessage>>,
  Assert<Takes<StoredMessage, ours.StoredMessage>>,
  Assert<Same<Spelled<ours.CheckpointNodeResult>, Spelled<CheckpointNodeResult>>>,
  Assert<Takes<ours.Checkpoint, Checkpoint>>,
  Assert<Takes<Checkpoint, ours.Checkpoint>>,
  Assert<Same<keyof ours.StoredMessage, keyof StoredMessage>>,
  Assert<Same<keyof ours.Checkpoint, keyof Checkpoint>>,
  Assert<Same<ours.StoredMessage["role"], StoredMessage["role"]>>,
  Assert<Same<ours.Checkpoint["source"], Checkpoint["source"]>>,
  Assert<Same<Spelled<ours.CycleState>, Spelled<NonNullable<Checkpoint["cycleState"]>>>>,
  Assert<Same<Spelled<ours.Relationship>, Spelled<Relationship>>>,
  Assert<Takes<ours.Entity, Entity>>,
  Assert<Takes<Entity, ours.Entity>>,
  Assert<Same<keyof ours.Entity, keyof Entity>>,
  Assert<Same<Spelled<Omit<ours.Entity, "relationships">>, Spelled<Omit<Entity, "relationships">>>>,
  Assert<Same<Spelled<ours.Fact>, Spelled<Fact>>>,
  Assert<Takes<ours.NewEntity, Omit<Entity, "id" | "createdAt" | "updatedAt">>>,
  Assert<Takes<ours.NewFact, Omit<Fact, "id" | "createdAt">>>,
  Assert<Takes<ours.EntityUpdates, Partial<Entity>>>,
];

type Method = keyof CheckpointBackend;
type EveryMethod<Proof> = Record<Method, Proof>;
type MemoryMethod = Exclude<keyof MemoryStore, Method | "hasSemanticSearch">;
type EveryMemoryMethod<Proof> = Record<MemoryMethod, Proof>;

/** What the framework passes is taken. Methods alone would not show it: their parameters are compared both ways. */
type TakesParameters<Implementation extends CheckpointBackend> = {
  [M in Method]: Takes<Parameters<Implementation[M]>, Parameters<CheckpointBackend[M]>>;
};

/** What is returned is what the framework expects. */
type ReturnsResults<Implementation extends CheckpointBackend> = {
  [M in Method]: Takes<ReturnType<CheckpointBackend[M]>, ReturnType<Implementation[M]>>;
};

/** The same for the further methods of a memory store. */
type MemoryTakesParameters<Implementation extends MemoryStore> = {
  [M in MemoryMethod]: Takes<Parameters<Implementation[M]>, Parameters<MemoryStore[M]>>;
};
type MemoryReturnsResults<Implementation extends MemoryStore> = {
  [M in MemoryMethod]: Takes<ReturnType<MemoryStore[M]>, ReturnType<Implementation[M]>>;
};

export type Methods = [
  Assert<Same<TakesParameters<Store>, EveryMethod<true>>>,
  Assert<Same<ReturnsResults<Store>, EveryMethod<true>>>,
  Assert<Same<TakesParameters<ours.CheckpointBackend>, EveryMethod<true>>>,
  Assert<Same<ReturnsResults<ours.CheckpointBackend>, EveryMethod<true>>>,
  Assert<Same<MemoryTakesParameters<Store>, EveryMemoryMethod<true>>>,
  Assert<Same<MemoryReturnsResults<Store>, EveryMemoryMethod<true>>>,
  Assert<Same<MemoryTakesParameters<ours.MemoryStore>, EveryMemoryMethod<true>>>,
  Assert<Same<MemoryReturnsResults<ours.MemoryStore>, EveryMemoryMethod<true>>>,
  Assert<Takes<boolean, Store["hasSemanticSearch"]>>,
  Assert<Same<keyof ours.MemoryStore, keyof MemoryStore>>,
];

/** Never `any`, which would pass the proof above. */
export type ReturnedExactly = [
  Assert<Same<ReturnType<Store["createSession"]>, Promise<ours.Session>>>,
  Assert<Same<ReturnType<Store["getSession"]>, Promise<ours.Session | null>>>,
  Assert<Same<ReturnType<Store["listSessions"]>, Promise<ours.Session[]>>>,
  Assert<Same<ReturnType<Store["updateSession"]>, Promise<void>>>,
  Assert<Same<ReturnType<Store["deleteSession"]>, Promise<void>>>,
  Assert<Same<ReturnType<Store["addMessage"]>, Promise<ours.StoredMessage>>>,
  Assert<Same<ReturnType<Store["getMessages"]>, Promise<ours.StoredMessage[]>>>,
  Assert<Same<ReturnType<Store["saveCheckpoint"]>, Promise<ours.Checkpoint>>>,
  Assert<Same<ReturnType<Store["getCheckpoint"]>, Promise<ours.Checkpoint | null>>>,
  Assert<Same<ReturnType<Store["getLatestCheckpoint"]>, Promise<ours.Checkpoint | null>>>,
  Assert<Same<ReturnType<Store["listCheckpoints"]>, Promise<ours.Checkpoint[]>>>,
  Assert<Same<ReturnType<Store["fork"]>, Promise<ours.Session>>>,
  Assert<Same<ReturnType<Store["close"]>, Promise<void>>>,
  Assert<Same<ReturnType<Store["saveEntity"]>, Promise<ours.Entity>>>,
  Assert<Same<ReturnType<Store["getEntity"]>, Promise<ours.Entity | null>>>,
  Assert<Same<ReturnType<Store["listEntities"]>, Promise<ours.Entity[]>>>,
  Assert<Same<ReturnType<Store["updateEntity"]>, Promise<void>>>,
  Assert<Same<ReturnType<Store["deleteEntity"]>, Promise<void>>>,
  Assert<Same<ReturnType<Store["saveFact"]>, Promise<ours.Fact>>>,
  Assert<Same<ReturnType<Store["getFact"]>, Promise<ours.Fact | null>>>,
  Assert<Same<ReturnType<Store["listFacts"]>, Promise<ours.Fact[]>>>,
  Assert<Same<ReturnType<Store["deleteFact"]>, Promise<void>>>,
  Assert<Same<ReturnType<Store["searchEntitiesSemantic"]>, Promise<ours.Entity[]>>>,
  Assert<Same<ReturnType<Store["searchFactsSemantic"]>, Promise<ours.Fact[]>>>,
];

export async function callsThatMustCompile(runs: SqliteCheckpointStore, session: Session): Promise<void> {
  await runs.createSession("./d");
  await runs.createSession("./d", { title: undefined, metadata: { at: new Date() } });
  await runs.updateSession(session.id, session);
  await runs.updateSession(session.id, { title: null, workspaceId: null, metadata: null });
  await runs.updateSession(session.id, { title: undefined, directory: undefined });
  await runs.addMessage(session.id, { sessionId: session.id, role: "tool" });
  await runs.getMessages(session.id, { limit: undefined, before: undefined });
  await runs.listCheckpoints(session.id, { namespace: undefined, limit: 1 });
  await runs.fork("id", { title: undefined });
  const title: string | undefined = (await runs.getSession(session.id))?.title;
  const latest = await runs.getLatestCheckpoint(session.id);
  const output: unknown = latest?.nodeResults.scan?.output;
  const text: string = new JsonPlusSerializer().serialize([title, output]);
  const value: unknown = new JsonPlusSerializer().deserialize(text);
  if (value instanceof CheckpointStoreError) {
    const told: [string, string, string, boolean, unknown] = [
      value._tag,
      value.name,
      value.code,
      value.retryable,
      value.cause,
    ];
    told satisfies unknown;
  }
}

export async function memoryCallsThatMustCompile(runs: SqliteCheckpointStore, entity: Entity): Promise<void> {
  await runs.updateEntity(entity.id, entity);
  await runs.updateEntity(entity.id, { workspaceId: null, embedding: null, name: undefined });
  await runs.listEntities({ sessionId: undefined, type: "person", limit: 5 });
  await runs.listFacts({ minConfidence: 0.5, workspaceId: undefined });
  const [found] = await runs.searchEntitiesSemantic([1], { sessionId: "s", threshold: 0.7, topK: undefined });
  const vector: number[] | undefined = found?.embedding;
  await runs.searchFactsSemantic(vector ?? [1]);
}

// ---- What must not compile ----

declare const checkpoint: Omit<Checkpoint, "id" | "createdAt">;
declare const runs: SqliteCheckpointStore;

export async function callsThatMustNotCompile(session: Session): Promise<void> {
  // @ts-expect-error What may be undefined, as an environment variable, is no path.
  new SqliteCheckpointStore(process.env.DATABASE);
  // @ts-expect-error A number is no path.
  new SqliteCheckpointStore(5);
  // @ts-expect-error Only a Database of bun:sqlite will do, and it has a handle.
  new SqliteCheckpointStore({ filename: "./runs.db", inTransaction: false });
  // @ts-expect-error An unknown option is a mistake in writing, not a wish to ignore.
  new SqliteCheckpointStore("./runs.db", { busyTimout: 100 });
  // @ts-expect-error Times are numbers of milliseconds.
  new SqliteCheckpointStore("./runs.db", { busyTimeout: "100" });
  // @ts-expect-error There are two settings, and this is a third.
  new SqliteCheckpointStore("./runs.db", { synchronous: "off" });
  // @ts-expect-error 0.2.3 has no such option either: conflicts are refused or moved on.
  new SqliteCheckpointStore("./runs.db", { versionConflict: "replace" });
  // @ts-expect-error A clock returns milliseconds, not a Date.
  new SqliteCheckpointStore("./runs.db", { clock: () => new Date() });

  // @ts-expect-error A session needs a directory.
  await runs.createSession();
  // @ts-expect-error Metadata is a record.
  await runs.createSession("./d", { metadata: "text" });
  // @ts-expect-error A session's id is chosen by the store.
  await runs.createSession("./d", { id: "mine" });
  // @ts-expect-error Session ids are strings.
  await runs.getSession(5);
  // @ts-expect-error `null` is no workspace: leave the argument out for all of them.
  await runs.listSessions(null);
  // @ts-expect-error Every session has a directory: it cannot be cleared.
  await runs.updateSession(session.id, { directory: null });
  // @ts-expect-error Sessions have no such field.
  await runs.updateSession(session.id, { tittle: "x" });
  // @ts-expect-error Updates without a session to update.
  await runs.updateSession({ title: "x" });
  // @ts-expect-error Session ids are strings.
  await runs.deleteSession(1);

  // @ts-expect-error "robot" is no role.
  await runs.addMessage(session.id, { sessionId: session.id, role: "robot" });
  // @ts-expect-error A message needs a role.
  await runs.addMessage(session.id, { sessionId: session.id });
  // @ts-expect-error A message names its session.
  await runs.addMessage(session.id, { role: "user" });
  // @ts-expect-error A message's id is chosen by the store.
  await runs.addMessage(session.id, { id: 1, sessionId: session.id, role: "user" });
  const toolCalls = [{ name: "n", toolUseId: "t" }];
  // @ts-expect-error A tool call needs its input.
  await runs.addMessage(session.id, { sessionId: session.id, role: "user", toolCalls });
  // @ts-expect-error Tokens are counted in numbers.
  await runs.addMessage(session.id, { sessionId: "s", role: "user", tokensIn: "12" });
  // @ts-expect-error A limit is a number.
  await runs.getMessages(session.id, { limit: "10" });
  // @ts-expect-error Times are numbers of milliseconds.
  await runs.getMessages(session.id, { before: new Date() });
  // @ts-expect-error There is no such option.
  await runs.getMessages(session.id, { after: 5 });

  // @ts-expect-error "other" is no source.
  await runs.saveCheckpoint({ ...checkpoint, source: "other" });
  // @ts-expect-error A version is a number.
  await runs.saveCheckpoint({ ...checkpoint, version: "1" });
  // @ts-expect-error "done" is no status of a node.
  await runs.saveCheckpoint({ ...checkpoint, nodeResults: { a: { status: "done" } } });
  // @ts-expect-error Pending nodes are named by strings.
  await runs.saveCheckpoint({ ...checkpoint, pendingNodes: [1] });
  // @ts-expect-error A cycle's state needs its iteration.
  await runs.saveCheckpoint({ ...checkpoint, cycleState: { backEdge: "b->a" } });
  // @ts-expect-error A checkpoint needs more than a session.
  await runs.saveCheckpoint({ sessionId: session.id });
  // @ts-expect-error Checkpoint ids are strings, unlike message ids.
  await runs.getCheckpoint(1);
  // @ts-expect-error A namespace is a string.
  await runs.getLatestCheckpoint(session.id, 1);
  // @ts-expect-error There is no such option.
  await runs.listCheckpoints(session.id, { offset: 5 });
  // @ts-expect-error A title is a string.
  await runs.fork("id", { title: 5 });
  // @ts-expect-error A fork begins at a checkpoint.
  await runs.fork();

  // @ts-expect-error There may be no such session.
  (await runs.getSession(session.id)).title;
  // @ts-expect-error There may be no title.
  (await runs.createSession("./d")).title.length;
  // @ts-expect-error There may be no checkpoint.
  (await runs.getLatestCheckpoint(session.id)).version;
  // @ts-expect-error There may be no such node.
  (await runs.saveCheckpoint(checkpoint)).nodeResults.scan.status;
  // @ts-expect-error Checkpoints have no such property.
  (await runs.saveCheckpoint(checkpoint)).timestamp;
  // @ts-expect-error A page may be empty.
  (await runs.getMessages(session.id))[0].id;
  // @ts-expect-error An output is unknown until it is looked at.
  (await runs.saveCheckpoint(checkpoint)).nodeResults.scan?.output.length;

  // @ts-expect-error An entity belongs to a session.
  await runs.saveEntity({ name: "n", type: "t", attributes: {}, relationships: [] });
  // @ts-expect-error An entity's id is chosen by the store.
  await runs.saveEntity({ id: "i", sessionId: "s", name: "n", type: "t", attributes: {}, relationships: [] });
  // @ts-expect-error A relationship needs its type.
  await runs.updateEntity("id", { relationships: [{ targetId: "t" }] });
  // @ts-expect-error An entity's name cannot be cleared.
  await runs.updateEntity("id", { name: null });
  // @ts-expect-error An embedding is a list of numbers.
  await runs.updateEntity("id", { embedding: ["1"] });
  // @ts-expect-error Entities have no confidence.
  await runs.listEntities({ minConfidence: 0.5 });
  // @ts-expect-error A fact needs its confidence.
  await runs.saveFact({ content: "c" });
  // @ts-expect-error A typed array is no list of numbers.
  await runs.searchFactsSemantic(new Float32Array(3));
  // @ts-expect-error Facts are not searched by session.
  await runs.searchFactsSemantic([1], { sessionId: "s" });
  // @ts-expect-error There is no such option.
  await runs.searchEntitiesSemantic([1], { limit: 5 });
  // @ts-expect-error There may be no embedding.
  (await runs.getFact("id"))?.embedding.length;

  // @ts-expect-error A serializer reads text.
  new JsonPlusSerializer().deserialize({});
  // @ts-expect-error What was read is unknown until it is looked at.
  new JsonPlusSerializer().deserialize("{}").name;
  // @ts-expect-error The base of all errors is abstract.
  new CheckpointStoreError("message");
}

// @ts-expect-error A store that cannot save is no backend.
export const withoutSave: CheckpointBackend = store;
