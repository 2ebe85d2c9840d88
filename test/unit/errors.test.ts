import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { createContext, runInContext } from "node:vm";
import * as errors from "../../src/errors.js";

interface Row {
  make(options?: ErrorOptions): errors.CheckpointStoreError;
  code: string;
  retryable: boolean;
  /** What the message starts with. */
  start: string;
  /** Properties that say what the error is about. */
  fields?: Record<string, unknown>;
  /** There is never an underlying error. */
  hasNoCause?: true;
}

const rows: Record<string, Row> = {
  SessionNotFoundError: {
    make: () => new errors.SessionNotFoundError("s-1"),
    code: "SESSION_NOT_FOUND",
    retryable: false,
    start: "Session not found: s-1",
    fields: { sessionId: "s-1" },
    hasNoCause: true,
  },
  CheckpointNotFoundError: {
    make: () => new errors.CheckpointNotFoundError("c-1"),
    code: "CHECKPOINT_NOT_FOUND",
    retryable: false,
    start: "Checkpoint not found: c-1",
    fields: { checkpointId: "c-1" },
    hasNoCause: true,
  },
  EntityNotFoundError: {
    make: () => new errors.EntityNotFoundError("e-1"),
    code: "ENTITY_NOT_FOUND",
    retryable: false,
    start: "Entity not found: e-1",
    fields: { entityId: "e-1" },
    hasNoCause: true,
  },
  VectorDimensionError: {
    make: () => new errors.VectorDimensionError(2, 3),
    code: "VECTOR_DIMENSION",
    retryable: false,
    start: "Vector dimensions must match: 2 vs 3",
    fields: { queryDimensions: 2, storedDimensions: 3 },
    hasNoCause: true,
  },
  CheckpointVersionConflictError: {
    make: (options) => new errors.CheckpointVersionConflictError("s-1", "main", 7, options),
    code: "CHECKPOINT_VERSION_CONFLICT",
    retryable: false,
    start: 'Checkpoint version already exists: version 7 in namespace "main" of session s-1. ',
    fields: { sessionId: "s-1", namespace: "main", version: 7 },
  },
  CheckpointCorruptionError: {
    make: (options) =>
      new errors.CheckpointCorruptionError("table sessions, id s-1, column metadata", options),
    code: "CHECKPOINT_CORRUPTION",
    retryable: false,
    start: "Checkpoint data is corrupted or invalid: table sessions, id s-1, column metadata",
    fields: { reason: "table sessions, id s-1, column metadata" },
  },
  SerializationError: {
    make: (options) => new errors.SerializationError("$.a[0]", "contains itself", options),
    code: "NOT_SERIALIZABLE",
    retryable: false,
    start: "Value cannot be serialized: $.a[0] contains itself",
    fields: { path: "$.a[0]" },
  },
  InvalidArgumentError: {
    make: (options) => new errors.InvalidArgumentError("message.role", "must be a role", options),
    code: "INVALID_ARGUMENT",
    retryable: false,
    start: "Invalid argument: message.role must be a role",
    fields: { argument: "message.role" },
  },
  StoreClosedError: {
    make: (options) => new errors.StoreClosedError(options),
    code: "STORE_CLOSED",
    retryable: false,
    start: "Store is closed: open a new SqliteCheckpointStore",
  },
  StoreBusyError: {
    make: (options) => new errors.StoreBusyError(250, options),
    code: "STORE_BUSY",
    retryable: true,
    start: "Store is busy: another connection kept the database locked for longer than busyTimeout (250 ms)",
  },
  HostTransactionError: {
    make: (options) => new errors.HostTransactionError(options),
    code: "HOST_TRANSACTION_OPEN",
    retryable: true,
    start: "Host transaction is open: ",
  },
  StoreReadonlyError: {
    make: (options) => new errors.StoreReadonlyError("it was opened with readonly: true.", options),
    code: "STORE_READONLY",
    retryable: false,
    start: "Store is read-only: it was opened with readonly: true.",
  },
  StoreOpenError: {
    make: (options) => new errors.StoreOpenError('/tmp/a "b".db', "it is a directory", options),
    code: "CANNOT_OPEN",
    retryable: false,
    start: 'Cannot open the store at "/tmp/a \\"b\\".db": it is a directory',
    fields: { path: '/tmp/a "b".db' },
  },
  StoreFileMovedError: {
    make: (options) => new errors.StoreFileMovedError("/tmp/a.db", "was deleted or renamed", options),
    code: "STORE_FILE_MOVED",
    retryable: false,
    start:
      'Store file has moved: "/tmp/a.db" was deleted or renamed while the store was open. Nothing was written: ',
    fields: { path: "/tmp/a.db" },
  },
  DiskFullError: {
    make: (options) => new errors.DiskFullError(options),
    code: "DISK_FULL",
    retryable: true,
    start: "Disk is full: nothing was written.",
  },
  StorageError: {
    make: (options) => new errors.StorageError("disk I/O error", options),
    code: "STORAGE_FAILED",
    retryable: false,
    start: "Storage failed: disk I/O error",
  },
  OutcomeUnknownError: {
    make: (options) => new errors.OutcomeUnknownError(options),
    code: "OUTCOME_UNKNOWN",
    retryable: false,
    start: "Outcome unknown: ",
  },
};

