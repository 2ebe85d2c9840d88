/**
 * The schema bootstrap: ordered migrations, each committed together with its record.
 *
 * The five tables and the first nine indexes are those of 0.2.3, column by column, so that either package opens
 * the other's file. What is ours beside them (indexes, triggers, tables) does not hinder 0.2.3. The version is kept in a table of its own, because a host application may use `user_version` of the same file.
 */
import { Connection, IN_MEMORY, type Row } from "./connection.js";
import { HostTransactionError, StoreOpenError } from "./errors.js";
import type { StoreSettings } from "./options.js";
import { Database } from "./runtime.js";

interface Migration {
  version: number;
  name: string;
  statements: readonly string[];
}

const MIGRATIONS_TABLE = "checkpoint_sqlite_migrations";
const VECTORS_TABLE = "checkpoint_sqlite_vectors";

const CREATE_MIGRATIONS_TABLE = `
  CREATE TABLE IF NOT EXISTS checkpoint_sqlite_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL
  )`;

const RECORD_MIGRATION = `
  INSERT INTO checkpoint_sqlite_migrations (version, name, applied_at)
  VALUES (?1, ?2, ?3)`;

const SELECT_VERSION = `
  SELECT coalesce(max(version), 0) AS version
  FROM checkpoint_sqlite_migrations`;

// Triggers have names of their own.
const SELECT_OBJECTS = `
  SELECT type, lower(name) AS name, lower(tbl_name) AS table_name
  FROM sqlite_schema
  WHERE type IN ('table', 'view', 'index')`;

const SELECT_VECTOR_OBJECTS = `
  SELECT name
  FROM sqlite_schema
  WHERE type IN ('table', 'trigger')`;

const SELECT_COLUMNS = `
  SELECT group_concat(name || ' ' || type || iif("notnull", ' NOT NULL', '') || iif(pk, ' PRIMARY KEY', ''), ', ')
  FROM pragma_table_info(?1)`;

const SELECT_FOREIGN_KEYS = `
  SELECT group_concat("from" || ' REFERENCES ' || lower("table") || ' ON DELETE ' || on_delete, ', ')
  FROM pragma_foreign_key_list(?1)`;

const SELECT_INDEX = `
  SELECT iif(list."unique", 'UNIQUE ', '') || group_concat(column.name || iif(column."desc", ' DESC', ''), ', ')
  FROM pragma_index_list(?1) AS list
  JOIN pragma_index_xinfo(list.name) AS column ON column.key
  WHERE lower(list.name) = ?2
  GROUP BY list.name`;

/** The tables of 0.2.3. Where they are in place already, as in a file that it wrote, they are left as they are. */
const CREATE_TABLES: Readonly<Record<string, string>> = {
  sessions: `
    CREATE TABLE IF NOT EXISTS sessions (
      id TEXT PRIMARY KEY,
      workspace_id TEXT,
      title TEXT,
      directory TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      metadata TEXT
    )`,
  messages: `
    CREATE TABLE IF NOT EXISTS messages (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      session_id TEXT NOT NULL,
      role TEXT NOT NULL,
      content TEXT,
      tool_calls TEXT,
      tool_results TEXT,
      tokens_in INTEGER,
      tokens_out INTEGER,
      created_at INTEGER NOT NULL,
      FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
    )`,
  checkpoints: `
    CREATE TABLE IF NOT EXISTS checkpoints (
      id TEXT PRIMARY KEY,
      session_id TEXT NOT NULL,
      namespace TEXT NOT NULL DEFAULT '',
      parent_id TEXT,
      version INTEGER NOT NULL DEFAULT 1,
      step INTEGER NOT NULL,
      node_id TEXT,
      node_results TEXT NOT NULL,
      pending_nodes TEXT,
      cycle_state TEXT,
      source TEXT,
      created_at INTEGER NOT NULL,
      FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
    )`,
  entities: `
    CREATE TABLE IF NOT EXISTS entities (
      id TEXT PRIMARY KEY,
      session_id TEXT NOT NULL,
      workspace_id TEXT,
      name TEXT NOT NULL,
      type TEXT NOT NULL,
      attributes TEXT,
      relationships TEXT,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      embedding BLOB,
      FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
    )`,
  facts: `
    CREATE TABLE IF NOT EXISTS facts (
      id TEXT PRIMARY KEY,
      workspace_id TEXT,
      content TEXT NOT NULL,
      confidence REAL DEFAULT 1.0,
      source_session_id TEXT,
      created_at INTEGER NOT NULL,
      embedding BLOB,
      FOREIGN KEY (source_session_id) REFERENCES sessions (id) ON DELETE SET NULL
    )`,
};

