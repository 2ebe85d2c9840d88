/**
 * Checks of what callers pass, before anything is written.
 *
 * Each function returns the value as a statement takes it: `null` for an absent optional one. `null` and
 * `undefined` are the same for every optional argument.
 */
import { InvalidArgumentError } from "./errors.js";
import { JsonPlusSerializer } from "./json-plus-serializer.js";
import { describe, isRecord, type Shape } from "./shapes.js";

const serializer = new JsonPlusSerializer();

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
  if (isAbsent(value)) {
    return null;
  }
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw mustBe(argument, "a finite number of milliseconds", value);
  }
  return value;
}

/** An object of named values, as options are. Absent: no names. */
export function options(argument: string, value: unknown): Record<string, unknown> {
  if (isAbsent(value)) {
    return {};
  }
  return required(argument, value);
}

/** An object of named values that must be there, as a message is. */
export function required(argument: string, value: unknown): Record<string, unknown> {
  if (!isRecord(value)) {
    throw mustBe(argument, "an object", value);
  }
  return value;
}

/** A structured value of the given shape in the wire format; `null` where it is absent. */
export function optionalStructured(argument: string, value: unknown, shape: Shape<unknown>): string | null {
  return isAbsent(value) ? null : structured(argument, value, shape);
}

/** A structured value of the given shape in the wire format. */
export function structured(argument: string, value: unknown, shape: Shape<unknown>): string {
  const fault = shape.faultIn(value);
  if (fault !== undefined) {
    throw mustBe(argument + fault.path, fault.expected, fault.given);
  }
  return serializer.serialize(value);
}

export function mustBe(argument: string, expected: string, given: unknown): InvalidArgumentError {
  return new InvalidArgumentError(argument, `must be ${expected}, not ${describe(given)}`);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}
