/**
 * What every read method of a store must answer, made from the rows of the file by other means: plain SQL, and a list
 * of what each column is. A column that holds something else is corrupt.
 */
import type { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { rowsOf } from "../../support/sql.js";

type Row = Record<string, unknown>;
/** `plain`: whatever is there, as 0.2.3 read it. `vector?`: a list of numbers, or as if it were not there. */
type Kind = "text" | "integer" | "plain" | "plain?" | "json" | "json?" | "vector?";

interface Column {
  readonly field: string;
  readonly kind: Kind;
  /** If NULL is read as anything but absent. */
  readonly whenNull?: unknown;
}

const column = (field: string, kind: Kind, whenNull?: unknown): Column => ({ field, kind, whenNull });

export const TABLES: Readonly<Record<string, Readonly<Record<string, Column>>>> = {
  sessions: {
    id: column("id", "text"),
    workspace_id: column("workspaceId", "plain?"),
    title: column("title", "plain?"),
    directory: column("directory", "plain"),
    created_at: column("createdAt", "plain"),
    updated_at: column("updatedAt", "plain"),
    metadata: column("metadata", "json?"),
  },
  messages: {
    id: column("id", "integer"),
    session_id: column("sessionId", "text"),
    role: column("role", "plain"),
    content: column("content", "plain?"),
    tool_calls: column("toolCalls", "json?"),
    tool_results: column("toolResults", "json?"),
    tokens_in: column("tokensIn", "plain?"),
    tokens_out: column("tokensOut", "plain?"),
    created_at: column("createdAt", "plain"),
  },
  checkpoints: {
    id: column("id", "text"),
    session_id: column("sessionId", "text"),
    namespace: column("namespace", "text"),
    parent_id: column("parentId", "plain?"),
    version: column("version", "plain"),
    step: column("step", "plain"),
    node_id: column("nodeId", "plain?"),
    node_results: column("nodeResults", "json"),
    pending_nodes: column("pendingNodes", "json?", []),
    cycle_state: column("cycleState", "json?"),
    source: column("source", "plain"),
    created_at: column("createdAt", "plain"),
  },
  entities: {
    id: column("id", "text"),
    session_id: column("sessionId", "text"),
    workspace_id: column("workspaceId", "plain?"),
    name: column("name", "plain"),
    type: column("type", "plain"),
    attributes: column("attributes", "json?", {}),
    relationships: column("relationships", "json?", []),
    created_at: column("createdAt", "plain"),
    updated_at: column("updatedAt", "plain"),
    embedding: column("embedding", "vector?"),
  },
  facts: {
    id: column("id", "text"),
    workspace_id: column("workspaceId", "plain?"),
    content: column("content", "plain"),
    confidence: column("confidence", "plain"),
    source_session_id: column("sourceSessionId", "plain?"),
    created_at: column("createdAt", "plain"),
    embedding: column("embedding", "vector?"),
  },
};

/** How the text of a structured column must be read. `mayBeCorrupt`: JSON, but perhaps not of the column's shape. */
export type ReadJson = (
  text: string,
) => { readonly value: unknown; readonly mayBeCorrupt: boolean } | undefined;

export interface Expected {
  readonly value: Row;
  /** The columns that must, and those that may, be reported as corrupt. */
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
      const stored = name === "node_results" ? this.#withOutputs(row) : row[name];
      const read =
        stored === null && kind.endsWith("?") ? { value: whenNull } : this.#readColumn(kind, stored);
      if (read === undefined) corrupt.push(name);
      else if (read.value !== undefined) value[field] = read.value;
      if (read?.mayBeCorrupt === true) perhapsCorrupt.push(name);
    }
    return { value, corrupt, perhapsCorrupt, table, id: row.id };
  }

  /** The node results with each reference replaced by the text of its output; `undefined`: one of them is not in the file. */
  #withOutputs({ node_results, session_id }: Row): unknown {
    let whole = node_results;
    for (const hash of hashesIn(node_results)) {
      const text = this.#outputText(session_id, hash);
      if (text === undefined) return undefined;
      const reference = `"output":{"__type":"Map","value":"${hash}"}`;
      whole = String(whole).replaceAll(reference, () => `"output":${text}`);
    }
    return whole;
  }

  /** `undefined` if it is missing, or is not what its hash says. */
  #outputText(sessionId: unknown, hash: string): string | undefined {
    const { text: own, pieces } = this.#outputRow(sessionId, hash) ?? {};
    const text = pieces === null ? own : this.#joined(sessionId, String(pieces));
    if (typeof text !== "string") return undefined;
    return createHash("sha256").update(text).digest("base64url").slice(0, hash.length) === hash
      ? text
      : undefined;
  }

  #joined(sessionId: unknown, pieces: string): string | undefined {
    const hashes = arrayIn(pieces);
    const texts = hashes?.map((hash) => this.#outputRow(sessionId, String(hash))?.text);
    return texts?.every((text) => typeof text === "string") === true ? texts.join("") : undefined;
  }

  #outputRow(sessionId: unknown, hash: string): Row | undefined {
    const sql = "SELECT text, pieces FROM checkpoint_sqlite_outputs WHERE session_id = ? AND hash = ?";
    return typeof sessionId === "string" ? rowsOf(this.database, sql, sessionId, hash)[0] : undefined;
  }

  /** `undefined`: corrupt. */
  #readColumn(kind: Kind, stored: unknown): { value: unknown; mayBeCorrupt?: boolean } | undefined {
    if (kind.startsWith("plain")) return { value: stored };
    if (kind === "integer") return Number.isSafeInteger(stored) ? { value: stored } : undefined;
    if (kind === "vector?") return { value: typeof stored === "string" ? numbersIn(stored) : undefined };
    if (typeof stored !== "string") return undefined;
    return kind.startsWith("json") ? this.readJson(stored) : { value: stored };
  }
}

/** The hashes that nodes refer to, each once. A user's own object of that look is wrapped in another. */
function hashesIn(nodeResults: unknown): Set<string> {
  const parsed = typeof nodeResults === "string" ? parsedOrNothing(nodeResults) : undefined;
  const nodes = fieldOf(parsed, "__type") === "js:object" ? fieldOf(parsed, "value") : parsed;
  const outputs = typeof nodes === "object" && nodes !== null ? Object.values(nodes).filter(isPlain) : [];
  const references = outputs
    .map((node) => fieldOf(node, "output"))
    .filter((each) => fieldOf(each, "__type") === "Map");
  const hashes = references.map((each) => fieldOf(each, "value"));
  return new Set(hashes.filter((hash) => typeof hash === "string"));
}

function isPlain(node: unknown): boolean {
  return fieldOf(node, "__type") === undefined;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function arrayIn(text: string): unknown[] | undefined {
  const parsed = parsedOrNothing(text);
  return Array.isArray(parsed) ? parsed : undefined;
}

function numbersIn(text: string): unknown {
  return arrayIn(text)?.every((each) => Number.isFinite(each)) === true ? arrayIn(text) : undefined;
}
