/**
 * Finds sessions and checkpoints by part of an id, by title or by version.
 *
 * Limits: a part of an id reads the index of ids, and a title the table of sessions, from end to end.
 */
import type { Connection, Row } from "../database/connection.js";
import { openForReading } from "./opening.js";
import { filePath, type LongRunningOptions, longRunning } from "./options.js";

export interface FoundSession {
  id: string;
  title: string | null;
  updatedAt: number;
}

export interface FoundCheckpoint {
  id: string;
  sessionId: string;
  namespace: string;
  version: number;
  createdAt: number;
}

/** Enough to show which ones were meant. */
const MOST_FOUND = 11;

const SESSION_COLUMNS = "id, title, updated_at AS updatedAt";

export const NAMES_SQL = {
  sessionById: `
    SELECT ${SESSION_COLUMNS}
    FROM main.sessions
    WHERE id = ?1`,

  sessionsByTitle: `
    SELECT ${SESSION_COLUMNS}
    FROM main.sessions
    WHERE title = ?1
    ORDER BY updated_at DESC
    LIMIT ${MOST_FOUND}`,

  sessionsByPart: `
    SELECT ${SESSION_COLUMNS}
    FROM main.sessions
    WHERE substr(id, 1, length(?1)) = ?1
      OR substr(id, -length(?1)) = ?1
    ORDER BY updated_at DESC
    LIMIT ${MOST_FOUND}`,

  // Of the ids alone: an index holds them, and the rows are large.
  checkpointsByPart: `
    SELECT id
    FROM main.checkpoints
    WHERE substr(id, 1, length(?1)) = ?1
      OR substr(id, -length(?1)) = ?1
    ORDER BY id DESC
    LIMIT ${MOST_FOUND}`,

  checkpoint: `
    SELECT id, session_id AS sessionId, namespace, version, created_at AS createdAt
    FROM main.checkpoints
    WHERE id = ?1`,

  checkpointsByVersion: `
    SELECT id, session_id AS sessionId, namespace, version, created_at AS createdAt
    FROM main.checkpoints
    WHERE session_id = ?1
      AND version = ?2
    ORDER BY namespace`,
};

/**
 * The session with this id; else those with this title; else those whose id begins or ends like this. The last updated first, at
 * most eleven.
 */
export async function findSessions(
  path: string,
  name: string,
  options?: LongRunningOptions,
): Promise<FoundSession[]> {
  return reading(path, options, (connection) => {
    const queries = [NAMES_SQL.sessionById, NAMES_SQL.sessionsByTitle, NAMES_SQL.sessionsByPart];
    for (const sql of name === "" ? [] : queries) {
      const found = connection.queryOnce(sql, name);
      if (found.length > 0) {
        return found.map(toSession);
      }
    }
    return [];
  });
}

/** The checkpoint with this id; else those whose id begins or ends like this. The last saved first, at most eleven. */
export async function findCheckpoints(
  path: string,
  name: string,
  options?: LongRunningOptions,
): Promise<FoundCheckpoint[]> {
  return reading(path, options, (connection) => {
    const exact = connection.queryOnce(NAMES_SQL.checkpoint, name);
    if (exact.length > 0 || name === "") {
      return exact.map(toCheckpoint);
    }
    return connection
      .queryOnce(NAMES_SQL.checkpointsByPart, name)
      .flatMap(({ id }) => connection.queryOnce(NAMES_SQL.checkpoint, String(id)))
      .map(toCheckpoint);
  });
}

/** A session's checkpoints of this version: one in each namespace that has it. */
export async function findVersions(
  path: string,
  sessionId: string,
  version: number,
  options?: LongRunningOptions,
): Promise<FoundCheckpoint[]> {
  return reading(path, options, (connection) =>
    connection.queryOnce(NAMES_SQL.checkpointsByVersion, sessionId, version).map(toCheckpoint),
  );
}

function reading<T>(path: string, options: unknown, read: (connection: Connection) => T): T {
  const file = filePath("path", path);
  const { work } = longRunning(options);
  work.throwIfAborted();
  const connection = openForReading(file, work.busyTimeout);
  try {
    return read(connection);
  } finally {
    connection.close();
  }
}

function toSession(row: Row): FoundSession {
  return {
    id: String(row.id),
    title: row.title === null ? null : String(row.title),
    updatedAt: Number(row.updatedAt),
  };
}

function toCheckpoint(row: Row): FoundCheckpoint {
  return {
    id: String(row.id),
    sessionId: String(row.sessionId),
    namespace: String(row.namespace),
    version: Number(row.version),
    createdAt: Number(row.createdAt),
  };
}
