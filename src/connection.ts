/**
 * One connection to one database: opened, configured, and closed with every statement that was prepared on it.
 *
 * Limits: opening is synchronous and may wait for a lock; the default rollback journal of a file that 0.2.3 wrote
 * becomes a write-ahead log, which no network file system supports.
 */
import type { Database as BunDatabase, SQLQueryBindings, Statement } from "bun:sqlite";
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readlinkSync,
  type Stats,
  statSync,
} from "node:fs";
import { devNull } from "node:os";
import { dirname, resolve } from "node:path";
import { retryWhileBusySync } from "./busy-retry.js";
import { keepingMarks } from "./byte-order-marks.js";
import { messageOf } from "./describe.js";
import { InvalidArgumentError, StoreFileMovedError, StoreOpenError } from "./errors.js";
import { refuseForeignLog, targetOf } from "./foreign-log.js";
import type { StoreSettings } from "./options.js";
import { Database, sqliteConstants } from "./runtime.js";
import { codeOf, isBusy, SQLITE, toStoreError } from "./sqlite-errors.js";

/** A row as SQLite returns it: nothing is known of a column until a mapper has looked. */
export type Row = Record<string, unknown>;

export type PreparedStatement = Statement<Row, SQLQueryBindings[]>;

/** Prepared statements by name. */
export type Statements<Name extends string> = Record<Name, PreparedStatement>;

export const IN_MEMORY = ":memory:";

/**
 * SQLite itself waits for a lock only this long, because it blocks the event loop; the rest of `busyTimeout` is waited
 * for by retry. At 0, four writing processes shared the lock less evenly.
 */
const BUSY_TIMEOUT = "PRAGMA busy_timeout = 5";

const SYNCHRONOUS = {
  full: "PRAGMA synchronous = FULL",
  normal: "PRAGMA synchronous = NORMAL",
} as const;

const CONNECTION_PRAGMAS = [
  "PRAGMA foreign_keys = ON",
  // Functions and virtual tables in a hostile file's schema are not run.
  "PRAGMA trusted_schema = OFF",
  // The log is copied back into the file every 2,000 pages, and cut to 16 MiB where a long reader let it grow. SQLite's own
  // 1,000 copy pages of busy sessions back twice as often; with more, opening after a crash would take over 5 ms.
  "PRAGMA wal_autocheckpoint = 2000",
  "PRAGMA journal_size_limit = 16777216",
] as const;

/** A number that changes if another connection commits. */
const DATA_VERSION = "PRAGMA data_version";

export class Connection {
  readonly #statements: PreparedStatement[] = [];
  readonly #moved = new Int32Array(2);
  #dataVersion: PreparedStatement | undefined;
  #versionSeen: unknown;

  /** @param isOwned Whether closing this connection closes the database: not where a host passed it. */
  constructor(
    readonly database: BunDatabase,
    readonly path: string,
    readonly isOwned: boolean,
  ) {}

  /**
   * Statements are prepared once and live as long as the connection.
   *
   * A trap: when SQLite plans a statement that sorts, joins or takes a maximum, it looks at the value of a bare parameter
   * (`= ?1`, `LIMIT ?1`), and from then on prepares the statement anew whenever a value is bound: 4 to 20 µs a call, more
   * than most reads take. It does not look behind a plus: `= +?1`.
   *
   * Tables are qualified by `main.`: a host may have temporary ones of the same names, at any time.
   */
  prepareAll<Name extends string>(
    texts: Readonly<Record<Name, string>>,
    rewritten: (sql: string) => string = (sql) => sql,
  ): Statements<Name> {
    const statements: Partial<Statements<Name>> = {};
    for (const name in texts) {
      statements[name] = this.#prepare(rewritten(texts[name]));
    }
    return statements as Statements<Name>;
  }

