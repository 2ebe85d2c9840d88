/**
 * Checks of what callers pass, before anything is written.
 *
 * Each function returns the value as a statement takes it: `null` for an absent optional one. `null` and
 * `undefined` are the same for every optional argument.
 */
import { InvalidArgumentError, SerializationError } from "../errors.js";
import { type EncodedValue, toEncodedValue } from "../json-plus/text.js";
import { describe, messageOf } from "./describe.js";
import { isRecord, type Schema } from "./schema.js";
import { embedding } from "./schemas.js";

/** A string that rows are found by, such as an id. SQLite would replace a lone surrogate by U+FFFD, so two keys could become one. */
export function text(argument: string, value: unknown): string {
  if (typeof value !== "string") {
    throw mustBe(argument, "a string", value);
  }
  if (!value.isWellFormed()) {
    throw new InvalidArgumentError(
      argument,
      "contains a lone surrogate (half of a character), which SQLite cannot keep: pass it through toWellFormed()",
    );
  }
  return value;
}

/**
 * A string that people read, such as a message. A lone surrogate (half of a character, as a cut through an emoji leaves)
 * becomes U+FFFD, as it does everywhere on the Web: an answer that was paid for is not refused.
 */
export function prose(argument: string, value: unknown): string {
  if (typeof value !== "string") {
    throw mustBe(argument, "a string", value);
  }
  return value.toWellFormed();
}

export function optionalProse(argument: string, value: unknown): string | null {
  return isAbsent(value) ? null : prose(argument, value);
}

export function optionalText(argument: string, value: unknown): string | null {
  return isAbsent(value) ? null : text(argument, value);
}

/** A value to be set, where it is given; `null` clears it. */
export interface Clearable<T> {
  isGiven: boolean;
  value: T | null;
}

/** `undefined` keeps what is there. */
export function clearable<T>(value: unknown, encode: (value: unknown) => T | null): Clearable<T> {
  return { isGiven: value !== undefined, value: isAbsent(value) ? null : encode(value) };
}

export function oneOf<T extends string>(argument: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw mustBe(argument, `one of ${allowed.map((name) => `"${name}"`).join(", ")}`, value);
  }
  return found;
}

export function nonNegativeInteger(argument: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw mustBe(argument, "a non-negative integer", value);
  }
  return value + 0; // -0 passes the check above; SQLite would return it as 0.
}

export function optionalNonNegativeInteger(argument: string, value: unknown): number | null {
  return isAbsent(value) ? null : nonNegativeInteger(argument, value);
}

/** The limit as SQL's LIMIT takes it: -1 for all, which callers say as 0 or leave out. */
export function limit(argument: string, value: unknown): number {
  const count = optionalNonNegativeInteger(argument, value) ?? 0;
  return count === 0 ? -1 : count;
}

/** A time in milliseconds. */
export function optionalTime(argument: string, value: unknown): number | null {
  return isAbsent(value) ? null : finiteNumber(argument, value, "a finite number of milliseconds");
}

export function finiteNumber(argument: string, value: unknown, expected = "a finite number"): number {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw mustBe(argument, expected, value);
  }
  return value + 0;
}

/** A share, such as a confidence: from 0 to 1. */
export function fraction(argument: string, value: unknown): number {
  const number = finiteNumber(argument, value, "a number from 0 to 1");
  if (number < 0 || number > 1) {
    throw mustBe(argument, "a number from 0 to 1", value);
  }
  return number;
}

export function optionalFraction(argument: string, value: unknown): number | null {
  return isAbsent(value) ? null : fraction(argument, value);
}

/** An embedding: finite numbers, at least one. */
export function vector(argument: string, value: unknown): number[] {
  if (!Array.isArray(value)) {
    throw mustBe(argument, "an array of numbers", value);
  }
  const numbers: unknown[] = reading(argument, () => [...value]);
  refuseIssue(argument, numbers, embedding);
  if (!embedding.accepts(numbers) || numbers.length === 0) {
    throw mustBe(argument, "an array of at least one number", value);
  }
  return numbers;
}

export function optionalVector(argument: string, value: unknown): number[] | null {
  return isAbsent(value) ? null : vector(argument, value);
}

