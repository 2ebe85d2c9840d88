/**
 * The tables of `@obsku/checkpoint-postgres`: their columns, keys and definitions, as its `setup()` creates them.
 *
 * They have the names and columns of this package's file; the types are narrower.
 */

import type { RowCounts } from "./reports.js";

export type TableName = keyof RowCounts;

export type ColumnType = "text" | "integer" | "bigint" | "real" | "double precision" | "bytea";

/** A value of a row, read with 64-bit integers as bigint. */
export type Value = string | bigint | number | Uint8Array | null;

export interface Column {
  name: string;
  type: ColumnType;
  isRequired: boolean;
  /** What `fix` may replace: text for people, a count, a time. Absent for keys, and what else refers to other rows. */
  fixable?: "text" | "number" | undefined;
  /** What `fix` puts in place of NULL. */
  absent?: string;
  /** Whether it holds the wire format. */
  isStructured?: boolean;
}

export interface Table {
  name: TableName;
  columns: readonly Column[];
  /** The session that a row belongs to. */
  sessionColumn: string;
  /** Columns of text that an index has together. */
  keys: readonly (readonly string[])[];
  definition: readonly string[];
}

const key = (name: string): Column => ({ name, type: "text", isRequired: true });
const optionalKey = (name: string): Column => ({ name, type: "text", isRequired: false });
const prose = (name: string, isRequired = false): Column => ({
  name,
  type: "text",
  isRequired,
  fixable: "text",
});
const structured = (name: string, isRequired = false): Column => ({
  name,
  type: "text",
  isRequired,
  isStructured: true,
});
const integer = (name: string): Column => ({ name, type: "integer", isRequired: true });
const count = (name: string): Column => ({ name, type: "integer", isRequired: false, fixable: "number" });
const time = (name: string): Column => ({ name, type: "bigint", isRequired: true, fixable: "number" });
const embedding: Column = { name: "embedding", type: "bytea", isRequired: false };

const SESSIONS: Table = {
  name: "sessions",
  columns: [
    key("id"),
    optionalKey("workspace_id"),
    prose("title"),
    prose("directory", true),
    time("created_at"),
    time("updated_at"),
    structured("metadata"),
  ],
  sessionColumn: "id",
  keys: [["id"], ["workspace_id"]],
  definition: [
    `CREATE TABLE IF NOT EXISTS sessions (
      id TEXT PRIMARY KEY,
      workspace_id TEXT,
      title TEXT,
      directory TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      updated_at BIGINT NOT NULL,
      metadata TEXT
    )`,
    "CREATE INDEX IF NOT EXISTS idx_sessions_workspace ON sessions (workspace_id, updated_at DESC)",
  ],
};

const MESSAGES: Table = {
  name: "messages",
  columns: [
    integer("id"),
    key("session_id"),
    prose("role", true),
    prose("content"),
    structured("tool_calls"),
    structured("tool_results"),
    count("tokens_in"),
    count("tokens_out"),
    time("created_at"),
  ],
  sessionColumn: "session_id",
  keys: [["session_id"]],
  definition: [
    `CREATE TABLE IF NOT EXISTS messages (
      id SERIAL PRIMARY KEY,
      session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
      role TEXT NOT NULL,
      content TEXT,
      tool_calls TEXT,
      tool_results TEXT,
      tokens_in INTEGER,
      tokens_out INTEGER,
      created_at BIGINT NOT NULL
    )`,
    "CREATE INDEX IF NOT EXISTS idx_messages_session ON messages (session_id, created_at)",
  ],
};

const CHECKPOINTS: Table = {
  name: "checkpoints",
  columns: [
    key("id"),
    key("session_id"),
    key("namespace"),
    optionalKey("parent_id"),
    integer("version"),
    integer("step"),
    optionalKey("node_id"),
    structured("node_results", true),
    structured("pending_nodes"),
    structured("cycle_state"),
    { name: "source", type: "text", isRequired: true, absent: "loop" },
    time("created_at"),
  ],
  sessionColumn: "session_id",
  keys: [["id"], ["session_id", "namespace"]],
  definition: [
    `CREATE TABLE IF NOT EXISTS checkpoints (
      id TEXT PRIMARY KEY,
      session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
      namespace TEXT NOT NULL DEFAULT '',
      parent_id TEXT,
      version INTEGER NOT NULL DEFAULT 1,
      step INTEGER NOT NULL,
      node_id TEXT,
      node_results TEXT NOT NULL,
      pending_nodes TEXT,
      cycle_state TEXT,
      source TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      UNIQUE (session_id, namespace, version)
    )`,
    "CREATE INDEX IF NOT EXISTS idx_checkpoints_session ON checkpoints (session_id, namespace, step)",
  ],
};

const ENTITIES: Table = {
  name: "entities",
  columns: [
    key("id"),
    key("session_id"),
    optionalKey("workspace_id"),
    prose("name", true),
    key("type"),
    structured("attributes"),
    structured("relationships"),
    time("created_at"),
    time("updated_at"),
    embedding,
  ],
  sessionColumn: "session_id",
  keys: [["id"], ["session_id"], ["workspace_id"], ["type"]],
  definition: [
    `CREATE TABLE IF NOT EXISTS entities (
      id TEXT PRIMARY KEY,
      session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
      workspace_id TEXT,
      name TEXT NOT NULL,
      type TEXT NOT NULL,
      attributes TEXT,
      relationships TEXT,
      created_at BIGINT NOT NULL,
      updated_at BIGINT NOT NULL,
      embedding BYTEA
    )`,
    "CREATE INDEX IF NOT EXISTS idx_entities_session ON entities (session_id)",
    "CREATE INDEX IF NOT EXISTS idx_entities_workspace ON entities (workspace_id)",
    "CREATE INDEX IF NOT EXISTS idx_entities_type ON entities (type)",
  ],
};

const FACTS: Table = {
  name: "facts",
  columns: [
    key("id"),
    optionalKey("workspace_id"),
    prose("content", true),
    { name: "confidence", type: "real", isRequired: false, fixable: "number" },
    optionalKey("source_session_id"),
    time("created_at"),
    embedding,
  ],
  sessionColumn: "source_session_id",
  keys: [["id"], ["workspace_id"]],
  definition: [
    `CREATE TABLE IF NOT EXISTS facts (
      id TEXT PRIMARY KEY,
      workspace_id TEXT,
      content TEXT NOT NULL,
      confidence REAL DEFAULT 1.0,
      source_session_id TEXT REFERENCES sessions (id) ON DELETE SET NULL,
      created_at BIGINT NOT NULL,
      embedding BYTEA
    )`,
    "CREATE INDEX IF NOT EXISTS idx_facts_workspace ON facts (workspace_id)",
  ],
};

/** Sessions first: the others refer to them. */
export const TABLES: readonly Table[] = [SESSIONS, MESSAGES, CHECKPOINTS, ENTITIES, FACTS];

export function noRows(): RowCounts {
  return { sessions: 0, messages: 0, checkpoints: 0, entities: 0, facts: 0 };
}

export function totalOf(rows: RowCounts): number {
  return Object.values({ ...rows }).reduce<number>((sum, rowsOfTable) => sum + rowsOfTable, 0);
}