  #prepare(sql: string): PreparedStatement {
    // A host's Database may be set to return bigints; what is no safe integer the mappers reject as corrupt.
    const statement = this.database.prepare<Row, SQLQueryBindings[]>(sql).safeIntegers(false);
    this.#statements.push(statement);
    return keepingMarks(this.database, statement);
  }

  /** For the few statements of opening. */
  once(sql: string, ...parameters: SQLQueryBindings[]): Row[] {
    const statement = this.database.prepare<Row, SQLQueryBindings[]>(sql);
    try {
      return statement.all(...parameters);
    } finally {
      statement.finalize();
    }
  }

  get isInTransaction(): boolean {
    return this.database.inTransaction;
  }

  /** Whether deleting a session takes its rows along: a host can change that at any time. */
  get enforcesForeignKeys(): boolean {
    return Number(this.once("PRAGMA foreign_keys")[0]?.foreign_keys) === 1;
  }

  /** Whether a host has attached other databases to the one that is used. */
  get hasAttached(): boolean {
    return this.once("PRAGMA database_list").some(({ name }) => name !== "main" && name !== "temp");
  }

  /**
   * What is written to a file that was deleted or replaced is gone once it is closed, and its log could be replayed over the
   * file that took its place. Called before every write transaction, because it costs as little as one `stat`.
   *
   * @throws {StoreFileMovedError}
   */
  refuseMovedFile(): void {
    if (this.#hasMoved()) {
      throw new StoreFileMovedError(this.path, this.#whatHappened());
    }
  }

  /** SQLite compares the inode that it has open with the one at the path; it leaves the answer alone if there is no file. */
  #hasMoved(): boolean {
    this.#moved[0] = 0;
    this.database.fileControl(sqliteConstants.SQLITE_FCNTL_HAS_MOVED, this.#moved);
    return this.#moved[0] !== 0;
  }

  #whatHappened(): string {
    const file = String(this.once("PRAGMA database_list")[0]?.file);
    return statSync(file, { throwIfNoEntry: false }) === undefined
      ? "was deleted or renamed"
      : "was replaced by another file";
  }

  /** Another value whenever another connection has committed: as of the write transaction that is running, or ran last. */
  get dataVersion(): unknown {
    return this.#versionSeen;
  }

  /** Remembers that whatever is in the log by now belongs to this file, which is at its path. */
  rememberLog(): void {
    if (this.isOwned) {
      this.#dataVersion ??= this.#prepare(DATA_VERSION);
      this.#versionSeen = this.#dataVersion.get()?.data_version;
    }
  }

  /** A database closed over live statements would keep its file handles and its log. */
  close(): void {
    for (const statement of this.#statements.splice(0)) {
      statement.finalize();
    }
    if (this.isOwned) {
      if (this.#hasMoved()) {
        this.#emptyLog();
      }
      this.database.close(true);
    }
  }

  /**
   * SQLite neither empties nor deletes the log of a file that has moved, and whoever opens the path next would replay it over
   * another file. Its commits go where they belong, into the file that is open, wherever that is now.
   *
   * Not if another connection has committed since: that may be one to the other file, which shares the log by its name.
   */
  #emptyLog(): void {
    try {
      if (this.once(DATA_VERSION)[0]?.data_version === this.#versionSeen) {
        this.once("PRAGMA wal_checkpoint(TRUNCATE)");
      }
    } catch {
      // Nothing of the other file is touched; the log stays, and opening the path refuses it.
    }
  }
}

/**
 * Opens a file (or `:memory:`), readies it by `bootstrap`, and closes it again where that fails.
 *
 * @throws {StoreOpenError} saying why, {@link StoreBusyError} where a lock was held past `busyTimeout`.
 */
