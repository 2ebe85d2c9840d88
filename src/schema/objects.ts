/** The tables, views, indexes and triggers in a file, read once per opening. */
import type { Connection } from "../database/connection.js";

const SELECT_OBJECTS = `
  SELECT type, name, tbl_name, sql
  FROM main.sqlite_schema`;

export interface SchemaObject {
  type: string;
  /** In lower case, as SQLite compares names. */
  name: string;
  /** The table itself, or the table of an index or trigger; in lower case. */
  table: string;
  /** The statement that created the object, as SQLite stores it. */
  sql: unknown;
}

/** Schema objects by {@link keyOf}. */
export type SchemaObjects = ReadonlyMap<string, SchemaObject>;

export function readObjects(connection: Connection): SchemaObjects {
  const objects = connection.queryOnce(SELECT_OBJECTS).map(({ type, name, tbl_name, sql }): SchemaObject => {
    return { type: String(type), name: lowerCase(name), table: lowerCase(tbl_name), sql };
  });
  return new Map(objects.map((object) => [keyOf(object.type, object.name), object]));
}

function lowerCase(name: unknown): string {
  return String(name).toLowerCase();
}

/** Tables, views and indexes share a namespace; a trigger may have the name of a table. */
export function keyOf(type: string, name: string): string {
  return type === "trigger" ? `trigger ${name}` : name;
}
