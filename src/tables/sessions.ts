/** The table `sessions`: its SQL, its row types and the mapper from a row to a {@link Session}. */

import type { Connection, Row, Statements } from "../database/connection.js";
import { SessionNotFoundError } from "../errors.js";
import type { EncodedValue } from "../json-plus/text.js";
import { ColumnReader, ignoredByTrigger, setIfPresent } from "../rows/column-reader.js";
import type { Session } from "../types.js";
import {
  type FieldUpdate,
  fieldUpdate,
  optionalObject,
  optionalProse,
  optionalStructured,
  optionalText,
  prose,
  requiredObject,
  structured,
  text,
} from "../validation/arguments.js";
import { record } from "../validation/schemas.js";
import { storedObject } from "../validation/stored-schemas.js";

const COLUMNS = "id, workspace_id, title, directory, created_at, updated_at, metadata";

export const SESSIONS_SQL = {
  insert: `
    INSERT INTO main.sessions (id, workspace_id, title, directory, created_at, updated_at, metadata)
    VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)`,

  select: `
    SELECT ${COLUMNS}
    FROM main.sessions
    WHERE id = ?1`,

  exists: `
    SELECT 1
    FROM main.sessions
    WHERE id = ?1`,

  // Reads every row anyway, so it sorts them without an index.
  list: `
    SELECT ${COLUMNS}
    FROM main.sessions
    ORDER BY updated_at DESC, rowid DESC`,

  // Ties: oldest first, as in the index from 0.2.3. An index in the other order would add a page write to every message.
  listInWorkspace: `
    SELECT ${COLUMNS}
    FROM main.sessions
    WHERE workspace_id = +?1
    ORDER BY updated_at DESC, rowid`,

  // A flag before each value distinguishes "set to NULL" from "keep".
  update: `
    UPDATE main.sessions
    SET
      title = CASE WHEN ?2 THEN ?3 ELSE title END,
      workspace_id = CASE WHEN ?4 THEN ?5 ELSE workspace_id END,
      metadata = CASE WHEN ?6 THEN ?7 ELSE metadata END,
      directory = coalesce(?8, directory),
      updated_at = max(?9, updated_at + 1)
    WHERE id = ?1`,

  nextUpdatedAt: `
    SELECT id, max(?2, updated_at + 1) AS updated_at
    FROM main.sessions
    WHERE id = ?1`,

  // Without RETURNING, which takes twice as long as a separate SELECT.
  setUpdatedAt: `
    UPDATE main.sessions
    SET updated_at = ?2
    WHERE id = ?1`,

  insertFork: `
    INSERT INTO main.sessions (id, workspace_id, title, directory, created_at, updated_at, metadata)
    SELECT ?1, workspace_id, coalesce(?3, 'Fork of ' || coalesce(title, ?4)), directory, ?5, ?5, metadata
    FROM main.sessions
    WHERE id = ?2`,

  delete: `
    DELETE FROM main.sessions
    WHERE id = ?1`,
};

/** Columns of a new row; the store adds id and times. */
export interface NewSessionRow {
  directory: string;
  title: string | null;
  workspace_id: string | null;
  metadata: EncodedValue | null;
}

/** The origin and title of a forked session. */
export interface Fork {
  originalId: string;
  checkpointId: string;
  /** `null`: "Fork of " and the original's title, or the checkpoint's id if it has no title. */
  title: string | null;
}

export interface EncodedSessionUpdates {
  title: FieldUpdate<string>;
  workspaceId: FieldUpdate<string>;
  metadata: FieldUpdate<string>;
  /** `null` keeps the directory. */
  directory: string | null;
}

export function encodeSession(directory: unknown, options: unknown): NewSessionRow {
  const given = optionalObject("options", options, ["title", "workspaceId", "metadata"]);
  return {
    directory: text("directory", directory),
    title: optionalProse("options.title", given.title),
    workspace_id: optionalText("options.workspaceId", given.workspaceId),
    metadata: optionalStructured("options.metadata", given.metadata, record),
  };
}

export function encodeSessionUpdates(updates: unknown): EncodedSessionUpdates {
  const given = requiredObject("updates", updates, ["title", "workspaceId", "metadata", "directory"]);
  return {
    title: fieldUpdate(given.title, (title) => prose("updates.title", title)),
    workspaceId: fieldUpdate(given.workspaceId, (id) => text("updates.workspaceId", id)),
    metadata: fieldUpdate(
      given.metadata,
      (metadata) => structured("updates.metadata", metadata, record).text,
    ),
    directory: optionalText("updates.directory", given.directory),
  };
}

