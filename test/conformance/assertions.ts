/** What the parts of the suite assert again and again. Each failure says which value was found. */
import assert from "node:assert/strict";

export { assertSame } from "../support/difference.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** An id in the form that the contract gives to sessions, checkpoints, entities and facts. */
export function assertUuid(id: unknown): void {
  assert.match(String(id), UUID);
}

/** Times in milliseconds, and ids of messages: integers that are exact, and that never decrease. */
export function assertAscendingIntegers(values: readonly number[]): void {
  assert.deepEqual(
    values.filter((value) => !Number.isSafeInteger(value)),
    [],
  );
  assert.deepEqual(
    values,
    values.toSorted((a, b) => a - b),
  );
}

export function assertSafeInteger(value: unknown): void {
  assert.ok(Number.isSafeInteger(value), `${String(value)} is not a safe integer`);
}

export function assertGreater(actual: number, bound: number): void {
  assert.ok(actual > bound, `${actual} is not greater than ${bound}`);
}

export function assertAtLeast(actual: number, bound: number): void {
  assert.ok(actual >= bound, `${actual} is less than ${bound}`);
}

export function assertIncludes(text: string, part: string): void {
  assert.ok(text.includes(part), `${JSON.stringify(text)} does not include ${JSON.stringify(part)}`);
}

/** It is a row, and these have neither `null` nor anything else: `undefined`, or no such property. */
export function assertAbsent(row: unknown, keys: readonly string[]): void {
  if (typeof row !== "object" || row === null) assert.fail(`Not a row: ${String(row)}`);
  assert.deepEqual(
    keys.filter((key) => Reflect.get(row, key) !== undefined),
    [],
  );
}
