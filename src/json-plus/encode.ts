/**
 * Converts JavaScript values to plain ones that `JSON.stringify` can write.
 *
 * A single walk copies the value and reads each property once, so a getter cannot return something else when it is written.
 *
 * Limits: {@link MAX_DEPTH} levels, {@link MAX_CONTAINERS} objects and arrays.
 */
import { types } from "node:util";
import { SerializationError } from "../errors.js";
import { isInstance, messageOf } from "../values/describe.js";
import { isAggregateError, isArrayBuffer, isError, isMap, isRegExp, isSet, viewNameOf } from "./built-ins.js";
import { type ErrorParts, INVALID_DATE, pathOf, setOwn, TAG, TYPE_KEY, tagged } from "./tags.js";

/** Less than half of what fits on the engine's stack (Bun 1.2 to 1.4): the caller's own frames need room too. */
export const MAX_DEPTH = 2_000;

/** A small value that shares its parts (`b = [a, a]; c = [b, b]; …`) can stand for billions of objects when written out. */
export const MAX_CONTAINERS = 10_000_000;

/**
 * The search for cycles starts at this depth: a cycle always reaches it, and ordinary values, which do not, skip the cost
 * of searching their ancestors.
 */
const CYCLE_SEARCH_DEPTH = 64;

/** @throws {SerializationError} with the path to the part that cannot be written or read. */
export function encode(value: unknown): unknown {
  return new Encoder().encodeRoot(value);
}

class Encoder {
  #depth = 0;
  #containers = 0;
  /** The path to the current container; entries beyond `#depth` are left over from earlier paths. */
  readonly #keys: (string | number)[] = [];
  readonly #ancestors: object[] = [];

  encodeRoot(value: unknown): unknown {
    try {
      return this.#encodeElement(value, "");
    } catch (error) {
      if (isInstance(error, SerializationError)) {
        throw error;
      }
      throw this.#failure(this.#depth, `could not be read: ${messageOf(error)}`, error);
    }
  }

