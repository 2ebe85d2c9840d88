/** The tables and triggers of the vectors, which mirror the embeddings: creates, checks and rebuilds them. */
import type { Connection } from "../database/connection.js";
import { keyOf, type SchemaObjects } from "./objects.js";

const VECTORS_TABLE = "checkpoint_sqlite_vectors";
const DELETIONS_TABLE = "checkpoint_sqlite_vector_deletions";

const SELECT_VECTORS_TABLE = `
  SELECT 1
  FROM main.sqlite_schema
  WHERE type = 'table'
    AND name = '${VECTORS_TABLE}'`;

/** The last 1,000 deletions are logged; a store further behind rescans. */
const DELETIONS_KEPT = 1_000;

/**
 * A binary form of every embedding, maintained by triggers. When any writer changes an embedding, 0.2.3 included, the vector
 * gets a new revision without a `unit`, and the next search reads it from the JSON.
 *
 * A revision is never reused. So a store finds new vectors above the last revision it has seen, and deleted ones in the
 * deletions above the last one it has seen.
 */
const CREATE_VECTORS = `
  CREATE TABLE IF NOT EXISTS main.checkpoint_sqlite_vectors (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    session_id TEXT,
    workspace_id TEXT,
    unit BLOB,
    UNIQUE (owner, id)
  )`;

const CREATE_DELETIONS = `
  CREATE TABLE IF NOT EXISTS main.checkpoint_sqlite_vector_deletions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    revision INTEGER NOT NULL
  )`;

const CREATE_INDEXES = [
  "CREATE INDEX IF NOT EXISTS main.checkpoint_sqlite_vectors_session ON checkpoint_sqlite_vectors (owner, session_id, workspace_id)",
  "CREATE INDEX IF NOT EXISTS main.checkpoint_sqlite_vectors_workspace ON checkpoint_sqlite_vectors (owner, workspace_id)",
];

const LOG_DELETION: Trigger = {
  name: "checkpoint_sqlite_vector_deleted",
  body: `
    AFTER DELETE ON checkpoint_sqlite_vectors
    BEGIN
      INSERT INTO checkpoint_sqlite_vector_deletions (revision)
      VALUES (OLD.revision);
      DELETE FROM checkpoint_sqlite_vector_deletions
      WHERE sequence <= (SELECT max(sequence) FROM checkpoint_sqlite_vector_deletions) - ${DELETIONS_KEPT};
    END`,
};

const FILL = [
  `
  INSERT INTO main.checkpoint_sqlite_vectors (owner, id, session_id, workspace_id)
  SELECT 'entity', id, session_id, workspace_id
  FROM main.entities
  WHERE embedding IS NOT NULL
  ORDER BY rowid`,
  `
  INSERT INTO main.checkpoint_sqlite_vectors (owner, id, workspace_id)
  SELECT 'fact', id, workspace_id
  FROM main.facts
  WHERE embedding IS NOT NULL
  ORDER BY rowid`,
];

interface Trigger {
  name: string;
  body: string;
}

const TRIGGERS: readonly Trigger[] = [
  LOG_DELETION,
  ...triggersOf("entity", "entities", "session_id"),
  ...triggersOf("fact", "facts", null),
];

/** The statements that create the vectors in a file without them. */
export const VECTORS: readonly string[] = [
  CREATE_VECTORS,
  CREATE_DELETIONS,
  ...CREATE_INDEXES,
  ...TRIGGERS.map(createTrigger),
  ...FILL,
];

/** Tables in a trigger's body always belong to the trigger's database and cannot be qualified. */
function createTrigger({ name, body }: Trigger): string {
  return `CREATE TRIGGER main.${name}${body}`;
}

/** @param sessionColumn The owner's column that searches can filter by, besides the workspace. */
function triggersOf(
  owner: "entity" | "fact",
  table: "entities" | "facts",
  sessionColumn: "session_id" | null,
): Trigger[] {
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
    {
      name: `checkpoint_sqlite_${owner}_inserted`,
      // INSERT OR REPLACE runs no delete trigger for the row that it replaces.
      body: `
    AFTER INSERT ON ${table}
    BEGIN${forget("NEW.id")}${remember}
    END`,
    },
    {
      name: `checkpoint_sqlite_${owner}_updated`,
      body: `
    AFTER UPDATE ON ${table}
    WHEN ${isChanged}
    BEGIN${forget("OLD.id")}${remember}
    END`,
    },
    {
      name: `checkpoint_sqlite_${owner}_deleted`,
      body: `
    AFTER DELETE ON ${table}
    BEGIN${forget("OLD.id")}
    END`,
    },
  ];
}

/** The text of a trigger as SQLite stores it: without the name of the database. */
function storedText({ name, body }: Trigger): string {
  return `CREATE TRIGGER ${name}${body}`;
}

/**
 * Whether the tables and triggers are all in place. Tools that rebuild a table to change it silently drop its triggers, and a
 * trigger with one of our names but a different text would run with our writes.
 */
export function hasCompleteVectors(objects: SchemaObjects): boolean {
  return (
    objects.has(VECTORS_TABLE) &&
    objects.has(DELETIONS_TABLE) &&
    TRIGGERS.every((trigger) => objects.get(keyOf("trigger", trigger.name))?.sql === storedText(trigger))
  );
}

/**
 * Rebuilds the vectors from the JSON in `embedding`, which remains the source of truth. The tables stay, so that revisions
 * continue: other stores identify the vectors by them.
 */
export function rebuildVectors(connection: Connection): void {
  for (const { name } of TRIGGERS) {
    connection.queryOnce(`DROP TRIGGER IF EXISTS main.${name}`);
  }
  for (const statement of [
    CREATE_VECTORS,
    CREATE_DELETIONS,
    ...CREATE_INDEXES,
    createTrigger(LOG_DELETION),
  ]) {
    connection.queryOnce(statement);
  }
  connection.queryOnce("DELETE FROM main.checkpoint_sqlite_vectors");
  for (const statement of [...TRIGGERS.slice(1).map(createTrigger), ...FILL]) {
    connection.queryOnce(statement);
  }
}

/**
 * A file from 0.2.3 that is opened read-only has no vectors. This fills temporary ones in the connection's temporary database,
 * again for every search, because no trigger maintains them.
 */
export function fillTemporaryVectors(connection: Connection): void {
  for (const create of [CREATE_VECTORS, CREATE_DELETIONS]) {
    connection.queryOnce(inTemporary(create));
  }
  connection.queryOnce("DELETE FROM temp.checkpoint_sqlite_vectors");
  for (const fill of FILL) {
    connection.queryOnce(inTemporary(fill));
  }
}

/** Rewrites a statement to use the temporary vectors instead of those in the file. */
export function inTemporary(statement: string): string {
  return statement.replaceAll("main.checkpoint_sqlite_vector", "temp.checkpoint_sqlite_vector");
}

/** Called once another process has upgraded the file. */
export function dropTemporaryVectors(connection: Connection): void {
  for (const table of [VECTORS_TABLE, DELETIONS_TABLE]) {
    connection.queryOnce(`DROP TABLE IF EXISTS temp.${table}`);
  }
}

/** Whether the file itself has the vectors that semantic search uses. */
export function hasVectors(connection: Connection): boolean {
  return connection.queryOnce(SELECT_VECTORS_TABLE).length > 0;
}
