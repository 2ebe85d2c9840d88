/**
 * Every error that this package throws or rejects with.
 *
 * All share one base class. `code` is stable and meant for programs, `message` is for people. `_tag` and `name` repeat
 * the class name as a string, because the framework distinguishes errors by `_tag` and a bundler may rename the class.
 */

/** Every realm and every copy of this package gets the same symbol from here; each has a class of its own. */
const BRAND = Symbol.for("@obsku/checkpoint-sqlite/CheckpointStoreError");

/** The base of all errors of this package. */
export abstract class CheckpointStoreError extends Error {
  abstract readonly _tag: string;
  /** Stable, in capitals: `SESSION_NOT_FOUND`, `STORE_BUSY`, … */
  abstract readonly code: string;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean = false;

  /** @internal Read by {@link isCheckpointStoreError}. On the prototype, so that logs of an error do not show it. */
  get [BRAND](): true {
    return true;
  }
}

/**
 * Whether a value is an error of this package. Use it instead of `instanceof` if two copies of the package may be loaded (two
 * versions in one `node_modules`, or one bundled into a library), or if the error may come from another realm (`node:vm`):
 * `instanceof` is false there. Never throws, whatever the value is.
 *
 * Limits: copies of version 0.3.0 or earlier are not recognised, and neither is a structured clone, such as an error posted
 * from a Worker: cloning drops `code` and the class. Post `code` and `message` instead.
 *
 * @example
 * try {
 *   await store.addMessage(sessionId, message);
 * } catch (error) {
 *   if (!isCheckpointStoreError(error) || !error.retryable) throw error;
 * }
 */
export function isCheckpointStoreError(value: unknown): value is CheckpointStoreError {
  try {
    return (
      typeof value === "object" &&
      value !== null &&
      Reflect.get(value, BRAND) === true &&
      // The base class's prototype has the brand too, but no code.
      typeof Reflect.get(value, "code") === "string"
    );
  } catch {
    return false; // A Proxy may throw from any trap.
  }
}

/** No session has this id. */
export class SessionNotFoundError extends CheckpointStoreError {
  readonly _tag = "SessionNotFoundError";
  override readonly name = "SessionNotFoundError";
  readonly code = "SESSION_NOT_FOUND";

  constructor(readonly sessionId: string) {
    super(`Session not found: ${sessionId}`);
  }
}

/** No checkpoint has this id. */
export class CheckpointNotFoundError extends CheckpointStoreError {
  readonly _tag = "CheckpointNotFoundError";
  override readonly name = "CheckpointNotFoundError";
  readonly code = "CHECKPOINT_NOT_FOUND";

  constructor(readonly checkpointId: string) {
    super(`Checkpoint not found: ${checkpointId}`);
  }
}

/** No entity has this id. */
export class EntityNotFoundError extends CheckpointStoreError {
  readonly _tag = "EntityNotFoundError";
  override readonly name = "EntityNotFoundError";
  readonly code = "ENTITY_NOT_FOUND";

  constructor(readonly entityId: string) {
    super(`Entity not found: ${entityId}`);
  }
}

/** A search's filters match embeddings, but none with the query's number of dimensions: they come from different models. */
export class VectorDimensionError extends CheckpointStoreError {
  readonly _tag = "VectorDimensionError";
  override readonly name = "VectorDimensionError";
  readonly code = "VECTOR_DIMENSION";

  constructor(
    readonly queryDimensions: number,
    readonly storedDimensions: number,
  ) {
    super(
      `Vector dimensions must match: ${queryDimensions} vs ${storedDimensions}. ` +
        "Search with the embedding model that created the stored embeddings.",
    );
  }
}

/** Another checkpoint of this session and namespace already has the version. Nothing was written. */
export class CheckpointVersionConflictError extends CheckpointStoreError {
  readonly _tag = "CheckpointVersionConflictError";
  override readonly name = "CheckpointVersionConflictError";
  readonly code = "CHECKPOINT_VERSION_CONFLICT";

  constructor(
    readonly sessionId: string,
    readonly namespace: string,
    readonly version: number,
    options?: ErrorOptions,
  ) {
    super(
      `Checkpoint version already exists: version ${version} in namespace "${namespace}" of session ${sessionId}. ` +
        'Another run may be saving into the same session: save with a higher version, or open the store with versionConflict: "next".',
      options,
    );
  }
}

/** The file holds data that no store would have written. The message names the place, never the payload. */
export class CheckpointCorruptionError extends CheckpointStoreError {
  readonly _tag = "CheckpointCorruptionError";
  override readonly name = "CheckpointCorruptionError";
  readonly code = "CHECKPOINT_CORRUPTION";

  /** @param reason What is wrong, and where: table, id and column, or the path within a value. */
  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`Checkpoint data is corrupted or invalid: ${reason}`, options);
  }
}

/** A value cannot be written in the wire format, for example because it contains itself. */
export class SerializationError extends CheckpointStoreError {
  readonly _tag = "SerializationError";
  override readonly name = "SerializationError";
  readonly code = "NOT_SERIALIZABLE";

