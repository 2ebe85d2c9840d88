/**
 * Decodes text in the wire format to JavaScript values.
 *
 * Only a text that can hold a tag is walked after `JSON.parse`. Its values are changed in place, because no other code has
 * them yet. The constructors are listed here: the data never names one.
 */

import { CheckpointCorruptionError } from "../errors.js";
import { messageOf } from "../values/describe.js";
import { isObject } from "../values/is-object.js";
import { type ErrorParts, INVALID_DATE, pathOf, setOwn, TAG, TYPE_KEY } from "./tags.js";

export function decode(text: string): unknown {
  return decodeParsed(parse(text), text);
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CheckpointCorruptionError("text is not JSON", { cause: error });
  }
}

/** @param text What the value was parsed from; it tells whether there is anything to decode. */
export function decodeParsed(parsed: unknown, text: string): unknown {
  return mayHoldTag(text) ? new Decoder().decodeRoot(parsed) : parsed;
}

/** Matches an escaped underscore or lower-case letter, but not an escaped control character, such as in terminal output. */
const ESCAPED_LETTER = /\\u00[5-7]/;

/**
 * This package never escapes letters of the key; another JSON writer may. The search leaves out the key's quotes, because
 * the engine looks for the first character and quotes are everywhere: 0.8 instead of 7 µs for 18 KB.
 */
function mayHoldTag(text: string): boolean {
  return text.includes(TYPE_KEY) || (text.includes("\\") && ESCAPED_LETTER.test(text));
}

type Reviver = (decoder: Decoder, value: unknown) => unknown;

/**
 * Sentinel: the object has one of our tags, but a value that we never write with it. It is a user's object from 0.2.3, which did
 * not know these tags, so it decodes to a plain object. For its own tags, 0.2.3 rejected such an object.
 */
const NOT_OURS: unique symbol = Symbol("not ours");

class Decoder {
  readonly #keys: (string | number)[] = [];

  decodeRoot(parsed: unknown): unknown {
    try {
      return this.decode(parsed);
    } catch (error) {
      if (error instanceof CheckpointCorruptionError) {
        throw error;
      }
      throw new CheckpointCorruptionError(`value cannot be read back (${messageOf(error)})`, {
        cause: error,
      });
    }
  }

  decode(value: unknown): unknown {
    if (typeof value !== "object" || value === null) {
      return value;
    }
    if (Array.isArray(value)) {
      return this.decodeArray(value);
    }
    const tag: unknown = Object.hasOwn(value, TYPE_KEY) ? Reflect.get(value, TYPE_KEY) : undefined;
    const revive = typeof tag === "string" ? REVIVERS.get(tag) : undefined;
    const revived = revive === undefined ? NOT_OURS : revive(this, Reflect.get(value, "value"));
    return revived === NOT_OURS ? this.decodeRecord(value) : revived;
  }

  decodeArray(array: unknown[]): unknown[] {
    for (let index = 0; index < array.length; index++) {
      const value = array[index];
      if (typeof value === "object" && value !== null) {
        array[index] = this.decodeAt(index, value);
      }
    }
    return array;
  }

  decodeRecord(record: object): object {
    for (const key of Object.keys(record)) {
      const value: unknown = record[key as keyof typeof record];
      if (typeof value === "object" && value !== null) {
        const decoded = this.decodeAt(key, value);
        if (decoded !== value) {
          setOwn(record, key, decoded);
        }
      }
    }
    return record;
  }

  decodeAt(key: string | number, value: unknown): unknown {
    this.#keys.push(key);
    const decoded = this.decode(value);
    this.#keys.pop();
    return decoded;
  }

  /** The error for a value that does not match its tag from 0.2.3. */
  malformed(tag: string, expected: string, cause?: unknown): CheckpointCorruptionError {
    return new CheckpointCorruptionError(
      `${pathOf(this.#keys)} is tagged ${tag} but its value is not ${expected}`,
      cause === undefined ? undefined : { cause },
    );
  }
}

const NOT_BASE64 = /[^A-Za-z0-9+/]/;
const INTEGER = /^-?\d+$/;
const SPECIAL_NUMBERS = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-0", -0],
]);

const VIEW_CLASSES = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

const ERROR_CLASSES = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((ErrorClass) => [
    ErrorClass.name,
    ErrorClass,
  ]),
);

const REVIVERS = new Map<string, Reviver>([
  [TAG.date, reviveDate],
  [TAG.map, reviveMap],
  [TAG.set, reviveSet],
  [TAG.buffer, reviveBuffer],
  [TAG.undefined, reviveUndefined],
  [TAG.bigint, reviveBigint],
  [TAG.number, reviveNumber],
  [TAG.regExp, reviveRegExp],
  [TAG.url, reviveUrl],
  [TAG.error, reviveError],
  [TAG.arrayBuffer, (_decoder, value) => bufferOf(value) ?? NOT_OURS],
  [`${TAG.view}DataView`, reviveDataView],
  ...VIEW_CLASSES.map(viewReviver),
  [TAG.object, reviveOwnObject],
]);

/** Accepts any text that the engine parses as a date, as 0.2.3 did. */
function reviveDate(decoder: Decoder, value: unknown): Date {
  const date = typeof value === "string" ? new Date(value) : undefined;
  if (date === undefined || (Number.isNaN(date.getTime()) && value !== INVALID_DATE)) {
    throw decoder.malformed(TAG.date, "a date");
  }
  return date;
}

