/** Which paths differ between two values. */
import { JsonPlusSerializer } from "../json-plus/json-plus-serializer.js";

export interface Difference {
  /** `$.steps[2].name`; `$` is the value itself. */
  path: string;
  change: "added" | "removed" | "changed";
  /** Absent if it was added. */
  before?: unknown;
  /** Absent if it was removed. */
  after?: unknown;
}

const serializer = new JsonPlusSerializer();

/** Looks into plain objects and arrays, which are compared index by index; other values are compared as a whole. */
export function differences(before: unknown, after: unknown, path = "$"): Difference[] {
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, at) => memberDifferences(before, after, at, `${path}[${at}]`)).flat();
  }
  if (isPlain(before) && isPlain(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      memberDifferences(before, after, key, path + memberPath(key)),
    );
  }
  return isSame(before, after) ? [] : [{ path, change: "changed", before, after }];
}

function memberDifferences(before: object, after: object, key: string | number, path: string): Difference[] {
  const [was, is]: unknown[] = [Reflect.get(before, key), Reflect.get(after, key)];
  if (!Object.hasOwn(before, key)) {
    return [{ path, change: "added", after: is }];
  }
  if (!Object.hasOwn(after, key)) {
    return [{ path, change: "removed", before: was }];
  }
  return differences(was, is, path);
}

function memberPath(key: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** In the wire format, which every stored value has, and which tells -0 from 0 and a Map from an object. */
function isSame(before: unknown, after: unknown): boolean {
  return Object.is(before, after) || serializer.serialize(before) === serializer.serialize(after);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
