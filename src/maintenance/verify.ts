/**
 * Verifies a file: SQLite's own checks, the schema, every row, every output's hash, every vector.
 *
 * Nothing is written. SQLite's checks run in a thread of their own; rows are read in steps of a few hundred, each a short read of
 * its own, so writers and the log go on. What is compared across steps (the order of times) is compared as it was read.
 *
 * Limits: SQLite keeps no checksums, so a bit that was flipped within a text is found only if the text is JSON that no longer
 * decodes, or an output that is kept once.
 */
import type { Connection, Row } from "../database/connection.js";
import { codeOf, SQLITE, toStoreError } from "../database/sqlite-errors.js";
import { CheckpointCorruptionError, StoreOpenError } from "../errors.js";
import { OutputCache } from "../outputs/output-cache.js";
import { hashOf } from "../outputs/pieces.js";
import { CorruptColumnError } from "../rows/column-reader.js";
import { absentObjects, inspect, rejectIncomplete } from "../schema/inspection.js";
import { SCHEMA_VERSION } from "../schema/migrations.js";
import { readObjects } from "../schema/objects.js";
import { hasOutputs } from "../schema/outputs.js";
import { hasCompleteVectors, hasVectors } from "../schema/vectors.js";
import { unitOf } from "../search/cosine.js";
import { OutputsTable } from "../tables/outputs.js";
import { describe, messageOf } from "../values/describe.js";
import { openForReading } from "./opening.js";
import { filePath, type LongRunningOptions, type LongWork, longRunning } from "./options.js";
import { reasonOfDamage, rowAt, type ScannedTable, scanRows } from "./row-scan.js";
import { SqlWorker } from "./sql-worker.js";
import {
  CHECKPOINTS,
  embeddingOf,
  MESSAGES,
  OUTPUTS,
  SESSIONS,
  STORED_TABLES,
  type StoredTable,
} from "./stored-tables.js";

export interface Problem {
  /** Or an index, or `sqlite_schema` for the file as a whole. */
  table: string;
  /** The row's; empty if it is not about one row. */
  id: string;
  column?: string;
  problem: string;
  /** What can be done. */
  remedy: string;
}

export interface VerifyReport {
  /** Whether there is no problem. */
  ok: boolean;
  /** Rows read, by table. */
  counts: Record<string, number>;
  problems: Problem[];
}

/** Of each of SQLite's checks. */
const MOST_PROBLEMS = 1_000;

const CHECK_INTEGRITY = `PRAGMA integrity_check(${MOST_PROBLEMS})`;

const CHECK_FOREIGN_KEYS = `
  SELECT "table", rowid AS position, parent
  FROM pragma_foreign_key_check
  LIMIT ${MOST_PROBLEMS}`;

const VECTORS: ScannedTable = {
  name: "checkpoint_sqlite_vectors",
  columns: ["revision", "owner", "id", "unit"],
};

const SELECT_EMBEDDING = {
  entity: `
    SELECT id, embedding
    FROM main.entities
    WHERE id = ?1`,
  fact: `
    SELECT id, embedding
    FROM main.facts
    WHERE id = ?1`,
};

const SELECT_WITHOUT_VECTOR = `
  SELECT 'entities' AS "table", id
  FROM main.entities
  WHERE embedding IS NOT NULL
    AND id NOT IN (SELECT id FROM main.checkpoint_sqlite_vectors WHERE owner = 'entity')
  UNION ALL
  SELECT 'facts' AS "table", id
  FROM main.facts
  WHERE embedding IS NOT NULL
    AND id NOT IN (SELECT id FROM main.checkpoint_sqlite_vectors WHERE owner = 'fact')
  LIMIT ${MOST_PROBLEMS}`;

const RESTORE = "Restore a backup; or salvage what is readable into a new file.";
const OPEN_STORE = "Open a store on the file, not read-only: it makes them again.";
const DELETE_ROW: Record<string, string> = {
  sessions: "The lists of sessions reject until it is set again: updateSession, or deleteSession.",
  messages: "Read around it by its id (options.beforeId); delete it by deleteMessage.",
  checkpoints: "Read around it by its id (options.beforeId); delete it by deleteCheckpoint.",
  entities: "Set the field again by updateEntity; or delete it by deleteEntity.",
  facts: "Delete it by deleteFact, and save the fact again.",
};

