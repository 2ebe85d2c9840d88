/** The node results of a checkpoint's row, parsed but not decoded, and the texts of outputs that are kept apart. */
import { TAG, TYPE_KEY } from "../../json-plus/tags.js";
import { hashOf } from "../../outputs/pieces.js";
import { hashReferredTo } from "../../outputs/references.js";
import { isObject } from "../../values/is-object.js";
import { type InspectedFile, numberOf } from "./file.js";
import { LARGEST_PARSED } from "./statements.js";

/** One node's result, in the wire format. */
export interface WireResult {
  node: string;
  status: string;
  startedAt?: number;
  completedAt?: number;
  error?: string;
  /** Absent if the node has none. */
  output?: { wire: unknown };
  /** The output is kept apart, under this hash. */
  hash?: string;
}

/** Why something is not shown. */
export class Unread extends Error {}

/** @throws {Unread} if the row is too large, or is not what a store writes. */
export function readNodeResults(file: InspectedFile, position: number, bytes: number): WireResult[] {
  if (bytes > LARGEST_PARSED) {
    throw new Unread(
      `node_results has ${bytes} bytes, and at most ${LARGEST_PARSED} are read here: use listCheckpoints() or the sqlite3 shell.`,
    );
  }
  const parsed = parse(file.statements.nodeResults.get(position)?.node_results, "node_results");
  return Object.entries(nodesOf(parsed)).map(([node, result]) => toWireResult(node, result));
}

function nodesOf(parsed: unknown): Record<string, unknown> {
  if (!isObject(parsed)) {
    throw new Unread("node_results is not an object by node.");
  }
  return parsed[TYPE_KEY] === TAG.object && isObject(parsed.value) ? parsed.value : parsed;
}

function toWireResult(node: string, result: unknown): WireResult {
  const fields = isObject(result) ? unwrapped(result) : {};
  const found: WireResult = { node, status: typeof fields.status === "string" ? fields.status : "unknown" };
  for (const time of ["startedAt", "completedAt"] as const) {
    const value = fields[time];
    // JSON.parse makes Infinity of 1e999.
    if (typeof value === "number" && Number.isFinite(value)) {
      found[time] = value;
    }
  }
  const error = errorOf(fields.error);
  if (error !== undefined) {
    found.error = error;
  }
  const hash = hashReferredTo(fields.output);
  if (hash !== undefined) {
    found.hash = hash;
  } else if (Object.hasOwn(fields, "output")) {
    found.output = { wire: fields.output };
  }
  return found;
}

/** 0.2.3 stored whatever a node threw. */
function errorOf(error: unknown): string | undefined {
  if (error === undefined || error === null) {
    return undefined;
  }
  return typeof error === "string" ? error : JSON.stringify(error);
}

function unwrapped(result: Record<string, unknown>): Record<string, unknown> {
  return result[TYPE_KEY] === TAG.object && isObject(result.value) ? result.value : result;
}

/** The output of a node; `undefined` if it has none. @throws {Unread} */
export function readOutput(file: InspectedFile, sessionId: string, result: WireResult): unknown {
  return result.hash === undefined
    ? result.output?.wire
    : parse(readOutputText(file, sessionId, result.hash), `the output ${result.hash}`);
}

/** Whether the node has an output at all. */
export function hasOutput({ hash, output }: WireResult): boolean {
  return hash !== undefined || output !== undefined;
}

/** Bytes of an output's text in the wire format, in the row or kept apart; `undefined` if there is none. */
export function outputBytes(
  file: InspectedFile,
  sessionId: string,
  { hash, output }: WireResult,
): number | undefined {
  return hash === undefined
    ? output && Buffer.byteLength(JSON.stringify(output.wire))
    : keptBytes(file, sessionId, hash);
}

function keptBytes(file: InspectedFile, sessionId: string, hash: string): number | undefined {
  const row = file.outputs?.outputSize.get(sessionId, hash);
  if (row === null || row === undefined) {
    return undefined;
  }
  return row.pieces === null
    ? numberOf(row.bytes)
    : numberOf(file.outputs?.pieceSizes.get(sessionId, listOf(row.pieces))?.bytes);
}

/** @throws {Unread} if it is missing, damaged or too large. */
function readOutputText(file: InspectedFile, sessionId: string, hash: string): string {
  const bytes = keptBytes(file, sessionId, hash);
  if (bytes === undefined) {
    throw new Unread(
      `table checkpoint_sqlite_outputs does not have the output ${hash}: the file is damaged.`,
    );
  }
  if (bytes > LARGEST_PARSED) {
    throw new Unread(
      `The output has ${bytes} bytes, and at most ${LARGEST_PARSED} are read here: use getCheckpoint() instead.`,
    );
  }
  const row = file.outputs?.output.get(sessionId, hash);
  const pieces = row?.pieces ?? null;
  const text =
    pieces === null
      ? String(row?.text)
      : (file.outputs?.pieces.all(sessionId, listOf(pieces)) ?? [])
          .map((piece) => String(piece.text))
          .join("");
  if (hashOf(text) !== hash) {
    throw new Unread(`The output ${hash} has another hash than its name: the file is damaged.`);
  }
  return text;
}

function listOf(pieces: unknown): string {
  try {
    return JSON.stringify(JSON.parse(String(pieces)));
  } catch {
    return "[]";
  }
}

/** @throws {Unread} */
export function parse(text: unknown, what: string): unknown {
  if (typeof text !== "string") {
    throw new Unread(`${what} is not text.`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Unread(`${what} is not JSON: the file is damaged.`);
  }
}
