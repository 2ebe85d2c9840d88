/**
 * `copyFromPostgres`: the way back, from the tables of `@obsku/checkpoint-postgres` into a new file.
 *
 * Limits: outputs are written whole; `compact` with `shareOutputs: true` keeps them once.
 */
import type { SQLQueryBindings } from "bun:sqlite";
import type { Connection, PreparedStatement } from "../database/connection.js";
import { codeOf, toStoreError } from "../database/sqlite-errors.js";
import { StorageError } from "../errors.js";
import { openForWriting } from "../maintenance/opening.js";
import { filePath, type LongRunningOptions, type LongWork, longRunning } from "../maintenance/options.js";
import { TargetFile } from "../maintenance/target-file.js";
import { optionalBoolean } from "../validation/arguments.js";
import { fieldsOf, linesIn } from "./copy-text.js";
import type { RowCounts } from "./reports.js";
import { PostgresServer, type Purpose, serverUrl } from "./server.js";
import { type Column, noRows, type Table, type TableName, totalOf } from "./tables.js";
import { readTargetTables, type TargetTable } from "./target.js";

export interface CopyFromPostgresOptions extends LongRunningOptions {
  /**
   * Replaces a file that is there already, which no store may have open.
   * @default false
   */
  overwrite?: boolean | undefined;
}

export interface CopyFromPostgresReport {
  rows: RowCounts;
  /** Size of the file. */
  bytes: number;
}

/** All tables as they are at one moment. */
const READ: Purpose = {
  begin: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
  ifFailed: "No file was written.",
};

/** Large tables are otherwise read from wherever another scan is, and rows would come in another order. */
const FROM_THE_START = "SET LOCAL synchronize_seqscans = off";

/** Checkpoints of one millisecond come in the order of their versions. */
const ORDERS: Readonly<Record<TableName, string>> = {
  sessions: "",
  messages: "ORDER BY id",
  checkpoints: "ORDER BY created_at, version",
  entities: "ORDER BY created_at",
  facts: "ORDER BY created_at",
};

/**
 * Copies all sessions, and what is in them, and all facts into a new file, which gets its name when it is whole. The same ids,
 * times and texts; the next message's id too.
 *
 * @throws {InvalidArgumentError} if a file is at the path, without `overwrite`.
 * @throws {StorageError} for what the server answers, such as a missing table.
 *
 * @example
 * await copyFromPostgres(process.env.POSTGRES_URL, "runs.db");
 */
export async function copyFromPostgres(
  url: string,
  path: string,
  options?: CopyFromPostgresOptions,
): Promise<CopyFromPostgresReport> {
  const source = serverUrl("url", url);
  const file = filePath("path", path);
  const { given, work } = longRunning(options, ["overwrite"]);
  const isOverwriting = optionalBoolean("options.overwrite", given.overwrite) ?? false;
  work.throwIfAborted();
  const target = new TargetFile(file, null, isOverwriting);
  try {
    const rows = await PostgresServer.transaction(source, READ, work.signal, async (server) => {
      return { result: await copyInto(target, server, work), commit: false };
    });
    work.throwIfAborted();
    const bytes = target.size;
    target.commit();
    return { rows, bytes };
  } catch (error) {
    target.discard();
    throw codeOf(error) === undefined ? error : toStoreError(error, work.busyTimeout);
  }
}

async function copyInto(target: TargetFile, server: PostgresServer, work: LongWork): Promise<RowCounts> {
  await server.query(FROM_THE_START);
  const tables = await readTargetTables(server);
  requireTables(tables);
  target.create();
  const connection = openForWriting(target.partial, work.busyTimeout);
  try {
    // Whole or not at all: the file is synced before it gets its name.
    connection.queryOnce("PRAGMA synchronous = OFF");
    const copy = new CopyBack(server, connection, work, await countRows(server, tables));
    return await copy.run(tables);
  } finally {
    connection.close();
  }
}

function requireTables(tables: readonly TargetTable[]): void {
  const missing = tables.filter(({ exists }) => !exists).map(({ table }) => table.name);
  if (missing.length > 0) {
    throw new StorageError(
      `the PostgreSQL database has no table ${missing.join(", ")}: check the URL and the search_path of its user.`,
    );
  }
}

