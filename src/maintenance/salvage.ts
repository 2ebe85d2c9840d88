/**
 * Copies all that is readable of a damaged file into a new one, and lists what is left behind.
 *
 * Rows keep their ids, times and order. A row is copied if SQLite can read it and each of its columns decodes. Sessions come first;
 * rows whose session is lost are kept under one that is made in its place, with their own times and nothing else.
 *
 * Limits: the table of the schema must be readable. Your own tables in a shared file are not copied. SQLite keeps no checksums, so
 * a bit that was flipped within a text is copied as it is, unless the text is one of an output that is kept once.
 */
import type { SQLQueryBindings } from "bun:sqlite";
import { closeSync, openSync, statSync } from "node:fs";
import type { Connection, Row } from "../database/connection.js";
import { openFile } from "../database/opening.js";
import { codeOf, SQLITE, toStoreError } from "../database/sqlite-errors.js";
import { DATABASE_HEADER, readAt, toDatabaseHeader } from "../database/write-ahead-log.js";
import { CheckpointCorruptionError, StoreOpenError } from "../errors.js";
import type { OutputReader } from "../outputs/node-results.js";
import { OutputCache } from "../outputs/output-cache.js";
import { hashOf } from "../outputs/pieces.js";
import { bootstrapSchema } from "../schema/bootstrap.js";
import { readObjects } from "../schema/objects.js";
import { hasOutputs } from "../schema/outputs.js";
import { OutputsTable } from "../tables/outputs.js";
import { settingsOf } from "../validation/options.js";
import { messageOf } from "../values/describe.js";
import { openForReading } from "./opening.js";
import { filePath, type LongRunningOptions, type LongWork, longRunning } from "./options.js";
import { reasonOfDamage, type ScannedTable, scanRows, type Unreadable } from "./row-scan.js";
import {
  CHECKPOINTS,
  ENTITIES,
  embeddingOf,
  FACTS,
  MESSAGES,
  OUTPUTS,
  SESSIONS,
  type StoredTable,
  sessionOf,
} from "./stored-tables.js";
import { TargetFile } from "./target-file.js";

export interface LostRow {
  table: string;
  /** If it is known. */
  id?: string;
  /** The id of its session, if it is known. */
  session?: string;
  reason: string;
}

export interface SalvageReport {
  /** Rows by table. */
  copied: Record<string, number>;
  lost: LostRow[];
}

const SELECT_LAST_ID = `
  SELECT seq
  FROM main.sqlite_sequence
  WHERE name = 'messages'`;

const COUNT_SESSION = `
  SELECT 1
  FROM main.sessions
  WHERE id = ?1`;

const SELECT_FIRST_SAVED = `
  SELECT min(created_at) AS created_at
  FROM main.checkpoints
  WHERE session_id = ?1`;

const DELETE_OUTPUT = `
  DELETE FROM main.checkpoint_sqlite_outputs
  WHERE rowid = ?1`;

const INSERT_STAND_IN = `
  INSERT INTO main.sessions (id, directory, created_at, updated_at)
  VALUES (?1, '', ?2, ?2)`;

const EXTEND_STAND_IN = `
  UPDATE main.sessions
  SET created_at = min(created_at, ?2),
    updated_at = max(updated_at, ?2)
  WHERE id = ?1`;

/**
 * Copies what is readable of the file at the path to a new file, with mode 0600. The damaged file is left as it is.
 * Progress is in rows copied, `total` as far as it is known.
 *
 * @throws {InvalidArgumentError} if something is at `to` already.
 * @throws {StoreOpenError} if the file is no SQLite database, if its schema cannot be read, or if it holds no table of a store.
 * @throws {DiskFullError}
 */
export async function salvage(
  path: string,
  to: string,
  options?: LongRunningOptions,
): Promise<SalvageReport> {
  const [source, goal] = [filePath("path", path), filePath("to", to)];
  const { work } = longRunning(options);
  work.throwIfAborted();
  const target = new TargetFile(goal, source, false);
  try {
    const report = await copyReadable(source, target, work);
    work.throwIfAborted();
    target.commit();
    return report;
  } catch (error) {
    throw codeOf(error) === undefined ? error : toStoreError(error, work.busyTimeout);
  } finally {
    target.discard();
  }
}

async function copyReadable(source: string, target: TargetFile, work: LongWork): Promise<SalvageReport> {
  const damaged = openDamaged(source, target, work.busyTimeout);
  try {
    return await copyInto(target, damaged, work);
  } finally {
    damaged.close();
  }
}

/** SQLite refuses a file that was cut: what is missing of it becomes empty pages, in a copy. */
function openDamaged(source: string, target: TargetFile, busyTimeout: number): Connection {
  const open = (path: string) =>
    openForReading(path, busyTimeout, (connection) => requireTables(connection, source));
  try {
    return open(source);
  } catch (error) {
    if (!(error instanceof StoreOpenError && codeOf(error.cause) === SQLITE.CORRUPT)) {
      throw error;
    }
    const whole = wholeSizeOf(source);
    if (whole === undefined || whole <= statSync(source).size) {
      throw error;
    }
    target.keepExtended(source, whole);
    return open(target.extended);
  }
}

