/**
 * The floor: what the same rows cost through hand-written prepared statements of bun:sqlite, at the same journal mode,
 * synchronous setting, tables, indexes and triggers (our store makes the file), with nothing but JSON in between.
 *
 * The same rows: ids are UUIDs of version 7, and every message has a time of its own, as in ours. An `updated_at` that is set
 * to what it was would spare it a page of the log.
 *
 * Limits: it checks nothing, waits for nobody, keeps only what JSON keeps, and knows no times but its own.
 */
import { Database, type SQLQueryBindings, type Statement } from "bun:sqlite";
import { SqliteCheckpointStore } from "../../src/index.js";
import type {
  ForkOptions,
  GetMessagesOptions,
  ListCheckpointsOptions,
  NewCheckpoint,
  NewMessage,
  SemanticSearchOptions,
  SessionOptions,
} from "../../src/types.js";
import { FLOOR_SQL } from "./floor-sql.js";
import { ResidentVectors } from "./resident-vectors.js";
import type { Durability, StoreSubject } from "./subject.js";

type Row = Record<string, unknown>;
type Prepared = Statement<Row, SQLQueryBindings[]>;
type Statements = Record<keyof typeof FLOOR_SQL, Prepared>;

export async function openFloor(path: string, durability: Durability): Promise<Floor> {
  const database = new Database(path, { create: true, strict: true });
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA foreign_keys = ON");
  database.run("PRAGMA trusted_schema = OFF");
  database.run(`PRAGMA synchronous = ${durability}`);
  await makeSchema(database);
  return new Floor(database);
}

/** By our store, which leaves a host's Database open; only if there is none yet. */
async function makeSchema(database: Database): Promise<void> {
  const isMade = database.query("SELECT 1 FROM sqlite_schema WHERE name = 'sessions'").get() !== null;
  if (!isMade) {
    await new SqliteCheckpointStore(database).close();
  }
}

function prepareAll(database: Database): Statements {
  const entries = Object.entries(FLOOR_SQL).map(([name, sql]) => [name, database.prepare(sql)]);
  return Object.fromEntries(entries) as Statements;
}

export class Floor implements StoreSubject {
  readonly #database: Database;
  readonly #sql: Statements;
  #vectors: ResidentVectors | undefined;
  #lastTime = 0;
  #isTogether = false;

  constructor(database: Database) {
    this.#database = database;
    this.#sql = prepareAll(database);
  }

