/**
 * What every read method of a store must answer, made from the rows of the file by other means: plain SQL, and a list
 * of what each column is. A column that holds something else is corrupt.
 */
import type { Database } from "bun:sqlite";
import { rowsOf } from "../../support/sql.js";

type Row = Record<string, unknown>;
type Kind = "text" | "text?" | "integer" | "integer?" | "real" | "role" | "source" | "json" | "json?";

interface Column {
  readonly field: string;
  readonly kind: Kind;
  /** Where NULL is read as something else than absent. */
  readonly whenNull?: unknown;
}

const column = (field: string, kind: Kind, whenNull?: unknown): Column => ({ field, kind, whenNull });

export const TABLES: Readonly<Record<string, Readonly<Record<string, Column>>>> = {
  sessions: {
    id: column("id", "text"),
    workspace_id: column("workspaceId", "text?"),
    title: column("title", "text?"),
    directory: column("directory", "text"),
    created_at: column("createdAt", "integer"),
    updated_at: column("updatedAt", "integer"),
    metadata: column("metadata", "json?"),
  },
  messages: {
    id: column("id", "integer"),
    session_id: column("sessionId", "text"),
    role: column("role", "role"),
    content: column("content", "text?"),
    tool_calls: column("toolCalls", "json?"),
    tool_results: column("toolResults", "json?"),
    tokens_in: column("tokensIn", "integer?"),
    tokens_out: column("tokensOut", "integer?"),
    created_at: column("createdAt", "integer"),
  },
  checkpoints: {
    id: column("id", "text"),
    session_id: column("sessionId", "text"),
    namespace: column("namespace", "text"),
    parent_id: column("parentId", "text?"),
    version: column("version", "integer"),
    step: column("step", "integer"),
    node_id: column("nodeId", "text?"),
    node_results: column("nodeResults", "json"),
    pending_nodes: column("pendingNodes", "json?", []),
    cycle_state: column("cycleState", "json?"),
    source: column("source", "source"),
    created_at: column("createdAt", "integer"),
  },
  entities: {
    id: column("id", "text"),
    session_id: column("sessionId", "text"),
    workspace_id: column("workspaceId", "text?"),
    name: column("name", "text"),
    type: column("type", "text"),
    attributes: column("attributes", "json?", {}),
    relationships: column("relationships", "json?", []),
    created_at: column("createdAt", "integer"),
    updated_at: column("updatedAt", "integer"),
    embedding: column("embedding", "json?"),
  },
  facts: {
    id: column("id", "text"),
    workspace_id: column("workspaceId", "text?"),
    content: column("content", "text"),
    confidence: column("confidence", "real"),
    source_session_id: column("sourceSessionId", "text?"),
    created_at: column("createdAt", "integer"),
    embedding: column("embedding", "json?"),
  },
};

const ALLOWED: Partial<Record<Kind, readonly unknown[]>> = {
  role: ["user", "assistant", "system", "tool"],
  source: ["input", "loop", "interrupt", "fork"],
};

/** How the text of a structured column must be read. `mayBeCorrupt`: JSON, but perhaps not of the column's shape. */
export type ReadJson = (
  text: string,
) => { readonly value: unknown; readonly mayBeCorrupt: boolean } | undefined;

export interface Expected {
  readonly value: Row;
  /** The columns that must, and those that may, be told to be corrupt. */
  readonly corrupt: readonly string[];
  readonly perhapsCorrupt: readonly string[];
  readonly table: string;
  readonly id: unknown;
}

export class ReferenceReader {
  constructor(
    readonly database: Database,
    readonly readJson: ReadJson,
  ) {}

  /** @param rest Of the statement, after `FROM table`. */
  read(table: string, rest: string, ...parameters: (string | number)[]): Expected[] {
    const rows = rowsOf(this.database, `SELECT * FROM ${table} ${rest}`, ...parameters);
    return rows.map((row) => this.#expect(table, row));
  }

  #expect(table: string, row: Row): Expected {
    const value: Row = {};
    const corrupt: string[] = [];
    const perhapsCorrupt: string[] = [];
    for (const [name, { field, kind, whenNull }] of Object.entries(TABLES[table] ?? {})) {
      const stored = row[name];
      const read =
        stored === null && kind.endsWith("?") ? { value: whenNull } : this.#readColumn(kind, stored);
      if (read === undefined) corrupt.push(name);
      else if (read.value !== undefined) value[field] = read.value;
      if (read?.mayBeCorrupt === true) perhapsCorrupt.push(name);
    }
    return { value, corrupt, perhapsCorrupt, table, id: row.id };
  }

  /** `undefined`: corrupt. */
  #readColumn(kind: Kind, stored: unknown): { value: unknown; mayBeCorrupt?: boolean } | undefined {
    const allowed = ALLOWED[kind];
    if (allowed !== undefined) return allowed.includes(stored) ? { value: stored } : undefined;
    if (kind.startsWith("integer")) return Number.isSafeInteger(stored) ? { value: stored } : undefined;
    if (kind === "real") return typeof stored === "number" ? { value: stored } : undefined;
    if (typeof stored !== "string") return undefined;
    return kind.startsWith("json") ? this.readJson(stored) : { value: stored };
  }
}
