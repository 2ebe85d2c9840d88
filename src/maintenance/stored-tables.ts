/** The tables whose rows maintenance reads one by one, and what makes one of their rows readable. */
import type { Row } from "../database/connection.js";
import type { OutputReader } from "../outputs/node-results.js";
import { ColumnReader } from "../rows/column-reader.js";
import { OUTPUTS_TABLE } from "../schema/outputs.js";
import { toCheckpoint } from "../tables/checkpoints.js";
import { toEntity } from "../tables/entities.js";
import { toFact } from "../tables/facts.js";
import { toMessage } from "../tables/messages.js";
import { toSession } from "../tables/sessions.js";
import { embedding } from "../validation/schemas.js";
import type { ScannedTable } from "./row-scan.js";

export interface StoredTable {
  name: string;
  columns: readonly string[];
  /** The column that names its session; `null` if rows outlive sessions. */
  sessionColumn: string | null;
  /** Whether a row's id is its position (SQLite's rowid). */
  isIdPosition?: boolean;
  /** The columns that hold times. */
  times: readonly string[];
  hasEmbedding: boolean;
  /**
   * @param outputs Of the row's session, if it may refer to some.
   * @throws {CheckpointCorruptionError} if a column, or an output that it refers to, does not decode.
   */
  decode(row: Row, outputs?: OutputReader): unknown;
}

export const SESSIONS: StoredTable = {
  name: "sessions",
  columns: ["id", "workspace_id", "title", "directory", "created_at", "updated_at", "metadata"],
  sessionColumn: "id",
  times: ["created_at", "updated_at"],
  hasEmbedding: false,
  decode: toSession,
};

export const MESSAGES: StoredTable = {
  name: "messages",
  columns: [
    "id",
    "session_id",
    "role",
    "content",
    "tool_calls",
    "tool_results",
    "tokens_in",
    "tokens_out",
    "created_at",
  ],
  isIdPosition: true,
  sessionColumn: "session_id",
  times: ["created_at"],
  hasEmbedding: false,
  decode: toMessage,
};

export const CHECKPOINTS: StoredTable = {
  name: "checkpoints",
  columns: [
    "id",
    "session_id",
    "namespace",
    "parent_id",
    "version",
    "step",
    "node_id",
    "node_results",
    "pending_nodes",
    "cycle_state",
    "source",
    "created_at",
  ],
  sessionColumn: "session_id",
  times: ["created_at"],
  hasEmbedding: false,
  decode: toCheckpoint,
};

export const ENTITIES: StoredTable = {
  name: "entities",
  columns: [
    "id",
    "session_id",
    "workspace_id",
    "name",
    "type",
    "attributes",
    "relationships",
    "created_at",
    "updated_at",
    "embedding",
  ],
  sessionColumn: "session_id",
  times: ["created_at", "updated_at"],
  hasEmbedding: true,
  decode: toEntity,
};

export const FACTS: StoredTable = {
  name: "facts",
  columns: ["id", "workspace_id", "content", "confidence", "source_session_id", "created_at", "embedding"],
  sessionColumn: null,
  times: ["created_at"],
  hasEmbedding: true,
  decode: toFact,
};

/** What checkpoints refer to. */
export const OUTPUTS: ScannedTable = {
  name: OUTPUTS_TABLE,
  columns: ["session_id", "hash", "text", "pieces"],
};

/** Sessions first: the others refer to them. */
export const STORED_TABLES: readonly StoredTable[] = [SESSIONS, MESSAGES, CHECKPOINTS, ENTITIES, FACTS];

/** The embedding of a row; `undefined` if it has none. @throws {CheckpointCorruptionError} if it does not decode. */
export function embeddingOf(table: StoredTable, row: Row): number[] | undefined {
  return new ColumnReader(table.name).optionalStructured(row, "embedding", embedding);
}

/** What a session holds besides its own row. */
export function sessionOf(table: StoredTable, row: Row): string | undefined {
  const id = table.sessionColumn === null ? undefined : row[table.sessionColumn];
  return typeof id === "string" ? id : undefined;
}
