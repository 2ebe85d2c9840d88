/** The file that is inspected: a read-only connection of its own, and all statements on it. */
import { existsSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Connection, Row, Statements } from "../../database/connection.js";
import { openFile } from "../../database/opening.js";
import { bootstrapSchema } from "../../schema/bootstrap.js";
import { outputsFinder } from "../../schema/outputs.js";
import { settingsOf } from "../../validation/options.js";
import type { Counted } from "../answers.js";
import { INSPECTOR_SQL, MOST_COUNTED, OUTPUTS_SQL, withoutOctetLength } from "./statements.js";

/** Milliseconds that opening waits for a lock. Later SQLite itself waits 5 ms, as everywhere, and answers are tried again. */
const BUSY_TIMEOUT = 5_000;

export class InspectedFile {
  readonly path: string;
  readonly statements: Statements<keyof typeof INSPECTOR_SQL>;
  readonly #connection: Connection;
  readonly #outputs: Statements<keyof typeof OUTPUTS_SQL>;
  readonly #hasOutputs: () => boolean;

  /** @throws {StoreOpenError} if a store would not open the file, or if it does not exist. */
  constructor(path: string) {
    const settings = settingsOf({ readonly: true, busyTimeout: BUSY_TIMEOUT });
    this.path = resolve(path);
    this.#connection = openFile(path, settings, (connection) => bootstrapSchema(connection, settings));
    this.#hasOutputs = outputsFinder(this.#connection);
    const rewritten = this.#hasOctetLength() ? (sql: string) => sql : withoutOctetLength;
    this.statements = this.#connection.statements(INSPECTOR_SQL, rewritten);
    this.#outputs = this.#connection.statements(OUTPUTS_SQL, rewritten);
  }

  get name(): string {
    return basename(this.path);
  }

  get logBytes(): number {
    return statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** `undefined` in a file of an earlier version that nothing has upgraded yet. */
  get outputs(): Statements<keyof typeof OUTPUTS_SQL> | undefined {
    return this.#hasOutputs() ? this.#outputs : undefined;
  }

  /** Changes with every commit of another connection. */
  get dataVersion(): number {
    return Number(this.statements.dataVersion.get()?.data_version);
  }

  /** Whether the file is no longer at its path: what is read from it is of the past. */
  get isGone(): boolean {
    if (!existsSync(this.path)) {
      return true;
    }
    try {
      this.#connection.refuseMovedFile();
      return false;
    } catch {
      return true;
    }
  }

  /** Runs a read whose statements all see the same commits. */
  read<T>(read: () => T): T {
    return this.#connection.readInTransaction(read);
  }

  /** For the few statements that a view needs only once. */
  queryOnce(sql: string): Row[] {
    return this.#connection.queryOnce(sql);
  }

  close(): void {
    this.#connection.close();
  }

  #hasOctetLength(): boolean {
    try {
      this.#connection.queryOnce("SELECT octet_length('')");
      return true;
    } catch {
      return false;
    }
  }
}

export function counted(count: unknown, most = MOST_COUNTED): Counted {
  const value = Number(count);
  return value > most ? { value: most, isCut: true } : { value, isCut: false };
}

export function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : String(value ?? "");
}

export function optionalTextOf(value: unknown): string | null {
  return value === null || value === undefined ? null : textOf(value);
}