export function openFile(
  path: string,
  settings: StoreSettings,
  bootstrap: (connection: Connection) => void,
): Connection {
  checkPath(path, settings.readonly);
  if (path !== IN_MEMORY) {
    readyFile(path, settings.readonly);
  }
  return retryOpening(path, settings.busyTimeout, () => {
    const connection = new Connection(newDatabase(path, settings.readonly), path, true);
    try {
      connection.once(BUSY_TIMEOUT);
      configure(connection, settings);
      bootstrap(connection);
      if (!settings.readonly) {
        useWriteAheadLog(connection);
        connection.rememberLog();
      }
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

/**
 * Uses a database that a host application opened, with the host's own settings.
 *
 * @throws {StoreOpenError} where its foreign keys are off: deleting a session would leave its rows behind.
 */
export function useHostDatabase(
  database: BunDatabase,
  settings: StoreSettings,
  bootstrap: (connection: Connection) => void,
): Connection {
  const connection = new Connection(database, database.filename, false);
  return retryOpening(connection.path, settings.busyTimeout, () => {
    if (!settings.readonly && !connection.enforcesForeignKeys) {
      throw new StoreOpenError(
        connection.path,
        "foreign keys are off on the Database that was passed: run PRAGMA foreign_keys = ON on it first.",
      );
    }
    bootstrap(connection);
    return connection;
  });
}

function checkPath(path: string, readonly: boolean): void {
  if (path.trim() !== path) {
    throw new InvalidArgumentError(
      "path",
      "must not begin or end with blanks: bun:sqlite would open another file",
    );
  }
  if (readonly && path === IN_MEMORY) {
    throw new InvalidArgumentError("options.readonly", 'cannot be given with ":memory:", which begins empty');
  }
  if (path === "") {
    throw new InvalidArgumentError(
      "path",
      'is empty, which SQLite takes for a temporary database that vanishes: pass a file\'s path, or ":memory:"',
    );
  }
  if (path.includes("\0") || path.startsWith("file:")) {
    throw new InvalidArgumentError(
      "path",
      'must be the plain path of a file, not a URL ("./file:…" is a file of such a name), and without NUL characters',
    );
  }
}

/** SQLite's own limit on Unix is 512, of which it keeps 8 for the names of the files beside it. */
const LONGEST_PATH = 504;

/** What cannot be followed, for want of file handles or permissions, is an error of the opening that comes. */
function absoluteTargetOf(path: string): string {
  try {
    return targetOf(path);
  } catch {
    return resolve(path);
  }
}

/** Before a file is made that SQLite then cannot open. */
function checkLength(path: string): void {
  const length = Buffer.byteLength(absoluteTargetOf(path));
  if (length > LONGEST_PATH) {
    throw new StoreOpenError(
      path,
      `its absolute path has ${length} bytes, and SQLite takes at most ${LONGEST_PATH}: use a shorter one.`,
    );
  }
}

/** Makes what is missing, and refuses what SQLite would misread, open read-only in silence, or wait for. */
function readyFile(path: string, readonly: boolean): void {
  const found = statusOf(path);
  checkLength(path);
  if (found === undefined) {
    if (readonly) {
      throw new StoreOpenError(path, "the file does not exist, and readonly does not make one.");
    }
    refuseForeignLog(path);
    createPrivately(path);
    return;
  }
  if (!found.isFile()) {
    throw new StoreOpenError(
      path,
      `it is ${found.isDirectory() ? "a directory" : "not a regular file"}: pass a file's path.`,
    );
  }
  if (found.nlink > 1) {
    throw new StoreOpenError(path, SEVERAL_NAMES);
  }
  if (found.size === 1) {
    // SQLite takes it for an empty database, and would write over it.
    throw new StoreOpenError(path, NOT_A_DATABASE);
  }
  try {
    accessSync(path, readonly ? constants.R_OK : constants.R_OK | constants.W_OK);
  } catch (error) {
    const remedy = readonly ? "" : ", or open it with readonly: true";
    throw new StoreOpenError(path, `no permission (${messageOf(error)}): change the file's mode${remedy}.`, {
      cause: error,
    });
  }
  refuseForeignLog(path);
}

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new StoreOpenError(path, `${messageOf(error)}.`, { cause: error });
  }
}

/**
 * SQLite would create the file readable for all. It is created exclusively and never opened where it exists:
 * closing a second handle on a live database drops SQLite's POSIX locks in this process.
 */
function createPrivately(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      createTarget(path); // Unless it is a link to nothing, another process was faster, and as private.
      return;
    }
    const reason = isOutOfHandles(error)
      ? OUT_OF_HANDLES
      : `the file or its folder cannot be made (${messageOf(error)}).`;
    throw new StoreOpenError(path, reason, { cause: error });
  }
}

