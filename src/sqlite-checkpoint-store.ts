/**
 * The store: the methods of the contract.
 *
 * A write validates and encodes its arguments when it is called, waits in the write queue, and runs its statements in a
 * transaction. A read waits for the writes called before it; a mapper turns its rows into values.
 */

// For users whose `lib` has no Symbol.asyncDispose.
/// <reference lib="esnext.disposable" preserve="true" />

import { type Connection, IN_MEMORY } from "./database/connection.js";
import { openFile, useHostDatabase } from "./database/opening.js";
import { CheckpointNotFoundError, EntityNotFoundError, SessionNotFoundError } from "./errors.js";
import type { HostDatabase, SqliteCheckpointStoreOptions, StoreSettings } from "./options.js";
import { SessionClocks } from "./rows/session-clocks.js";
import { Database } from "./runtime/bun.js";
import { Scheduler } from "./scheduler/scheduler.js";
import { bootstrapSchema } from "./schema/bootstrap.js";
import { SemanticSearch } from "./search/semantic-search.js";
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
import { OutputsTable } from "./tables/outputs.js";
import { CheckpointRetention } from "./tables/retention.js";
import { encodeSession, encodeSessionUpdates, SessionsTable } from "./tables/sessions.js";
import type {
  Checkpoint,
  Entity,
  EntitySearchOptions,
  EntityUpdates,
  Fact,
  ForkOptions,
  GetMessagesOptions,
  ListCheckpointsOptions,
  ListEntitiesOptions,
  ListFactsOptions,
  MemoryStore,
  NewCheckpoint,
  NewEntity,
  NewFact,
  NewMessage,
  SemanticSearchOptions,
  Session,
  SessionOptions,
  SessionUpdates,
  StoredMessage,
} from "./types.js";
import {
  mustBe,
  nonNegativeInteger,
  optionalObject,
  optionalProse,
  optionalText,
  text,
} from "./validation/arguments.js";
import { settingsOf } from "./validation/options.js";
import { isInstance } from "./values/describe.js";
import { newRowId, newSessionId } from "./values/ids.js";

