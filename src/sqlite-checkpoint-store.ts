/**
 * The store: what each call of the contract means.
 *
 * Every call goes one way. A write is checked and encoded when it is called, waits in the write queue, and runs its
 * statements in a transaction; a read waits for the writes called before it, and its rows go through a mapper.
 */

// For users whose own `lib` has no Symbol.asyncDispose.
/// <reference lib="esnext.disposable" preserve="true" />

import { type Connection, IN_MEMORY, type Row } from "./database/connection.js";
import { openFile, useHostDatabase } from "./database/opening.js";
import { toStoreError } from "./database/sqlite-errors.js";
import {
  CheckpointNotFoundError,
  EntityNotFoundError,
  SessionNotFoundError,
  StorageError,
} from "./errors.js";
import type { HostDatabase, SqliteCheckpointStoreOptions, StoreSettings } from "./options.js";
import { ignoredByTrigger } from "./rows/column-reader.js";
import { SessionClocks } from "./rows/session-clocks.js";
import { Database } from "./runtime/bun.js";
import { Calls } from "./scheduler/scheduler.js";
import { bootstrapSchema } from "./schema/bootstrap.js";
import { dropTemporaryVectors, fillTemporaryVectors, hasVectors } from "./schema/vectors.js";
import { type MissingUnit, UnsettledError, VectorIndex } from "./search/vector-index.js";
import { type VectorQuery, VectorsTable } from "./search/vectors-table.js";
import { CheckpointsTable, encodeCheckpoint, encodeCheckpointPage } from "./tables/checkpoints.js";
import {
  EntitiesTable,
  encodeEntity,
  encodeEntityFilter,
  encodeEntitySearch,
  encodeEntityUpdates,
  toEntity,
} from "./tables/entities.js";
import { encodeFact, encodeFactFilter, encodeFactSearch, FactsTable, toFact } from "./tables/facts.js";
import { encodeMessage, encodeMessagePage, MessagesTable } from "./tables/messages.js";
import { encodeSession, encodeSessionUpdates, SessionsTable } from "./tables/sessions.js";
import type {
  Checkpoint,
  CheckpointPage,
  Entity,
  EntityFilter,
  EntitySearch,
  EntityUpdates,
  Fact,
  FactFilter,
  ForkOptions,
  MemoryStore,
  MessagePage,
  NewCheckpoint,
  NewEntity,
  NewFact,
  NewMessage,
  SemanticSearch,
  Session,
  SessionOptions,
  SessionUpdates,
  StoredMessage,
} from "./types.js";
import {
  mustBe,
  nonNegativeInteger,
  optionalProse,
  optionalText,
  optionFields,
  text,
} from "./validation/arguments.js";
import { settingsOf } from "./validation/options.js";
import { isInstance } from "./values/describe.js";
import { newRowId, newSessionId } from "./values/ids.js";

/**
 * Keeps the sessions, messages and checkpoints of agent runs, and agents' memory, in one SQLite file.
 *
 * Several stores, in one process or many, may work on one file at once. Every method rejects with a
 * {@link CheckpointStoreError}, none throws; a promise of a write resolves when the write is committed, and a read
 * sees every write that was called on the same store before it.
 *
 * Besides the errors each method names, all can reject with InvalidArgumentError (nothing was done),
 * StoreClosedError, StoreBusyError (another connection held the lock for longer than `busyTimeout`), StorageError
 * and CheckpointCorruptionError; every write of structured values with SerializationError (a cycle, or too deep); every
 * write with StoreReadonlyError, StoreFileMovedError, DiskFullError, OutcomeUnknownError and
 * HostTransactionError.
 *
 * @example
 * await using store = new SqliteCheckpointStore("./runs.db");
 * const session = await store.createSession("./my-project", { title: "Security scan" });
 * await store.addMessage(session.id, { sessionId: session.id, role: "user", content: "Scan it" });
 * const latest = await store.getLatestCheckpoint(session.id);
 */
export class SqliteCheckpointStore implements MemoryStore {
  readonly #connection: Connection;
  readonly #settings: StoreSettings;
  readonly #calls: Calls;
  readonly #sessions: SessionsTable;
  readonly #clocks: SessionClocks;
  readonly #messages: MessagesTable;
  readonly #checkpoints: CheckpointsTable;
  readonly #entities: EntitiesTable;
  readonly #facts: FactsTable;
  #vectorsTable: VectorsTable | undefined;
  #temporaryVectors: VectorsTable | undefined;
  #vectorIndex: VectorIndex | undefined;