/** The size that the file should have, as its header says. */
function wholeSizeOf(path: string): number | undefined {
  const handle = openSync(path, "r");
  try {
    const header = toDatabaseHeader(readAt(handle, 0, DATABASE_HEADER));
    return header?.pages === undefined ? undefined : header.pages * header.pageSize;
  } finally {
    closeSync(handle);
  }
}

function requireTables(connection: Connection, path: string): void {
  const objects = readObjects(connection);
  if (![SESSIONS, MESSAGES, CHECKPOINTS, ENTITIES, FACTS].some(({ name }) => objects.has(name))) {
    throw new StoreOpenError(path, "it holds no table of a checkpoint store: nothing can be salvaged.");
  }
}

async function copyInto(target: TargetFile, damaged: Connection, work: LongWork): Promise<SalvageReport> {
  target.create();
  const settings = settingsOf({ synchronous: "normal" });
  const fresh = openFile(target.partial, settings, (connection) => bootstrapSchema(connection, settings));
  try {
    const report = await new Salvage(damaged, fresh, work).run();
    // In one file, and with no log that could be taken for its own.
    fresh.queryOnce("PRAGMA journal_mode = DELETE");
    return report;
  } finally {
    fresh.close();
  }
}

class Salvage {
  readonly #copied: Record<string, number> = {};
  readonly #lost: LostRow[] = [];
  readonly #standIns = new Set<string>();
  readonly #outputs: OutputsTable;
  #done = 0;

  constructor(
    readonly damaged: Connection,
    readonly fresh: Connection,
    readonly work: LongWork,
  ) {
    this.#outputs = new OutputsTable(fresh, new OutputCache(0)); // Only what was copied counts.
  }

  async run(): Promise<SalvageReport> {
    await this.#copy(SESSIONS, (row) => this.#copyRow(SESSIONS, row));
    await this.#copy(MESSAGES, (row) => this.#copyRow(MESSAGES, row));
    this.#copyLastId();
    if (hasOutputs(this.damaged)) {
      await this.#copy(OUTPUTS, (row) => this.#copyOutput(row));
      await this.#dropIncompleteOutputs();
    }
    await this.#copy(CHECKPOINTS, (row) => this.#copyCheckpoint(row));
    await this.#copy(ENTITIES, (row) => this.#copyRow(ENTITIES, row));
    await this.#copy(FACTS, (row) => this.#copyFact(row));
    return { copied: this.#copied, lost: this.#lost };
  }

  /** Each step is a transaction of the new file. */
  async #copy(table: ScannedTable, copyRow: (row: Row) => void): Promise<void> {
    this.#copied[table.name] = 0;
    if (!readObjects(this.damaged).has(table.name)) {
      this.#lost.push({ table: table.name, reason: "the table is missing" });
      return;
    }
    for (const { rows, unreadable } of scanRows(this.damaged, table)) {
      this.#inTransaction(() => rows.forEach(copyRow));
      for (const row of unreadable) {
        this.#lose(table.name, row);
      }
      this.#done += rows.length;
      await this.work.endStep({ done: this.#done, total: this.#done, unit: "rows" });
    }
  }

  #inTransaction(work: () => void): void {
    this.fresh.queryOnce("BEGIN IMMEDIATE");
    try {
      work();
      this.fresh.queryOnce("COMMIT");
    } catch (error) {
      if (this.fresh.isInTransaction) {
        this.fresh.queryOnce("ROLLBACK");
      }
      throw error;
    }
  }

  #copyRow(table: StoredTable, row: Row): void {
    const problem = this.#problemOf(table, row);
    if (problem !== undefined) {
      this.#loseRow(table, row, problem);
      return;
    }
    const session = sessionOf(table, row);
    if (session !== undefined && table !== SESSIONS) {
      this.#ensureSession(session, row);
    }
    this.#insert(table, this.#withReadableEmbedding(table, row));
  }