  createSession(directory: string, options: SessionOptions = {}) {
    const id = Bun.randomUUIDv7();
    const now = Date.now();
    const { workspaceId = null, title = null, metadata } = options;
    this.#transaction(() =>
      this.#sql.insertSession.run(id, workspaceId, title, directory, now, now, json(metadata)),
    );
    return { id, directory, createdAt: now, updatedAt: now, ...options };
  }

  getSession(sessionId: string) {
    return toSession(this.#sql.session.get(sessionId));
  }

  listSessions(workspaceId?: string) {
    const rows =
      workspaceId === undefined ? this.#sql.sessions.all() : this.#sql.sessionsOfWorkspace.all(workspaceId);
    return rows.map(toSession);
  }

  updateSession(sessionId: string, { metadata }: { metadata: Record<string, unknown> }) {
    this.#transaction(() => this.#sql.setMetadata.run(json(metadata), Date.now(), sessionId));
  }

  deleteSession(sessionId: string) {
    this.#transaction(() => this.#sql.deleteSession.run(sessionId));
  }

  addMessage(sessionId: string, message: NewMessage) {
    const now = this.#nextTime();
    const { role, content = null, toolCalls, toolResults, tokensIn = null, tokensOut = null } = message;
    const id = this.#transaction(() => {
      this.#sql.touchSession.run(now, sessionId);
      return this.#sql.insertMessage.run(
        sessionId,
        role,
        content,
        json(toolCalls),
        json(toolResults),
        tokensIn,
        tokensOut,
        now,
      ).lastInsertRowid;
    });
    return { ...message, id: Number(id), sessionId, createdAt: now };
  }

  getMessages(sessionId: string, { limit }: GetMessagesOptions = {}) {
    const rows =
      limit === undefined
        ? this.#sql.messages.all(sessionId)
        : this.#sql.lastMessages.all(sessionId, limit).reverse();
    return rows.map(toMessage);
  }

  saveCheckpoint(checkpoint: NewCheckpoint) {
    const id = Bun.randomUUIDv7();
    const now = Date.now();
    this.#transaction(() =>
      this.#sql.insertCheckpoint.run(
        id,
        checkpoint.sessionId,
        checkpoint.namespace,
        checkpoint.parentId ?? null,
        checkpoint.version,
        checkpoint.step,
        checkpoint.nodeId ?? null,
        json(checkpoint.nodeResults),
        json(checkpoint.pendingNodes),
        json(checkpoint.cycleState),
        checkpoint.source,
        now,
      ),
    );
    return { ...checkpoint, id, createdAt: now };
  }

  getCheckpoint(checkpointId: string) {
    return toCheckpoint(this.#sql.checkpoint.get(checkpointId));
  }

  getLatestCheckpoint(sessionId: string, namespace?: string) {
    return this.listCheckpoints(sessionId, { limit: 1, namespace })[0] ?? null;
  }

  listCheckpoints(sessionId: string, { limit = -1, namespace }: ListCheckpointsOptions = {}) {
    return this.#checkpointRows(sessionId, limit, namespace).map(toCheckpoint);
  }

  fork(checkpointId: string, { title }: ForkOptions = {}) {
    const id = Bun.randomUUIDv7();
    this.#transaction(() => {
      this.#sql.forkSession.run(id, title ?? null, Date.now(), checkpointId);
      this.#sql.forkMessages.run(id, checkpointId);
      this.#sql.forkCheckpoint.run(Bun.randomUUIDv7(), id, Date.now(), checkpointId);
    });
    return { id };
  }

  searchFactsSemantic(embedding: number[], { topK = 10 }: SemanticSearchOptions = {}) {
    this.#vectors ??= new ResidentVectors(this.#sql.embeddings.values());
    return this.#vectors.nearest(embedding, topK).map((rowid) => this.#sql.fact.get(rowid));
  }

  #checkpointRows(sessionId: string, limit: number, namespace: string | undefined) {
    switch (namespace) {
      case undefined:
        return this.#sql.checkpoints.all(sessionId, limit);
      case "":
        return this.#sql.checkpointsOfRoot.all(sessionId, limit);
      default:
        return this.#sql.checkpointsOfNamespace.all(sessionId, namespace, limit);
    }
  }

  close() {
    for (const statement of Object.values(this.#sql)) {
      statement.finalize();
    }
    this.#database.close(true);
  }

  /** All that is written meanwhile is one transaction. */
  together(write: () => void): void {
    this.#transaction(() => {
      this.#isTogether = true;
      write();
      this.#isTogether = false;
    });
  }

  #nextTime(): number {
    this.#lastTime = Math.max(Date.now(), this.#lastTime + 1);
    return this.#lastTime;
  }

  #transaction<T>(write: () => T): T {
    if (this.#isTogether) {
      return write();
    }
    this.#sql.begin.run();
    const result = write();
    this.#sql.commit.run();
    return result;
  }
}

function json(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function parsed(column: unknown): unknown {
  return typeof column === "string" ? JSON.parse(column) : undefined;
}

function toSession(row: Row | null) {
  return (
    row && {
      id: row.id,
      directory: row.directory,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      title: row.title ?? undefined,
      workspaceId: row.workspace_id ?? undefined,
      metadata: parsed(row.metadata),
    }
  );
}

function toMessage(row: Row) {
  return {
    id: row.id,
    sessionId: row.session_id,
    role: row.role,
    createdAt: row.created_at,
    content: row.content ?? undefined,
    toolCalls: parsed(row.tool_calls),
    toolResults: parsed(row.tool_results),
    tokensIn: row.tokens_in ?? undefined,
    tokensOut: row.tokens_out ?? undefined,
  };
}

function toCheckpoint(row: Row | null) {
  return (
    row && {
      id: row.id,
      sessionId: row.session_id,
      namespace: row.namespace,
      version: row.version,
      step: row.step,
      source: row.source,
      createdAt: row.created_at,
      nodeResults: parsed(row.node_results),
      pendingNodes: parsed(row.pending_nodes),
      parentId: row.parent_id ?? undefined,
      nodeId: row.node_id ?? undefined,
      cycleState: parsed(row.cycle_state),
    }
  );
}