const column = new ColumnReader("sessions");

export function toSession(row: Row): Session {
  const session: Session = {
    id: column.text(row, "id"),
    directory: column.written(row, "directory"),
    createdAt: column.written(row, "created_at"),
    updatedAt: column.written(row, "updated_at"),
  };
  setIfPresent(session, "title", column.optionalWritten(row, "title"));
  setIfPresent(session, "workspaceId", column.optionalWritten(row, "workspace_id"));
  setIfPresent(session, "metadata", column.optionalStructured(row, "metadata", storedObject));
  return session;
}

/** Reverses each run of sessions with the same `updatedAt`, which the index returns oldest first. */
function lastCreatedFirstInTies(sessions: readonly Session[]): Session[] {
  const runs: Session[][] = [];
  for (const session of sessions) {
    const run = runs.at(-1);
    if (run?.[0]?.updatedAt === session.updatedAt) {
      run.push(session);
    } else {
      runs.push([session]);
    }
  }
  return runs.flatMap((run) => run.reverse());
}

export class SessionsTable {
  readonly #connection: Connection;
  readonly #statements: Statements<keyof typeof SESSIONS_SQL>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = connection.statements(SESSIONS_SQL);
  }

  insert(id: string, session: NewSessionRow, now: number): Session {
    const { changes } = this.#statements.insert.run(
      id,
      session.workspace_id,
      session.title,
      session.directory,
      now,
      session.metadata?.text ?? null,
    );
    if (changes === 0) {
      throw ignoredByTrigger("sessions");
    }
    return toSession({ ...session, id, created_at: now, updated_at: now });
  }

  get(id: string): Session | null {
    const row = this.#statements.select.get(id);
    return row === null ? null : toSession(row);
  }

  list(workspaceId: string | null): Session[] {
    return workspaceId === null
      ? this.#statements.list.all().map(toSession)
      : lastCreatedFirstInTies(this.#statements.listInWorkspace.all(workspaceId).map(toSession));
  }

  /** Returns whether the session exists. */
  update(id: string, updates: EncodedSessionUpdates, now: number): boolean {
    const { title, workspaceId, metadata, directory } = updates;
    const { changes } = this.#statements.update.run(
      id,
      title.isGiven,
      title.value,
      workspaceId.isGiven,
      workspaceId.value,
      metadata.isGiven,
      metadata.value,
      directory,
      now,
    );
    this.#rejectIgnored(id, changes);
    return changes > 0;
  }

  /** @throws {StorageError} if the row exists but did not change. */
  #rejectIgnored(id: string, changes: number): void {
    if (changes === 0 && this.#exists(id)) {
      throw ignoredByTrigger("sessions");
    }
  }

  /**
   * Sets `updatedAt` to `earliest`, or to its current value + 1 if that is later, and returns it.
   *
   * @throws {SessionNotFoundError}
   */
  moveUpdatedAt(id: string, earliest: number): number {
    const row = this.#statements.nextUpdatedAt.get(id, earliest);
    if (row === null) {
      throw new SessionNotFoundError(id);
    }
    const updatedAt = column.integer(row, "updated_at");
    this.#rejectIgnored(id, this.#statements.setUpdatedAt.run(id, updatedAt).changes);
    return updatedAt;
  }

  /** Returns `undefined` if the original does not exist. */
  insertFork(id: string, { originalId, checkpointId, title }: Fork, createdAt: number): Session | undefined {
    const { changes } = this.#statements.insertFork.run(id, originalId, title, checkpointId, createdAt);
    this.#rejectIgnored(originalId, changes);
    return this.get(id) ?? undefined;
  }

  /** @throws {StorageError} if the host has switched foreign keys off on its Database. */
  delete(id: string): void {
    this.#connection.requireForeignKeys();
    this.#rejectIgnored(id, this.#statements.delete.run(id).changes);
  }

  /** @throws {SessionNotFoundError} */
  mustExist(id: string): void {
    if (!this.#exists(id)) {
      throw new SessionNotFoundError(id);
    }
  }

  /**
   * Returns an empty list of a session's rows. Only an empty list makes it necessary to check that the session exists.
   *
   * @throws {SessionNotFoundError}
   */
  emptyOf(id: string): [] {
    this.mustExist(id);
    return [];
  }

  #exists(id: string): boolean {
    return this.#statements.exists.get(id) !== null;
  }

  /** The error for a row that was not inserted although no statement failed: its session is missing, or a trigger ignored it. */
  whyNotInserted(table: string, id: string): Error {
    return this.#exists(id) ? ignoredByTrigger(table) : new SessionNotFoundError(id);
  }
}
