/**
 * What SQLite and bun:sqlite throw, told apart by result code and turned into this package's errors.
 *
 * SQLite's errors carry `errno`, the extended result code, whose low byte is the primary one. Bun's own
 * (`Database has closed`, …) carry none.
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

/** Primary result codes, and the two extended ones that are told apart. https://sqlite.org/rescode.html */
export const SQLITE = {
  BUSY: 5,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  TOOBIG: 18,
  NOTADB: 26,
  LOCKED_SHAREDCACHE: 262,
  CONSTRAINT_UNIQUE: 2067,
} as const;

/** The extended result code; `undefined` for what is not SQLite's. */
export function extendedCodeOf(error: unknown): number | undefined {
  const code: unknown = isInstance(error, Error) && "errno" in error ? error.errno : undefined;
  return typeof code === "number" ? code : undefined;
}

/** The primary result code; `undefined` for what is not SQLite's. */
export function codeOf(error: unknown): number | undefined {
  const extended = extendedCodeOf(error);
  return extended === undefined ? undefined : extended & 0xff;
}

/** Whether another connection is in the way, so that the same attempt may succeed a moment later. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code === SQLITE.BUSY || code === SQLITE.PROTOCOL || extendedCodeOf(error) === SQLITE.LOCKED_SHAREDCACHE
  );
}

/** The error of this package that says what happened. Errors that are ours already are returned as they are. */
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
        `the database file itself (${messageOf(error)}). Restore a backup, as "Restore a backup" in docs/operating.md says, or try the sqlite3 shell's .recover.`,
        cause,
      );
    case SQLITE.TOOBIG:
      return new InvalidArgumentError(
        "value",
        "is larger than the 1,000,000,000 bytes that SQLite can keep",
        cause,
      );
    default:
      return new StorageError(messageOf(error), cause);
  }
}
