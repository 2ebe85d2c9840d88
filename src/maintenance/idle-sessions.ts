/** Sessions in which nothing has happened since a time, and their deletion in steps. */
import type { Connection, Row, Statements } from "../database/connection.js";
import { ColumnReader } from "../rows/column-reader.js";
import { requireDeleted } from "./transactions.js";

export const IDLE_SESSIONS_SQL = {
  // Saving a checkpoint does not move `updated_at`. `likelihood`: see CHECKPOINTS_SQL in tables/checkpoints.ts.
  isIdle: `
    SELECT 1
    FROM main.sessions
    WHERE id = +?1
      AND updated_at < +?2
      AND NOT EXISTS (
        SELECT 1
        FROM main.messages
        WHERE session_id = +?1
          AND created_at >= +?2
      )
      AND NOT EXISTS (
        SELECT 1
        FROM main.checkpoints
        WHERE session_id = +?1
          AND likelihood(namespace = '', 0.9999)
          AND created_at >= +?2
      )
      AND NOT EXISTS (
        SELECT 1
        FROM main.checkpoints
        WHERE session_id = +?1
          AND namespace <> ''
          AND created_at >= +?2
      )
      AND NOT EXISTS (
        SELECT 1
        FROM main.entities
        WHERE session_id = +?1
          AND updated_at >= +?2
      )`,

  bytes: `
    SELECT
      id,
      octet_length(directory) + coalesce(octet_length(title), 0) + coalesce(octet_length(metadata), 0) AS bytes
    FROM main.sessions
    WHERE id = ?1`,

  checkpoints: `
    SELECT
      id,
      rowid AS position,
      octet_length(node_results) + coalesce(octet_length(pending_nodes), 0) + coalesce(octet_length(cycle_state), 0) AS bytes
    FROM main.checkpoints
    WHERE session_id = +?1
    LIMIT +?2`,

  entities: `
    SELECT
      id,
      rowid AS position,
      octet_length(name) + coalesce(octet_length(attributes), 0) + coalesce(octet_length(relationships), 0)
        + coalesce(octet_length(embedding), 0) AS bytes
    FROM main.entities
    WHERE session_id = +?1
    LIMIT +?2`,

  messages: `
    SELECT
      id,
      id AS position,
      coalesce(octet_length(content), 0) + coalesce(octet_length(tool_calls), 0) + coalesce(octet_length(tool_results), 0)
        AS bytes
    FROM main.messages
    WHERE session_id = +?1
    ORDER BY created_at, id
    LIMIT +?2`,

  deleteCheckpoint: `
    DELETE FROM main.checkpoints
    WHERE rowid = ?1`,

  deleteEntity: `
    DELETE FROM main.entities
    WHERE rowid = ?1`,

  deleteMessage: `
    DELETE FROM main.messages
    WHERE id = ?1`,

  deleteSession: `
    DELETE FROM main.sessions
    WHERE id = ?1`,
};

/** The tables whose rows go with a session, in the order in which they go: its conversation last. */
export const SESSION_TABLES = ["checkpoints", "entities", "messages"] as const;

export type SessionTable = (typeof SESSION_TABLES)[number];

export interface SessionRow {
  table: SessionTable;
  position: number;
  bytes: number;
}

const COLUMNS = {
  checkpoints: new ColumnReader("checkpoints"),
  entities: new ColumnReader("entities"),
  messages: new ColumnReader("messages"),
};
const sessions = new ColumnReader("sessions");

export class IdleSessions {
  readonly #statements: Statements<keyof typeof IDLE_SESSIONS_SQL>;
  readonly #since: number;

  /** @param since Milliseconds since the epoch. */
  constructor(connection: Connection, since: number) {
    this.#statements = connection.statements(IDLE_SESSIONS_SQL);
    this.#since = since;
  }

  isIdle(sessionId: string): boolean {
    return this.#statements.isIdle.get(sessionId, this.#since) !== null;
  }

  /** Of the session's own row. */
  bytes(sessionId: string): number {
    const row = this.#statements.bytes.get(sessionId);
    return row === null ? 0 : sessions.integer(row, "bytes");
  }

  /** The first rows of a session in one table. */
  rows(table: SessionTable, sessionId: string, limit: number): SessionRow[] {
    return this.#statements[table].all(sessionId, limit).map((row) => sessionRow(table, row));
  }

  delete(rows: readonly SessionRow[]): void {
    const { deleteCheckpoint, deleteEntity, deleteMessage } = this.#statements;
    const statements = { checkpoints: deleteCheckpoint, entities: deleteEntity, messages: deleteMessage };
    for (const { table, position } of rows) {
      requireDeleted(table, statements[table].run(position));
    }
  }

  deleteSession(sessionId: string): void {
    requireDeleted("sessions", this.#statements.deleteSession.run(sessionId));
  }
}

function sessionRow(table: SessionTable, row: Row): SessionRow {
  const column = COLUMNS[table];
  return { table, position: column.integer(row, "position"), bytes: column.integer(row, "bytes") };
}
