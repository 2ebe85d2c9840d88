/**
 * What a file holds, and where its bytes are.
 *
 * All is of one state, read in a thread of its own; every page is read, so it takes about as long as copying the file.
 */
import { statSync } from "node:fs";
import type { Row } from "../database/connection.js";
import { targetOf } from "../database/foreign-log.js";
import { codeOf, toStoreError } from "../database/sqlite-errors.js";
import { hashReferredToBy, hasOutputs } from "../schema/outputs.js";
import { nodesToRead } from "../tables/outputs.js";
import { nonNegativeInteger } from "../validation/arguments.js";
import { openForReading } from "./opening.js";
import { filePath, type LongRunningOptions, type LongWork, longRunning } from "./options.js";
import { SqlWorker } from "./sql-worker.js";

export interface TableStats {
  name: string;
  rows: number;
  /**
   * Of its pages and those of its indexes. If this SQLite was built without dbstat, it is estimated: of the values in the table, without
   * indexes and free space within pages.
   */
  bytes: number;
}

export interface SessionStats {
  id: string;
  title: string | null;
  messages: number;
  checkpoints: number;
  /** Of the values in its rows, as UTF-8, those of its outputs too. */
  bytes: number;
  /** Of the outputs that are kept once for all its checkpoints. */
  outputBytes: number;
  createdAt: number;
  updatedAt: number;
}

export interface Stats {
  tables: TableStats[];
  /** The largest first. */
  sessions: SessionStats[];
  /** Of pages that new rows will use. */
  freeBytes: number;
  /** Of the write-ahead log. */
  logBytes: number;
  fileBytes: number;
  /** Of outputs: as checkpoints refer to them, as they are kept, and the difference. */
  sharing: { referenced: number; stored: number; saved: number };
}

export interface StatsOptions extends LongRunningOptions {
  /**
   * How many of the largest sessions are listed. 0: none.
   * @default 10
   */
  sessions?: number | undefined;
}

const DEFAULT_SESSIONS = 10;

const SELECT_SIZES = `
  SELECT page_size * page_count AS fileBytes, page_size * freelist_count AS freeBytes
  FROM pragma_page_size, pragma_page_count, pragma_freelist_count`;

const SELECT_TABLES = `
  SELECT name
  FROM main.sqlite_schema
  WHERE type = 'table'
    AND rootpage > 0
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  ORDER BY name`;

const SELECT_PAGES = `
  SELECT schema.tbl_name AS name, sum(pages.pgsize) AS bytes
  FROM dbstat('main', TRUE) AS pages
  JOIN main.sqlite_schema AS schema ON schema.name = pages.name
  GROUP BY schema.tbl_name`;

const SELECT_COLUMNS = `
  SELECT name
  FROM pragma_table_info(?1, 'main')`;

/** The bytes of a value: `length` counts characters, and stops at a NUL. */
const bytesOf = (column: string) => `coalesce(length(CAST(${column} AS BLOB)), 0)`;

const sumOf = (columns: readonly string[]) => `coalesce(sum(${columns.map(bytesOf).join(" + ")}), 0)`;

const MESSAGE_COLUMNS = ["session_id", "role", "content", "tool_calls", "tool_results"];
const CHECKPOINT_COLUMNS = [
  "id",
  "session_id",
  "namespace",
  "parent_id",
  "node_id",
  "node_results",
  "pending_nodes",
  "cycle_state",
  "source",
];
const ENTITY_COLUMNS = ["id", "session_id", "name", "type", "attributes", "relationships", "embedding"];
const SESSION_COLUMNS = ["id", "workspace_id", "title", "directory", "metadata"];
const OUTPUT_COLUMNS = ["text", "pieces"];

const perSession = (name: string, table: string, columns: readonly string[]) => `
    ${name} AS MATERIALIZED (
      SELECT session_id, count(*) AS count, ${sumOf(columns)} AS bytes
      FROM main.${table}
      GROUP BY session_id
    )`;

/** A file before schema version 5 has no outputs. */
const NO_OUTPUTS = `
    outputs (session_id, bytes) AS (
      SELECT NULL, 0
      WHERE FALSE
    )`;

const selectSessions = (withOutputs: boolean) => `
  WITH
    ${perSession("of_messages", "messages", MESSAGE_COLUMNS)},
    ${perSession("of_checkpoints", "checkpoints", CHECKPOINT_COLUMNS)},
    ${perSession("of_entities", "entities", ENTITY_COLUMNS)},
    ${withOutputs ? perSession("outputs", "checkpoint_sqlite_outputs", OUTPUT_COLUMNS) : NO_OUTPUTS}
  SELECT
    sessions.id,
    sessions.title,
    coalesce(of_messages.count, 0) AS messages,
    coalesce(of_checkpoints.count, 0) AS checkpoints,
    ${SESSION_COLUMNS.map((column) => bytesOf(`sessions.${column}`)).join(" + ")}
      + coalesce(of_messages.bytes, 0)
      + coalesce(of_checkpoints.bytes, 0)
      + coalesce(of_entities.bytes, 0)
      + coalesce(outputs.bytes, 0) AS bytes,
    coalesce(outputs.bytes, 0) AS outputBytes,
    sessions.created_at AS createdAt,
    sessions.updated_at AS updatedAt
  FROM main.sessions
  LEFT JOIN of_messages ON of_messages.session_id = sessions.id
  LEFT JOIN of_checkpoints ON of_checkpoints.session_id = sessions.id
  LEFT JOIN of_entities ON of_entities.session_id = sessions.id
  LEFT JOIN outputs ON outputs.session_id = sessions.id
  ORDER BY bytes DESC, sessions.rowid
  LIMIT ?1`;

