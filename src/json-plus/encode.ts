/**
 * JavaScript values to what `JSON.stringify` can write.
 *
 * One walk. Where nothing special is found the value itself is handed on, not a copy, so that plain data costs
 * little more than `JSON.stringify`; a container is copied from the first special value in it onwards.
 *
 * Limits: {@link MAX_DEPTH} levels, {@link MAX_CONTAINERS} objects and arrays.
 */
import { types } from "node:util";
import { SerializationError } from "../errors.js";
import { messageOf } from "../validation/describe.js";
import { type ErrorParts, INVALID_DATE, pathOf, setOwn, TAG, TYPE_KEY, tagged } from "./tags.js";

/** Less than half of what the engine's stack holds (Bun 1.2 to 1.4): the caller's own frames need room too. */
export const MAX_DEPTH = 2_000;

/** A small value that shares its parts (`b = [a, a]; c = [b, b]; …`) can stand for billions of objects when written out. */
export const MAX_CONTAINERS = 10_000_000;

/**
 * Below this depth nobody looks for cycles: a cycle passes it soon enough, and ordinary values never pay for the
 * search among their ancestors.
 */
const CYCLE_SEARCH_DEPTH = 64;

/** @throws {SerializationError} naming the path to what cannot be written or read. */
export function encode(value: unknown): unknown {
  return new Encoder().encodeRoot(value);
}

class Encoder {
  #depth = 0;
  #containers = 0;
  /** The way to the container that is being walked; entries above `#depth` are left over from earlier ones. */
  readonly #keys: (string | number)[] = [];
  readonly #ancestors: object[] = [];

  encodeRoot(value: unknown): unknown {
    try {
      return this.#encodeElement(value, "");
    } catch (error) {
      if (error instanceof SerializationError) {
        throw error;
      }
      throw this.#failure(this.#depth, `could not be read: ${messageOf(error)}`, error);
    }
  }

