/**
 * Reads the columns of one table's rows, and says where in the file a value is not what a store writes there.
 */
import type { Row } from "../connection.js";
import { CheckpointCorruptionError } from "../errors.js";
import { decode } from "../json-plus/decode.js";
import { EncodedValue } from "../json-plus/text.js";
import { describe, type Shape } from "../shapes.js";

export class ColumnReader {
  constructor(readonly table: string) {}

  text(row: Row, column: string): string {
    const value = row[column];
    if (typeof value !== "string") {
      throw this.#corruption(row, column, `must be text, not ${describe(value)}`);
    }
    return value;
  }

  optionalText(row: Row, column: string): string | undefined {
    return row[column] === null ? undefined : this.text(row, column);
  }

  integer(row: Row, column: string): number {
    const value = row[column];
    if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      throw this.#corruption(row, column, `must be an integer, not ${describe(value)}`);
    }
    return value;
  }

  optionalInteger(row: Row, column: string): number | undefined {
    return row[column] === null ? undefined : this.integer(row, column);
  }

  real(row: Row, column: string): number {
    const value = row[column];
    if (typeof value !== "number") {
      throw this.#corruption(row, column, `must be a number, not ${describe(value)}`);
    }
    return value;
  }

  oneOf<T extends string>(row: Row, column: string, allowed: readonly T[]): T {
    const value = row[column];
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) {
      throw this.#corruption(row, column, `must be one of ${allowed.join(", ")}, not ${describe(value)}`);
    }
    return found;
  }

  /** A value in the wire format, or as it was encoded for a row that is being written. */
  structured<T>(row: Row, column: string, shape: Shape<T>): T {
    const written = row[column];
    const value = written instanceof EncodedValue ? written.value : this.#deserialize(row, column);
    if (!shape.accepts(value)) {
      const fault = shape.faultIn(value);
      throw this.#corruption(
        row,
        column,
        `$${fault?.path} must be ${fault?.expected}, not ${describe(fault?.given)}`,
      );
    }
    return value;
  }

  optionalStructured<T>(row: Row, column: string, shape: Shape<T>): T | undefined {
    return row[column] === null ? undefined : this.structured(row, column, shape);
  }

  #deserialize(row: Row, column: string): unknown {
    const text = this.text(row, column);
    try {
      return decode(text);
    } catch (error) {
      const reason = error instanceof CheckpointCorruptionError ? error.reason : String(error);
      throw this.#corruption(row, column, reason, { cause: error });
    }
  }

  #corruption(row: Row, column: string, reason: string, options?: ErrorOptions): CheckpointCorruptionError {
    return new CheckpointCorruptionError(
      `table ${this.table}, id ${String(row.id)}, column ${column}: ${reason}`,
      options,
    );
  }
}

/** An absent optional value is no property at all, not one that is `undefined`. */
export function setIfPresent<T, Key extends keyof T>(target: T, key: Key, value: T[Key] | undefined): void {
  if (value !== undefined) {
    target[key] = value;
  }
}
