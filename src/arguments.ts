/**
 * Checks of what callers pass, before anything is written.
 *
 * Each function returns the value as a statement takes it: `null` for an absent optional one. `null` and
 * `undefined` are the same for every optional argument.
 */
import { InvalidArgumentError, SerializationError } from "./errors.js";
import { type EncodedValue, toEncodedValue, toText } from "./json-plus/text.js";
import { describe, embedding, type Fault, isRecord, type Shape } from "./shapes.js";

/** A string for a plain TEXT column: SQLite would replace a lone surrogate by U+FFFD, so two keys could become one. */
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
  const numbers = shaped(argument, value, embedding);
  if (numbers.length === 0) {
    throw mustBe(argument, "an array of at least one number", value);
  }
  return numbers;
}

export function optionalVector(argument: string, value: unknown): number[] | null {
  return isAbsent(value) ? null : vector(argument, value);
}

/** An object of named values, as options are. Absent: no names. */
export function namedValues(argument: string, value: unknown): Record<string, unknown> {
  if (isAbsent(value)) {
    return {};
  }
  return required(argument, value);
}

/** An object of named values that must be there, as a message is. */
export function required(argument: string, value: unknown): Record<string, unknown> {
  try {
    if (isRecord(value)) {
      return { ...value }; // A getter runs once, and not while something is half done.
    }
  } catch (error) {
    throw unreadable(argument, error);
  }
  throw mustBe(argument, "an object", value);
}

/** A structured value of the given shape, for a row that is answered with; `null` where it is absent. */
export function optionalStructured(
  argument: string,
  value: unknown,
  shape: Shape<unknown>,
): EncodedValue | null {
  return isAbsent(value) ? null : structured(argument, value, shape);
}

/** A structured value of the given shape, for a row that is answered with. */
export function structured(argument: string, value: unknown, shape: Shape<unknown>): EncodedValue {
  return encoded(argument, shaped(argument, value, shape), toEncodedValue);
}

/** A structured value of the given shape in the wire format; `null` where it is absent. */
export function optionalStructuredText(
  argument: string,
  value: unknown,
  shape: Shape<unknown>,
): string | null {
  return isAbsent(value) ? null : structuredText(argument, value, shape);
}

/** A structured value of the given shape in the wire format. */
export function structuredText(argument: string, value: unknown, shape: Shape<unknown>): string {
  return encoded(argument, shaped(argument, value, shape), toText);
}

function encoded<T>(argument: string, value: unknown, encode: (value: unknown) => T): T {
  try {
    return encode(value);
  } catch (error) {
    throw error instanceof SerializationError ? error.within(argument) : error;
  }
}

function shaped<T>(argument: string, value: unknown, shape: Shape<T>): T {
  let fault: Fault | undefined;
  try {
    if (shape.accepts(value)) {
      return value;
    }
    fault = shape.faultIn(value);
  } catch (error) {
    throw unreadable(argument, error);
  }
  throw mustBe(argument + (fault?.path ?? ""), fault?.expected ?? "of another shape", fault?.given);
}

/** A getter of the caller's threw. */
function unreadable(argument: string, error: unknown): InvalidArgumentError {
  return new InvalidArgumentError(argument, `could not be read: ${String(error)}`, { cause: error });
}

export function mustBe(argument: string, expected: string, given: unknown): InvalidArgumentError {
  return new InvalidArgumentError(argument, `must be ${expected}, not ${describe(given)}`);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}