  /** An element of an array, Map or Set: there `undefined` has a place of its own, which JSON would turn to null. */
  #encodeElement(value: unknown, key: string | number): unknown {
    return value === undefined ? tagged(TAG.undefined, null) : this.#encode(value, key);
  }

  /** Functions, symbols and undefined are handed on: `JSON.stringify` drops them. */
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
      default:
        return value;
    }
  }

  #encodeContainer(container: object, key: string | number, isFromToJSON = false): unknown {
    const depth = this.#depth;
    this.#keys[depth] = key;
    if (depth > CYCLE_SEARCH_DEPTH && this.#ancestors.lastIndexOf(container, depth - 1) >= 0) {
      throw this.#failure(depth + 1, "contains itself");
    }
    this.#ancestors[depth] = container;
    if (depth >= MAX_DEPTH) {
      throw this.#failure(depth + 1, `is nested deeper than ${MAX_DEPTH} levels`);
    }
    if (++this.#containers > MAX_CONTAINERS) {
      throw this.#failure(
        depth + 1,
        `is more than ${MAX_CONTAINERS} objects and arrays, counting shared ones each time they are met`,
      );
    }
    this.#depth = depth + 1;
    const encoded = this.#encodeEntered(container, key, isFromToJSON);
    this.#depth = depth;
    return encoded;
  }

  /** @param isFromToJSON As in JSON, what a `toJSON` returned is not asked for its own. */
  #encodeEntered(container: object, key: string | number, isFromToJSON: boolean): unknown {
    const prototype: unknown = Object.getPrototypeOf(container);
    if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) {
      const special = this.#encodeInstance(container);
      if (special !== undefined) {
        return special;
      }
    }
    if (!isFromToJSON && "toJSON" in container && typeof container.toJSON === "function") {
      const made: unknown = container.toJSON(String(key));
      return typeof made === "object" && made !== null
        ? this.#encodeContainer(made, "toJSON()", true)
        : this.#encode(made, "toJSON()");
    }
    if (Array.isArray(container)) {
      return this.#encodeArray(container);
    }
    return isError(container) ? this.#encodeError(container) : this.#encodeRecord(container);
  }

  #encodeArray(array: readonly unknown[]): readonly unknown[] {
    let copy: unknown[] | undefined;
    for (let index = 0; index < array.length; index++) {
      const element = array[index];
      const encoded = typeof element === "string" ? element : this.#encodeElement(element, index);
      if (copy !== undefined) {
        copy.push(encoded);
      } else if (encoded !== element) {
        copy = array.slice(0, index);
        copy.push(encoded);
      }
    }
    return copy ?? array;
  }

  #encodeRecord(record: object): unknown {
    const keys = Object.keys(record);
    let copy: Record<string, unknown> | undefined;
    let isTagLookalike = false;
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string;
      const value: unknown = record[key as keyof typeof record];
      const encoded = typeof value === "string" ? value : this.#encode(value, key);
      if (key === TYPE_KEY && encoded !== undefined) {
        isTagLookalike = true;
      }
      if (copy === undefined && encoded !== value) {
        copy = copyOfFirst(record, keys, index);
      }
      if (copy !== undefined) {
        setOwn(copy, key, encoded);
      }
    }
    const encoded = copy ?? record;
    return isTagLookalike ? tagged(TAG.object, encoded) : encoded;
  }

  /**
   * Instances of built-in classes, told by what they are and not by their prototype: a value that comes from a code interpreter
   * (node:vm) has the classes of another realm. `undefined` for an instance of any other class, which JSON writes as a record. */
  #encodeInstance(instance: object): unknown {
    if (types.isDate(instance)) {
      const isInvalid = Number.isNaN(Date.prototype.getTime.call(instance));
      return tagged(TAG.date, isInvalid ? INVALID_DATE : Date.prototype.toISOString.call(instance));
    }
    if (instance instanceof URL) {
      return tagged(TAG.url, instance.href);
    }
    if (Buffer.isBuffer(instance)) {
      return tagged(TAG.buffer, instance.toString("base64"));
    }
    if ("toJSON" in instance && typeof instance.toJSON === "function") {
      return undefined;
    }
    if (types.isMap(instance)) {
      return tagged(TAG.map, this.#encodeEntries(instance));
    }
    if (types.isSet(instance)) {
      return tagged(TAG.set, this.#encodeArray([...instance]));
    }
    if (ArrayBuffer.isView(instance)) {
      return tagged(TAG.view + viewNameOf(instance), base64Of(instance));
    }
    if (types.isArrayBuffer(instance)) {
      return tagged(TAG.arrayBuffer, base64Of(new Uint8Array(instance)));
    }
    if (types.isRegExp(instance)) {
      return tagged(TAG.regExp, [
        instance.source,
        instance.flags,
        this.#encode(instance.lastIndex, "lastIndex"),
      ]);
    }
    return undefined;
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
    if (typeof error.stack === "string") {
      parts.stack = error.stack;
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

  /** Own enumerable properties that are not told otherwise. */
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

  /** @param length Of the path: how many containers lead to the place. */
  #failure(length: number, reason: string, cause?: unknown): SerializationError {
    const path = pathOf(this.#keys.slice(1, length));
    return new SerializationError(shortened(path), reason, cause === undefined ? undefined : { cause });
  }
}

function copyOfFirst(record: object, keys: readonly string[], count: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const key of keys.slice(0, count)) {
    setOwn(copy, key, Reflect.get(record, key));
  }
  return copy;
}

function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** One of another realm bears the name only. */
function isAggregateError(error: Error): error is AggregateError {
  const isOfOtherRealm = !Object.prototype.isPrototypeOf.call(Error.prototype, error);
  return (
    error instanceof AggregateError ||
    (isOfOtherRealm && error.name === "AggregateError" && Object.hasOwn(error, "errors"))
  );
}

/** The built-in's name also for an instance of a subclass. */
function viewNameOf(view: ArrayBufferView): string {
  return types.isDataView(view) ? "DataView" : String(Reflect.get(view, Symbol.toStringTag));
}

function base64Of(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("base64");
}

/** A path of thousands of steps is told by its ends. */
function shortened(path: string): string {
  return path.length <= 300 ? path : `${path.slice(0, 150)} … ${path.slice(-150)}`;
}
