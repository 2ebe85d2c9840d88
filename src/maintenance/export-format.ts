/**
 * The lines of an export, as docs/export-format.md describes them: from a row to its line, and back.
 *
 * Structured values stand in a line as the text that the file holds, so nothing is lost on the way.
 */
import type { Row } from "../database/connection.js";
import { CheckpointCorruptionError, InvalidArgumentError } from "../errors.js";
import { ColumnReader } from "../rows/column-reader.js";
import { toCheckpoint } from "../tables/checkpoints.js";
import { toEntity } from "../tables/entities.js";
import { toFact } from "../tables/facts.js";
import { toMessage } from "../tables/messages.js";
import { toSession } from "../tables/sessions.js";
import { isRecord } from "../validation/schema.js";
import { embedding } from "../validation/schemas.js";
import { describe, messageOf } from "../values/describe.js";
import { rawMembers } from "./json-members.js";

export const FORMAT = "checkpoint-sqlite-sessions";
export const FORMAT_VERSION = 1;

/** What a column holds: `id` a text that must be there, `json` a value in the wire format. All others may be absent. */
type Kind = "id" | "text" | "number" | "json";

interface Member {
  name: string;
  column: string;
  kind: Kind;
  isRequired: boolean;
}

function member(name: string, column: string, kind: Kind, isRequired = false): Member {
  return { name, column, kind, isRequired };
}

const required = (name: string, column: string, kind: Kind) => member(name, column, kind, true);

/** The members of a row's line, in their order. */
const MEMBERS = {
  session: [
    required("id", "id", "id"),
    member("workspaceId", "workspace_id", "text"),
    member("title", "title", "text"),
    required("directory", "directory", "text"),
    required("createdAt", "created_at", "number"),
    required("updatedAt", "updated_at", "number"),
    member("metadata", "metadata", "json"),
  ],
  message: [
    required("id", "id", "number"),
    required("role", "role", "text"),
    member("content", "content", "text"),
    member("toolCalls", "tool_calls", "json"),
    member("toolResults", "tool_results", "json"),
    member("tokensIn", "tokens_in", "number"),
    member("tokensOut", "tokens_out", "number"),
    required("createdAt", "created_at", "number"),
  ],
  checkpoint: [
    required("id", "id", "id"),
    required("namespace", "namespace", "text"),
    member("parentId", "parent_id", "text"),
    required("version", "version", "number"),
    required("step", "step", "number"),
    member("nodeId", "node_id", "text"),
    required("nodeResults", "node_results", "json"),
    member("pendingNodes", "pending_nodes", "json"),
    member("cycleState", "cycle_state", "json"),
    member("source", "source", "text"),
    required("createdAt", "created_at", "number"),
  ],
  entity: [
    required("id", "id", "id"),
    member("workspaceId", "workspace_id", "text"),
    required("name", "name", "text"),
    required("entityType", "type", "text"),
    member("attributes", "attributes", "json"),
    member("relationships", "relationships", "json"),
    required("createdAt", "created_at", "number"),
    required("updatedAt", "updated_at", "number"),
    member("embedding", "embedding", "json"),
  ],
  fact: [
    required("id", "id", "id"),
    member("workspaceId", "workspace_id", "text"),
    required("content", "content", "text"),
    member("confidence", "confidence", "number"),
    required("createdAt", "created_at", "number"),
    member("embedding", "embedding", "json"),
  ],
} as const satisfies Record<string, readonly Member[]>;

export type RowType = keyof typeof MEMBERS;

/** The rows of a session, in the order of their lines. */
export const ROW_TYPES = ["message", "checkpoint", "entity", "fact"] as const;

/** How many rows of each kind follow a session's line. */
export type RowCounts = Record<(typeof ROW_TYPES)[number], number>;

const COUNT_NAMES = {
  message: "messages",
  checkpoint: "checkpoints",
  entity: "entities",
  fact: "facts",
} as const;

const MAPPERS: Record<RowType, (row: Row) => unknown> = {
  session: toSession,
  message: toMessage,
  checkpoint: toCheckpoint,
  entity: (row) => [toEntity(row), entities.optionalStructured(row, "embedding", embedding)],
  fact: (row) => [toFact(row), facts.optionalStructured(row, "embedding", embedding)],
};

const TABLES: Record<RowType, string> = {
  session: "sessions",
  message: "messages",
  checkpoint: "checkpoints",
  entity: "entities",
  fact: "facts",
};
const entities = new ColumnReader("entities");
const facts = new ColumnReader("facts");

export function headerLine(sessions: number): string {
  return JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, sessions });
}

export function endLine(sessions: number, facts: number): string {
  return JSON.stringify({ type: "end", sessions, facts });
}

