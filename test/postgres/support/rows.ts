/** Every column of every row, read by SQL on either side, past the code that copies. */
import { Database } from "bun:sqlite";
import { TABLES, type Table } from "../../../src/postgres/tables.js";
import { rowsOf, withDatabase } from "../../support/sql.js";
import { onServer } from "./cluster.js";

/** The rows of each table by id, every value as text; those of `checkpoints` whole. */
export type AllRows = Record<string, Record<string, unknown>[]>;

export function rowsOfFile(path: string): AllRows {
  const database = new Database(path, { readonly: true, strict: true });
  try {
    const hasView =
      rowsOf(database, "SELECT 1 FROM sqlite_schema WHERE name = 'checkpoint_sqlite_checkpoints'").length > 0;
    return Object.fromEntries(
      TABLES.map((table) => {
        const from = table.name === "checkpoints" && hasView ? "checkpoint_sqlite_checkpoints" : table.name;
        const columns = columnsOf(
          table,
          (name) => `hex(${name})`,
          (name) => `CAST(${name} AS TEXT)`,
        );
        return [
          table.name,
          rowsOf(database, `SELECT ${columns} FROM ${from} ORDER BY ${from}.id`).map(normal),
        ];
      }),
    );
  } finally {
    database.close(true);
  }
}

export function rowsOfServer(url: string): Promise<AllRows> {
  return onServer(url, async (sql) => {
    const all: AllRows = {};
    for (const table of TABLES) {
      const columns = columnsOf(
        table,
        (name) => `upper(encode(${name}, 'hex'))`,
        (name) => `${name}::text`,
      );
      const order = table.name === "messages" ? "messages.id" : 'id COLLATE "C"';
      const rows: Record<string, unknown>[] = await sql.unsafe(
        `SELECT ${columns} FROM ${table.name} ORDER BY ${order.replace(/^id/, `${table.name}.id`)}`,
      );
      all[table.name] = [...rows].map(normal);
    }
    return all;
  });
}

function columnsOf(table: Table, bytes: (name: string) => string, text: (name: string) => string): string {
  return table.columns
    .map(({ name, type }) => `${type === "bytea" ? bytes(name) : text(name)} AS ${name}`)
    .join(", ");
}

/** The kinds of value in each column of a file, which SQLite lets differ from row to row. */
export function kindsIn(path: string): unknown {
  return withDatabase(path, (database) =>
    TABLES.map(({ name, columns }) => {
      const kinds = columns.map((column) => `typeof(${column.name}) AS ${column.name}`).join(", ");
      return rowsOf(database, `SELECT ${kinds} FROM ${name} ORDER BY ${name}.id`);
    }),
  );
}

/** Numbers are spelled in two ways, and `hex` makes an empty text of NULL. */
function normal(row: Record<string, unknown>): Record<string, unknown> {
  const confidence =
    "confidence" in row && row.confidence !== null ? { confidence: Number(row.confidence) } : {};
  const embedding = "embedding" in row ? { embedding: row.embedding === "" ? null : row.embedding } : {};
  return { ...row, ...confidence, ...embedding };
}

/** The tables of the database, as the server's own catalogue describes them. */
export function catalogueOf(url: string): Promise<unknown> {
  return onServer(url, async (sql) => ({
    columns: await sql.unsafe(`
      SELECT table_name, column_name, data_type, is_nullable, column_default
      FROM information_schema.columns
      WHERE table_schema = 'public'
      ORDER BY table_name, ordinal_position`),
    constraints: await sql.unsafe(`
      SELECT conrelid::regclass::text AS table, conname, pg_get_constraintdef(oid) AS definition
      FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace
      ORDER BY 1, 2`),
    indexes: await sql.unsafe(
      "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    ),
  }));
}
