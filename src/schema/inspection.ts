/** Inspects every object in a file that has one of our names, before anything is changed. */
import { Connection, IN_MEMORY, type Row } from "../database/connection.js";
import { StoreOpenError } from "../errors.js";
import { Database } from "../runtime/bun.js";
import { MIGRATIONS_TABLE, migrate, OUTPUTS_VERSION, SCHEMA_VERSION, TABLES_OF_0_2_3 } from "./migrations.js";
import { readObjects, type SchemaObject, type SchemaObjects } from "./objects.js";
import { OUTPUTS_TABLE } from "./outputs.js";

const SELECT_VERSION = `
  SELECT coalesce(max(version), 0) AS version
  FROM main.checkpoint_sqlite_migrations`;

// AUTOINCREMENT appears only in the SQL text. Without it SQLite would reuse the ids of deleted messages.
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

// The WHERE of a partial index is not compared: its text may differ, and SQLite does not use an index with a wrong one.
const SELECT_INDEX = `
  SELECT
    iif(list."unique", 'UNIQUE ', '') || group_concat(column.name || iif(column."desc", ' DESC', ''), ', ')
      || iif(list.partial, ' WHERE …', '')
  FROM pragma_index_list(?1, 'main') AS list
  JOIN pragma_index_xinfo(list.name, 'main') AS column ON column.key
  WHERE lower(list.name) = ?2
  GROUP BY list.name`;

/**
 * Returns the schema version of the file, 0 if none is recorded.
 *
 * @throws {StoreOpenError} if it is newer than this package, a recorded table is missing, or a table or index has one of
 *   our names but a different definition.
 */
export function inspect(connection: Connection, objects: SchemaObjects): number {
  for (const expected of ourSchema().objects) {
    const found = objects.get(expected.name);
    // Objects created by our own SQL text need no inspection, which takes a third of the time of opening a file.
    if (found !== undefined && found.sql !== expected.sql) {
      rejectDifferent(connection, expected, found);
    }
  }
  return recordedVersion(connection, objects);
}

function rejectDifferent(connection: Connection, expected: SchemaObject, found: SchemaObject): void {
  const isOurs = found.type === expected.type && found.table === expected.table;
  const definition = isOurs ? definitionOf(connection, expected) : otherKind(found);
  const required = definitionOf(ourSchema().connection, expected);
  if (definition !== required) {
    throw new StoreOpenError(
      connection.path,
      `its ${expected.type} ${expected.name} has a different definition: found (${definition}), expected (${required}). ` +
        "Nothing was changed: use a separate file for the store.",
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
    rejectIncomplete(connection, objects, version);
  }
  return version;
}

/** What a file of the present version lacks, but for triggers. Dropping an index makes calls slow, not wrong. */
export function absentObjects(objects: SchemaObjects): SchemaObject[] {
  return ourSchema().objects.filter(({ name }) => !objects.has(name));
}

/** Rejects a file with missing tables. Their data is lost, and creating them again would hide that. */
export function rejectIncomplete(connection: Connection, objects: SchemaObjects, version: number): void {
  const expected = [...Object.keys(TABLES_OF_0_2_3), ...(version >= OUTPUTS_VERSION ? [OUTPUTS_TABLE] : [])];
  const missing = expected.filter((table) => !objects.has(table));
  if (missing.length > 0) {
    throw new StoreOpenError(
      connection.path,
      `it is missing tables of a checkpoint store: ${missing.join(", ")}. Pass another path, or restore a backup.`,
    );
  }
}

/** The schema that our migrations create. */
interface OurSchema {
  /** An in-memory database with this schema. */
  connection: Connection;
  objects: readonly SchemaObject[];
}

let cached: OurSchema | undefined;

/** Created once per process by the migrations themselves, so that no second list can get out of step with them. */
function ourSchema(): OurSchema {
  cached ??= createOurSchema();
  return cached;
}

function createOurSchema(): OurSchema {
  const connection = new Connection(new Database(IN_MEMORY), IN_MEMORY, true);
  migrate(connection, 0, 0);
  const objects = [...readObjects(connection).values()];
  return {
    connection,
    objects: objects.filter(({ type, name }) => type !== "trigger" && !name.startsWith("sqlite_")),
  };
}

/** The parts of a definition that matter: columns, keys, uniqueness and order. */
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
