/**
 * Opens a file, or uses a host application's open Database: configures the connection and prepares the schema.
 *
 * Limits: opening is synchronous and may wait for a lock. A file from 0.2.3 with the default rollback journal is switched to
 * a write-ahead log, which network file systems do not support.
 */
import type { Database as BunDatabase } from "bun:sqlite";
import { StoreOpenError } from "../errors.js";
import type { StoreSettings } from "../options.js";
import { Database, sqliteConstants } from "../runtime/bun.js";
import { messageOf } from "../values/describe.js";
import { retryWhileBusySync } from "./busy-retry.js";
import { Connection, IN_MEMORY } from "./connection.js";
import { checkPath, lacksHandles, NOT_A_DATABASE, OUT_OF_HANDLES, readyFile } from "./files.js";
import { codeOf, isBusy, SQLITE, toStoreError } from "./sqlite-errors.js";

/**
 * SQLite waits for a lock only this long, because that blocks the event loop; retries cover the rest of `busyTimeout`. With 0,
 * four writing processes shared the lock less evenly.
 */
const BUSY_TIMEOUT = "PRAGMA busy_timeout = 5";

const SYNCHRONOUS = {
  full: "PRAGMA synchronous = FULL",
  normal: "PRAGMA synchronous = NORMAL",
} as const;

const CONNECTION_PRAGMAS = [
  "PRAGMA foreign_keys = ON",
  // Does not run functions and virtual tables in a hostile file's schema.
  "PRAGMA trusted_schema = OFF",
  // A WAL checkpoint every 2,000 pages, and a log cut to 16 MiB if a long read let it grow. With SQLite's default of 1,000,
  // checkpoints write pages of busy sessions twice as often; with more, opening after a crash would take over 5 ms.
  "PRAGMA wal_autocheckpoint = 2000",
  "PRAGMA journal_size_limit = 16777216",
].join("; ");

/**
 * Opens a file (or `:memory:`) and runs `bootstrap`; closes it if that fails.
 *
 * @throws {StoreOpenError} with the reason.
 * @throws {StoreBusyError} if another connection held a lock for longer than `busyTimeout`.
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
      connection.queryOnce(BUSY_TIMEOUT);
      configure(connection, settings);
      bootstrap(connection);
      if (!settings.readonly) {
        useWriteAheadLog(connection);
        connection.readDataVersion();
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
 * @throws {StoreOpenError} if its foreign keys are off: deleting a session would leave its rows behind.
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

function newDatabase(path: string, readonly: boolean): BunDatabase {
  return new Database(
    path,
    readonly ? { readonly: true, strict: true } : { readwrite: true, create: true, strict: true },
  );
}

function configure(connection: Connection, settings: StoreSettings): void {
  connection.database.run(CONNECTION_PRAGMAS);
  connection.queryOnce(SYNCHRONOUS[settings.synchronous]);
}

/**
 * Called after the bootstrap, which may reject the file, because the journal mode changes the file. SQLite reports no error if
 * it cannot change the mode: it returns the mode that stays.
 */
function useWriteAheadLog(connection: Connection): void {
  const mode = connection.queryOnce("PRAGMA journal_mode = WAL")[0]?.journal_mode;
  if (mode !== "wal" && connection.path !== IN_MEMORY) {
    throw new StoreOpenError(
      connection.path,
      `SQLite cannot keep a write-ahead log there (journal mode stays ${String(mode)}): use a local file system.`,
    );
  }
  // By default Apple's SQLite keeps the log's files after the last connection is closed.
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

const OPENING_REASONS = new Map<number, string>([
  [SQLITE.NOTADB, NOT_A_DATABASE],
  [
    SQLITE.CORRUPT,
    'the database file is damaged: restore a backup, as "Restore a backup" in docs/operating.md says, or try the sqlite3 shell\'s .recover.',
  ],
  [SQLITE.CANTOPEN, "SQLite cannot open it: check that the path is a file and that its folder is writable."],
  [
    SQLITE.READONLY,
    "the file or its folder is not writable, and a write-ahead log needs files next to it: copy it to a writable folder.",
  ],
  [SQLITE.FULL, "the disk is full: free some space, then open it again."],
]);