async function countRows(server: PostgresServer, tables: readonly TargetTable[]): Promise<RowCounts> {
  const counts = noRows();
  for (const { table } of tables) {
    const [row] = await server.query(`SELECT count(*) AS count FROM ${table.name}`);
    counts[table.name] = Number(row?.count);
  }
  return counts;
}

/** One transaction of SQLite takes so many rows, or characters. */
const STEP_ROWS = 1_000;
const STEP_CHARACTERS = 4_000_000;

const SELECT_LAST_MESSAGE_ID = `
  SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('messages', 'id')::regclass), 0) AS last`;

class CopyBack {
  readonly #server: PostgresServer;
  readonly #connection: Connection;
  readonly #work: LongWork;
  readonly #total: number;
  readonly #copied: RowCounts = noRows();
  #stepRows = 0;
  #stepCharacters = 0;

  constructor(server: PostgresServer, connection: Connection, work: LongWork, counts: RowCounts) {
    this.#server = server;
    this.#connection = connection;
    this.#work = work;
    this.#total = totalOf(counts);
  }

  async run(tables: readonly TargetTable[]): Promise<RowCounts> {
    this.#connection.queryOnce("BEGIN");
    for (const target of tables) {
      await this.#copyTable(target);
    }
    await this.#raiseMessageIds();
    this.#connection.queryOnce("COMMIT");
    return this.#copied;
  }

  async #copyTable({ table, columns }: TargetTable): Promise<void> {
    const insert = this.#connection.statements({ insert: insertInto(table) });
    for await (const line of linesIn(this.#server.copyOut(copyOf(table)))) {
      this.#insert(insert.insert, columns, line);
      this.#copied[table.name] += 1;
      this.#stepRows += 1;
      this.#stepCharacters += line.length;
      if (this.#stepRows >= STEP_ROWS || this.#stepCharacters >= STEP_CHARACTERS) {
        await this.#endStep();
      }
    }
  }

  #insert(statement: PreparedStatement, columns: readonly Column[], line: string): void {
    const fields = fieldsOf(line);
    statement.run(...columns.map((column, index) => fromText(column, fields[index] ?? null)));
  }

  async #endStep(): Promise<void> {
    this.#connection.queryOnce("COMMIT");
    this.#stepRows = 0;
    this.#stepCharacters = 0;
    await this.#work.endStep({ done: totalOf(this.#copied), total: this.#total, unit: "rows copied" });
    this.#connection.queryOnce("BEGIN");
  }

  /** The ids of deleted messages are not given again, here as there. */
  async #raiseMessageIds(): Promise<void> {
    const [row] = await this.#server.query(SELECT_LAST_MESSAGE_ID);
    const last = BigInt(String(row?.last ?? 0));
    if (last > 0n) {
      this.#connection.queryOnce(
        `INSERT INTO main.sqlite_sequence (name, seq)
        SELECT 'messages', 0
        WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = 'messages')`,
      );
      this.#connection.queryOnce(
        "UPDATE main.sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'messages'",
        last,
      );
    }
  }
}

function insertInto({ name, columns }: Table): string {
  const names = columns.map((column) => column.name);
  return `
    INSERT INTO main.${name} (${names.join(", ")})
    VALUES (${names.map((_, index) => `?${index + 1}`).join(", ")})`;
}

function copyOf({ name, columns }: Table): string {
  const names = columns.map((column) => column.name);
  return `COPY (SELECT ${names.join(", ")} FROM ${name} ${ORDERS[name]}) TO STDOUT`;
}

function fromText({ type }: Column, field: string | null): SQLQueryBindings {
  if (field === null) {
    return null;
  }
  switch (type) {
    case "text":
      return field;
    case "integer":
    case "bigint":
      return BigInt(field);
    case "real":
    case "double precision":
      return Number(field);
    case "bytea":
      // JSON text, which either version of this package writes as text.
      return Buffer.from(field.slice("\\x".length), "hex").toString("utf8");
  }
}
