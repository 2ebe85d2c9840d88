/**
 * The one deep comparison of the tests: whether two values are the same data, and if not, where they first differ.
 *
 * `assert.deepStrictEqual` cannot replace it. It ignores the order of Maps and Sets, and a property that is `undefined`
 * differs there from one that is absent, which the contract of a checkpoint store leaves open. Here -0 is not 0, `null`
 * is not `undefined`, a Buffer is not a Uint8Array, prototypes must be identical, and errors are compared by all that
 * they hold. The order of an object's keys does not matter. Limit: neither value may contain itself.
 */
import { AssertionError } from "node:assert/strict";

/** Throws an AssertionError that names the first place at which the values differ; `name` is what it calls the value. */
export function assertSame(actual: unknown, expected: unknown, name = "$"): void {
  const message = difference(actual, expected, name);
  if (message !== undefined) throw new AssertionError({ message, actual, expected, operator: "assertSame" });
}

/** One line that says where the values first differ, or `undefined` if nowhere. */
export function difference(actual: unknown, expected: unknown, path = "$"): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (!isObject(actual) || !isObject(expected)) return `${path}: is ${show(actual)}, not ${show(expected)}`;
  return differenceOfKind(actual, expected, path) ?? differenceOfContents(actual, expected, path);
}

function differenceOfKind(actual: object, expected: object, path: string): string | undefined {
  if (Object.getPrototypeOf(actual) === Object.getPrototypeOf(expected)) return undefined;
  const [found, wanted] = [classNameOf(actual), classNameOf(expected)];
  return `${path}: is a ${found}, not a ${wanted}${found === wanted ? " of the same realm" : ""}`;
}

function differenceOfContents(actual: object, expected: object, path: string): string | undefined {
  if (isBytes(actual) && isBytes(expected)) {
    const [found, wanted] = [bytesOf(actual), bytesOf(expected)];
    return found.equals(wanted) ? undefined : difference([...found], [...wanted], `${path}.bytes`);
  }
  const [found, wanted] = [contentsOf(actual), contentsOf(expected)];
  for (const key of new Set([...wanted.keys(), ...found.keys()])) {
    const first = difference(found.get(key), wanted.get(key), `${path}.${key}`);
    if (first !== undefined) return first;
  }
  return undefined;
}

/** What a value holds apart from its properties, and then its own properties: `__proto__` is a key like any other. */
function contentsOf(value: object): Map<string, unknown> {
  return new Map([...innerContentsOf(value), ...Object.entries(value)]);
}

function innerContentsOf(value: object): [string, unknown][] {
  if (Array.isArray(value)) return [["length", value.length]];
  if (value instanceof Date) return [["getTime()", value.getTime()]];
  if (value instanceof Map) return [["entries()", [...value].flat(1)]];
  if (value instanceof Set) return [["values()", [...value]]];
  if (value instanceof URL) return [["href", value.href]];
  if (value instanceof RegExp) return pick(value, ["source", "flags", "lastIndex"]);
  return value instanceof Error ? pick(value, ["name", "message", "stack", "cause", "errors"]) : [];
}

function pick(value: object, keys: readonly string[]): [string, unknown][] {
  return keys.map((key) => [key, Reflect.get(value, key)]);
}

function classNameOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  return isObject(prototype) ? String(prototype.constructor.name) : "object without a prototype";
}

function isBytes(value: object): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  return value instanceof ArrayBuffer
    ? Buffer.from(value)
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function show(value: unknown): string {
  if (isObject(value)) return `a ${classNameOf(value)}`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
}
