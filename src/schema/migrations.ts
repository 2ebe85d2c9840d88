/**
 * The migrations in order. Each is recorded in the transaction that applies it.
 *
 * The five tables and the first nine indexes are identical to those from 0.2.3, so that each version opens the other's files.
 * 0.2.3 works alongside the indexes, triggers and tables added here. The schema version has its own table, because a host
 * application may use `user_version` in the same file.
 */
import type { Connection } from "../database/connection.js";
import { OUTPUTS } from "./outputs.js";
import { VECTORS } from "./vectors.js";

interface Migration {
  version: number;
  name: string;
  statements: readonly string[];
}

export const MIGRATIONS_TABLE = "checkpoint_sqlite_migrations";

const CREATE_MIGRATIONS_TABLE = `
  CREATE TABLE IF NOT EXISTS main.checkpoint_sqlite_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL
  )`;

const RECORD_MIGRATION = `
  INSERT INTO main.checkpoint_sqlite_migrations (version, name, applied_at)
  VALUES (?1, ?2, ?3)`;

/** The tables from 0.2.3. Existing ones, such as in a file from 0.2.3, stay unchanged. */
export const TABLES_OF_0_2_3: Readonly<Record<string, string>> = {
  sessions: `
    CREATE TABLE IF NOT EXISTS main.sessions (
      id TEXT PRIMARY KEY,
      workspace_id TEXT,
      title TEXT,
      directory TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      metadata TEXT
    )`,
  messages: `
    CREATE TABLE IF NOT EXISTS main.messages (
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
    CREATE TABLE IF NOT EXISTS main.checkpoints (
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
    CREATE TABLE IF NOT EXISTS main.entities (
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
    CREATE TABLE IF NOT EXISTS main.facts (
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

/** The indexes from 0.2.3. */
const INDEXES_OF_0_2_3 = [
  "CREATE INDEX IF NOT EXISTS main.idx_sessions_workspace ON sessions (workspace_id, updated_at DESC)",
  "CREATE INDEX IF NOT EXISTS main.idx_messages_session ON messages (session_id, created_at)",
  "CREATE INDEX IF NOT EXISTS main.idx_checkpoints_session ON checkpoints (session_id, namespace, step)",
  "CREATE UNIQUE INDEX IF NOT EXISTS main.idx_checkpoints_version ON checkpoints (session_id, namespace, version)",
  "CREATE INDEX IF NOT EXISTS main.idx_entities_session ON entities (session_id)",
  "CREATE INDEX IF NOT EXISTS main.idx_entities_workspace ON entities (workspace_id)",
  "CREATE INDEX IF NOT EXISTS main.idx_entities_type ON entities (type)",
  "CREATE INDEX IF NOT EXISTS main.idx_facts_workspace ON facts (workspace_id)",
  "CREATE INDEX IF NOT EXISTS main.idx_facts_confidence ON facts (confidence)",
];

/** New since 0.2.3: deletes a session without scanning all facts. */
const INDEX_OF_FACTS =
  "CREATE INDEX IF NOT EXISTS main.idx_facts_source_session ON facts (source_session_id)";

/**
 * New since 0.2.3: lists a session's checkpoints, newest first, without a sort.
 *
 * Each index adds a page write per row, about 8 µs. So a checkpoint of the root namespace "", which most are, is in only one
 * of these indexes, and sessions, whose `updated_at` changes with every message, have no new index.
 */
const INDEXES_NEWEST_SAVED_FIRST = [
  "CREATE INDEX IF NOT EXISTS main.idx_checkpoints_saved_root ON checkpoints (session_id, created_at) WHERE namespace = ''",
  "CREATE INDEX IF NOT EXISTS main.idx_checkpoints_saved_named ON checkpoints (session_id, created_at) WHERE namespace <> ''",
  "CREATE INDEX IF NOT EXISTS main.idx_checkpoints_saved_namespace ON checkpoints (session_id, namespace, created_at) WHERE namespace <> ''",
];

/** From this version on a file has the table of large outputs. */
export const OUTPUTS_VERSION = 5;

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: "the tables and indexes of 0.2.3",
    statements: [...Object.values(TABLES_OF_0_2_3), ...INDEXES_OF_0_2_3],
  },
  { version: 2, name: "facts by the session they were learned in", statements: [INDEX_OF_FACTS] },
  { version: 3, name: "a binary form of every embedding", statements: VECTORS },
  {
    version: 4,
    name: "checkpoints newest saved first without a sort",
    statements: INDEXES_NEWEST_SAVED_FIRST,
  },
  { version: OUTPUTS_VERSION, name: "large outputs kept once", statements: OUTPUTS },
];

/** The schema version that this package writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Applies the migrations after a version. Call it in a transaction. */
export function migrate(connection: Connection, from: number, now: number): void {
  connection.queryOnce(CREATE_MIGRATIONS_TABLE);
  for (const migration of MIGRATIONS.slice(from)) {
    for (const statement of migration.statements) {
      connection.queryOnce(statement);
    }
    connection.queryOnce(RECORD_MIGRATION, migration.version, migration.name, now);
  }
}
