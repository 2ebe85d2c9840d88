/**
 * Reads a file without leaving anything next to it.
 *
 * A read-only connection to a file with a write-ahead log creates an empty `-wal` and its index `-shm`, and may not delete them; and a
 * store that closes while it is open leaves them to it. The last connection that may write deletes both when it closes, under
 * SQLite's own locks, so one is opened for that.
 */
import { realpathSync, statSync } from "node:fs";
import { openFile } from "../database/opening.js";
import { settingsOf } from "../validation/options.js";

/** Runs the work, which opens the file read-only. A log that was there before stays as it is. */
export async function leavingNothing<T>(path: string, work: () => Promise<T>): Promise<T> {
  const log = logOf(path);
  const isOurs = log !== undefined && !exists(log);
  try {
    return await work();
  } finally {
    if (isOurs && exists(log)) {
      removeLog(path);
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

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function removeLog(path: string): void {
  try {
    // The schema stays as it is, whatever its version.
    openFile(path, settingsOf({ busyTimeout: 0 }), (connection) => {
      connection.queryOnce("PRAGMA schema_version"); // Opens the log.
    }).close();
  } catch {
    // Without permission to write they stay, as after any read-only connection.
  }
}
