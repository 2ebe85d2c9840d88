/** One checkpoint with its nodes; a part of an output by its path; the differences between two checkpoints. */
import type { Row } from "../../database/connection.js";
import type {
  CheckpointAnswer,
  CheckpointNode,
  CheckpointPlace,
  ComparisonAnswer,
  NodeDifference,
  ValueNode,
} from "../answers.js";
import { isFailed, toPlainCheckpoint } from "./checkpoint-row.js";
import { differencesOf } from "./differences.js";
import { type InspectedFile, numberOf, optionalTextOf, textOf } from "./file.js";
import {
  hasOutput,
  outputBytes,
  readNodeResults,
  readOutput,
  Unread,
  type WireResult,
} from "./node-results.js";
import { LONGEST_TITLE } from "./sessions.js";
import { LARGEST_PARSED } from "./statements.js";
import { at, LONGEST_TEXT, toValueNode } from "./wire.js";

/** Nodes of one answer. */
const MOST_NODES = 500;

const LONGEST_ERROR = 20_000;

/** Bytes of outputs that are read before a page asks for them. */
const MOST_OUTPUT_BYTES = 4 * 1024 * 1024;

/** Bytes of outputs that one comparison reads: two of the largest. */
const MOST_COMPARED_BYTES = 2 * LARGEST_PARSED;

/** Bytes of an output that is copied as JSON. */
export const LARGEST_COPIED = 8 * 1024 * 1024;

export function readCheckpoint(file: InspectedFile, id: string): CheckpointAnswer | undefined {
  const row = file.statements.checkpoint.get(id);
  if (row === null) {
    return undefined;
  }
  const { position: _, ...plain } = toPlainCheckpoint(row);
  const answer = { ...plain, sessionId: textOf(row.session_id) };
  return withReason<CheckpointAnswer>(
    () => ({ ...answer, nodes: readNodes(file, row) }),
    (unread) => ({ ...answer, nodes: [], unread }),
  );
}

/** Failed nodes first, then in the order of the file. */
function readNodes(file: InspectedFile, row: Row): CheckpointNode[] {
  const sessionId = textOf(row.session_id);
  const results = readNodeResults(file, numberOf(row.position), numberOf(row.bytes));
  const ordered = [...results.filter(isFailed), ...results.filter((result) => !isFailed(result))];
  let left = MOST_OUTPUT_BYTES;
  return ordered.slice(0, MOST_NODES).map((result) => {
    const node = toCheckpointNode(file, sessionId, result);
    left -= node.outputBytes ?? 0;
    return left < 0 && hasOutput(result)
      ? { ...node, output: { type: "large" } }
      : withOutput(file, sessionId, result, node);
  });
}

function toCheckpointNode(file: InspectedFile, sessionId: string, result: WireResult): CheckpointNode {
  const { node, status, startedAt, completedAt, error } = result;
  const bytes = outputBytes(file, sessionId, result);
  return {
    node,
    status,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(completedAt === undefined ? {} : { completedAt }),
    ...(error === undefined ? {} : { error: { text: error.slice(0, LONGEST_ERROR), size: error.length } }),
    ...(bytes === undefined ? {} : { outputBytes: bytes }),
  };
}

function withOutput(
  file: InspectedFile,
  sessionId: string,
  result: WireResult,
  node: CheckpointNode,
): CheckpointNode {
  if (!hasOutput(result)) {
    return node;
  }
  return withReason<CheckpointNode>(
    () => ({ ...node, output: toValueNode(readOutput(file, sessionId, result)) }),
    (unread) => ({ ...node, unread }),
  );
}

export interface OutputPlace {
  checkpointId: string;
  node: string;
}

/** A part of an output, with parts of its own from `offset` on. @throws {Unread} */
export function readValue(
  file: InspectedFile,
  place: OutputPlace,
  path: readonly number[],
  offset: number,
): ValueNode | undefined {
  const found = findOutput(file, place);
  return found && toValueNode(at(found.wire, path), { offset, longestText: LONGEST_TEXT });
}

/** The text of an output in the wire format, for the clipboard. @throws {Unread} */
export function readJson(file: InspectedFile, place: OutputPlace): string | undefined {
  const found = findOutput(file, place);
  const text = found && JSON.stringify(found.wire, null, 2);
  if (text !== undefined && text.length > LARGEST_COPIED) {
    throw new Unread(
      `The output has ${text.length} characters as JSON, and at most ${LARGEST_COPIED} are copied.`,
    );
  }
  return text;
}

function findOutput(file: InspectedFile, { checkpointId, node }: OutputPlace): { wire: unknown } | undefined {
  const row = file.statements.checkpoint.get(checkpointId);
  const result = row === null ? undefined : resultsOf(file, row).get(node);
  return row === null || result === undefined || !hasOutput(result)
    ? undefined
    : { wire: readOutput(file, textOf(row.session_id), result) };
}

function resultsOf(file: InspectedFile, row: Row): Map<string, WireResult> {
  const results = readNodeResults(file, numberOf(row.position), numberOf(row.bytes));
  return new Map(results.map((result) => [result.node, result]));
}