/**
 * Verifies the file at the path. Progress is in rows; `total` is the number of rows when it began.
 *
 * @throws {StoreOpenError} if there is no such file, or it is no SQLite database. Damage is reported, not thrown.
 */
export async function verify(path: string, options?: LongRunningOptions): Promise<VerifyReport> {
  const file = filePath("path", path);
  const { work } = longRunning(options);
  work.throwIfAborted();
  const report = new Report();
  try {
    const connection = openForReading(file, work.busyTimeout, requireReadableSchema);
    try {
      await new Verification(connection, report, work).run(file);
    } finally {
      connection.close();
    }
  } catch (error) {
    report.addUnopenable(error, work);
  }
  return report.finish();
}

/**
 * What else is wrong with the schema is a part of the report.
 *
 * @internal
 */
export function requireReadableSchema(connection: Connection): void {
  readObjects(connection);
}

class Report {
  readonly counts: Record<string, number> = {};
  readonly problems: Problem[] = [];

  add(table: string, id: string, problem: string, remedy: string): void {
    this.problems.push({ table, id, problem, remedy });
  }

  /** @throws the error, unless it says that the file is damaged. */
  addUnopenable(error: unknown, work: LongWork): void {
    const cause = error instanceof StoreOpenError ? error.cause : error;
    if (codeOf(cause) !== SQLITE.CORRUPT) {
      throw codeOf(error) === undefined ? error : toStoreError(error, work.busyTimeout);
    }
    this.add("sqlite_schema", "", messageOf(cause), RESTORE);
  }

  finish(): VerifyReport {
    return { ok: this.problems.length === 0, counts: this.counts, problems: this.problems };
  }
}

class Verification {
  readonly #outputs: OutputsTable;
  #done = 0;
  #total = 0;

  constructor(
    readonly connection: Connection,
    readonly report: Report,
    readonly work: LongWork,
  ) {
    this.#outputs = new OutputsTable(connection, new OutputCache(0)); // Every output is read from the file.
  }

  async run(path: string): Promise<void> {
    await this.#checkFile(path);
    this.#checkSchema();
    const objects = readObjects(this.connection);
    const tables = STORED_TABLES.filter(({ name }) => objects.has(name));
    for (const table of tables) {
      await this.#checkTable(table);
    }
    if (hasOutputs(this.connection)) {
      await this.#checkOutputs();
    }
    if (hasVectors(this.connection)) {
      await this.#checkVectors();
    }
  }

