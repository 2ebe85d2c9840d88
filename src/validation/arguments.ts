/**
 * Validates the arguments that callers pass, before anything is written.
 *
 * Each function returns the value that is bound to a statement: `null` for an absent optional one. An optional argument is
 * absent if it is `null` or `undefined`.
 */

import { InvalidArgumentError, SerializationError } from "../errors.js";
import { type EncodedValue, toEncodedExoticValue, toEncodedPlainValue } from "../json-plus/text.js";
import { describe, isInstance, messageOf } from "../values/describe.js";
import { isRecord, type Schema } from "./schema.js";
import { embedding } from "./schemas.js";

/** A string used as a key, such as an id. SQLite would replace a lone surrogate with U+FFFD, so two keys could become one. */
export function text(argument: string, value: unknown): string {
  if (typeof value !== "string") {
    throw mustBe(argument, "a string", value);
  }
  if (!value.isWellFormed()) {
    throw new InvalidArgumentError(
      argument,
      "contains a lone surrogate (half of a character), which SQLite cannot store: pass it through toWellFormed()",
    );
  }
  return value;
}

/**
 * A string for people to read, such as a message. A lone surrogate (half of a character, such as a cut emoji) becomes
 * U+FFFD, as everywhere on the Web. It is not an error, because rejecting a model's answer would lose what it cost.
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

/** Strings that rows are found by, each once; `null` if they are absent. */
export function optionalTexts(argument: string, value: unknown): string[] | null {
  if (isAbsent(value)) {
    return null;
  }
  const elements = readArgument(argument, () => elementsOf(value));
  if (elements === undefined) {
    throw mustBe(argument, "an array of strings", value);
  }
  return [...new Set(elements.map((element, index) => text(`${argument}[${index}]`, element)))];
}

export function optionalBoolean(argument: string, value: unknown): boolean | null {
  if (!isAbsent(value) && typeof value !== "boolean") {
    throw mustBe(argument, "true or false", value);
  }
  return isAbsent(value) ? null : value;
}

/** An optional change to a field: `isGiven` false keeps its value, `value` null clears it. */
export interface FieldUpdate<T> {
  isGiven: boolean;
  value: T | null;
}

/** `undefined` keeps the field, `null` clears it. */
export function fieldUpdate<T>(value: unknown, encode: (value: unknown) => T | null): FieldUpdate<T> {
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

export function optionalPositiveInteger(argument: string, value: unknown): number | null {
  const count = optionalNonNegativeInteger(argument, value);
  if (count === 0) {
    throw mustBe(argument, "an integer of at least 1", value);
  }
  return count;
}

/** A limit for SQL's LIMIT: -1 means all, which callers request with 0 or by leaving it out. */
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

/** A number from 0 to 1, such as a confidence. */
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
  const numbers = readArgument(argument, () => elementsOf(value));
  if (numbers === undefined) {
    throw mustBe(argument, "an array of numbers", value);
  }
  rejectIssue(argument, numbers, embedding);
  if (!embedding.accepts(numbers) || numbers.length === 0) {
    throw mustBe(argument, "an array of at least one number", value);
  }
  return numbers;
}

/** The elements of an array, each read once; `undefined` if the value is not an array. */
function elementsOf(value: unknown): unknown[] | undefined {
  return Array.isArray(value) ? Array.from({ length: value.length }, (_, index) => value[index]) : undefined;
}

export function optionalVector(argument: string, value: unknown): number[] | null {
  return isAbsent(value) ? null : vector(argument, value);
}

/** Values by field name. Each is read once, so the checked value is the written one, even if it comes from a getter. */
export type Fields<Name extends string> = Record<Name, unknown>;

/** The named fields of an optional options argument. Any other field is rejected, to catch typos. */
export function optionalObject<Name extends string>(
  argument: string,
  value: unknown,
  names: readonly Name[],
): Fields<Name> {
  const options = isAbsent(value) ? {} : value;
  const fields = requiredObject(argument, options, names);
  const unknown = readArgument(argument, () => unknownName(Object(options), names));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `${argument}.${unknown}`,
      `is unknown; valid options: ${names.join(", ")}`,
    );
  }
  return fields;
}

/** The first own key that has a value and is not among the names. */
function unknownName(options: Record<string, unknown>, names: readonly string[]): string | undefined {
  return Object.keys(options).find((key) => !names.includes(key) && !isAbsent(options[key]));
}

/** The named fields of a required object, such as a message. Other fields are ignored. */
export function requiredObject<Name extends string>(
  argument: string,
  value: unknown,
  names: readonly Name[],
): Fields<Name> {
  return readArgument(argument, () => {
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

/** A structured value that matches the schema; `null` if it is absent. */
export function optionalStructured(
  argument: string,
  value: unknown,
  schema: Schema<unknown>,
): EncodedValue | null {
  return isAbsent(value) ? null : structured(argument, value, schema);
}

/**
 * A structured value that matches the schema. A plain value is written as validated. Any other value may change when it is
 * encoded, so the value that a read would return is validated too.
 */
export function structured(argument: string, value: unknown, schema: Schema<unknown>): EncodedValue {
  const given = validated(argument, value, schema);
  const plain = toEncodedPlainValue(given);
  if (plain !== undefined) {
    return plain;
  }
  const encoded = withinArgument(argument, () => toEncodedExoticValue(given));
  rejectIssue(argument, encoded.value, schema);
  return encoded;
}

/** A copy of a value that fits the schema, as far as the schema names fields. */
export function validated(argument: string, value: unknown, schema: Schema<unknown>): unknown {
  return readArgument(argument, () => {
    const copy = schema.copy(value);
    rejectIssue(argument, copy, schema);
    return copy;
  });
}

/** Runs an encoding whose errors name a path, which then begins at the argument. */
export function withinArgument<T>(argument: string, encode: () => T): T {
  try {
    return encode();
  } catch (error) {
    throw error instanceof SerializationError ? error.within(argument) : error;
  }
}

export function rejectIssue(argument: string, value: unknown, schema: Schema<unknown>): void {
  const found = schema.validate(value);
  if (found !== undefined) {
    throw mustBe(argument + found.path, found.expected, found.given);
  }
}

/** Reads from an argument, which can run the caller's code (a getter, a Proxy), and that may throw anything. */
function readArgument<T>(argument: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isInstance(error, InvalidArgumentError)) {
      throw error;
    }
    throw new InvalidArgumentError(argument, `could not be read: ${messageOf(error)}`, { cause: error });
  }
}

export function mustBe(argument: string, expected: string, given: unknown): InvalidArgumentError {
  return new InvalidArgumentError(argument, `must be ${expected}, not ${describe(given)}`);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}