/**
 * Keeps the sessions, messages and checkpoints of agent runs, and agents' memory, in one SQLite file.
 *
 * Several stores, in one process or many, can use one file at once. Methods never throw synchronously; they reject with
 * a {@link CheckpointStoreError}. A write resolves when it is committed, and a read sees every write called earlier on the
 * same store.
 *
 * Besides the errors listed at each method, every method can reject with InvalidArgumentError (nothing was done),
 * StoreClosedError, StoreBusyError (another connection held the lock for longer than `busyTimeout`), StorageError
 * and CheckpointCorruptionError. Every write can also reject with StoreReadonlyError, StoreFileMovedError, DiskFullError,
 * OutcomeUnknownError and HostTransactionError, and a write of structured values with SerializationError (a cycle, or
 * nested too deep).
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
  readonly #scheduler: Scheduler;
  readonly #sessions: SessionsTable;
  readonly #clocks: SessionClocks;
  readonly #messages: MessagesTable;
  readonly #outputs: OutputsTable;
  readonly #checkpoints: CheckpointsTable;
  readonly #retention: CheckpointRetention;
  readonly #entities: EntitiesTable;
  readonly #facts: FactsTable;
  readonly #search: SemanticSearch;

  /**
   * Opens the file, creates it if it is missing (mode 0600, with its folders), and creates or upgrades the schema.
   * Synchronous: it may wait for another process that is opening the same file.
   *
   * @param path A file's path, `":memory:"` (default; the data is gone on close), or a Database that the host application
   *   opened. The store keeps the settings of a host's Database (its foreign keys must be on), ignores its other tables, and
   *   leaves it open on close.
   * @throws {InvalidArgumentError} if the path or an option is not allowed; the error names it.
   * @throws {StoreOpenError} if the file cannot be opened, is not a database, has a newer schema, or has tables with our
   *   names but a different definition. Nothing was changed.
   * @throws {StoreBusyError} if another process kept the file locked for longer than `busyTimeout`.
   * @throws {HostTransactionError} if the host has a transaction open and the schema is not in place yet.
   */
  constructor();
  constructor(path: string | HostDatabase, options?: SqliteCheckpointStoreOptions | null);
  constructor(...given: [path?: string | HostDatabase, options?: SqliteCheckpointStoreOptions | null]) {
    // An explicit `undefined`, such as an unset environment variable, must not mean "in memory".
    const [path, options] = given.length === 0 ? [IN_MEMORY] : given;
    this.#settings = settingsOf(options, isInstance(path, Database));
    this.#connection = this.#connect(path);
    this.#scheduler = new Scheduler(this.#connection, this.#settings);
    this.#sessions = new SessionsTable(this.#connection);
    this.#clocks = new SessionClocks(this.#connection);
    this.#messages = new MessagesTable(this.#connection);
    this.#outputs = new OutputsTable(this.#connection);
    this.#checkpoints = new CheckpointsTable(this.#connection, this.#outputs);
    this.#retention = new CheckpointRetention(
      this.#connection,
      this.#outputs,
      this.#settings.keepCheckpoints,
    );
    this.#entities = new EntitiesTable(this.#connection);
    this.#facts = new FactsTable(this.#connection);
    this.#search = new SemanticSearch(this.#connection, this.#scheduler, this.#settings.vectorMemory);
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

  async createSession(directory: string, options?: SessionOptions): Promise<Session> {
    const session = encodeSession(directory, options);
    return this.#scheduler.write((now) => this.#sessions.insert(newSessionId(), session, now));
  }

  async getSession(sessionId: string): Promise<Session | null> {
    const id = text("sessionId", sessionId);
    return this.#scheduler.read(() => this.#sessions.get(id));
  }

  async listSessions(workspaceId?: string): Promise<Session[]> {
    const workspace = optionalText("workspaceId", workspaceId);
    return this.#scheduler.read(() => this.#sessions.list(workspace));
  }

  async updateSession(sessionId: string, updates: SessionUpdates): Promise<void> {
    const id = text("sessionId", sessionId);
    const encoded = encodeSessionUpdates(updates);
    return this.#scheduler.write((now) => {
      if (!this.#sessions.update(id, encoded, now)) {
        throw new SessionNotFoundError(id);
      }
    });
  }

  async deleteSession(sessionId: string): Promise<void> {
    const id = text("sessionId", sessionId);
    return this.#scheduler.write(() => {
      this.#sessions.delete(id);
    });
  }

  async addMessage(sessionId: string, message: NewMessage): Promise<StoredMessage> {
    const row = encodeMessage(sessionId, message);
    return this.#scheduler.write((now) => {
      const earliest = this.#clocks.nextMessageTime(row.session_id, now);
      const createdAt = this.#sessions.moveUpdatedAt(row.session_id, earliest);
      const stored = this.#messages.insert(row, createdAt);
      this.#clocks.advance(row.session_id, createdAt);
      return stored;
    });
  }

  async getMessages(sessionId: string, options?: GetMessagesOptions): Promise<StoredMessage[]> {
    const id = text("sessionId", sessionId);
    const page = encodeMessagePage(options);
    return this.#scheduler.read(() => {
      const found = this.#messages.list(id, page);
      return found.length === 0 ? this.#sessions.emptyOf(id) : found;
    });
  }

  /**
   * Deletes one message. An unknown id is no error. The session's `updatedAt` stays.
   *
   * @param messageId The `id` of a StoredMessage.
   */
  async deleteMessage(messageId: number): Promise<void> {
    const id = nonNegativeInteger("messageId", messageId);
    return this.#scheduler.write(() => this.#messages.delete(id));
  }

  async saveCheckpoint(checkpoint: NewCheckpoint): Promise<Checkpoint> {
    const row = encodeCheckpoint(checkpoint, this.#settings.shareOutputs ? this.#outputs.cache : undefined);
    const save = (now: number) => {
      const id = newRowId();
      const createdAt = this.#clocks.nextCheckpointTime(row.session_id, now);
      const saved =
        this.#settings.versionConflict === "next"
          ? this.#checkpoints.insertAtNextVersion(id, row, createdAt)
          : this.#checkpoints.insert(id, row, createdAt);
      if (saved === undefined) {
        throw this.#sessions.whyNotInserted("checkpoints", row.session_id);
      }
      this.#retention.deleteExpired(saved);
      this.#clocks.advance(row.session_id, createdAt);
      return saved;
    };
    return this.#scheduler.write(save, () => this.#checkpoints.remember(row));
  }

  async getCheckpoint(checkpointId: string): Promise<Checkpoint | null> {
    const id = text("checkpointId", checkpointId);
    return this.#scheduler.read(() => this.#checkpoints.get(id));
  }

  async getLatestCheckpoint(sessionId: string, namespace?: string): Promise<Checkpoint | null> {
    const id = text("sessionId", sessionId);
    const named = optionalText("namespace", namespace);
    return this.#scheduler.read(() =>
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
    return this.#scheduler.write(() => this.#checkpoints.delete(id));
  }

  async listCheckpoints(sessionId: string, options?: ListCheckpointsOptions): Promise<Checkpoint[]> {
    const id = text("sessionId", sessionId);
    const page = encodeCheckpointPage(options);
    return this.#scheduler.read(() => {
      const found = this.#checkpoints.list(id, page);
      return found.length === 0 ? this.#sessions.emptyOf(id) : found;
    });
  }

  async fork(checkpointId: string, options?: ForkOptions): Promise<Session> {
    const id = text("checkpointId", checkpointId);
    const title = optionalProse("options.title", optionalObject("options", options, ["title"]).title);
    return this.#scheduler.write((now) => {
      const origin = this.#checkpoints.origin(id);
      if (origin === undefined) {
        throw new CheckpointNotFoundError(id);
      }
      const forkId = newSessionId();
      const createdAt = Math.max(now, origin.savedAt); // Never earlier than a message that the fork copies.
      const from = { originalId: origin.sessionId, checkpointId: id, title };
      const fork = this.#sessions.insertFork(forkId, from, createdAt);
      if (fork === undefined) {
        throw new CheckpointNotFoundError(id); // The session was deleted while foreign keys were off.
      }
      this.#messages.copyToFork(origin.sessionId, origin.savedAt, forkId); // The session's clock guarantees this set of messages.
      this.#checkpoints.copyToFork(id, {
        copyId: newRowId(),
        originalId: origin.sessionId,
        forkId,
        createdAt,
      });
      return fork;
    });
  }

  /** Shows the framework that searches rank by similarity. */
  readonly hasSemanticSearch = true;

  async saveEntity(entity: NewEntity): Promise<Entity> {
    const row = encodeEntity(entity);
    return this.#scheduler.write((now) => {
      const saved = this.#entities.insert(newRowId(), row, now);
      if (saved === undefined) {
        throw this.#sessions.whyNotInserted("entities", row.session_id);
      }
      return saved;
    });
  }

  async getEntity(entityId: string): Promise<Entity | null> {
    const id = text("entityId", entityId);
    return this.#scheduler.read(() => this.#entities.get(id));
  }

  async listEntities(options?: ListEntitiesOptions): Promise<Entity[]> {
    const filter = encodeEntityFilter(options);
    return this.#scheduler.read(() => this.#entities.list(filter));
  }

  async updateEntity(entityId: string, updates: EntityUpdates): Promise<void> {
    const id = text("entityId", entityId);
    const encoded = encodeEntityUpdates(updates);
    return this.#scheduler.write((now) => {
      if (!this.#entities.update(id, encoded, now)) {
        throw new EntityNotFoundError(id);
      }
    });
  }

  async deleteEntity(entityId: string): Promise<void> {
    const id = text("entityId", entityId);
    return this.#scheduler.write(() => this.#entities.delete(id));
  }

  async saveFact(fact: NewFact): Promise<Fact> {
    const row = encodeFact(fact);
    return this.#scheduler.write((now) => {
      if (row.source_session_id !== null) {
        this.#sessions.mustExist(row.source_session_id);
      }
      return this.#facts.insert(newRowId(), row, now);
    });
  }

  async getFact(factId: string): Promise<Fact | null> {
    const id = text("factId", factId);
    return this.#scheduler.read(() => this.#facts.get(id));
  }

  async listFacts(options?: ListFactsOptions): Promise<Fact[]> {
    const filter = encodeFactFilter(options);
    return this.#scheduler.read(() => this.#facts.list(filter));
  }

  async deleteFact(factId: string): Promise<void> {
    const id = text("factId", factId);
    return this.#scheduler.write(() => this.#facts.delete(id));
  }

  async searchEntitiesSemantic(embedding: number[], options?: EntitySearchOptions): Promise<Entity[]> {
    const query = encodeEntitySearch(embedding, options);
    return this.#search.search(query, toEntity);
  }

  async searchFactsSemantic(embedding: number[], options?: SemanticSearchOptions): Promise<Fact[]> {
    const query = encodeFactSearch(embedding, options);
    return this.#search.search(query, toFact);
  }

  close(): Promise<void> {
    return this.#scheduler.close();
  }

  /** `await using store = new SqliteCheckpointStore(path)` closes it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
