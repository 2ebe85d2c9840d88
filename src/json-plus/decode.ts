/**
 * What `JSON.parse` returned to JavaScript values.
 *
 * Only texts that can hold a tag are walked, and they are changed in place: the tree belongs to nobody else yet.
 * Nothing is ever constructed by a name out of the data: the constructors are listed here.
 */

import { CheckpointCorruptionError } from "../errors.js";
import { messageOf } from "../values/describe.js";
import { type ErrorParts, INVALID_DATE, pathOf, setOwn, TAG, TYPE_KEY } from "./tags.js";

export function decode(text: string): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new CheckpointCorruptionError("text is not JSON", { cause: error });
  }
  return mayHoldTag(text) ? new Decoder().decodeRoot(parsed) : parsed;
}

/** An underscore or a small letter; escapes of control characters, as in a terminal's output, are none. */
const ESCAPED_LETTER = /\\u00[5-7]/;

/**
 * Our writers never escape the letters of the key; another writer of JSON may. Searched without its quotes,
 * because the engine's search goes by the first character and a quote stands everywhere: 0.8 against 7 µs for 18 KB.
 */
function mayHoldTag(text: string): boolean {
  return text.includes(TYPE_KEY) || (text.includes("\\") && ESCAPED_LETTER.test(text));
}

type Reviver = (decoder: Decoder, value: unknown) => unknown;

/**
 * Instead of a value: it bears one of our tags, but not what the tag stands for. 0.2.3 knew nothing of these tags and kept
 * users' objects that look like them, so it is a plain object. The tags of 0.2.3 itself it refused in such a case.
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

  /** The value of a tag of 0.2.3 is not what the tag says. */
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

/** Any text that the engine takes for a date, as 0.2.3 did. */
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
    isRecord(value) &&
    typeof value.name === "string" &&
    typeof value.message === "string" &&
    (value.stack === undefined || typeof value.stack === "string") &&
    (value.errors === undefined || Array.isArray(value.errors)) &&
    (value.fields === undefined || isRecord(value.fields))
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

/** As the engine defines them: present, but not listed among an error's own fields. */
function defineHidden(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}

function reviveOwnObject(decoder: Decoder, value: unknown): unknown {
  return isRecord(value) ? decoder.decodeRecord(value) : NOT_OURS;
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

/** One pattern for all of it, with a repeated group, silently matches nothing beyond some 8 MB. */
function isBase64(text: string): boolean {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return text.length % 4 === 0 && !NOT_BASE64.test(text.slice(0, text.length - padding));
}

/** A buffer of its own: small Buffers are slices of a pool that many share. */
function bufferOf(value: unknown): ArrayBuffer | undefined {
  const bytes = bytesOf(value);
  return bytes === undefined ? undefined : new Uint8Array(bytes).buffer;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