/** @throws {CheckpointCorruptionError} for a row that does not decode. */
export function rowLine(type: RowType, row: Row, counts?: RowCounts): string {
  MAPPERS[type](row);
  const members = MEMBERS[type]
    .filter(({ column }) => row[column] !== null)
    .map(({ name, column, kind }) => `,"${name}":${writtenValue(type, row, column, kind)}`);
  const following =
    counts === undefined ? "" : ROW_TYPES.map((kind) => `,"${COUNT_NAMES[kind]}":${counts[kind]}`).join("");
  return `{"type":"${type}"${members.join("")}${following}}`;
}

/** A text is kept as it is; a line break between its tokens, which no store writes, would end the line. */
function writtenValue(type: RowType, row: Row, column: string, kind: Kind): string {
  const value = row[column];
  if (kind === "json" && typeof value === "string") {
    return value.replaceAll(/[\r\n]/g, " ");
  }
  if (typeof value === "string" || (typeof value === "number" && Number.isFinite(value))) {
    return JSON.stringify(value);
  }
  throw new CheckpointCorruptionError(
    `table ${TABLES[type]}, id ${String(row.id)}, column ${column}: must be text or a number, not ${describe(value)}`,
  );
}

/** A line that was read, with its number. */
export interface ReadLine {
  number: number;
  value: Record<string, unknown>;
  text: string;
}

/** @throws {InvalidArgumentError} naming the line's number. */
export function readLine(text: unknown, number: number): ReadLine {
  if (typeof text !== "string") {
    throw lineError(number, `must be a string, not ${describe(text)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw lineError(number, `is damaged or cut: ${messageOf(error)}`, error);
  }
  if (!isRecord(value)) {
    throw lineError(number, `must be an object, not ${describe(value)}`);
  }
  return { number, value, text };
}

export function lineError(number: number, problem: string, cause?: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`lines (line ${number})`, problem, { cause });
}

/** Returns how many sessions follow. */
export function readHeader({ value, number }: ReadLine): number {
  if (value.format !== FORMAT) {
    throw lineError(number, `must be the header of an export, with "format":"${FORMAT}"`);
  }
  if (value.version !== FORMAT_VERSION) {
    throw lineError(
      number,
      `is of version ${describe(value.version)} of the format, and this package reads ${FORMAT_VERSION}: upgrade @obsku/checkpoint-sqlite`,
    );
  }
  return count(value.sessions, "sessions", number);
}

export function readCounts({ value, number }: ReadLine): RowCounts {
  return {
    message: count(value.messages, "messages", number),
    checkpoint: count(value.checkpoints, "checkpoints", number),
    entity: count(value.entities, "entities", number),
    fact: count(value.facts, "facts", number),
  };
}

export function count(value: unknown, name: string, number: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw lineError(number, `${name} must be a non-negative integer, not ${describe(value)}`);
  }
  return value;
}

/**
 * The columns of a row, by name; those of absent members are NULL.
 *
 * @throws {InvalidArgumentError} for a member that is missing, unknown, or does not decode.
 */
export function readRow(type: RowType, line: ReadLine): Row {
  refuseUnknownMembers(type, line);
  const raw = rawMembers(line.text);
  const row: Row = {};
  for (const { name, column, kind, isRequired } of MEMBERS[type] as readonly Member[]) {
    const value = line.value[name];
    if (value === undefined || value === null) {
      if (isRequired) {
        throw lineError(line.number, `has no ${name}`);
      }
      row[column] = null;
    } else {
      row[column] = kind === "json" ? (raw.get(name) ?? null) : plainValue(value, name, kind, line.number);
    }
  }
  decodeOnce(type, row, line.number);
  return row;
}

function refuseUnknownMembers(type: RowType, { value, number }: ReadLine): void {
  const counts = type === "session" ? Object.values(COUNT_NAMES) : [];
  const known = new Set<string>(["type", ...MEMBERS[type].map(({ name }) => name), ...counts]);
  const unknown = Object.keys(value).find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw lineError(number, `has an unknown member ${JSON.stringify(unknown)}`);
  }
}

/** A text column may hold a number, and the other way round: 0.2.3 checked few of them. An id is a text. */
function plainValue(value: unknown, name: string, kind: Kind, number: number): string | number {
  const isNumber = typeof value === "number" && Number.isFinite(value);
  if ((typeof value === "string" && value.isWellFormed()) || (isNumber && kind !== "id")) {
    return value;
  }
  throw lineError(
    number,
    `${name} must be ${kind === "number" ? "a number" : "a string"}, not ${describe(value)}`,
  );
}

function decodeOnce(type: RowType, row: Row, number: number): void {
  try {
    // The mappers look for the session's id, which the line leaves to the session's own.
    MAPPERS[type]({ session_id: "", ...row });
  } catch (error) {
    if (error instanceof CheckpointCorruptionError) {
      throw lineError(number, `does not decode: ${error.reason}`, error);
    }
    throw error;
  }
}