/** @throws {Unread} if a row of the two cannot be read. */
export function readComparison(
  file: InspectedFile,
  beforeId: string,
  afterId: string,
): ComparisonAnswer | undefined {
  const before = file.statements.checkpoint.get(beforeId);
  const after = file.statements.checkpoint.get(afterId);
  if (before === null || after === null) {
    return undefined;
  }
  return {
    before: placeOf(file, before),
    after: placeOf(file, after),
    nodes: compareNodes(file, before, after),
    pendingBefore: toPlainCheckpoint(before).pending,
    pendingAfter: toPlainCheckpoint(after).pending,
  };
}

function placeOf(file: InspectedFile, row: Row): CheckpointPlace {
  const { id, namespace, version, createdAt } = toPlainCheckpoint(row);
  const sessionId = textOf(row.session_id);
  const title =
    optionalTextOf(file.statements.session.get(sessionId)?.title)?.slice(0, LONGEST_TITLE) ?? null;
  return { id, sessionId, title, namespace, version, createdAt };
}

const ORDER: readonly NodeDifference["kind"][] = ["changed", "finished", "removed", "same"];

function compareNodes(file: InspectedFile, before: Row, after: Row): NodeDifference[] {
  const [left, right] = [resultsOf(file, before), resultsOf(file, after)];
  const nodes = [...new Set([...left.keys(), ...right.keys()])].slice(0, MOST_NODES);
  const comparison = new Comparison(file);
  return nodes
    .map((node) => {
      const [old, now] = [left.get(node), right.get(node)];
      return comparison.ofNode(
        node,
        old && { sessionId: textOf(before.session_id), result: old },
        now && { sessionId: textOf(after.session_id), result: now },
      );
    })
    .sort((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind));
}

interface ResultPlace {
  sessionId: string;
  result: WireResult;
}

type Output = Pick<CheckpointNode, "output" | "unread">;

/** Reads outputs until its bytes are spent; what cannot be read is said at its node. */
class Comparison {
  #left = MOST_COMPARED_BYTES;

  constructor(readonly file: InspectedFile) {}

  ofNode(node: string, before: ResultPlace | undefined, after: ResultPlace | undefined): NodeDifference {
    const difference = {
      node,
      ...(before && { before: this.#shown(before) }),
      ...(after && { after: this.#shown(after) }),
      differences: [],
      isCut: false,
    };
    if (before === undefined) {
      return { ...difference, kind: "finished", ...(after && { after: this.#withOutput(after) }) };
    }
    if (after === undefined) {
      return { ...difference, kind: "removed", before: this.#withOutput(before) };
    }
    if (before.result.hash !== undefined && before.result.hash === after.result.hash) {
      return { ...difference, kind: isSameVisit(before.result, after.result) ? "same" : "changed" };
    }
    const [old, now] = [this.#read(before), this.#read(after)];
    if (old.unread !== undefined || now.unread !== undefined) {
      return {
        ...difference,
        kind: "changed",
        before: { ...this.#shown(before), ...reasonOf(old) },
        after: { ...this.#shown(after), ...reasonOf(now) },
      };
    }
    const found = differencesOf(old.wire, now.wire);
    const isSame = found.differences.length === 0 && isSameVisit(before.result, after.result);
    return { ...difference, ...found, kind: isSame ? "same" : "changed" };
  }

  #shown({ sessionId, result }: ResultPlace): CheckpointNode {
    return toCheckpointNode(this.file, sessionId, result);
  }

  #withOutput(place: ResultPlace): CheckpointNode {
    const { wire, unread } = this.#read(place);
    const output: Output =
      unread !== undefined ? { unread } : hasOutput(place.result) ? { output: toValueNode(wire) } : {};
    return { ...this.#shown(place), ...output };
  }

  #read({ sessionId, result }: ResultPlace): { wire?: unknown; unread?: string } {
    this.#left -= outputBytes(this.file, sessionId, result) ?? 0;
    if (this.#left < 0) {
      return { unread: TOO_MUCH_TO_COMPARE };
    }
    return withReason<{ wire?: unknown; unread?: string }>(
      () => ({ wire: readOutput(this.file, sessionId, result) }),
      (unread) => ({ unread }),
    );
  }
}

const TOO_MUCH_TO_COMPARE = `The outputs of these checkpoints have more than ${MOST_COMPARED_BYTES} bytes, and this one comes after them: open it in its checkpoint.`;

function reasonOf({ unread }: { unread?: string }): Output {
  return unread === undefined ? {} : { unread };
}

function isSameVisit(before: WireResult, after: WireResult): boolean {
  return (
    before.status === after.status &&
    before.error === after.error &&
    before.startedAt === after.startedAt &&
    before.completedAt === after.completedAt
  );
}

function withReason<T>(read: () => T, otherwise: (reason: string) => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unread) {
      return otherwise(error.message);
    }
    throw error;
  }
}
