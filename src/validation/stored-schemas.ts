/**
 * Schemas for structured values that are read from a file: a value that does not match is a CheckpointCorruptionError.
 *
 * They accept everything that 0.2.3 could write and read, which is more than this package writes, and return it unchanged. So
 * a value from 0.2.3 may not match the contract's types: a Map as metadata, or an object as a node's error.
 */
import type { CheckpointNodeResult, CycleState, ToolCall } from "../types.js";
import { isObject } from "../values/is-object.js";
import { isRecord, issue, listOf, recordOf, schema, string, type Validate, withFields } from "./schema.js";
import { CYCLE_STATE, NODE_RESULT, NODE_RESULTS, nodeStatus, TOOL_CALL } from "./schemas.js";

/** A Map too, which 0.2.3 accepted as an object. */
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
  listOf(
    "an array of tool calls",
    withFields(TOOL_CALL, { name: string, toolUseId: string, input: anyObject }),
  ),
);

const number: Validate = (value) =>
  typeof value === "number" && !Number.isNaN(value) ? undefined : issue("a number", value);

export const storedCycleState = schema<CycleState>(
  withFields(CYCLE_STATE, { backEdge: string, iteration: number }),
);

/** 0.2.3 let an iteration be text, and read it as the number that it spells. */
export function withNumericIteration(value: unknown): unknown {
  if (isRecord(value) && typeof value.iteration === "string") {
    const iteration = Number(value.iteration);
    return Number.isNaN(iteration) ? value : { ...value, iteration };
  }
  return value;
}
