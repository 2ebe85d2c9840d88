/** The plain columns of a checkpoint's row, read leniently: what is damaged is left out, not refused. */
import type { Row } from "../../database/connection.js";
import { isObject } from "../../values/is-object.js";
import type { NodeChange, RunCheckpoint, SessionItem } from "../answers.js";
import { type InspectedFile, numberOf, optionalTextOf, textOf } from "./file.js";
import { outputBytes, parse, readNodeResults, Unread, type WireResult } from "./node-results.js";
import { LARGEST_COLUMN } from "./statements.js";

/** Nodes that one answer names. */
const MOST_NODES = 2_000;

const LONGEST_ERROR = 300;

export type PlainCheckpoint = Omit<RunCheckpoint, "changes" | "rowBytes">;

export function toPlainCheckpoint(row: Row): PlainCheckpoint {
  const checkpoint: PlainCheckpoint = {
    id: textOf(row.id),
    position: numberOf(row.position),
    namespace: textOf(row.namespace),
    version: numberOf(row.version),
    step: numberOf(row.step),
    source: optionalTextOf(row.source),
    createdAt: numberOf(row.created_at),
    pending: pendingOf(row),
  };
  const [parentId, nodeId, cycle] = [
    optionalTextOf(row.parent_id),
    optionalTextOf(row.node_id),
    cycleOf(row.cycle_state),
  ];
  return {
    ...checkpoint,
    ...(parentId === null ? {} : { parentId }),
    ...(nodeId === null ? {} : { nodeId }),
    ...(cycle === undefined ? {} : { cycle }),
  };
}

function pendingOf({ pending_nodes, pending_bytes }: Row): string[] {
  if (numberOf(pending_bytes) > LARGEST_COLUMN) {
    return ["…"]; // There are some; their names are not read.
  }
  const parsed = parsedOrUndefined(pending_nodes);
  return Array.isArray(parsed) ? parsed.slice(0, MOST_NODES).map(String) : [];
}

function cycleOf(text: unknown): RunCheckpoint["cycle"] {
  const parsed = parsedOrUndefined(text);
  if (!isObject(parsed)) {
    return undefined;
  }
  const { backEdge, iteration } = parsed;
  return typeof backEdge === "string" && typeof iteration === "number" && Number.isFinite(iteration)
    ? { backEdge, iteration }
    : undefined;
}

function parsedOrUndefined(text: unknown): unknown {
  try {
    return parse(text, "the column");
  } catch {
    return undefined;
  }
}

/** The checkpoint that a run would resume from, as the store finds it. */
export function latestRow(file: InspectedFile, sessionId: string): Row | null {
  const id = latestId(file, sessionId);
  return id === undefined ? null : file.statements.checkpoint.get(id);
}

export function latestId({ statements }: InspectedFile, sessionId: string): string | undefined {
  const newest = statements.latestOfLastNamespace.get(sessionId);
  const found = newest?.has_others === 1 ? statements.latestOfOutermost.get(sessionId) : newest;
  return found === null || found === undefined ? undefined : textOf(found.id);
}

type Standing = Pick<SessionItem, "state" | "nodes" | "unread">;

/** How a run stands, from its latest checkpoint. */
export function stateOf(file: InspectedFile, sessionId: string): Standing {
  const row = latestRow(file, sessionId);
  if (row === null) {
    return { state: "empty", nodes: [] };
  }
  try {
    const results = readNodeResults(file, numberOf(row.position), bytesForState(row));
    const failed = results.filter(isFailed).map(({ node }) => node);
    const pending = pendingOf(row);
    return failed.length > 0
      ? { state: "failed", nodes: failed.slice(0, 5) }
      : { state: pending.length > 0 ? "pending" : "finished", nodes: pending.slice(0, 5) };
  } catch (error) {
    if (error instanceof Unread) {
      return { state: "unread", nodes: [], unread: error.message };
    }
    throw error;
  }
}

/** A list reads a hundred of them. */
const LARGEST_FOR_STATE = 512 * 1024;

function bytesForState({ bytes }: Row): number {
  const size = numberOf(bytes);
  if (size > LARGEST_FOR_STATE) {
    throw new Unread(
      `The latest checkpoint's row has ${size} bytes, and a list reads at most ${LARGEST_FOR_STATE} of one: open the session.`,
    );
  }
  return size;
}

/** 0.2.3 and earlier wrote the status of a failed node with a capital. */
export function isFailed({ status }: { status: string }): boolean {
  return status.toLowerCase() === "failed";
}

export function toNodeChange(file: InspectedFile, sessionId: string, result: WireResult): NodeChange {
  const { node, status, startedAt, completedAt, error } = result;
  const bytes = outputBytes(file, sessionId, result);
  return {
    node,
    status,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(completedAt === undefined ? {} : { completedAt }),
    ...(error === undefined ? {} : { error: error.slice(0, LONGEST_ERROR) }),
    ...(bytes === undefined ? {} : { outputBytes: bytes }),
  };
}
