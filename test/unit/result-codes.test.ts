/** Which error of this package each of SQLite's result codes becomes: also the extended ones, whose low byte says the same. */
import { describe, expect, test } from "bun:test";
import { isBusy, toStoreError } from "../../src/database/sqlite-errors.js";

const codes: readonly [string, number, string][] = [
  ["SQLITE_BUSY", 5, "StoreBusyError"],
  ["SQLITE_BUSY_RECOVERY", 261, "StoreBusyError"],
  ["SQLITE_BUSY_SNAPSHOT", 517, "StoreBusyError"],
  ["SQLITE_PROTOCOL", 15, "StoreBusyError"],
  ["SQLITE_LOCKED_SHAREDCACHE", 262, "StoreBusyError"],
  ["SQLITE_LOCKED", 6, "StorageError"],
  ["SQLITE_FULL", 13, "DiskFullError"],
  ["SQLITE_READONLY", 8, "StoreReadonlyError"],
  ["SQLITE_READONLY_DIRECTORY", 1544, "StoreReadonlyError"],
  ["SQLITE_CORRUPT", 11, "CheckpointCorruptionError"],
  ["SQLITE_CORRUPT_INDEX", 779, "CheckpointCorruptionError"],
  ["SQLITE_NOTADB", 26, "CheckpointCorruptionError"],
  ["SQLITE_TOOBIG", 18, "InvalidArgumentError"],
  ["SQLITE_IOERR_WRITE", 778, "StorageError"],
  ["SQLITE_CONSTRAINT_TRIGGER", 1811, "StorageError"],
];

describe("a result code of SQLite", () => {
  test.each(codes)("%s (%d) is %s, which names it as its cause", (code, errno, name) => {
    const cause = Object.assign(new Error(`said by SQLite for ${code}`), { code, errno });
    const error = toStoreError(cause, 5_000);
    expect(error.name).toBe(name);
    expect(error.cause).toBe(cause);
    expect(isBusy(cause)).toBe(name === "StoreBusyError");
  });

  test("is not looked for in an error that is not SQLite's", () => {
    expect(toStoreError(new Error("Database has closed"), 5_000).name).toBe("StorageError");
    expect(toStoreError("a text", 5_000).name).toBe("StorageError");
    expect(isBusy(Object.assign(new Error("a text for a number"), { errno: "5" }))).toBe(false);
  });
});