  #problemOf(table: StoredTable, row: Row, outputs?: OutputReader): string | undefined {
    const time = table.times.find((column) => !Number.isSafeInteger(row[column]));
    if (time !== undefined) {
      return `column ${time}: is no time`;
    }
    try {
      table.decode(row, outputs);
      return undefined;
    } catch (error) {
      if (error instanceof CheckpointCorruptionError) {
        return error.reason;
      }
      throw error;
    }
  }

  /** As a store reads it: without an embedding that does not decode. */
  #withReadableEmbedding(table: StoredTable, row: Row): Row {
    if (!table.hasEmbedding) {
      return row;
    }
    try {
      embeddingOf(table, row);
      return row;
    } catch (error) {
      this.#loseRow(table, row, `only its embedding: ${messageOf(error)}`);
      return { ...row, embedding: null };
    }
  }

  /** One in pieces is checked when all of them are copied. */
  #copyOutput(row: Row): void {
    const { hash, text } = row;
    const session = String(row.session_id);
    if (typeof text === "string" && hashOf(text) !== hash) {
      this.#loseOutput(row, "the text does not have this hash");
    } else if (this.#hasSession(session) || this.#standInForCheckpoints(session)) {
      this.#insert(OUTPUTS, row);
    } else {
      this.#loseOutput(row, "its session is lost");
    }
  }

  /** Makes a session again for its checkpoints, which come later. Returns whether it has any. */
  #standInForCheckpoints(session: string): boolean {
    try {
      const [first] = this.damaged.queryOnce(SELECT_FIRST_SAVED, session);
      if (first === undefined || !Number.isSafeInteger(first.created_at)) {
        return false;
      }
      this.#ensureSession(session, first);
      return true;
    } catch (error) {
      reasonOfDamage(error);
      return false;
    }
  }

  async #dropIncompleteOutputs(): Promise<void> {
    for (const { rows } of scanRows(this.fresh, OUTPUTS)) {
      const incomplete = rows.filter((row) => row.text === null && !this.#isComplete(row));
      this.#inTransaction(() => {
        for (const row of incomplete) {
          this.fresh.queryOnce(DELETE_OUTPUT, Number(row.position));
          this.#copied[OUTPUTS.name] = (this.#copied[OUTPUTS.name] ?? 0) - 1;
          this.#loseOutput(row, "a piece of it is lost");
        }
      });
      await this.work.endStep({ done: this.#done, total: this.#done, unit: "rows" });
    }
  }

  #isComplete({ session_id, hash }: Row): boolean {
    return this.#outputs.texts(String(session_id), new Set([String(hash)])).size === 1;
  }

  #loseOutput({ session_id, hash }: Row, reason: string): void {
    this.#lost.push({ table: OUTPUTS.name, id: String(hash), session: String(session_id), reason });
  }

  #copyCheckpoint(row: Row): void {
    const session = String(row.session_id);
    const problem = this.#problemOf(CHECKPOINTS, row, this.#outputs.reader(session));
    if (problem !== undefined) {
      this.#loseRow(CHECKPOINTS, row, problem);
      return;
    }
    this.#ensureSession(session, row);
    this.#insert(CHECKPOINTS, row);
  }

  /** A fact outlives its session. */
  #copyFact(row: Row): void {
    const session = row.source_session_id;
    if (typeof session !== "string" || this.#hasSession(session)) {
      this.#copyRow(FACTS, row);
      return;
    }
    this.#copyRow(FACTS, { ...row, source_session_id: null });
    this.#lost.push({
      table: FACTS.name,
      id: String(row.id),
      session,
      reason: "only its source_session_id: that session is lost",
    });
  }

  #ensureSession(id: string, row: Row): void {
    const createdAt = Number(row.created_at);
    if (this.#standIns.has(id)) {
      this.fresh.queryOnce(EXTEND_STAND_IN, id, createdAt);
    } else if (!this.#hasSession(id)) {
      this.fresh.queryOnce(INSERT_STAND_IN, id, createdAt);
      this.#standIns.add(id);
      this.#lost.push({
        table: SESSIONS.name,
        id,
        session: id,
        reason:
          "the row is lost; the session is made again for what it holds, without directory, title and metadata",
      });
    }
  }

  #hasSession(id: string): boolean {
    return this.fresh.queryOnce(COUNT_SESSION, id).length > 0;
  }

  #insert(table: ScannedTable, row: Row): void {
    const columns = table.isIdPosition === true ? table.columns : ["rowid", ...table.columns];
    const places = columns.map((_, index) => `?${index + 1}`);
    const values = columns.map((column) => toBinding(column === "rowid" ? row.position : row[column]));
    try {
      this.fresh.queryOnce(
        `INSERT INTO main.${table.name} (${columns.join(", ")})
        VALUES (${places.join(", ")})`,
        ...values,
      );
      this.#copied[table.name] = (this.#copied[table.name] ?? 0) + 1;
    } catch (error) {
      if (codeOf(error) !== CONSTRAINT) {
        throw error;
      }
      this.#lose(table.name, { id: String(row.id ?? row.hash), reason: messageOf(error) });
    }
  }

  /** Ids of messages that were deleted are not given again. */
  #copyLastId(): void {
    try {
      const last = this.damaged.queryOnce(SELECT_LAST_ID)[0]?.seq;
      if (typeof last === "number" && Number.isSafeInteger(last)) {
        this.fresh.queryOnce(
          "UPDATE main.sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'messages'",
          last,
        );
      }
    } catch (error) {
      this.#lost.push({ table: "sqlite_sequence", reason: reasonOfDamage(error) });
    }
  }

  #loseRow(table: StoredTable, row: Row, reason: string): void {
    const session = sessionOf(table, row);
    this.#lose(table.name, { id: String(row.id), ...(session === undefined ? {} : { session }), reason });
  }

  #lose(table: string, row: Unreadable): void {
    this.#lost.push({ table, ...row });
  }
}

const CONSTRAINT = 19;

/** What SQLite returned is what it takes. */
function toBinding(value: unknown): SQLQueryBindings {
  if (typeof value === "string" || typeof value === "number" || value instanceof Uint8Array) {
    return value;
  }
  return null;
}
