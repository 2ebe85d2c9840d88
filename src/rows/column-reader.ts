/**
 * Reads the columns of a table's rows. Errors name the place in the file of a value that no store would have written.
 */
import type { Row } from "../database/connection.js";
import { CheckpointCorruptionError, StorageError } from "../errors.js";
import { decode } from "../json-plus/decode.js";
import { EncodedValue } from "../json-plus/text.js";
import type { Schema } from "../validation/schema.js";
import { describe, messageOf } from "../values/describe.js";

/** How a column in the wire format is read, if not in the usual way. */
export interface Reading {
  /** Instead of the decoder of the wire format. */
  decode?: (text: string) => unknown;
  /** Changes what was decoded, before it is validated. */
  revise?: (value: unknown) => unknown;
}

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

  /**
   * Returns a plain value as SQLite returns it, unchecked. 0.2.3 checked few columns, so a file may hold values outside the
   * contract's types, such as a role "developer" or half a token. They are returned as 0.2.3 returned them.
   */
  written<T>(row: Row, column: string): T {
    return row[column] as T;
  }

  /** A plain value, unchecked like {@link written}; `undefined` if the column is NULL. */
  optionalWritten<T>(row: Row, column: string): T | undefined {
    return row[column] === null ? undefined : this.written<T>(row, column);
  }

  oneOf<T extends string>(row: Row, column: string, allowed: readonly T[]): T {
    const value = row[column];
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) {
      throw this.#corruption(row, column, `must be one of ${allowed.join(", ")}, not ${describe(value)}`);
    }
    return found;
  }

  /** Reads a value in the wire format. An `EncodedValue`, from a row that is being written, is already validated. */
  structured<T>(row: Row, column: string, schema: Schema<T>, reading: Reading = {}): T {
    const written = row[column];
    const value = written instanceof EncodedValue ? written.value : this.#deserialize(row, column, reading);
    const found = written instanceof EncodedValue ? undefined : schema.validate(value);
    if (found !== undefined) {
      throw this.#corruption(
        row,
        column,
        `$${found.path} must be ${found.expected}, not ${describe(found.given)}`,
      );
    }
    return value as T;
  }

  optionalStructured<T>(row: Row, column: string, schema: Schema<T>, reading?: Reading): T | undefined {
    return row[column] === null ? undefined : this.structured(row, column, schema, reading);
  }

  /** Returns `undefined` for a value that does not decode, so that a value which is not essential does not hide its row. */
  readable<T>(row: Row, column: string, schema: Schema<T>): T | undefined {
    try {
      return this.optionalStructured(row, column, schema);
    } catch (error) {
      if (error instanceof CheckpointCorruptionError) {
        return undefined;
      }
      throw error;
    }
  }

  #deserialize(row: Row, column: string, { decode: decodeText = decode, revise }: Reading): unknown {
    const text = this.text(row, column);
    try {
      const value = decodeText(text);
      return revise === undefined ? value : revise(value);
    } catch (error) {
      const reason = error instanceof CheckpointCorruptionError ? error.reason : messageOf(error);
      throw this.#corruption(row, column, reason, { cause: error });
    }
  }

  #corruption(row: Row, column: string, problem: string, options?: ErrorOptions): CorruptColumnError {
    return new CorruptColumnError(this.table, String(row.id), column, problem, options);
  }
}

/** With its parts, for a report. */
export class CorruptColumnError extends CheckpointCorruptionError {
  constructor(
    readonly table: string,
    readonly id: string,
    readonly column: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`table ${table}, id ${id}, column ${column}: ${problem}`, options);
  }
}

/** The error for a write that changed nothing although it did not fail. */
export function ignoredByTrigger(table: string): StorageError {
  return new StorageError(
    `table ${table}: a trigger of another program ignored the write with RAISE(IGNORE). Nothing was written: drop the trigger, or ` +
      "change it to raise an error.",
  );
}

/** Sets a property if its value is present: an absent optional value is left out instead of set to `undefined`. */
export function setIfPresent<T, Key extends keyof T>(target: T, key: Key, value: T[Key] | undefined): void {
  if (value !== undefined) {
    target[key] = value;
  }
}