const SELECT_STORED = `
  SELECT ${sumOf(OUTPUT_COLUMNS)} AS bytes
  FROM main.checkpoint_sqlite_outputs`;

/** A reference stands where the output of a node would; text that is not JSON has none. */
const SELECT_REFERENCED = `
  WITH
    whole AS MATERIALIZED (
      SELECT
        session_id,
        hash,
        CASE
          WHEN text IS NOT NULL THEN ${bytesOf("text")}
          ELSE (
            SELECT sum(${bytesOf("piece.text")})
            FROM json_each(iif(json_valid(outputs.pieces), outputs.pieces, '[]')) AS name
            JOIN main.checkpoint_sqlite_outputs AS piece
              ON piece.session_id = outputs.session_id
              AND piece.hash = name.value
          )
        END AS bytes
      FROM main.checkpoint_sqlite_outputs AS outputs
    )
  SELECT coalesce(sum(whole.bytes), 0) AS bytes
  FROM main.checkpoints AS saved
  JOIN json_each(${nodesToRead("saved")}) AS node
  JOIN whole
    ON whole.session_id = saved.session_id
    AND whole.hash = ${hashReferredToBy("node")}`;

/**
 * Reads the figures of the file at the path. Progress is in steps.
 *
 * @throws {StoreOpenError} if a store would not open the file.
 * @throws {CheckpointCorruptionError} if the file is damaged.
 */
export async function stats(path: string, options?: StatsOptions): Promise<Stats> {
  const file = filePath("path", path);
  const { given, work } = longRunning(options, ["sessions"]);
  const most = nonNegativeInteger("options.sessions", given.sessions ?? DEFAULT_SESSIONS);
  work.throwIfAborted();
  const withOutputs = inspectFile(file, work.busyTimeout);
  const worker = await SqlWorker.open([file], work.busyTimeout);
  try {
    return await new Figures(worker, work, withOutputs).read(file, most);
  } catch (error) {
    throw codeOf(error) === undefined ? error : toStoreError(error, work.busyTimeout);
  } finally {
    const closed = worker.close();
    if (work.signal?.aborted !== true) {
      await closed;
    }
  }
}

/** Returns whether the file keeps outputs once. */
function inspectFile(path: string, busyTimeout: number): boolean {
  const connection = openForReading(path, busyTimeout);
  try {
    return hasOutputs(connection);
  } finally {
    connection.close();
  }
}

const STEPS = 4;

class Figures {
  #done = 0;

  constructor(
    readonly worker: SqlWorker,
    readonly work: LongWork,
    readonly withOutputs: boolean,
  ) {}

  async read(path: string, mostSessions: number): Promise<Stats> {
    await this.#ask("BEGIN");
    const sizes = (await this.#ask(SELECT_SIZES))[0];
    const tables = await this.#step(() => this.#tables());
    const sessions = await this.#step(() => this.#sessions(mostSessions));
    const stored = await this.#step(() => this.#bytes(SELECT_STORED));
    const referenced = await this.#step(() => this.#bytes(SELECT_REFERENCED));
    return {
      tables,
      sessions,
      freeBytes: Number(sizes?.freeBytes),
      logBytes: statSync(`${targetOf(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      fileBytes: Number(sizes?.fileBytes),
      sharing: { referenced, stored, saved: referenced - stored },
    };
  }

  async #step<T>(work: () => Promise<T>): Promise<T> {
    const result = await work();
    this.#done += 1;
    await this.work.endStep({ done: this.#done, total: STEPS, unit: "steps" });
    return result;
  }

  async #tables(): Promise<TableStats[]> {
    const names = (await this.#ask(SELECT_TABLES)).map(({ name }) => String(name));
    const pages = await this.#pagesByTable();
    const tables: TableStats[] = [];
    for (const name of names) {
      const rows = await this.#number(`SELECT count(*) AS number FROM main.${quoted(name)}`);
      tables.push({ name, rows, bytes: pages?.get(name) ?? (await this.#estimate(name)) });
    }
    return tables;
  }

  /** `undefined`: this SQLite has no dbstat. */
  async #pagesByTable(): Promise<Map<string, number> | undefined> {
    try {
      const rows = await this.#ask(SELECT_PAGES);
      return new Map(rows.map(({ name, bytes }) => [String(name), Number(bytes)]));
    } catch (error) {
      if (String(error).includes("dbstat")) {
        return undefined;
      }
      throw error;
    }
  }

  async #estimate(table: string): Promise<number> {
    const columns = (await this.#ask(SELECT_COLUMNS, table)).map(({ name }) => quoted(String(name)));
    return this.#number(`SELECT ${sumOf(columns)} AS number FROM main.${quoted(table)}`);
  }

  async #sessions(most: number): Promise<SessionStats[]> {
    const rows = most === 0 ? [] : await this.#ask(selectSessions(this.withOutputs), most);
    return rows.map((row) => ({
      id: String(row.id),
      title: row.title === null ? null : String(row.title),
      messages: Number(row.messages),
      checkpoints: Number(row.checkpoints),
      bytes: Number(row.bytes),
      outputBytes: Number(row.outputBytes),
      createdAt: Number(row.createdAt),
      updatedAt: Number(row.updatedAt),
    }));
  }

  async #bytes(sql: string): Promise<number> {
    return this.withOutputs ? Number((await this.#ask(sql))[0]?.bytes) : 0;
  }

  async #number(sql: string): Promise<number> {
    return Number((await this.#ask(sql))[0]?.number);
  }

  async #ask(sql: string, ...parameters: (string | number)[]): Promise<Row[]> {
    return (await this.worker.run([{ on: 0, sql, parameters }], this.work.signal))[0] ?? [];
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