function reviveMap(decoder: Decoder, value: unknown): Map<unknown, unknown> {
  if (!Array.isArray(value)) {
    throw decoder.malformed(TAG.map, "an array of [key, value] pairs");
  }
  const map = new Map<unknown, unknown>();
  value.forEach((entry: unknown, index) => {
    if (!Array.isArray(entry) || entry.length !== 2) {
      throw decoder.malformed(TAG.map, `an array of [key, value] pairs (entry ${index})`);
    }
    map.set(decoder.decodeAt(index, entry[0]), decoder.decodeAt(index, entry[1]));
  });
  return map;
}

function reviveSet(decoder: Decoder, value: unknown): Set<unknown> {
  if (!Array.isArray(value)) {
    throw decoder.malformed(TAG.set, "an array");
  }
  return new Set(decoder.decodeArray(value));
}

function reviveUndefined(_decoder: Decoder, value: unknown): unknown {
  return value === null ? undefined : NOT_OURS;
}

function reviveBigint(_decoder: Decoder, value: unknown): unknown {
  if (typeof value !== "string" || !INTEGER.test(value)) {
    return NOT_OURS;
  }
  try {
    return BigInt(value);
  } catch {
    return NOT_OURS; // Too large for the engine, so no engine wrote it.
  }
}

function reviveNumber(_decoder: Decoder, value: unknown): unknown {
  const number = typeof value === "string" ? SPECIAL_NUMBERS.get(value) : undefined;
  return number ?? NOT_OURS;
}

function reviveRegExp(decoder: Decoder, value: unknown): unknown {
  const [source, flags, index] = Array.isArray(value) ? value : [];
  const lastIndex = decoder.decodeAt(2, index);
  if (typeof source !== "string" || typeof flags !== "string" || typeof lastIndex !== "number") {
    return NOT_OURS;
  }
  try {
    const regExp = new RegExp(source, flags);
    regExp.lastIndex = lastIndex;
    return regExp;
  } catch {
    return NOT_OURS;
  }
}

function reviveUrl(_decoder: Decoder, value: unknown): unknown {
  return (typeof value === "string" ? URL.parse(value) : null) ?? NOT_OURS;
}

function reviveError(decoder: Decoder, value: unknown): unknown {
  if (!isErrorParts(value)) {
    return NOT_OURS;
  }
  const { name, message, stack, errors, fields = {} } = value;
  const error = newError(decoder, name, message, errors);
  defineHidden(error, "stack", stack);
  if (error.name !== name) {
    defineHidden(error, "name", name);
  }
  if (Object.hasOwn(value, "cause")) {
    defineHidden(error, "cause", decoder.decodeAt("cause", value.cause));
  }
  for (const [key, field] of Object.entries(decoder.decodeRecord(fields))) {
    setOwn(error, key, field);
  }
  return error;
}

function isErrorParts(value: unknown): value is ErrorParts {
  return (
    isObject(value) &&
    typeof value.name === "string" &&
    typeof value.message === "string" &&
    (value.stack === undefined || typeof value.stack === "string") &&
    (value.errors === undefined || Array.isArray(value.errors)) &&
    (value.fields === undefined || isObject(value.fields))
  );
}

function newError(decoder: Decoder, name: string, message: string, errors: unknown): Error {
  if (Array.isArray(errors)) {
    decoder.decodeAt("errors", errors);
    return new AggregateError(errors, message);
  }
  const ErrorClass = ERROR_CLASSES.get(name) ?? Error;
  return new ErrorClass(message);
}

/** Defines a property as the engine does on errors: not enumerable, so not one of the error's own fields. */
function defineHidden(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}

function reviveOwnObject(decoder: Decoder, value: unknown): unknown {
  return isObject(value) ? decoder.decodeRecord(value) : NOT_OURS;
}

function viewReviver(View: (typeof VIEW_CLASSES)[number]): [string, Reviver] {
  return [
    TAG.view + View.name,
    (_decoder, value) => {
      const buffer = bufferOf(value);
      return buffer === undefined || buffer.byteLength % View.BYTES_PER_ELEMENT !== 0
        ? NOT_OURS
        : new View(buffer);
    },
  ];
}

function reviveDataView(_decoder: Decoder, value: unknown): unknown {
  const buffer = bufferOf(value);
  return buffer === undefined ? NOT_OURS : new DataView(buffer);
}

function reviveBuffer(decoder: Decoder, value: unknown): Buffer {
  const bytes = bytesOf(value);
  if (bytes === undefined) {
    throw decoder.malformed(TAG.buffer, "standard base64");
  }
  return bytes;
}

/** `undefined` if the value is not standard base64. */
function bytesOf(value: unknown): Buffer | undefined {
  return typeof value === "string" && isBase64(value) ? Buffer.from(value, "base64") : undefined;
}

/** A single pattern with a repeated group would silently match nothing beyond about 8 MB. */
function isBase64(text: string): boolean {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return text.length % 4 === 0 && !NOT_BASE64.test(text.slice(0, text.length - padding));
}

/** Copies the bytes to a new buffer, because small Buffers are slices of a shared pool. */
function bufferOf(value: unknown): ArrayBuffer | undefined {
  const bytes = bytesOf(value);
  return bytes === undefined ? undefined : new Uint8Array(bytes).buffer;
}