/** Through a symbolic link to a file that is missing, SQLite would create it readable for all. */
function createTarget(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    createPrivately(resolve(dirname(path), readlinkSync(path)));
  }
}

function newDatabase(path: string, readonly: boolean): BunDatabase {
  return new Database(
    path,
    readonly ? { readonly: true, strict: true } : { readwrite: true, create: true, strict: true },
  );
}

function configure(connection: Connection, settings: StoreSettings): void {
  for (const pragma of CONNECTION_PRAGMAS) {
    connection.once(pragma);
  }
  connection.once(SYNCHRONOUS[settings.synchronous]);
}

/**
 * After the bootstrap, which may refuse the file: the journal mode is a change of it. A refused mode is silent: SQLite
 * answers with the one that stays.
 */
function useWriteAheadLog(connection: Connection): void {
  const answered = connection.once("PRAGMA journal_mode = WAL")[0]?.journal_mode;
  if (answered !== "wal" && connection.path !== IN_MEMORY) {
    throw new StoreOpenError(
      connection.path,
      `SQLite cannot keep a write-ahead log there (journal mode stays ${String(answered)}): use a local file system.`,
    );
  }
  // Apple's SQLite keeps the log's files after the last connection is closed, unless it is told not to.
  connection.database.fileControl(sqliteConstants.SQLITE_FCNTL_PERSIST_WAL, 0);
}

function retryOpening<T>(path: string, busyTimeout: number, open: () => T): T {
  try {
    return retryWhileBusySync(open, busyTimeout);
  } catch (error) {
    throw openingError(path, busyTimeout, error);
  }
}

function openingError(path: string, busyTimeout: number, error: unknown): Error {
  const code = codeOf(error);
  if (code === undefined || isBusy(error)) {
    return toStoreError(error, busyTimeout);
  }
  const reason = code === SQLITE.CANTOPEN && lacksHandles() ? OUT_OF_HANDLES : OPENING_REASONS.get(code);
  return new StoreOpenError(path, reason ?? `${messageOf(error)}.`, { cause: error });
}

/** The file, its log and the log's index. SQLite does not tell that it got none. */
const HANDLES_OF_A_STORE = 3;

/** Whether there are fewer file handles left than a store takes. */
function lacksHandles(): boolean {
  const handles: number[] = [];
  try {
    while (handles.length < HANDLES_OF_A_STORE) {
      handles.push(openSync(devNull, "r"));
    }
    return false;
  } catch (error) {
    return isOutOfHandles(error);
  } finally {
    handles.forEach(closeSync);
  }
}

function isOutOfHandles(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE");
}

const OUT_OF_HANDLES =
  "the process is out of file handles: a store takes three. Close what is not needed, or raise the limit (ulimit -n).";

const SEVERAL_NAMES =
  "the file has another name as well (a hard link). SQLite names the write-ahead log after the file, so whoever uses the other name " +
  "neither sees nor keeps these commits. Remove one of the names, or copy the file. If a container needs it, mount the folder, not the file.";

const NOT_A_DATABASE = "it is not a SQLite database: pass another path.";

const OPENING_REASONS = new Map<number, string>([
  [SQLITE.NOTADB, NOT_A_DATABASE],
  [
    SQLITE.CORRUPT,
    'the database file is damaged: restore a backup, as "Restore a backup" in docs/operating.md says, or try the sqlite3 shell\'s .recover.',
  ],
  [
    SQLITE.CANTOPEN,
    "SQLite cannot open it: check that the path is a file and that its folder may be written to.",
  ],
  [
    SQLITE.READONLY,
    "it or its folder cannot be written to, and a write-ahead log needs files beside it: copy it to a folder that can.",
  ],
  [SQLITE.FULL, "the disk is full: make room, then open it again."],
]);