const { CheckpointStoreError: _, isCheckpointStoreError, ...concreteClasses } = errors;
const exportedClasses = Object.keys(concreteClasses);

describe.each(Object.entries(rows))("%s", (className, row) => {
  test("is an error of this package and an Error", () => {
    const error = row.make();
    expect(error).toBeInstanceOf(errors.CheckpointStoreError);
    expect(error).toBeInstanceOf(Error);
    expect(error.constructor).toBe(Reflect.get(errors, className));
  });

  test("is identified by its class name in _tag and name, and by its code", () => {
    const error = row.make();
    expect({ _tag: error._tag, name: error.name, code: error.code }).toEqual({
      _tag: className,
      name: className,
      code: row.code,
    });
    expect(String(error)).toStartWith(`${className}: `);
  });

  test("says what happened, where, and whether a retry can help", () => {
    const error = row.make();
    expect(error.message).toStartWith(row.start);
    expect(error.retryable).toBe(row.retryable);
    expect(error).toMatchObject(row.fields ?? {});
  });

  test("keeps the cause if there is one, and has none otherwise", () => {
    const cause = new Error("underneath");
    expect(Object.getOwnPropertyNames(row.make())).not.toContain("cause");
    if (row.hasNoCause === undefined) {
      expect(row.make({ cause }).cause).toBe(cause);
    }
  });

  test("has a stack that begins where it was made", () => {
    expect(row.make().stack).toContain("errors.test.ts");
  });
});

describe("the errors of this package", () => {
  test("are all in the table above", () => {
    expect(exportedClasses.toSorted()).toEqual(Object.keys(rows).toSorted());
  });

  test("have codes in capitals, each its own", () => {
    const codes = Object.values(rows).map((row) => row.make().code);
    for (const code of codes) {
      expect(code).toMatch(/^[A-Z]+(?:_[A-Z]+)*$/);
    }
    expect(new Set(codes).size).toBe(codes.length);
  });

  test("can be distinguished by a switch over _tag, as the framework does it", () => {
    const outcome = (error: errors.CheckpointStoreError) => {
      switch (error._tag) {
        case "SessionNotFoundError":
          return "gone";
        default:
          return error.retryable ? "again" : "give up";
      }
    };
    expect(outcome(new errors.SessionNotFoundError("s"))).toBe("gone");
    expect(outcome(new errors.StoreBusyError(1))).toBe("again");
    expect(outcome(new errors.StorageError("disk I/O error"))).toBe("give up");
  });
});

describe("isCheckpointStoreError", () => {
  const source = resolve(import.meta.dir, "../../src/errors.ts");

  test("is true for every error of this package, and for errors that extend them", () => {
    class ErrorOfAnApplication extends errors.StoreBusyError {}
    for (const error of [...Object.values(rows).map((row) => row.make()), new ErrorOfAnApplication(1)]) {
      expect([error.name, isCheckpointStoreError(error)]).toEqual([error.name, true]);
    }
  });

  test("is true for an error of another copy of the package, for which instanceof is false", async () => {
    const copy: typeof errors = await import(`${source}?another-copy`);
    const error = new copy.SessionNotFoundError("s-1");
    expect(error).not.toBeInstanceOf(errors.CheckpointStoreError);
    expect(isCheckpointStoreError(error)).toBe(true);
    expect(copy.isCheckpointStoreError(new errors.SessionNotFoundError("s-1"))).toBe(true);
  });

  test("is true for an error of another realm, which is not even an instance of Error", async () => {
    const { outputs } = await Bun.build({ entrypoints: [source], format: "cjs" });
    const context = createContext({ module: { exports: {} } });
    runInContext((await outputs[0]?.text()) ?? "", context);
    const error: unknown = runInContext('new module.exports.SessionNotFoundError("s-1")', context);
    expect(error).not.toBeInstanceOf(Error);
    expect(isCheckpointStoreError(error)).toBe(true);
  });

  test.each([
    ["undefined", undefined],
    ["null", null],
    ["a string", "SESSION_NOT_FOUND"],
    ["an Error", new Error("SESSION_NOT_FOUND")],
    ["an error of SQLite or Node with a code", Object.assign(new Error("locked"), { code: "SQLITE_BUSY" })],
    ["an object with the same fields", { ...new errors.SessionNotFoundError("s-1") }],
    ["an error class", errors.SessionNotFoundError],
    ["the prototype of the base class", errors.CheckpointStoreError.prototype],
    ["a structured clone, which has lost its code", structuredClone(new errors.SessionNotFoundError("s-1"))],
  ])("is false for %s", (_title, value) => {
    expect(isCheckpointStoreError(value)).toBe(false);
  });

  test("is false, and throws nothing, for a Proxy that was revoked", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(isCheckpointStoreError(proxy)).toBe(false);
  });

  test("adds no property to the errors, which a log would show", () => {
    expect(Object.getOwnPropertySymbols(new errors.SessionNotFoundError("s-1"))).toEqual([]);
  });

  test("narrows an unknown value, so that code and retryable can be read", () => {
    const value: unknown = new errors.StoreBusyError(1);
    expect(isCheckpointStoreError(value) && { code: value.code, retryable: value.retryable }).toEqual({
      code: "STORE_BUSY",
      retryable: true,
    });
  });
});
