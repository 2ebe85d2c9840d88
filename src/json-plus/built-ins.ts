/**
 * Tells instances of built-in classes by what they are, not by their prototype: a value from a code interpreter (node:vm) has
 * the classes of another realm, for which `instanceof` is false.
 *
 * `instanceof` counts too, for a Proxy of a Map and whatever else only looks like one: its methods throw, which is an error with
 * a path, while a record of its fields would be an empty object.
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

/** A shared one too: its bytes are what matters. */
export function isArrayBuffer(value: object): value is ArrayBufferLike {
  return types.isAnyArrayBuffer(value) || value instanceof ArrayBuffer;
}

export function isError(value: object): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

/** One of another realm is known by its name only. */
export function isAggregateError(error: Error): error is AggregateError {
  const isOfOtherRealm = !Object.prototype.isPrototypeOf.call(Error.prototype, error);
  return (
    Array.isArray(Reflect.get(error, "errors")) &&
    (error instanceof AggregateError || (isOfOtherRealm && error.name === "AggregateError"))
  );
}

/** An instance that no wire format writes as a record of its fields, or whose record would say nothing of it. */
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

/** The built-in's name, also for an instance of a subclass. */
export function viewNameOf(view: ArrayBufferView): string {
  return String(VIEW_NAME?.call(view) ?? "DataView");
}