  /** SQLite's own checks, which take long, in a thread of their own. */
  async #checkFile(path: string): Promise<void> {
    const worker = await SqlWorker.open([path], this.work.busyTimeout);
    try {
      await this.#checkIntegrity(worker);
      await this.#checkForeignKeys(worker);
      await this.#countRows(worker);
    } finally {
      const closed = worker.close();
      if (this.work.signal?.aborted !== true) {
        await closed;
      }
    }
  }

  async #checkIntegrity(worker: SqlWorker): Promise<void> {
    for (const { integrity_check } of await this.#ask(worker, CHECK_INTEGRITY)) {
      if (integrity_check !== "ok") {
        this.report.add("sqlite_schema", "", String(integrity_check), RESTORE);
      }
    }
  }

  async #checkForeignKeys(worker: SqlWorker): Promise<void> {
    for (const { table, position, parent } of await this.#ask(worker, CHECK_FOREIGN_KEYS)) {
      const problem = `the row at rowid ${String(position)} refers to a row of ${String(parent)} that does not exist`;
      this.report.add(
        String(table),
        "",
        problem,
        "No call finds it: delete it by its rowid, or salvage the file.",
      );
    }
  }

  async #countRows(worker: SqlWorker): Promise<void> {
    for (const { name } of STORED_TABLES) {
      const sql = `SELECT count(*) AS count FROM main.${name}`;
      this.#total += Number((await this.#ask(worker, sql, false))[0]?.count ?? 0);
    }
  }

  /** The rows of an answer; none if the statement meets damage. */
  async #ask(worker: SqlWorker, sql: string, isReported = true): Promise<Row[]> {
    try {
      return (await worker.run([{ on: 0, sql }], this.work.signal))[0] ?? [];
    } catch (error) {
      const reason = reasonOfDamage(error);
      if (isReported) {
        this.report.add("sqlite_schema", "", reason, RESTORE);
      }
      return [];
    }
  }

  #checkSchema(): void {
    try {
      const objects = readObjects(this.connection);
      const version = inspect(this.connection, objects);
      if (version < SCHEMA_VERSION) {
        rejectIncomplete(this.connection, objects, version);
        return; // Opening a store brings the rest.
      }
      for (const { type, name } of absentObjects(objects)) {
        this.report.add(name, "", `the ${type} is missing`, type === "table" ? RESTORE : REINDEX);
      }
      if (!hasCompleteVectors(objects)) {
        const problem = "triggers that keep the vectors up to date are missing or changed";
        this.report.add(VECTORS.name, "", problem, OPEN_STORE);
      }
    } catch (error) {
      const reason = error instanceof StoreOpenError ? error.message : reasonOfDamage(error);
      this.report.add("sqlite_schema", "", reason, RESTORE);
    }
  }

  async #checkTable(table: StoredTable): Promise<void> {
    const order = new TimeOrder(table, this.report);
    await this.#scan(table, (row) => {
      const problem = this.#problemOf(table, row);
      if (problem === undefined) {
        order.check(row);
      } else {
        this.report.problems.push(problem);
      }
    });
  }

  #problemOf(table: StoredTable, row: Row): Problem | undefined {
    const problem = this.#decodingProblem(table, row);
    return problem !== undefined && table === CHECKPOINTS
      ? this.#again(table, row, (now) => this.#decodingProblem(table, now))
      : problem;
  }

  /** What is wrong with a row and its outputs in one state of the file: a store may have deleted both since the row was read. */
  #again<T>(table: ScannedTable, row: Row, find: (now: Row) => T | undefined): T | undefined {
    return this.connection.readInTransaction(() => {
      const now = rowAt(this.connection, table, Number(row.position));
      return now === undefined ? undefined : find(now);
    });
  }

  #decodingProblem(table: StoredTable, row: Row): Problem | undefined {
    try {
      const outputs = table === CHECKPOINTS ? this.#outputs.reader(String(row.session_id)) : undefined;
      table.decode(row, outputs);
      if (table.hasEmbedding) {
        embeddingOf(table, row);
      }
      return undefined;
    } catch (error) {
      return problemOf(table.name, row, error);
    }
  }

  async #checkOutputs(): Promise<void> {
    await this.#scan(OUTPUTS, (row) => {
      const issue = this.#issueOfOutput(row) && this.#again(OUTPUTS, row, (now) => this.#issueOfOutput(now));
      if (issue !== undefined) {
        const { hash, session_id } = row;
        const remedy = "The checkpoints that refer to it are lost: delete them, or restore a backup.";
        this.report.add(OUTPUTS.name, String(hash), `${issue} (session ${String(session_id)})`, remedy);
      }
    });
  }

  #issueOfOutput({ session_id, hash, text }: Row): string | undefined {
    if (typeof text === "string") {
      return hashOf(text) === hash ? undefined : "the text does not have this hash";
    }
    try {
      return this.#outputs.texts(String(session_id), new Set([String(hash)])).size === 1
        ? undefined
        : "a piece of it is missing or damaged";
    } catch (error) {
      return reasonOfDamage(error);
    }
  }

  async #checkVectors(): Promise<void> {
    await this.#scan(VECTORS, (row) => this.#checkVector(row));
    const found = this.#tryQuery(SELECT_WITHOUT_VECTOR);
    for (const { table, id } of found) {
      const remedy = `Searches do not find it. DROP TRIGGER checkpoint_sqlite_vector_deleted, then: ${OPEN_STORE}`;
      this.report.add(String(table), String(id), "the embedding has no vector", remedy);
    }
  }

  #checkVector(row: Row): void {
    const owner = row.owner === "fact" ? "fact" : "entity";
    const table =
      STORED_TABLES.find(({ name }) => name === (owner === "fact" ? "facts" : "entities")) ?? SESSIONS;
    const [holder] = this.#tryQuery(SELECT_EMBEDDING[owner], row.id);
    // Without a unit it is read from the embedding at the next search.
    if (row.unit === null && holder !== undefined) {
      return;
    }
    const issue = holder === undefined ? `its ${owner} does not exist` : issueOfUnit(table, holder, row.unit);
    if (issue !== undefined) {
      const remedy = `UPDATE ${VECTORS.name} SET unit = NULL WHERE revision = ${String(row.revision)}: the next search makes it again.`;
      this.report.add(VECTORS.name, String(row.id), issue, holder === undefined ? ORPHAN : remedy);
    }
  }

  #tryQuery(sql: string, id?: unknown): Row[] {
    try {
      return this.connection.queryOnce(sql, ...(typeof id === "string" ? [id] : []));
    } catch (error) {
      reasonOfDamage(error);
      return [];
    }
  }

  /** Runs a check on each row, and reports those that cannot be read. */
  async #scan(table: ScannedTable, check: (row: Row) => void): Promise<void> {
    this.report.counts[table.name] = 0;
    for (const { rows, unreadable } of scanRows(this.connection, table)) {
      for (const row of rows) {
        check(row);
      }
      for (const { id, session, reason } of unreadable) {
        const of = session === undefined ? "" : ` (session ${session})`;
        this.report.add(table.name, id ?? "", `${reason}${of}`, RESTORE);
      }
      this.report.counts[table.name] = (this.report.counts[table.name] ?? 0) + rows.length;
      this.#done += rows.length;
      this.#total = Math.max(this.#total, this.#done);
      await this.work.endStep({ done: this.#done, total: this.#total, unit: "rows" });
    }
  }
}