  /** @param path The place in the value, such as `$.a[0]`, or in an argument, such as `options.metadata.a[0]`. */
  constructor(
    readonly path: string,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`Value cannot be serialized: ${path} ${reason}`, options);
  }

  /** @internal This error, with the argument's name instead of `$` at the start of its path. */
  within(argument: string): SerializationError {
    return new SerializationError(argument + this.path.slice(1), this.reason, { cause: this.cause });
  }
}

/** An argument or option has a value that is not allowed. Nothing was written. */
export class InvalidArgumentError extends CheckpointStoreError {
  readonly _tag = "InvalidArgumentError";
  override readonly name = "InvalidArgumentError";
  readonly code = "INVALID_ARGUMENT";

  /** @param argument The argument, with the path within it: `message.toolCalls[0].name`. */
  constructor(
    readonly argument: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`Invalid argument: ${argument} ${problem}`, options);
  }
}

/** The store was closed before the call. */
export class StoreClosedError extends CheckpointStoreError {
  readonly _tag = "StoreClosedError";
  override readonly name = "StoreClosedError";
  readonly code = "STORE_CLOSED";

  constructor(options?: ErrorOptions) {
    super("Store is closed: open a new SqliteCheckpointStore on the same file to continue.", options);
  }
}

/** Another connection held the lock for longer than `busyTimeout`. Nothing was written; try again. */
export class StoreBusyError extends CheckpointStoreError {
  readonly _tag = "StoreBusyError";
  override readonly name = "StoreBusyError";
  readonly code = "STORE_BUSY";
  override readonly retryable = true;

  constructor(busyTimeout: number, options?: ErrorOptions) {
    super(
      `Store is busy: another connection kept the database locked for longer than busyTimeout (${busyTimeout} ms). ` +
        "Nothing was written: call again, or raise busyTimeout.",
      options,
    );
  }
}

/** The host application has a transaction open on the `Database` that it passed. Nothing was written. */
export class HostTransactionError extends CheckpointStoreError {
  readonly _tag = "HostTransactionError";
  override readonly name = "HostTransactionError";
  readonly code = "HOST_TRANSACTION_OPEN";
  override readonly retryable = true;

  constructor(options?: ErrorOptions) {
    super(
      "Host transaction is open: the Database passed to the store is inside a transaction of the host, " +
        "which the store must not commit. End that transaction, then call again.",
      options,
    );
  }
}

/** The store, its file or the file's folder is read-only. Nothing was written. */
export class StoreReadonlyError extends CheckpointStoreError {
  readonly _tag = "StoreReadonlyError";
  override readonly name = "StoreReadonlyError";
  readonly code = "STORE_READONLY";

  constructor(reason: string, options?: ErrorOptions) {
    super(`Store is read-only: ${reason}`, options);
  }
}

/** The store cannot be opened: the message says why and what to do. */
export class StoreOpenError extends CheckpointStoreError {
  readonly _tag = "StoreOpenError";
  override readonly name = "StoreOpenError";
  readonly code = "CANNOT_OPEN";

  constructor(
    readonly path: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot open the store at ${JSON.stringify(path)}: ${reason}`, options);
  }
}

/** The store's open file is no longer the file at its path. Nothing was written. */
export class StoreFileMovedError extends CheckpointStoreError {
  readonly _tag = "StoreFileMovedError";
  override readonly name = "StoreFileMovedError";
  readonly code = "STORE_FILE_MOVED";

  /** @param happened What happened to the file, such as "was deleted or renamed". */
  constructor(
    readonly path: string,
    happened: string,
    options?: ErrorOptions,
  ) {
    super(
      `Store file has moved: ${JSON.stringify(path)} ${happened} while the store was open. Nothing was written: close the store, ` +
        'put the file back or open a new store on the right file, then call again. See "Move or rename the file" in docs/operating.md.',
      options,
    );
  }
}

/** The disk is full, or the database has reached its size limit. Nothing was written; earlier data is intact. */
export class DiskFullError extends CheckpointStoreError {
  readonly _tag = "DiskFullError";
  override readonly name = "DiskFullError";
  readonly code = "DISK_FULL";
  override readonly retryable = true;

  constructor(options?: ErrorOptions) {
    super("Disk is full: nothing was written. Free some space, then call again.", options);
  }
}

/** Any other failure of SQLite or the operating system; `cause` is the original error. Nothing was written. */
export class StorageError extends CheckpointStoreError {
  readonly _tag = "StorageError";
  override readonly name = "StorageError";
  readonly code = "STORAGE_FAILED";

  constructor(reason: string, options?: ErrorOptions) {
    super(`Storage failed: ${reason}`, options);
  }
}

/**
 * The commit failed in a way that leaves open whether the transaction is there: the operating system failed on a file, or the
 * connection to a server on its answer.
 */
export class OutcomeUnknownError extends CheckpointStoreError {
  readonly _tag = "OutcomeUnknownError";
  override readonly name = "OutcomeUnknownError";
  readonly code = "OUTCOME_UNKNOWN";

  /** @param explanation What failed and what to do next, if it was not the commit to a file. */
  constructor(options?: ErrorOptions, explanation = FAILED_ON_DISK) {
    super(`Outcome unknown: ${explanation}`, options);
  }
}

const FAILED_ON_DISK =
  "writing the commit to disk failed, so this write may or may not be in the file. " +
  "Close the store, fix the disk, open the store again and read before you repeat the call.";