/** Values by the names of fields, each read once: what is checked is what is written, whatever a getter answers next. */
export type Fields<Name extends string> = Record<Name, unknown>;

/** The named fields of an options argument; absent: none of them. Anything else in it is refused, so that a typo is noticed. */
export function optionFields<Name extends string>(
  argument: string,
  value: unknown,
  names: readonly Name[],
): Fields<Name> {
  const options = isAbsent(value) ? {} : value;
  const fields = requiredFields(argument, options, names);
  const others = reading(argument, () => Object.entries(Object(options)));
  const unknown = others.find(([name, given]) => !isOneOf(names, name) && !isAbsent(given));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `${argument}.${unknown[0]}`,
      `is unknown; valid options: ${names.join(", ")}`,
    );
  }
  return fields;
}

/** The named fields of an object that must be there, as a message is. Its other fields are ignored. */
export function requiredFields<Name extends string>(
  argument: string,
  value: unknown,
  names: readonly Name[],
): Fields<Name> {
  return reading(argument, () => {
    if (!isRecord(value)) {
      throw mustBe(argument, "an object", value);
    }
    const fields: Partial<Fields<Name>> = {};
    for (const name of names) {
      fields[name] = value[name];
    }
    return fields as Fields<Name>;
  });
}

/** A structured value that fits the schema; `null` if it is absent. */
export function optionalStructured(
  argument: string,
  value: unknown,
  schema: Schema<unknown>,
  normalize?: Normalize,
): EncodedValue | null {
  return isAbsent(value) ? null : structured(argument, value, schema, normalize);
}

/**
 * A structured value that fits the schema. It is checked as it was passed, so that nothing without a wire format is dropped
 * in silence, and as a read of it returns it, because a getter may answer differently the second time.
 */
export function structured(
  argument: string,
  value: unknown,
  schema: Schema<unknown>,
  normalize: Normalize = unchanged,
): EncodedValue {
  const plain = reading(argument, () => {
    const normalized = normalize(value);
    refuseIssue(argument, normalized, schema);
    return normalized;
  });
  const encoded = encode(argument, plain);
  refuseIssue(argument, encoded.value, schema);
  return encoded;
}

function encode(argument: string, value: unknown): EncodedValue {
  try {
    return toEncodedValue(value);
  } catch (error) {
    throw error instanceof SerializationError ? error.within(argument) : error;
  }
}

/** Makes plain values of a caller's instances, whose named fields may be getters of their class: an encoder sees own properties only. */
export type Normalize = (value: unknown) => unknown;

const unchanged: Normalize = (value) => value;

export function withNamed(...names: readonly string[]): Normalize {
  return (value) => {
    if (!isInstance(value)) {
      return value;
    }
    const named = names.filter((name) => name in value).map((name) => [name, value[name]]);
    return { ...value, ...Object.fromEntries(named) };
  };
}

export function eachElement(normalize: Normalize): Normalize {
  return (list) => (Array.isArray(list) && list.some(isInstance) ? list.map(normalize) : list);
}

export function eachField(normalize: Normalize): Normalize {
  return (record) =>
    isRecord(record) && Object.values(record).some(isInstance)
      ? Object.fromEntries(Object.entries(record).map(([key, value]) => [key, normalize(value)]))
      : record;
}

/** Of a class, and written as a record of its own properties. */
function isInstance(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && isRecord(value);
}

function refuseIssue(argument: string, value: unknown, schema: Schema<unknown>): void {
  const found = schema.validate(value);
  if (found !== undefined) {
    throw mustBe(argument + found.path, found.expected, found.given);
  }
}

/** Runs code of the caller's (a getter, a Proxy), which may throw anything. */
function reading<T>(argument: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidArgumentError) {
      throw error;
    }
    throw new InvalidArgumentError(argument, `could not be read: ${messageOf(error)}`, { cause: error });
  }
}

export function mustBe(argument: string, expected: string, given: unknown): InvalidArgumentError {
  return new InvalidArgumentError(argument, `must be ${expected}, not ${describe(given)}`);
}

function isOneOf(names: readonly string[], key: string): boolean {
  return names.includes(key);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}
