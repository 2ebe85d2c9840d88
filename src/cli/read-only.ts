/**
 * Reads a file without leaving anything next to it.
 *
 * A read-only connection to a file with a write-ahead log creates an empty `-wal` and its index `-shm`, and may not delete them. The
 * last connection that may write deletes both when it closes, under SQLite's own locks; so one is opened for that. It writes
 * nothing: the log is empty.
 */
import { realpathSync, statSync } from "node:fs";
import { Database, sqliteConstants } from "../runtime/bun.js";

export async function leavingNothing<T>(path: string, work: () => Promise<T>): Promise<T> {
  const log = logOf(path);
  const wasThere = log === undefined || sizeOf(log) !== undefined;
  try {
    return await work();
  } finally {
    if (!wasThere && sizeOf(log) === 0) {
      removeEmptyLog(path);
    }
  }
}

/** SQLite keeps it next to the file that a symbolic link leads to. */
function logOf(path: string): string | undefined {
  try {
    return `${realpathSync(path)}-wal`;
  } catch {
    return undefined; // There is no file. Opening it says so.
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

function removeEmptyLog(path: string): void {
  try {
    const database = new Database(path, { readwrite: true });
    try {
      database.run("PRAGMA schema_version"); // Opens the log.
      // By default Apple's SQLite keeps the log's files.
      database.fileControl(sqliteConstants.SQLITE_FCNTL_PERSIST_WAL, 0);
    } finally {
      database.close(true);
    }
  } catch {
    // Without permission to write, or if another process uses the file, they stay, as after any read-only connection.
  }
}
