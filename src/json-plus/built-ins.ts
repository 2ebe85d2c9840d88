/**
 * Recognizes instances of built-in classes by their internal type, not their prototype: a value from a code interpreter
 * (node:vm) has classes of another realm, and `instanceof` is false for it.
 *
 * `instanceof` counts too, for a Proxy of a Map and other objects that only look like a Map. Their methods throw, which
 * becomes an error with a path, while encoding their fields would yield an empty object.
 */
import { types } from "node:util";

export function isMap(value: object): value is Map<unknown, unknown> {
  return types.isMap(value) || value instanceof Map;
}

export function isSet(value: object): value is Set<unknown> {
  return types.isSet(value) || value instanceof Set;
}

export function isRegExp(value: object): value is RegExp {
  return types.isRegExp(value) || value instanceof RegExp;
}

/** Includes a SharedArrayBuffer: only its bytes matter. */
export function isArrayBuffer(value: object): value is ArrayBufferLike {
  return types.isAnyArrayBuffer(value) || value instanceof ArrayBuffer;
}

export function isError(value: object): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

/** An AggregateError of another realm is recognized by its name only. */
export function isAggregateError(error: Error): error is AggregateError {
  const isOfOtherRealm = !Object.prototype.isPrototypeOf.call(Error.prototype, error);
  return (
    Array.isArray(Reflect.get(error, "errors")) &&
    (error instanceof AggregateError || (isOfOtherRealm && error.name === "AggregateError"))
  );
}

/** Whether a value is an instance whose wire format is not a record of its fields, or whose record would be meaningless. */
export function isBuiltIn(value: object): boolean {
  return (
    Array.isArray(value) ||
    isMap(value) ||
    isSet(value) ||
    isRegExp(value) ||
    isArrayBuffer(value) ||
    isError(value) ||
    ArrayBuffer.isView(value) ||
    types.isDate(value) ||
    types.isBoxedPrimitive(value) ||
    HAVE_NO_FIELDS.some((isOfKind) => isOfKind(value))
  );
}

const HAVE_NO_FIELDS: readonly ((value: object) => boolean)[] = [
  types.isPromise,
  types.isWeakMap,
  types.isWeakSet,
  types.isGeneratorObject,
  types.isMapIterator,
  types.isSetIterator,
];

const VIEW_NAME = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get;

/** The name of the built-in class, even for an instance of a subclass. */
export function viewNameOf(view: ArrayBufferView): string {
  return String(VIEW_NAME?.call(view) ?? "DataView");
}