/** The indexes of 0.2.3, by the table they must be on. */
const INDEXES_OF_0_2_3 = [
  "CREATE INDEX IF NOT EXISTS idx_sessions_workspace ON sessions (workspace_id, updated_at DESC)",
  "CREATE INDEX IF NOT EXISTS idx_messages_session ON messages (session_id, created_at)",
  "CREATE INDEX IF NOT EXISTS idx_checkpoints_session ON checkpoints (session_id, namespace, step)",
  "CREATE UNIQUE INDEX IF NOT EXISTS idx_checkpoints_version ON checkpoints (session_id, namespace, version)",
  "CREATE INDEX IF NOT EXISTS idx_entities_session ON entities (session_id)",
  "CREATE INDEX IF NOT EXISTS idx_entities_workspace ON entities (workspace_id)",
  "CREATE INDEX IF NOT EXISTS idx_entities_type ON entities (type)",
  "CREATE INDEX IF NOT EXISTS idx_facts_workspace ON facts (workspace_id)",
  "CREATE INDEX IF NOT EXISTS idx_facts_confidence ON facts (confidence)",
];

/** Ours: every list newest first without a sort, and the deletion of a session without a scan of all facts. */
const INDEXES_NEWEST_FIRST = [
  "CREATE INDEX IF NOT EXISTS idx_sessions_updated ON sessions (updated_at)",
  "CREATE INDEX IF NOT EXISTS idx_checkpoints_saved ON checkpoints (session_id, created_at)",
  "CREATE INDEX IF NOT EXISTS idx_checkpoints_namespace_saved ON checkpoints (session_id, namespace, created_at)",
  "CREATE INDEX IF NOT EXISTS idx_facts_source_session ON facts (source_session_id)",
];

/** How many deletions are told one by one; who has missed more looks at everything again. */
const DELETIONS_KEPT = 1_000;

/**
 * A binary form of every embedding, kept in step by triggers, so that whatever any writer does to an embedding, 0.2.3
 * among them, is a new revision without a `unit`, to be read from the JSON when it is searched next.
 *
 * A revision is never used again: what is new to a store is above the last one it has seen, and what is gone stands in
 * the deletions above the last one it has seen.
 */
const VECTORS = [
  `
    CREATE TABLE checkpoint_sqlite_vectors (
      revision INTEGER PRIMARY KEY AUTOINCREMENT,
      owner TEXT NOT NULL,
      id TEXT NOT NULL,
      session_id TEXT,
      workspace_id TEXT,
      unit BLOB,
      UNIQUE (owner, id)
    )`,
  `
    CREATE INDEX checkpoint_sqlite_vectors_session
    ON checkpoint_sqlite_vectors (owner, session_id, workspace_id)`,
  `
    CREATE INDEX checkpoint_sqlite_vectors_workspace
    ON checkpoint_sqlite_vectors (owner, workspace_id)`,
  `
    CREATE TABLE checkpoint_sqlite_vector_deletions (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT,
      revision INTEGER NOT NULL
    )`,
  `
    CREATE TRIGGER checkpoint_sqlite_vector_deleted
    AFTER DELETE ON checkpoint_sqlite_vectors
    BEGIN
      INSERT INTO checkpoint_sqlite_vector_deletions (revision)
      VALUES (OLD.revision);
      DELETE FROM checkpoint_sqlite_vector_deletions
      WHERE sequence <= (SELECT max(sequence) FROM checkpoint_sqlite_vector_deletions) - ${DELETIONS_KEPT};
    END`,
  ...triggersOf("entity", "entities", "session_id"),
  ...triggersOf("fact", "facts", null),
  `
    INSERT INTO checkpoint_sqlite_vectors (owner, id, session_id, workspace_id)
    SELECT 'entity', id, session_id, workspace_id
    FROM entities
    WHERE embedding IS NOT NULL
    ORDER BY rowid`,
  `
    INSERT INTO checkpoint_sqlite_vectors (owner, id, workspace_id)
    SELECT 'fact', id, workspace_id
    FROM facts
    WHERE embedding IS NOT NULL
    ORDER BY rowid`,
];

