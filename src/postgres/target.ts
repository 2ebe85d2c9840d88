/** The tables in the database there: what they are, what they hold already, and writing to them. */
import { StorageError } from "../errors.js";
import { lineOf } from "./copy-text.js";
import type { CopyWriter, PostgresServer } from "./server.js";
import { type Column, type ColumnType, TABLES, type Table, type TableName, type Value } from "./tables.js";

/** A table there. */
export interface TargetTable {
  table: Table;
  /** With the types that they have there. */
  columns: readonly Column[];
  exists: boolean;
  hasRows: boolean;
}

const SELECT_COLUMNS = `
  SELECT attname AS name, format_type(atttypid, NULL) AS type, attnotnull AS is_required
  FROM pg_attribute
  WHERE attrelid = to_regclass($1)
    AND attnum > 0
    AND NOT attisdropped`;

/** The types that a column may have, the expected one first. */
const ACCEPTED: Readonly<Record<ColumnType, readonly ColumnType[]>> = {
  text: ["text"],
  integer: ["integer", "bigint"],
  bigint: ["bigint"],
  real: ["real", "double precision"],
  "double precision": ["double precision"],
  bytea: ["bytea"],
};

/** @throws {StorageError} if a table there has another shape. */
export async function readTargetTables(server: PostgresServer): Promise<TargetTable[]> {
  const found: TargetTable[] = [];
  for (const table of TABLES) {
    const columns = await server.query(SELECT_COLUMNS, [table.name]);
    found.push(
      columns.length === 0
        ? { table, columns: table.columns, exists: false, hasRows: false }
        : {
            table,
            columns: table.columns.map((column) => asFound(table.name, column, columns)),
            exists: true,
            hasRows: (await server.query(`SELECT 1 FROM ${table.name} LIMIT 1`)).length > 0,
          },
    );
  }
  return found;
}

function asFound(
  table: TableName,
  column: Column,
  found: readonly { name?: unknown; type?: unknown; is_required?: unknown }[],
): Column {
  const other = found.find(({ name }) => name === column.name);
  const type = ACCEPTED[column.type].find((accepted) => accepted === other?.type);
  if (type === undefined) {
    const is = other === undefined ? "is missing" : `is ${String(other.type)}`;
    throw new StorageError(
      `column ${column.name} of table ${table} in the PostgreSQL database ${is}, expected ${ACCEPTED[column.type].join(" or ")}. ` +
        "Nothing was written there: use a database, or a schema in its search_path, of its own for the copy.",
    );
  }
  return { ...column, type, isRequired: other?.is_required === true };
}

/** @throws {StorageError} if the database does not store UTF-8. */
export async function requireUtf8(server: PostgresServer): Promise<void> {
  const [row] = await server.query("SELECT current_setting('server_encoding') AS encoding");
  if (row?.encoding !== "UTF8") {
    throw new StorageError(
      `the PostgreSQL database stores text as ${String(row?.encoding)}, which lacks most characters. ` +
        "Nothing was written there: create one with ENCODING 'UTF8' TEMPLATE template0.",
    );
  }
}

export async function createMissing(server: PostgresServer, targets: readonly TargetTable[]): Promise<void> {
  for (const { table, exists } of targets) {
    if (!exists) {
      for (const statement of table.definition) {
        await server.query(statement);
      }
    }
  }
}

/** The ids, as text, that a table there has already. */
export async function existingIds(
  server: PostgresServer,
  table: TableName,
  ids: readonly string[],
): Promise<Set<string>> {
  const type = table === "messages" ? "bigint" : "text";
  const rows = await server.query(
    `SELECT id::text AS id
    FROM ${table}
    WHERE id IN (SELECT value::${type} FROM json_array_elements_text($1::text::json))`,
    [JSON.stringify(ids)],
  );
  return new Set(rows.map(({ id }) => String(id)));
}

/** Reserves ids for messages, and returns the one before the first. A copy that fails leaves a gap. */
export async function reserveMessageIds(server: PostgresServer, count: number): Promise<bigint> {
  const [row] = await server.query(
    `SELECT setval(sequence, greatest(nextval(sequence), highest + 1) + $1 - 1) - $1 AS before
    FROM
      (SELECT pg_get_serial_sequence('messages', 'id')::regclass AS sequence) AS named,
      (SELECT coalesce(max(id), 0) AS highest FROM messages) AS present`,
    [count],
  );
  return BigInt(String(row?.before));
}

/** The next message gets an id above `last`. Never lowers the sequence, which others may use meanwhile. */
export async function raiseMessageIds(server: PostgresServer, last: bigint): Promise<void> {
  await server.query(
    `SELECT setval(sequence, $1::bigint)
    FROM (SELECT pg_get_serial_sequence('messages', 'id')::regclass AS sequence) AS named
    WHERE $1::bigint > coalesce(pg_sequence_last_value(sequence), 0)`,
    [String(last)],
  );
}

/** Lines are sent together up to so many characters. */
const CHUNK = 256 * 1_024;

/** Writes rows to one table. */
export class TableWriter {
  readonly #writer: CopyWriter;
  #chunk = "";

  constructor(server: PostgresServer, { table, columns }: TargetTable) {
    const names = columns.map(({ name }) => name).join(", ");
    this.#writer = server.copyIn(`COPY ${table.name} (${names}) FROM STDIN`);
  }

  async write(values: readonly Value[]): Promise<void> {
    this.#chunk += lineOf(values);
    if (this.#chunk.length >= CHUNK) {
      await this.#flush();
    }
  }

  async end(): Promise<void> {
    await this.#flush();
    await this.#writer.end();
  }

  async #flush(): Promise<void> {
    const chunk = this.#chunk;
    this.#chunk = "";
    if (chunk !== "") {
      await this.#writer.write(chunk);
    }
  }
}
