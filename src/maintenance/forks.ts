/**
 * Which session was forked from which checkpoint.
 *
 * Limits: no index helps; every checkpoint is read up to its column `source`.
 */
import { openForReading } from "./opening.js";
import { filePath, type LongRunningOptions, longRunning } from "./options.js";

/** A session that begins with a copy of another session's checkpoint. */
export interface Fork {
  sessionId: string;
  /** The checkpoint that it was forked from. */
  parentId: string;
  /** The session of that checkpoint; `null` if the checkpoint was deleted. */
  parentSessionId: string | null;
  /** The version of that checkpoint. */
  parentVersion: number | null;
}

export const FORKS_SQL = {
  // The first of each session: a later checkpoint can be from a fork only if its caller says so.
  forks: `
    SELECT
      fork.session_id AS sessionId,
      fork.parent_id AS parentId,
      parent.session_id AS parentSessionId,
      parent.version AS parentVersion,
      min(fork.created_at) AS createdAt
    FROM main.checkpoints AS fork
    LEFT JOIN main.checkpoints AS parent ON parent.id = fork.parent_id
    WHERE fork.source = 'fork'
      AND fork.parent_id IS NOT NULL
      AND parent.session_id IS NOT fork.session_id
    GROUP BY fork.session_id
    ORDER BY createdAt, sessionId`,
};

/** The forks of a file, oldest first. */
export async function listForks(path: string, options?: LongRunningOptions): Promise<Fork[]> {
  const file = filePath("path", path);
  const { work } = longRunning(options);
  work.throwIfAborted();
  const connection = openForReading(file, work.busyTimeout);
  try {
    return connection.queryOnce(FORKS_SQL.forks).map((row) => ({
      sessionId: String(row.sessionId),
      parentId: String(row.parentId),
      parentSessionId: row.parentSessionId === null ? null : String(row.parentSessionId),
      parentVersion: row.parentVersion === null ? null : Number(row.parentVersion),
    }));
  } finally {
    connection.close();
  }
}