const REINDEX = "Lists are slow without it: create it again as docs/file-format.md has it.";
const ORPHAN = `No search returns it: DELETE FROM ${VECTORS.name} WHERE id is this one.`;

function remedyFor(table: string): string {
  return DELETE_ROW[table] ?? RESTORE;
}

/** @throws what is no CheckpointCorruptionError. */
function problemOf(table: string, row: Row, error: unknown): Problem {
  if (!(error instanceof CheckpointCorruptionError)) {
    throw error;
  }
  const found = { table, id: String(row.id), problem: error.reason, remedy: remedyFor(table) };
  return error instanceof CorruptColumnError
    ? { ...found, column: error.column, problem: error.problem }
    : found;
}

function issueOfUnit(table: StoredTable, holder: Row, unit: unknown): string | undefined {
  const embedding = readEmbedding(table, holder);
  if (embedding === undefined) {
    return "its embedding is missing or does not decode";
  }
  const expected = new Uint8Array(Float32Array.from(unitOf(embedding)).buffer);
  return unit instanceof Uint8Array && Buffer.compare(unit, expected) === 0
    ? undefined
    : "the vector is not the one of the embedding";
}

/** What does not decode is reported with its row. */
function readEmbedding(table: StoredTable, holder: Row): number[] | undefined {
  try {
    return embeddingOf(table, holder);
  } catch {
    return undefined;
  }
}

/** In each session a later row has a later time; two that 0.2.3 wrote may have the same one. */
class TimeOrder {
  readonly #latest = new Map<unknown, number>();

  constructor(
    readonly table: StoredTable,
    readonly report: Report,
  ) {}

  check(row: Row): void {
    for (const column of this.table.times) {
      if (!Number.isSafeInteger(row[column])) {
        this.#add(row, column, `must be a time in milliseconds, not ${describe(row[column])}`);
        return;
      }
    }
    const { created_at: createdAt, updated_at: updatedAt } = row;
    if (Number(updatedAt) < Number(createdAt)) {
      this.#add(row, "updated_at", "is before created_at");
    }
    if (this.table === MESSAGES || this.table === CHECKPOINTS) {
      this.#checkOrder(row, Number(createdAt));
    }
  }

  #checkOrder(row: Row, createdAt: number): void {
    const latest = this.#latest.get(row.session_id) ?? createdAt;
    if (createdAt < latest) {
      this.#add(
        row,
        "created_at",
        `${createdAt} is before ${latest}, the time of an earlier row of its session`,
      );
    }
    this.#latest.set(row.session_id, Math.max(latest, createdAt));
  }

  #add(row: Row, column: string, problem: string): void {
    const remedy = "Lists go by time: only the order of this row is in doubt, its values are not.";
    this.report.problems.push({ table: this.table.name, id: String(row.id), column, problem, remedy });
  }
}
