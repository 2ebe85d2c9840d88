/** A connection to a database, and all statements prepared on it. */
import type { Database as BunDatabase, SQLQueryBindings, Statement } from "bun:sqlite";
import { statSync } from "node:fs";
import { StorageError, StoreFileMovedError } from "../errors.js";
import { sqliteConstants } from "../runtime/bun.js";
import { keepingMarks } from "./byte-order-marks.js";

/** A row as SQLite returns it: its columns are unknown until a mapper has checked them. */
export type Row = Record<string, unknown>;

export type PreparedStatement = Statement<Row, SQLQueryBindings[]>;

/** Prepared statements by name. */
export type Statements<Name extends string> = Record<Name, PreparedStatement>;

export const IN_MEMORY = ":memory:";

/** A number that changes when another connection commits. */
const DATA_VERSION = "PRAGMA data_version";

export class Connection {
  readonly #statements: PreparedStatement[] = [];
  readonly #moved = new Int32Array(2);
  #dataVersion: PreparedStatement | undefined;
  #versionSeen: unknown;

  /** @param isOwned Whether closing this connection closes the database: false if a host passed it. */
  constructor(
    readonly database: BunDatabase,
    readonly path: string,
    readonly isOwned: boolean,
  ) {}

  /**
   * Prepares each statement at its first use and keeps it as long as the connection. Preparing all of them took half the time
   * of opening a store.
   *
   * Beware: when SQLite plans a statement that sorts, joins or takes a maximum, it uses the value of a bare parameter
   * (`= ?1`, `LIMIT ?1`), and then prepares the statement again whenever a value is bound. That costs 4 to 20 µs per call, more
   * than most reads take. A unary plus prevents it: `= +?1`.
   *
   * Tables are qualified with `main.`, because a host may create temporary tables with the same names at any time.
   */
  statements<Name extends string>(
    texts: Readonly<Record<Name, string>>,
    rewritten: (sql: string) => string = (sql) => sql,
  ): Statements<Name> {
    const statements: Partial<Statements<Name>> = {};
    for (const name in texts) {
      Object.defineProperty(statements, name, {
        configurable: true,
        get: () => {
          const value = this.#prepare(rewritten(texts[name]));
          Object.defineProperty(statements, name, { value });
          return value;
        },
      });
    }
    return statements as Statements<Name>;
  }

  #prepare(sql: string): PreparedStatement {
    // A host's Database may be set to return bigints. Mappers reject unsafe integers as corrupt.
    const statement = this.database.prepare<Row, SQLQueryBindings[]>(sql).safeIntegers(false);
    this.#statements.push(statement);
    return keepingMarks(this.database, statement);
  }

  /** Runs a statement that is not kept, such as one that only opening a store needs. */
  queryOnce(sql: string, ...parameters: SQLQueryBindings[]): Row[] {
    const statement = this.database.prepare<Row, SQLQueryBindings[]>(sql);
    try {
      return statement.all(...parameters);
    } finally {
      statement.finalize();
    }
  }

  /** Runs a read whose statements must all see the same commits. Not to be called in a transaction. */
  readInTransaction<T>(read: () => T): T {
    this.queryOnce("BEGIN");
    try {
      return read();
    } finally {
      this.queryOnce("ROLLBACK");
    }
  }

  get isInTransaction(): boolean {
    return this.database.inTransaction;
  }

  /** Whether deleting a session deletes its rows; a host can change that at any time. */
  get enforcesForeignKeys(): boolean {
    return Number(this.queryOnce("PRAGMA foreign_keys")[0]?.foreign_keys) === 1;
  }

  /**
   * Call this before deleting a row whose deletion must cascade.
   *
   * @throws {StorageError} if the host has switched foreign keys off on its Database.
   */
  requireForeignKeys(): void {
    if (!this.isOwned && !this.enforcesForeignKeys) {
      throw new StorageError(
        "foreign keys are off on the Database that was passed, and the session's rows would stay behind. " +
          "Nothing was deleted: run PRAGMA foreign_keys = ON on it, then call again.",
      );
    }
  }

  /** Whether a host has attached other databases. */
  get hasAttached(): boolean {
    return this.queryOnce("PRAGMA database_list").some(({ name }) => name !== "main" && name !== "temp");
  }

  /**
   * Writes to a file that was deleted or replaced are lost when it is closed, and SQLite could replay their log over the file
   * that replaced it. Call this before every write transaction; it costs only one `stat`.
   *
   * @throws {StoreFileMovedError}
   */
  refuseMovedFile(): void {
    if (this.#hasMoved()) {
      throw new StoreFileMovedError(this.path, this.#whatHappened());
    }
  }

  /** SQLite compares its open inode with the one at the path; it leaves the result unchanged if the database has no file. */
  #hasMoved(): boolean {
    this.#moved[0] = 0;
    this.database.fileControl(sqliteConstants.SQLITE_FCNTL_HAS_MOVED, this.#moved);
    return this.#moved[0] !== 0;
  }

  #whatHappened(): string {
    const file = String(this.queryOnce("PRAGMA database_list")[0]?.file);
    return statSync(file, { throwIfNoEntry: false }) === undefined
      ? "was deleted or renamed"
      : "was replaced by another file";
  }

  /** Changes when another connection has committed. Read at the start of the running or latest write transaction. */
  get dataVersion(): unknown {
    return this.#versionSeen;
  }

  /**
   * For two uses: what is remembered of the file is forgotten once another connection has committed, and the log of a file that
   * has moved is emptied on close only if all its commits are known to belong to this file.
   */
  readDataVersion(): void {
    if (this.isOwned) {
      this.#dataVersion ??= this.#prepare(DATA_VERSION);
      this.#versionSeen = this.#dataVersion.get()?.data_version;
    }
  }

  /** Finalizes all statements first: with live statements the database would keep its file handles and its log. */
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
   * SQLite neither empties nor deletes the log of a moved file, and the next connection to the path would replay it over
   * another file. A WAL checkpoint writes its commits to the open file, wherever that is now.
   *
   * Skipped if another connection has committed since: it may belong to the other file, which uses the same log.
   */
  #emptyLog(): void {
    try {
      if (this.queryOnce(DATA_VERSION)[0]?.data_version === this.#versionSeen) {
        this.queryOnce("PRAGMA wal_checkpoint(TRUNCATE)");
      }
    } catch {
      // The other file is unchanged. The log stays, and opening a store at the path rejects it.
    }
  }
}
