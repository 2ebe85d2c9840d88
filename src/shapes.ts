/**
 * What the structured values of the contract must look like.
 *
 * The same checks serve both ways: an argument that fails one is an InvalidArgumentError, a column that fails
 * one is a CheckpointCorruptionError. Fields that the contract does not name are let through and kept.
 */
import type { CheckpointNodeResult, CycleState, Relationship, StoredToolResult, ToolCall } from "./types.js";

/** What is wrong with a value, and where in it. `""` is the value itself. */
export interface Fault {
  path: string;
  expected: string;
  given: unknown;
}

/** What a value of type `T` must look like, as far as this package relies on it. */
export interface Shape<T> {
  /** The first fault of a value; `undefined` where there is none. */
  faultIn(value: unknown): Fault | undefined;
  accepts(value: unknown): value is T;
}

type FindFault = (value: unknown) => Fault | undefined;

/** How many characters of a value an error shows. */
const LONGEST_SHOWN = 60;

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

/** An object that comes back as an object: no array, Map, Date or other class with a wire format of its own. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.prototype.toString.call(value) === "[object Object]" &&
    typeof Reflect.get(value, "toJSON") !== "function"
  );
}

const findRecord: FindFault = (value) => (isRecord(value) ? undefined : fault("", "an object", value));

const findNodeResults: FindFault = (value) =>
  isRecord(value)
    ? firstFault(Object.keys(value), (nodeId) => within(member(nodeId), nodeResult(value[nodeId])))
    : fault("", "an object of node results by node id", value);

const findCycleState: FindFault = (value) =>
  isRecord(value)
    ? (within(".backEdge", text(value.backEdge)) ?? within(".iteration", nonNegativeInteger(value.iteration)))
    : fault("", "an object { backEdge, iteration }", value);

const nodeResult: FindFault = (value) => {
  if (!isRecord(value)) {
    return fault("", "an object { status, output?, error?, startedAt?, completedAt? }", value);
  }
  return (
    within(".status", nodeStatus(value.status)) ??
    within(".error", optional(text)(value.error)) ??
    within(".startedAt", optional(finiteNumber)(value.startedAt)) ??
    within(".completedAt", optional(finiteNumber)(value.completedAt))
  );
};

const toolCall: FindFault = (value) =>
  isRecord(value)
    ? (within(".name", text(value.name)) ??
      within(".toolUseId", text(value.toolUseId)) ??
      within(".input", findRecord(value.input)))
    : fault("", "an object { name, toolUseId, input }", value);

const toolResult: FindFault = (value) =>
  isRecord(value)
    ? (within(".toolUseId", text(value.toolUseId)) ??
      within(".content", text(value.content)) ??
      within(".status", optional(text)(value.status)) ??
      within(".fullOutputRef", optional(text)(value.fullOutputRef)))
    : fault("", "an object { toolUseId, content, status?, fullOutputRef? }", value);

const relationship: FindFault = (value) =>
  isRecord(value)
    ? (within(".targetId", text(value.targetId)) ?? within(".type", text(value.type)))
    : fault("", "an object { targetId, type }", value);

const text: FindFault = (value) => (typeof value === "string" ? undefined : fault("", "a string", value));

const finiteNumber: FindFault = (value) =>
  Number.isFinite(value) ? undefined : fault("", "a finite number", value);

const nonNegativeInteger: FindFault = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : fault("", "a non-negative integer", value);

const nodeStatus: FindFault = (value) =>
  NODE_STATUSES.includes(value)
    ? undefined
    : fault("", 'one of "pending", "running", "completed", "failed", "skipped"', value);

export const record = shape<Record<string, unknown>>(findRecord);

export const nodeResults = shape<Record<string, CheckpointNodeResult>>(findNodeResults);

export const pendingNodes = shape<string[]>((value) => listOf(value, "an array of node ids", text));

export const toolCalls = shape<ToolCall[]>((value) => listOf(value, "an array of tool calls", toolCall));

export const toolResults = shape<StoredToolResult[]>((value) =>
  listOf(value, "an array of tool results", toolResult),
);

export const cycleState = shape<CycleState>(findCycleState);

export const relationships = shape<Relationship[]>((value) =>
  listOf(value, "an array of relationships", relationship),
);

/** Rows of 0.2.3 may hold an empty one; it has nothing in common with any query. */
export const embedding = shape<number[]>((value) => listOf(value, "an array of numbers", finiteNumber));

function shape<T>(faultIn: FindFault): Shape<T> {
  return { faultIn, accepts: (value): value is T => faultIn(value) === undefined };
}

function optional(find: FindFault): FindFault {
  return (value) => (value === undefined || value === null ? undefined : find(value));
}

function listOf(value: unknown, expected: string, element: FindFault): Fault | undefined {
  return Array.isArray(value)
    ? firstFault([...value.keys()], (index) => within(`[${index}]`, element(value[index])))
    : fault("", expected, value);
}

function firstFault<T>(keys: readonly T[], faultAt: (key: T) => Fault | undefined): Fault | undefined {
  for (const key of keys) {
    const found = faultAt(key);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function fault(path: string, expected: string, given: unknown): Fault {
  return { path, expected, given };
}

function within(step: string, inner: Fault | undefined): Fault | undefined {
  return inner === undefined ? undefined : { ...inner, path: step + inner.path };
}

function member(key: string): string {
  return `[${JSON.stringify(key)}]`;
}

/** A value as an error may show it: its kind and a little of it, never the whole payload. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `the string ${JSON.stringify(shortened(value))}`;
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : `an object (${className(value)})`;
    case "undefined":
      return "undefined";
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    default:
      return `the ${typeof value} ${shortened(String(value))}`;
  }
}

function className(value: object): string {
  return shortened(Object.prototype.toString.call(value).slice("[object ".length, -1));
}

function shortened(text: string): string {
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}…`;
}