/** @param sessionColumn What of the owner's rows a search can be limited to, besides the workspace. */
function triggersOf(
  owner: "entity" | "fact",
  table: "entities" | "facts",
  sessionColumn: "session_id" | null,
): string[] {
  const forget = (id: string) => `
      DELETE FROM checkpoint_sqlite_vectors
      WHERE owner = '${owner}'
        AND id = ${id};`;
  const remember = `
      INSERT INTO checkpoint_sqlite_vectors (owner, id, session_id, workspace_id)
      SELECT '${owner}', NEW.id, ${sessionColumn === null ? "NULL" : `NEW.${sessionColumn}`}, NEW.workspace_id
      WHERE NEW.embedding IS NOT NULL;`;
  const columns = ["id", "workspace_id", "embedding", ...(sessionColumn === null ? [] : [sessionColumn])];
  const isChanged = columns.map((column) => `NEW.${column} IS NOT OLD.${column}`).join(" OR ");
  return [
    // INSERT OR REPLACE runs no trigger for the row that it replaces.
    `
    CREATE TRIGGER checkpoint_sqlite_${owner}_inserted
    AFTER INSERT ON ${table}
    BEGIN${forget("NEW.id")}${remember}
    END`,
    `
    CREATE TRIGGER checkpoint_sqlite_${owner}_updated
    AFTER UPDATE ON ${table}
    WHEN ${isChanged}
    BEGIN${forget("OLD.id")}${remember}
    END`,
    `
    CREATE TRIGGER checkpoint_sqlite_${owner}_deleted
    AFTER DELETE ON ${table}
    BEGIN${forget("OLD.id")}
    END`,
  ];
}

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: "the tables and indexes of 0.2.3",
    statements: [...Object.values(CREATE_TABLES), ...INDEXES_OF_0_2_3],
  },
  { version: 2, name: "lists newest saved first without a sort", statements: INDEXES_NEWEST_FIRST },
  { version: 3, name: "a binary form of every embedding", statements: VECTORS },
];

/** The schema version that this package writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Leaves the schema in place, or refuses the file and changes nothing. Several processes may do this at once:
 * the first takes the write lock, the others find its work done.
 *
 * @throws {StoreOpenError} where the schema is newer than this package, or a table or index of our name is another's.
 */
export function bootstrapSchema(connection: Connection, settings: StoreSettings): void {
  const version = inspect(connection);
  if (settings.readonly) {
    refuseIncomplete(connection);
    return;
  }
  if (version === SCHEMA_VERSION && hasWholeVectors(connection)) {
    return;
  }
  if (connection.isInTransaction) {
    throw new HostTransactionError();
  }
  connection.once("BEGIN IMMEDIATE");
  try {
    migrate(connection, inspect(connection), settings.clock());
    if (!hasWholeVectors(connection)) {
      remakeVectors(connection);
    }
    connection.once("COMMIT");
  } catch (error) {
    if (connection.isInTransaction) {
      connection.once("ROLLBACK");
    }
    throw error;
  }
}

function migrate(connection: Connection, from: number, now: number): void {
  connection.once(CREATE_MIGRATIONS_TABLE);
  for (const migration of MIGRATIONS.slice(from)) {
    for (const statement of migration.statements) {
      connection.once(statement);
    }
    connection.once(RECORD_MIGRATION, migration.version, migration.name, now);
  }
}

/** The version in the file, 0 where none is recorded, after a look at everything that bears one of our names. */
function inspect(connection: Connection): number {
  const objects = connection.once(SELECT_OBJECTS);
  for (const expected of expectedObjects()) {
    const found = objects.find((object) => object.name === expected.name);
    if (found !== undefined) {
      refuseOther(connection, expected, found);
    }
  }
  return recordedVersion(
    connection,
    objects.some((object) => object.name === MIGRATIONS_TABLE),
  );
}

function refuseOther(connection: Connection, expected: SchemaObject, found: Row): void {
  const isOurs = found.type === expected.type && found.table_name === expected.table;
  const definition = isOurs ? definitionOf(connection, expected) : `a ${String(found.type)}`;
  if (definition !== expected.definition) {
    throw new StoreOpenError(
      connection.path,
      `its ${expected.type} ${expected.name} is not ours: it is (${definition}) where we need (${expected.definition}). ` +
        "Nothing was changed: use a file of its own for the store.",
    );
  }
}

function recordedVersion(connection: Connection, isRecorded: boolean): number {
  const version = isRecorded ? Number(connection.once(SELECT_VERSION)[0]?.version) : 0;
  if (version > SCHEMA_VERSION) {
    throw new StoreOpenError(
      connection.path,
      `its schema version ${version} is newer than the ${SCHEMA_VERSION} of this package: upgrade @obsku/checkpoint-sqlite.`,
    );
  }
  if (version > 0) {
    refuseIncomplete(connection);
  }
  return version;
}

