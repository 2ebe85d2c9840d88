/** What the structured values of the contract must look like when they are written: a value that fails one is an InvalidArgumentError. */
import type { CheckpointNodeResult, CycleState, Relationship, StoredToolResult, ToolCall } from "../types.js";
import {
  asIs,
  copyElements,
  copyFields,
  copyValues,
  finiteNumber,
  hasToJSON,
  isRecord,
  issue,
  listOf,
  optional,
  recordOf,
  schema,
  text,
  type Validate,
  withFields,
} from "./schema.js";

/** `Complete`, `Failed` and `Skipped` are in files of older writers, and so in what a resumed run saves again. */
const NODE_STATUSES: readonly unknown[] = [
  "pending",
  "running",
  "completed",
  "failed",
  "skipped",
  "Complete",
  "Failed",
  "Skipped",
];

const nonNegativeInteger: Validate = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : issue("a non-negative integer", value);

const anyRecord: Validate = (value) =>
  isRecord(value)
    ? undefined
    : issue(hasToJSON(value) ? "an object without a toJSON method" : "an object", value);

export const nodeStatus: Validate = (value) =>
  NODE_STATUSES.includes(value)
    ? undefined
    : issue('one of "pending", "running", "completed", "failed", "skipped"', value);

export const NODE_RESULT = "an object { status, output?, error?, startedAt?, completedAt? }";
export const NODE_RESULTS = "an object of node results by node id";
export const CYCLE_STATE = "an object { backEdge, iteration }";
export const TOOL_CALL = "an object { name, toolUseId, input }";

const nodeResult = withFields(NODE_RESULT, {
  status: nodeStatus,
  error: optional(text),
  startedAt: optional(finiteNumber),
  completedAt: optional(finiteNumber),
});

export const record = schema<Record<string, unknown>>(anyRecord);

export const nodeResults = schema<Record<string, CheckpointNodeResult>>(
  recordOf(NODE_RESULTS, nodeResult),
  copyValues(copyFields("status", "output", "error", "startedAt", "completedAt")),
);

export const pendingNodes = schema<string[]>(listOf("an array of node ids", text), copyElements(asIs));

export const cycleState = schema<CycleState>(
  withFields(CYCLE_STATE, { backEdge: text, iteration: nonNegativeInteger }),
  copyFields("backEdge", "iteration"),
);

export const toolCalls = schema<ToolCall[]>(
  listOf("an array of tool calls", withFields(TOOL_CALL, { name: text, toolUseId: text, input: anyRecord })),
  copyElements(copyFields("name", "toolUseId", "input")),
);

export const toolResults = schema<StoredToolResult[]>(
  listOf(
    "an array of tool results",
    withFields("an object { toolUseId, content, status?, fullOutputRef? }", {
      toolUseId: text,
      content: text,
      status: optional(text),
      fullOutputRef: optional(text),
    }),
  ),
  copyElements(copyFields("toolUseId", "content", "status", "fullOutputRef")),
);

export const relationships = schema<Relationship[]>(
  listOf(
    "an array of relationships",
    withFields("an object { targetId, type }", { targetId: text, type: text }),
  ),
  copyElements(copyFields("targetId", "type")),
);

/** Rows of 0.2.3 may hold an empty one; it has nothing in common with any query. */
export const embedding = schema<number[]>(listOf("an array of numbers", finiteNumber));
