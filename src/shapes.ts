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
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype || prototype === null;
  return (isPlain || Object.prototype.toString.call(value) === "[object Object]") && !hasToJSON(value);
}

/** It would come back as something else. */
function hasToJSON(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
  );
}

const text: FindFault = (value) => (typeof value === "string" ? undefined : fault("a string", value));

const finiteNumber: FindFault = (value) =>
  Number.isFinite(value) ? undefined : fault("a finite number", value);

const nonNegativeInteger: FindFault = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : fault("a non-negative integer", value);

const anyRecord: FindFault = (value) =>
  isRecord(value)
    ? undefined
    : fault(hasToJSON(value) ? "an object without a toJSON method" : "an object", value);

const nodeStatus: FindFault = (value) =>
  NODE_STATUSES.includes(value)
    ? undefined
    : fault('one of "pending", "running", "completed", "failed", "skipped"', value);

const nodeResult = withFields("an object { status, output?, error?, startedAt?, completedAt? }", {
  status: nodeStatus,
  error: optional(text),
  startedAt: optional(finiteNumber),
  completedAt: optional(finiteNumber),
});

export const record = shape<Record<string, unknown>>(anyRecord);

export const nodeResults = shape<Record<string, CheckpointNodeResult>>(
  recordOf("an object of node results by node id", nodeResult),
);

export const pendingNodes = shape<string[]>(listOf("an array of node ids", text));

export const cycleState = shape<CycleState>(
  withFields("an object { backEdge, iteration }", { backEdge: text, iteration: nonNegativeInteger }),
);

export const toolCalls = shape<ToolCall[]>(
  listOf(
    "an array of tool calls",
    withFields("an object { name, toolUseId, input }", { name: text, toolUseId: text, input: anyRecord }),
  ),
);

export const toolResults = shape<StoredToolResult[]>(
  listOf(
    "an array of tool results",
    withFields("an object { toolUseId, content, status?, fullOutputRef? }", {
      toolUseId: text,
      content: text,
      status: optional(text),
      fullOutputRef: optional(text),
    }),
  ),
);

export const relationships = shape<Relationship[]>(
  listOf(
    "an array of relationships",
    withFields("an object { targetId, type }", { targetId: text, type: text }),
  ),
);

/** Rows of 0.2.3 may hold an empty one; it has nothing in common with any query. */
export const embedding = shape<number[]>(listOf("an array of numbers", finiteNumber));

function shape<T>(faultIn: FindFault): Shape<T> {
  return { faultIn, accepts: (value): value is T => faultIn(value) === undefined };
}

function optional(find: FindFault): FindFault {
  return (value) => (value === undefined || value === null ? undefined : find(value));
}

function withFields(expected: string, fields: Record<string, FindFault>): FindFault {
  const finders = Object.entries(fields);
  return (value) => {
    if (!isRecord(value)) {
      return fault(expected, value);
    }
    for (const [name, find] of finders) {
      const found = find(value[name]);
      if (found !== undefined) {
        return within(`.${name}`, found);
      }
    }
    return undefined;
  };
}

function recordOf(expected: string, find: FindFault): FindFault {
  return (value) => {
    if (!isRecord(value)) {
      return fault(expected, value);
    }
    for (const key of Object.keys(value)) {
      const found = find(value[key]);
      if (found !== undefined) {
        return within(`[${JSON.stringify(key)}]`, found);
      }
    }
    return undefined;
  };
}

function listOf(expected: string, find: FindFault): FindFault {
  return (value) => {
    if (!Array.isArray(value)) {
      return fault(expected, value);
    }
    for (let index = 0; index < value.length; index++) {
      const found = find(value[index]);
      if (found !== undefined) {
        return within(`[${index}]`, found);
      }
    }
    return undefined;
  };
}

function fault(expected: string, given: unknown): Fault {
  return { path: "", expected, given };
}

function within(step: string, inner: Fault): Fault {
  return { ...inner, path: step + inner.path };
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
