/**
 * What the structured values in a file must look like to be read: all that 0.2.3 wrote and read, which checked less than
 * this package does on writing. A value that fails one is a CheckpointCorruptionError.
 *
 * What passes is returned as it is. So a value from 0.2.3 may be none that the contract's types name: a Map as metadata, an
 * object as a node's error.
 */
import type { CheckpointNodeResult, CycleState, ToolCall } from "../types.js";
import { isRecord, issue, listOf, recordOf, schema, text, type Validate, withFields } from "./schema.js";
import { CYCLE_STATE, NODE_RESULT, NODE_RESULTS, nodeStatus, TOOL_CALL } from "./schemas.js";

/** Any object but an array: 0.2.3 took a Map for one. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const anyObject: Validate = (value) => (isObject(value) ? undefined : issue("an object", value));

export const storedObject = schema<Record<string, unknown>>(anyObject);

const storedNodeResult: Validate = (value) => {
  if (!isObject(value)) {
    return issue(NODE_RESULT, value);
  }
  const found = nodeStatus(value.status);
  return found === undefined ? undefined : { ...found, path: ".status" };
};

export const storedNodeResults = schema<Record<string, CheckpointNodeResult>>(
  recordOf(NODE_RESULTS, storedNodeResult, isObject),
);

export const storedToolCalls = schema<ToolCall[]>(
  listOf("an array of tool calls", withFields(TOOL_CALL, { name: text, toolUseId: text, input: anyObject })),
);

const number: Validate = (value) =>
  typeof value === "number" && !Number.isNaN(value) ? undefined : issue("a number", value);

export const storedCycleState = schema<CycleState>(
  withFields(CYCLE_STATE, { backEdge: text, iteration: number }),
);

/** 0.2.3 let an iteration be text, and read it as the number that it spells. */
export function withNumericIteration(value: unknown): unknown {
  if (isRecord(value) && typeof value.iteration === "string") {
    const iteration = Number(value.iteration);
    return Number.isNaN(iteration) ? value : { ...value, iteration };
  }
  return value;
}