  /**
   * Opens the file, makes it where it is missing (mode 0600, with its folders), and leaves the schema in place.
   * Synchronous: it may wait for another process that is doing the same.
   *
   * @param path A file's path, or `":memory:"` (default; the data is gone on close), or a Database that the host application opened. A host's Database is
   *   used with its own settings (its foreign keys must be on), its other tables are left alone, and close leaves it open.
   * @throws {InvalidArgumentError} for a path or an option that is not allowed, named.
   * @throws {StoreOpenError} where the file cannot be opened, is not a database, is of a newer schema, or has tables of
   *   our names that are not ours. Nothing was changed.
   * @throws {StoreBusyError} where another process kept the file locked for longer than `busyTimeout`.
   * @throws {HostTransactionError} where the host holds a transaction open and the schema is not in place yet.
   */
  constructor();
  constructor(path: string | HostDatabase, options?: SqliteCheckpointStoreOptions | null);
  constructor(...given: [path?: string | HostDatabase, options?: SqliteCheckpointStoreOptions | null]) {
    // An explicit `undefined`, as from an environment variable that is not set, must not mean "in memory".
    const [path, options] = given.length === 0 ? [IN_MEMORY] : given;
    this.#settings = settingsOf(options, isInstance(path, Database));
    this.#connection = this.#connect(path);
    try {
      this.#calls = new Calls(this.#connection, this.#settings);
      this.#sessions = new SessionsTable(this.#connection);
      this.#clocks = new SessionClocks(this.#connection);
      this.#messages = new MessagesTable(this.#connection);
      this.#checkpoints = new CheckpointsTable(this.#connection);
      this.#entities = new EntitiesTable(this.#connection);
      this.#facts = new FactsTable(this.#connection);
    } catch (error) {
      this.#connection.close();
      throw toStoreError(error, this.#settings.busyTimeout);
    }
  }

  #connect(path: unknown): Connection {
    const bootstrap = (connection: Connection) => bootstrapSchema(connection, this.#settings);
    if (isInstance(path, Database)) {
      return useHostDatabase(path, this.#settings, bootstrap);
    }
    if (typeof path !== "string") {
      throw mustBe(
        "path",
        'a file\'s path, ":memory:" for a store that is gone on close, or an open Database of bun:sqlite',
        path,
      );
    }
    return openFile(path, this.#settings, bootstrap);
  }

  /** Begins a session. `createdAt` and `updatedAt` are the same. */
  async createSession(directory: string, options?: SessionOptions): Promise<Session> {
    const session = encodeSession(directory, options);
    return this.#calls.write((now) => this.#sessions.insert(newSessionId(), session, now));
  }

  /** `null` for an unknown id. */
  async getSession(sessionId: string): Promise<Session | null> {
    const id = text("sessionId", sessionId);
    return this.#calls.read(() => this.#sessions.get(id));
  }

  /**
   * All sessions, or those of a workspace: newest `updatedAt` first, of the same millisecond the last created first.
   *
   * @param workspaceId Absent: all. `""` is a workspace like any other.
   */
  async listSessions(workspaceId?: string): Promise<Session[]> {
    const workspace = optionalText("workspaceId", workspaceId);
    return this.#calls.read(() => this.#sessions.list(workspace));
  }

  /**
   * Sets title, workspaceId, directory and metadata where they are given, and moves `updatedAt` forward.
   *
   * @throws {SessionNotFoundError}
   */
  async updateSession(sessionId: string, updates: SessionUpdates): Promise<void> {
    const id = text("sessionId", sessionId);
    const encoded = encodeSessionUpdates(updates);
    return this.#calls.write((now) => {
      if (!this.#sessions.update(id, encoded, now)) {
        throw new SessionNotFoundError(id);
      }
    });
  }

  /**
   * Deletes a session with its messages, checkpoints and entities; facts learned in it stay, without their
   * `sourceSessionId`. An unknown id is no error.
   *
   * @throws {StorageError} if the host has switched foreign keys off on the Database it passed: nothing would go along.
   */
  async deleteSession(sessionId: string): Promise<void> {
    const id = text("sessionId", sessionId);
    return this.#calls.write(() => {
      if (!this.#connection.isOwned && !this.#connection.enforcesForeignKeys) {
        throw new StorageError(
          "foreign keys are off on the Database that was passed, and the session's rows would stay behind. " +
            "Nothing was deleted: run PRAGMA foreign_keys = ON on it, then call again.",
        );
      }
      this.#sessions.delete(id);
    });
  }

  /**
   * Adds a message to the end of a session's conversation and moves the session's `updatedAt` to its time.
   *
   * `createdAt` is the clock's time, or as many milliseconds later as are needed for it to be above that of every
   * message and checkpoint already in the session.
   *
   * @throws {SessionNotFoundError}
   */
  async addMessage(sessionId: string, message: NewMessage): Promise<StoredMessage> {
    const row = encodeMessage(sessionId, message);
    return this.#calls.write((now) => {
      const earliest = Math.max(now, this.#clocks.latestIn(row.session_id) + 1);
      const createdAt = this.#sessions.nextUpdate(row.session_id, earliest);
      if (createdAt === undefined) {
        throw new SessionNotFoundError(row.session_id);
      }
      this.#sessions.touch(row.session_id, createdAt);
      const stored = this.#messages.insert(row, createdAt);
      this.#clocks.advance(row.session_id, createdAt);
      return stored;
    });
  }

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
  async getMessages(sessionId: string, options?: MessagePage): Promise<StoredMessage[]> {
    const id = text("sessionId", sessionId);
    const page = encodeMessagePage(options);
    return this.#calls.read(() => this.#ofKnownSession(id, this.#messages.list(id, page)));
  }

  /**
   * Deletes one message. An unknown id is no error. The session's `updatedAt` stays.
   *
   * @param messageId The `id` of a StoredMessage.
   */
  async deleteMessage(messageId: number): Promise<void> {
    const id = nonNegativeInteger("messageId", messageId);
    return this.#calls.write(() => this.#messages.delete(id));
  }

  /**
   * Saves where a graph stands.
   *
   * @throws {SessionNotFoundError}
   * @throws {CheckpointVersionConflictError} where the version exists in the session and namespace, unless the store
   *   was opened with `versionConflict: "next"`.
   */
  async saveCheckpoint(checkpoint: NewCheckpoint): Promise<Checkpoint> {
    const row = encodeCheckpoint(checkpoint);
    return this.#calls.write((now) => {
      const id = newRowId();
      const createdAt = Math.max(now, this.#clocks.latestIn(row.session_id));
      const saved =
        this.#settings.versionConflict === "next"
          ? this.#checkpoints.insertAtNextVersion(id, row, createdAt)
          : this.#checkpoints.insert(id, row, createdAt);
      if (saved === undefined) {
        throw this.#notSaved("checkpoints", row.session_id);
      }
      this.#clocks.advance(row.session_id, createdAt);
      return saved;
    });
  }

  /** `null` for an unknown id. */
  async getCheckpoint(checkpointId: string): Promise<Checkpoint | null> {
    const id = text("checkpointId", checkpointId);
    return this.#calls.read(() => this.#checkpoints.get(id));
  }

  /**
   * The newest saved checkpoint of a session: the one that a run resumes from. `null` if there is none.
   *
   * With a namespace: the newest in it. Without one: the newest of the run itself, not of a graph that runs as a node of
   * another one. Such a graph saves under the node's id as its namespace, so a namespace is nested if the newest
   * checkpoint of another namespace has a node of that name, in `nodeResults` or `pendingNodes`. Independent graphs
   * under names of their own are not nested; if all are nested in each other, the newest of all is returned.
   */
  async getLatestCheckpoint(sessionId: string, namespace?: string): Promise<Checkpoint | null> {
    const id = text("sessionId", sessionId);
    const named = optionalText("namespace", namespace);
    return this.#calls.read(() =>
      named === null
        ? this.#checkpoints.latest(id)
        : (this.#checkpoints.list(id, { namespace: named, beforeId: null, limit: 1 })[0] ?? null),
    );
  }

  /**
   * Deletes one checkpoint. An unknown id is no error. Checkpoints whose `parentId` names it keep that id.
   *
   * @param checkpointId The `id` of a Checkpoint.
   */
  async deleteCheckpoint(checkpointId: string): Promise<void> {
    const id = text("checkpointId", checkpointId);
    return this.#calls.write(() => this.#checkpoints.delete(id));
  }

  /**
   * A session's checkpoints, newest saved first. Pass the last one's id as `beforeId` to get the next page.
   *
   * @throws {SessionNotFoundError}
   * @throws {InvalidArgumentError} if `beforeId` is not the id of a checkpoint of the session.
   * @throws {CheckpointCorruptionError} if a checkpoint does not decode; the error names it. Page past it with `beforeId`,
   *   or remove it with {@link deleteCheckpoint}.
   */
  async listCheckpoints(sessionId: string, options?: CheckpointPage): Promise<Checkpoint[]> {
    const id = text("sessionId", sessionId);
    const page = encodeCheckpointPage(options);
    return this.#calls.read(() => this.#ofKnownSession(id, this.#checkpoints.list(id, page)));
  }

  /**
   * Begins a new session at a checkpoint: with the original's directory, workspaceId and metadata, every message that
   * was added before the checkpoint was saved, and a copy of the checkpoint (`source` "fork", `parentId` the original's
   * id). One transaction; the original is left as it is.
   *
   * @throws {CheckpointNotFoundError}
   */
  async fork(checkpointId: string, options?: ForkOptions): Promise<Session> {
    const id = text("checkpointId", checkpointId);
    const title = optionalProse("options.title", optionFields("options", options, ["title"]).title);
    return this.#calls.write((now) => {
      const origin = this.#checkpoints.origin(id);
      if (origin === undefined) {
        throw new CheckpointNotFoundError(id);
      }
      const forkId = newSessionId();
      const createdAt = Math.max(now, origin.savedAt); // And so after every message that it takes along.
      const from = { originalId: origin.sessionId, checkpointId: id, title };
      if (!this.#sessions.insertFork(forkId, from, createdAt)) {
        throw new CheckpointNotFoundError(id); // Left over from a session that was deleted with foreign keys off.
      }
      this.#messages.copyToFork(origin.sessionId, origin.savedAt, forkId); // The session's clock makes it exactly those.
      this.#checkpoints.copyToFork(id, newRowId(), forkId, createdAt);
      return this.#existing(forkId);
    });
  }

  /** Tells the framework that searches rank by similarity. */
  readonly hasSemanticSearch = true;

  /**
   * Saves an entity of a session. `createdAt` and `updatedAt` are the same.
   *
   * @throws {SessionNotFoundError}
   */
  async saveEntity(entity: NewEntity): Promise<Entity> {
    const { row, embedding } = encodeEntity(entity);
    return this.#calls.write((now) => {
      const saved = this.#entities.insert(newRowId(), row, now);
      if (saved === undefined) {
        throw this.#notSaved("entities", row.session_id);
      }
      this.#vectors().keep("entity", saved.id, embedding);
      return saved;
    });
  }

  /** `null` for an unknown id. */
  async getEntity(entityId: string): Promise<Entity | null> {
    const id = text("entityId", entityId);
    return this.#calls.read(() => this.#entities.get(id));
  }

  /** Newest first; all given filters apply together. */
  async listEntities(options?: EntityFilter): Promise<Entity[]> {
    const filter = encodeEntityFilter(options);
    return this.#calls.read(() => this.#entities.list(filter));
  }

  /**
   * Sets name, type, attributes, relationships, workspaceId and embedding where they are given, and moves `updatedAt`
   * forward. Attributes and relationships are replaced whole; `null` clears workspaceId and embedding.
   *
   * @throws {EntityNotFoundError}
   */
  async updateEntity(entityId: string, updates: EntityUpdates): Promise<void> {
    const id = text("entityId", entityId);
    const encoded = encodeEntityUpdates(updates);
    return this.#calls.write((now) => {
      if (!this.#entities.update(id, encoded, now)) {
        throw new EntityNotFoundError(id);
      }
      this.#vectors().keep("entity", id, encoded.embedding.value);
    });
  }

  /** An unknown id is no error. */
  async deleteEntity(entityId: string): Promise<void> {
    const id = text("entityId", entityId);
    return this.#calls.write(() => this.#entities.delete(id));
  }

  /**
   * Saves a fact, which outlives the session that it was learned in.
   *
   * @throws {SessionNotFoundError} where `sourceSessionId` is given and there is no such session.
   */
  async saveFact(fact: NewFact): Promise<Fact> {
    const { row, embedding } = encodeFact(fact);
    return this.#calls.write((now) => {
      if (row.source_session_id !== null && !this.#sessions.has(row.source_session_id)) {
        throw new SessionNotFoundError(row.source_session_id);
      }
      const saved = this.#facts.insert(newRowId(), row, now);
      this.#vectors().keep("fact", saved.id, embedding);
      return saved;
    });
  }

  /** `null` for an unknown id. */
  async getFact(factId: string): Promise<Fact | null> {
    const id = text("factId", factId);
    return this.#calls.read(() => this.#facts.get(id));
  }

  /** Newest first; all given filters apply together. */
  async listFacts(options?: FactFilter): Promise<Fact[]> {
    const filter = encodeFactFilter(options);
    return this.#calls.read(() => this.#facts.list(filter));
  }

  /** An unknown id is no error. */
  async deleteFact(factId: string): Promise<void> {
    const id = text("factId", factId);
    return this.#calls.write(() => this.#facts.delete(id));
  }

  /**
   * The entities whose embeddings are most similar to the given one (cosine), best first, among equals the newest first.
   * Exact. Embeddings with another number of dimensions are left out as long as there is one that can be compared.
   *
   * @param embedding Finite numbers, at least one.
   * @throws {VectorDimensionError} where embeddings pass the filters and none has the query's number of dimensions.
   */
  async searchEntitiesSemantic(embedding: number[], options?: EntitySearch): Promise<Entity[]> {
    const query = encodeEntitySearch(embedding, options);
    return this.#search(query, toEntity);
  }

  /**
   * The same for facts.
   *
   * @param embedding Finite numbers, at least one.
   * @throws {VectorDimensionError} where embeddings pass the filters and none has the query's number of dimensions.
   */
  async searchFactsSemantic(embedding: number[], options?: SemanticSearch): Promise<Fact[]> {
    const query = encodeFactSearch(embedding, options);
    return this.#search(query, toFact);
  }

  /**
   * Waits for every call made before it, and closes the file (not a host's Database). Calls made after it reject with
   * StoreClosedError. Calling it again waits for the same.
   */
  close(): Promise<void> {
    return this.#calls.close();
  }

  /** `await using store = new SqliteCheckpointStore(path)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #search<T>(query: VectorQuery, map: (row: Row) => T): Promise<T[]> {
    const rows = await this.#calls.readInSteps(() => this.#searchVectors(query));
    return rows.map(map);
  }

  async #searchVectors(query: VectorQuery): Promise<Row[]> {
    try {
      return await this.#indexForSearch().search(query);
    } catch (error) {
      if (!(error instanceof UnsettledError)) {
        throw error;
      }
      return this.#indexThatHoldsNothing().search(query);
    }
  }

  #indexForSearch(): VectorIndex {
    const isInTransaction = this.#connection.isInTransaction;
    if (this.#vectorIndex !== undefined) {
      return isInTransaction ? this.#indexThatHoldsNothing() : this.#vectorIndex;
    }
    if (!hasVectors(this.#connection)) {
      fillTemporaryVectors(this.#connection);
      this.#temporaryVectors ??= new VectorsTable(this.#connection, true);
      return this.#indexThatHoldsNothing(this.#temporaryVectors);
    }
    if (isInTransaction) {
      return this.#indexThatHoldsNothing();
    }
    if (this.#temporaryVectors !== undefined) {
      dropTemporaryVectors(this.#connection); // Those of the host with the same names are left alone.
    }
    this.#vectorIndex = new VectorIndex(this.#vectors(), {
      memoryLimit: this.#settings.vectorMemory,
      keepUnits: (units) => {
        this.#keepUnits(units).catch(() => {}); // Nothing is lost: it will be read from JSON again.
      },
      isUnsettled: () => this.#connection.isInTransaction,
    });
    return this.#vectorIndex;
  }

  /** What a host's open transaction shows may be rolled back: nothing of it may stay in memory, or be written. */
  #indexThatHoldsNothing(vectors = this.#vectors()): VectorIndex {
    return new VectorIndex(vectors, {
      memoryLimit: 0,
      keepUnits: () => {},
      isUnsettled: () => false,
    });
  }

  async #keepUnits(units: readonly MissingUnit[]): Promise<void> {
    await this.#calls.write(() => {
      for (const { revision, unit } of units) {
        this.#vectors().setUnit(revision, unit);
      }
    });
  }

  /** Prepared at its first use: a file of 0.2.3 that is opened read-only has no vectors yet. */
  #vectors(): VectorsTable {
    this.#vectorsTable ??= new VectorsTable(this.#connection);
    return this.#vectorsTable;
  }

  /** Why a row was not written that refers to a session. */
  #notSaved(table: string, sessionId: string): Error {
    return this.#sessions.has(sessionId) ? ignoredByTrigger(table) : new SessionNotFoundError(sessionId);
  }

  /** Rows refer to a session that exists; only where there are none has it to be looked for. */
  #ofKnownSession<T>(sessionId: string, found: T[]): T[] {
    if (found.length === 0 && !this.#sessions.has(sessionId)) {
      throw new SessionNotFoundError(sessionId);
    }
    return found;
  }

  #existing(sessionId: string): Session {
    const session = this.#sessions.get(sessionId);
    if (session === null) {
      throw new SessionNotFoundError(sessionId);
    }
    return session;
  }
}
