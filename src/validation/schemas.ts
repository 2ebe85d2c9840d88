/** Schemas for structured values that callers write: a value that does not match is an InvalidArgumentError. */
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
  string,
  type Validate,
  withFields,
} from "./schema.js";

/** Files from older versions hold `Complete`, `Failed` and `Skipped`, so a resumed run saves them again. */
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
  error: optional(string),
  startedAt: optional(finiteNumber),
  completedAt: optional(finiteNumber),
});

export const record = schema<Record<string, unknown>>(anyRecord);

export const nodeResults = schema<Record<string, CheckpointNodeResult>>(
  recordOf(NODE_RESULTS, nodeResult),
  copyValues(copyFields("status", "output", "error", "startedAt", "completedAt")),
);

export const pendingNodes = schema<string[]>(listOf("an array of node ids", string), copyElements(asIs));

export const cycleState = schema<CycleState>(
  withFields(CYCLE_STATE, { backEdge: string, iteration: nonNegativeInteger }),
  copyFields("backEdge", "iteration"),
);

export const toolCalls = schema<ToolCall[]>(
  listOf(
    "an array of tool calls",
    withFields(TOOL_CALL, { name: string, toolUseId: string, input: anyRecord }),
  ),
  copyElements(copyFields("name", "toolUseId", "input")),
);

export const toolResults = schema<StoredToolResult[]>(
  listOf(
    "an array of tool results",
    withFields("an object { toolUseId, content, status?, fullOutputRef? }", {
      toolUseId: string,
      content: string,
      status: optional(string),
      fullOutputRef: optional(string),
    }),
  ),
  copyElements(copyFields("toolUseId", "content", "status", "fullOutputRef")),
);

export const relationships = schema<Relationship[]>(
  listOf(
    "an array of relationships",
    withFields("an object { targetId, type }", { targetId: string, type: string }),
  ),
  copyElements(copyFields("targetId", "type")),
);

/** Rows from 0.2.3 may hold an empty embedding; it matches no query. */
export const embedding = schema<number[]>(listOf("an array of numbers", finiteNumber));
