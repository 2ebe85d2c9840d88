/** One connection to one database, and every statement that was prepared on it. */
import type { Database as BunDatabase, SQLQueryBindings, Statement } from "bun:sqlite";
import { statSync } from "node:fs";
import { StorageError, StoreFileMovedError } from "../errors.js";
import { sqliteConstants } from "../runtime/bun.js";
import { keepingMarks } from "./byte-order-marks.js";

/** A row as SQLite returns it: nothing is known of a column until a mapper has looked. */
export type Row = Record<string, unknown>;

export type PreparedStatement = Statement<Row, SQLQueryBindings[]>;

/** Prepared statements by name. */
export type Statements<Name extends string> = Record<Name, PreparedStatement>;

export const IN_MEMORY = ":memory:";

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
   * Each statement is prepared when it is first used, and lives as long as the connection. Preparing all of them took half of
   * the time of opening a store.
   *
   * A trap: when SQLite plans a statement that sorts, joins or takes a maximum, it looks at the value of a bare parameter
   * (`= ?1`, `LIMIT ?1`), and from then on prepares the statement anew whenever a value is bound: 4 to 20 µs a call, more
   * than most reads take. It does not look behind a plus: `= +?1`.
   *
   * Tables are qualified by `main.`: a host may have temporary ones of the same names, at any time.
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
    // A host's Database may be set to return bigints; what is no safe integer the mappers reject as corrupt.
    const statement = this.database.prepare<Row, SQLQueryBindings[]>(sql).safeIntegers(false);
    this.#statements.push(statement);
    return keepingMarks(this.database, statement);
  }

  /** For the few statements of opening. */
  queryOnce(sql: string, ...parameters: SQLQueryBindings[]): Row[] {
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
    return Number(this.queryOnce("PRAGMA foreign_keys")[0]?.foreign_keys) === 1;
  }

  /**
   * For a deletion whose row takes others along.
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

  /** Whether a host has attached other databases to the one that is used. */
  get hasAttached(): boolean {
    return this.queryOnce("PRAGMA database_list").some(({ name }) => name !== "main" && name !== "temp");
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
    const file = String(this.queryOnce("PRAGMA database_list")[0]?.file);
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
      if (this.queryOnce(DATA_VERSION)[0]?.data_version === this.#versionSeen) {
        this.queryOnce("PRAGMA wal_checkpoint(TRUNCATE)");
      }
    } catch {
      // Nothing of the other file is touched; the log stays, and opening the path refuses it.
    }
  }
}