  /** Encodes an element of an array, Map or Set. An `undefined` element gets a tag, because JSON would turn it into null. */
  #encodeElement(value: unknown, key: string | number): unknown {
    return value === undefined ? tagged(TAG.undefined, null) : this.#encode(value, key);
  }

  /** Returns `undefined` for values that JSON drops: functions, symbols and `undefined` itself. */
  #encode(value: unknown, key: string | number): unknown {
    switch (typeof value) {
      case "object":
        return value === null ? null : this.#encodeContainer(value, key);
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : tagged(TAG.number, Object.is(value, -0) ? "-0" : String(value));
      case "bigint":
        return tagged(TAG.bigint, String(value));
      case "function":
        return hasToJSON(value) ? this.#encodeContainer(value, key) : undefined;
      case "symbol":
        return undefined;
      default:
        return value;
    }
  }

  #encodeContainer(container: object, key: string | number, isFromToJSON = false): unknown {
    const depth = this.#depth;
    this.#keys[depth] = key;
    if (depth > CYCLE_SEARCH_DEPTH && this.#ancestors.lastIndexOf(container, depth - 1) >= 0) {
      throw this.#failure(this.#depthOfRepetition(container) + 1, "contains itself");
    }
    this.#ancestors[depth] = container;
    if (depth >= MAX_DEPTH) {
      throw this.#failure(depth + 1, `is nested deeper than ${MAX_DEPTH} levels`);
    }
    if (++this.#containers > MAX_CONTAINERS) {
      throw this.#failure(
        depth + 1,
        `has more than ${MAX_CONTAINERS} objects and arrays; a shared one counts each time it occurs`,
      );
    }
    this.#depth = depth + 1;
    const encoded = this.#encodeEntered(container, key, isFromToJSON);
    this.#depth = depth;
    return encoded;
  }

  /** @param isFromToJSON As in JSON, the result of a `toJSON` method is not asked for its own `toJSON`. */
  #encodeEntered(container: object, key: string | number, isFromToJSON: boolean): unknown {
    const prototype: unknown = Object.getPrototypeOf(container);
    if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) {
      const special = this.#encodeInstance(container);
      if (special !== undefined) {
        return special;
      }
    }
    if (!isFromToJSON && hasToJSON(container)) {
      const result: unknown = container.toJSON(String(key));
      return typeof result === "object" && result !== null
        ? this.#encodeContainer(result, "toJSON()", true)
        : this.#encode(result, "toJSON()");
    }
    if (Array.isArray(container)) {
      return this.#encodeArray(container);
    }
    if (isError(container)) {
      return this.#encodeError(container);
    }
    return isRawJSON(container) ? container : this.#encodeRecord(container);
  }

  #encodeArray(array: readonly unknown[]): readonly unknown[] {
    const copy: unknown[] = [];
    for (let index = 0; index < array.length; index++) {
      const element = array[index];
      copy.push(typeof element === "string" ? element : (this.#encodeElement(element, index) ?? null));
    }
    return copy;
  }

  #encodeRecord(record: object): unknown {
    const copy: Record<string, unknown> = {};
    let isTagLookalike = false;
    for (const key in record) {
      if (!Object.hasOwn(record, key)) {
        continue;
      }
      const value: unknown = record[key as keyof typeof record];
      const encoded = typeof value === "string" ? value : this.#encode(value, key);
      if (encoded === undefined) {
        continue;
      }
      if (key === "__proto__") {
        setOwn(copy, key, encoded);
      } else {
        copy[key] = encoded;
        isTagLookalike ||= key === TYPE_KEY;
      }
    }
    return isTagLookalike ? tagged(TAG.object, copy) : copy;
  }

  /** Encodes an instance of a built-in class. Returns `undefined` for any other class, whose instances JSON writes as records. */
  #encodeInstance(instance: object): unknown {
    if (types.isDate(instance)) {
      const isInvalid = Number.isNaN(Date.prototype.getTime.call(instance));
      return tagged(TAG.date, isInvalid ? INVALID_DATE : Date.prototype.toISOString.call(instance));
    }
    if (instance instanceof URL) {
      return tagged(TAG.url, instance.href);
    }
    if (Buffer.isBuffer(instance)) {
      return tagged(TAG.buffer, base64Of(instance));
    }
    if (hasToJSON(instance)) {
      return undefined;
    }
    if (isMap(instance)) {
      return tagged(TAG.map, this.#encodeEntries(instance));
    }
    if (isSet(instance)) {
      return tagged(TAG.set, this.#encodeArray([...instance]));
    }
    if (ArrayBuffer.isView(instance)) {
      return tagged(TAG.view + viewNameOf(instance), base64Of(instance));
    }
    if (isArrayBuffer(instance)) {
      return tagged(TAG.arrayBuffer, base64Of(new DataView(instance)));
    }
    if (isRegExp(instance)) {
      return tagged(TAG.regExp, [
        String(instance.source),
        String(instance.flags),
        this.#encode(instance.lastIndex, "lastIndex"),
      ]);
    }
    return types.isBoxedPrimitive(instance) ? this.#encode(unboxed(instance), "valueOf()") : undefined;
  }

  #encodeEntries(map: ReadonlyMap<unknown, unknown>): unknown[] {
    const entries: unknown[] = [];
    for (const [key, value] of map) {
      const index = entries.length;
      entries.push([this.#encodeElement(key, index), this.#encodeElement(value, index)]);
    }
    return entries;
  }

  #encodeError(error: Error): unknown {
    const parts: ErrorParts = { name: String(error.name), message: String(error.message) };
    const stack: unknown = error.stack;
    if (typeof stack === "string") {
      parts.stack = stack;
    }
    if (Object.hasOwn(error, "cause")) {
      parts.cause = this.#encodeElement(error.cause, "cause");
    }
    if (isAggregateError(error)) {
      parts.errors = this.#encodeElement(error.errors, "errors");
    }
    const fields = this.#encodeErrorFields(error, parts);
    if (Object.keys(fields).length > 0) {
      parts.fields = fields;
    }
    return tagged(TAG.error, parts);
  }

  /** Encodes the own enumerable properties that are not already in `parts`. */
  #encodeErrorFields(error: Error, parts: ErrorParts): Record<string, unknown> {
    const fields: Record<string, unknown> = {};
    for (const key of Object.keys(error).filter((each) => !Object.hasOwn(parts, each))) {
      const field = this.#encode(Reflect.get(error, key), key);
      if (field !== undefined) {
        setOwn(fields, key, field);
      }
    }
    return fields;
  }

  /** The depth at which a path with a cycle first repeats a container. */
  #depthOfRepetition(container: object): number {
    const seen = new Set<object>();
    const path = [...this.#ancestors.slice(0, this.#depth), container];
    return path.findIndex((ancestor) => seen.size === seen.add(ancestor).size);
  }

  /** @param length Number of containers on the path to the failing part. */
  #failure(length: number, reason: string, cause?: unknown): SerializationError {
    const path = pathOf(this.#keys.slice(1, length));
    return new SerializationError(withoutMiddle(path), reason, cause === undefined ? undefined : { cause });
  }
}

function hasToJSON(value: object): value is { toJSON(key: string): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** Recognizes the result of `JSON.rawJSON`: JSON would write a copy of it as an object. */
function isRawJSON(value: object): boolean {
  return "rawJSON" in value && Object.getPrototypeOf(value) === null && Object.isFrozen(value);
}

/** Returns `undefined` for a Symbol object, which JSON writes as a record. */
function unboxed(value: object): unknown {
  if (types.isNumberObject(value)) {
    return Number.prototype.valueOf.call(value);
  }
  if (types.isStringObject(value)) {
    return String.prototype.valueOf.call(value);
  }
  if (types.isBooleanObject(value)) {
    return Boolean.prototype.valueOf.call(value);
  }
  return types.isBigIntObject(value) ? BigInt.prototype.valueOf.call(value) : undefined;
}

function base64Of(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");
}

/** A path may have thousands of steps: its two ends are enough to find the place. */
function withoutMiddle(path: string): string {
  return path.length <= 300 ? path : `${path.slice(0, 150)} … ${path.slice(-150)}`;
}
