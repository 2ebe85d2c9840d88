/** A look at everything in a file that bears one of our names, before anything is changed. */
import { Connection, IN_MEMORY, type Row } from "../database/connection.js";
import { StoreOpenError } from "../errors.js";
import { Database } from "../runtime/bun.js";
import { CREATE_TABLES, MIGRATIONS_TABLE, migrate, SCHEMA_VERSION } from "./migrations.js";
import { readObjects, type SchemaObject, type SchemaObjects } from "./objects.js";

const SELECT_VERSION = `
  SELECT coalesce(max(version), 0) AS version
  FROM main.checkpoint_sqlite_migrations`;

// AUTOINCREMENT stands in the text only. Without it the ids of deleted messages would be given again.
const SELECT_COLUMNS = `
  SELECT group_concat(
    name || ' ' || type
      || iif("notnull", ' NOT NULL', '')
      || iif(pk, ' PRIMARY KEY' || iif(is_counted, ' AUTOINCREMENT', ''), ''),
    ', '
  )
  FROM pragma_table_info(?1, 'main')
  CROSS JOIN (
    SELECT sql LIKE '%AUTOINCREMENT%' AS is_counted
    FROM sqlite_schema
    WHERE type = 'table'
      AND lower(name) = ?1
  )`;

const SELECT_FOREIGN_KEYS = `
  SELECT group_concat("from" || ' REFERENCES ' || lower("table") || ' ON DELETE ' || on_delete, ', ')
  FROM pragma_foreign_key_list(?1, 'main')`;

// Which rows a partial index is for is not compared: its text may be spelled otherwise, and a wrong one is not used.
const SELECT_INDEX = `
  SELECT
    iif(list."unique", 'UNIQUE ', '') || group_concat(column.name || iif(column."desc", ' DESC', ''), ', ')
      || iif(list.partial, ' WHERE …', '')
  FROM pragma_index_list(?1, 'main') AS list
  JOIN pragma_index_xinfo(list.name, 'main') AS column ON column.key
  WHERE lower(list.name) = ?2
  GROUP BY list.name`;

/**
 * The version in the file, 0 if none is recorded.
 *
 * @throws {StoreOpenError} if it is newer than this package, a recorded table is missing, or a table or index has one of
 *   our names but a different definition.
 */
export function inspect(connection: Connection, objects: SchemaObjects): number {
  for (const expected of ourSchema().objects) {
    const found = objects.get(expected.name);
    // The columns of what our own text created need no inspection, which takes a third of opening a file.
    if (found !== undefined && found.sql !== expected.sql) {
      refuseOther(connection, expected, found);
    }
  }
  return recordedVersion(connection, objects);
}

function refuseOther(connection: Connection, expected: SchemaObject, found: SchemaObject): void {
  const isOurs = found.type === expected.type && found.table === expected.table;
  const definition = isOurs ? definitionOf(connection, expected) : otherKind(found);
  const needed = definitionOf(ourSchema().connection, expected);
  if (definition !== needed) {
    throw new StoreOpenError(
      connection.path,
      `its ${expected.type} ${expected.name} is not ours: it is (${definition}) where we need (${needed}). ` +
        "Nothing was changed: use a file of its own for the store.",
    );
  }
}

function otherKind({ type, table }: SchemaObject): string {
  return type === "index" ? `an index on ${table}` : `a ${type}`;
}

function recordedVersion(connection: Connection, objects: SchemaObjects): number {
  const isRecorded = objects.has(MIGRATIONS_TABLE);
  const version = isRecorded ? Number(connection.queryOnce(SELECT_VERSION)[0]?.version) : 0;
  if (version > SCHEMA_VERSION) {
    throw new StoreOpenError(
      connection.path,
      `its schema version ${version} is newer than the ${SCHEMA_VERSION} of this package: upgrade @obsku/checkpoint-sqlite.`,
    );
  }
  if (version > 0) {
    refuseIncomplete(connection, objects);
  }
  return version;
}

/** A table that was recorded and is gone took data with it: making it anew would hide that. */
export function refuseIncomplete(connection: Connection, objects: SchemaObjects): void {
  const missing = Object.keys(CREATE_TABLES).filter((table) => !objects.has(table));
  if (missing.length > 0) {
    throw new StoreOpenError(
      connection.path,
      `it holds no complete checkpoint store: missing ${missing.join(", ")}.`,
    );
  }
}

/** What our own statements make. */
interface OurSchema {
  /** A database in memory that holds it. */
  connection: Connection;
  objects: readonly SchemaObject[];
}

let made: OurSchema | undefined;

/** Made once a process, to be asked of SQLite itself, so that no second list can drift from our statements. */
function ourSchema(): OurSchema {
  made ??= makeOurSchema();
  return made;
}

function makeOurSchema(): OurSchema {
  const connection = new Connection(new Database(IN_MEMORY), IN_MEMORY, true);
  migrate(connection, 0, 0);
  const objects = [...readObjects(connection).values()];
  return {
    connection,
    objects: objects.filter(({ type, name }) => type !== "trigger" && !name.startsWith("sqlite_")),
  };
}

/** What of it matters: columns, keys, uniqueness and order. */
function definitionOf(connection: Connection, { type, name, table }: SchemaObject): string {
  if (type === "index") {
    return firstText(connection.queryOnce(SELECT_INDEX, table, name));
  }
  const foreignKeys = firstText(connection.queryOnce(SELECT_FOREIGN_KEYS, name));
  const columns = firstText(connection.queryOnce(SELECT_COLUMNS, name));
  return foreignKeys === "" ? columns : `${columns}; ${foreignKeys}`;
}

function firstText([row]: readonly Row[]): string {
  return row === undefined ? "" : String(Object.values(row)[0] ?? "");
}
