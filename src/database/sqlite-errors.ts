/**
 * Converts errors of SQLite and bun:sqlite to this package's errors, by result code.
 *
 * SQLite's errors have an `errno`, the extended result code, whose low byte is the primary code. Bun's own errors
 * (`Database has closed`, …) have none.
 */

import {
  CheckpointCorruptionError,
  CheckpointStoreError,
  DiskFullError,
  InvalidArgumentError,
  StorageError,
  StoreBusyError,
  StoreReadonlyError,
} from "../errors.js";
import { isInstance, messageOf } from "../values/describe.js";

/** Primary result codes, and the two extended ones that matter here. https://sqlite.org/rescode.html */
export const SQLITE = {
  BUSY: 5,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  TOOBIG: 18,
  CONSTRAINT: 19,
  NOTADB: 26,
  LOCKED_SHAREDCACHE: 262,
  CONSTRAINT_UNIQUE: 2067,
} as const;

/** The extended result code; `undefined` if the error is not SQLite's. */
export function extendedCodeOf(error: unknown): number | undefined {
  const code: unknown = isInstance(error, Error) && "errno" in error ? error.errno : undefined;
  return typeof code === "number" ? code : undefined;
}

/** The primary result code; `undefined` if the error is not SQLite's. */
export function codeOf(error: unknown): number | undefined {
  const extended = extendedCodeOf(error);
  return extended === undefined ? undefined : extended & 0xff;
}

/** Whether another connection holds a lock, so that a retry may succeed. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code === SQLITE.BUSY || code === SQLITE.PROTOCOL || extendedCodeOf(error) === SQLITE.LOCKED_SHAREDCACHE
  );
}

/** Converts an error to one of this package's errors. Returns an error that already is one unchanged. */
export function toStoreError(error: unknown, busyTimeout: number): CheckpointStoreError {
  if (isInstance(error, CheckpointStoreError)) {
    return error;
  }
  const cause = { cause: error };
  if (isBusy(error)) {
    return new StoreBusyError(busyTimeout, cause);
  }
  switch (codeOf(error)) {
    case SQLITE.FULL:
      return new DiskFullError(cause);
    case SQLITE.READONLY:
      return new StoreReadonlyError(
        `${messageOf(error)}. Check the permissions of the file and its folder.`,
        cause,
      );
    case SQLITE.CORRUPT:
    case SQLITE.NOTADB:
      return new CheckpointCorruptionError(
        `the database file is damaged (${messageOf(error)}). Restore a backup, as "Restore a backup" in docs/operating.md says, or try the sqlite3 shell's .recover.`,
        cause,
      );
    case SQLITE.TOOBIG:
      return new InvalidArgumentError(
        "value",
        "is larger than SQLite's limit of 1,000,000,000 bytes: store less in one value",
        cause,
      );
    default:
      return new StorageError(messageOf(error), cause);
  }
}