/** A table that was recorded and is gone took data with it: making it anew would hide that. */
function refuseIncomplete(connection: Connection): void {
  const names = connection.once(SELECT_OBJECTS).map((object) => object.name);
  const missing = Object.keys(CREATE_TABLES).filter((table) => !names.includes(table));
  if (missing.length > 0) {
    throw new StoreOpenError(
      connection.path,
      `it holds no complete checkpoint store: missing ${missing.join(", ")}.`,
    );
  }
}

/** A table or index that bears one of our names. */
interface SchemaObject {
  type: "table" | "index";
  name: string;
  /** The table itself, or the one that the index is on. */
  table: string;
  /** What of it matters: columns, keys, uniqueness and order. */
  definition: string;
}

let ourObjects: SchemaObject[] | undefined;

/** What our own statements make, asked of SQLite itself once a process, so that no second list can drift from them. */
function expectedObjects(): SchemaObject[] {
  if (ourObjects === undefined) {
    const scratch = new Connection(new Database(IN_MEMORY), IN_MEMORY, true);
    migrate(scratch, 0, 0);
    ourObjects = scratch
      .once(SELECT_OBJECTS)
      .filter((row) => !String(row.name).startsWith("sqlite_"))
      .map((row) => {
        const type = row.type === "table" ? "table" : "index";
        const object = {
          type,
          name: String(row.name),
          table: String(row.table_name),
          definition: "",
        } as const;
        return { ...object, definition: definitionOf(scratch, object) };
      });
    scratch.close();
  }
  return ourObjects;
}

function definitionOf(connection: Connection, { type, name, table }: SchemaObject): string {
  if (type === "index") {
    return firstText(connection.once(SELECT_INDEX, table, name));
  }
  const foreignKeys = firstText(connection.once(SELECT_FOREIGN_KEYS, name));
  const columns = firstText(connection.once(SELECT_COLUMNS, name));
  return foreignKeys === "" ? columns : `${columns}; ${foreignKeys}`;
}

function firstText([row]: readonly Row[]): string {
  return row === undefined ? "" : String(Object.values(row)[0] ?? "");
}

/** Rebuilding a table, as tools do to change it, drops the triggers on it without a word. */
function hasWholeVectors(connection: Connection): boolean {
  const names = connection.once(SELECT_VECTOR_OBJECTS).map((row) => row.name);
  return vectorObjects().every(({ name }) => names.includes(name));
}

/** The JSON in `embedding` is what counts: the rest can be made from it again. */
function remakeVectors(connection: Connection): void {
  const present = connection.once(SELECT_VECTOR_OBJECTS).map((row) => row.name);
  for (const { type, name } of vectorObjects().filter((object) => present.includes(object.name))) {
    connection.once(`DROP ${type} IF EXISTS ${name}`);
  }
  for (const statement of VECTORS) {
    connection.once(statement);
  }
}

/** As the statements above name them; an index goes with its table. */
function vectorObjects(): { type: "TABLE" | "TRIGGER"; name: string }[] {
  return VECTORS.flatMap((sql) => {
    const [, type, name] = /CREATE (TABLE|TRIGGER) (\w+)/.exec(sql) ?? [];
    return (type === "TABLE" || type === "TRIGGER") && name !== undefined ? [{ type, name }] : [];
  });
}

/**
 * A file of 0.2.3 that is opened read-only has no vectors. They are made beside it, in this connection's temporary
 * database, and made anew for every search, since no trigger tells of changes.
 */
export function fillTemporaryVectors(connection: Connection): void {
  const [createTable = ""] = VECTORS;
  connection.once(createTable.replace("CREATE TABLE", "CREATE TEMP TABLE IF NOT EXISTS"));
  connection.once(
    "CREATE TEMP TABLE IF NOT EXISTS checkpoint_sqlite_vector_deletions (sequence INTEGER PRIMARY KEY, revision INTEGER)",
  );
  connection.once("DELETE FROM temp.checkpoint_sqlite_vectors");
  for (const fill of VECTORS.slice(-2)) {
    connection.once(fill);
  }
}

/** Whether the file itself has the vectors that semantic search looks at. */
export function hasVectors(connection: Connection): boolean {
  return connection.once(SELECT_OBJECTS).some((object) => object.name === VECTORS_TABLE);
}
