/** What a database file says of its own tables, columns, keys and indexes. */
import type { Database } from "bun:sqlite";
import { rowsOf } from "./sql.js";

interface Column {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
}

/** `name TYPE`, then `NOT NULL`, `DEFAULT x` and `PRIMARY KEY` if they apply, in the order of the table. */
export function columnsOf(database: Database, table: string): string[] {
  const sql = "SELECT name, type, [notnull], dflt_value, pk FROM pragma_table_info(?) ORDER BY cid";
  return rowsOf<Column>(database, sql, table).map((column) =>
    [
      `${column.name} ${column.type}`,
      ...(column.notnull === 1 ? ["NOT NULL"] : []),
      ...(column.dflt_value === null ? [] : [`DEFAULT ${column.dflt_value}`]),
      ...(column.pk > 0 ? ["PRIMARY KEY"] : []),
    ].join(" "),
  );
}

/** `column -> table ON DELETE action`. */
export function foreignKeysOf(database: Database, table: string): string[] {
  const sql = `SELECT "from" || ' -> ' || "table" || ' ON DELETE ' || on_delete AS key FROM pragma_foreign_key_list(?)`;
  return rowsOf<{ key: string }>(database, sql, table).map(({ key }) => key);
}

/** `[UNIQUE] name (column, column DESC)`, by name; without those that SQLite makes for keys. */
export function indexesOf(database: Database, table: string): string[] {
  const sql = `SELECT name, "unique" FROM pragma_index_list(?) WHERE origin = 'c' ORDER BY name`;
  return rowsOf<{ name: string; unique: number }>(database, sql, table).map(
    ({ name, unique }) =>
      `${unique === 1 ? "UNIQUE " : ""}${name} (${indexedColumnsOf(database, name).join(", ")})`,
  );
}

function indexedColumnsOf(database: Database, index: string): string[] {
  const sql = `SELECT name || iif("desc", ' DESC', '') AS name FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno`;
  return rowsOf<{ name: string }>(database, sql, index).map(({ name }) => name);
}

/** Every table and view, also SQLite's own. */
export function tablesOf(database: Database): string[] {
  const sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name";
  return rowsOf<{ name: string }>(database, sql).map(({ name }) => name);
}

/** The whole schema as text. */
export function schemaOf(database: Database): unknown[] {
  return rowsOf(database, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name");
}
