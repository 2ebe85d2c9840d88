/** The rows of a file that are to be copied, of one state of the file. */
import type { SQLQueryBindings } from "bun:sqlite";
import { retryWhileBusy } from "../database/busy-retry.js";
import type { Connection } from "../database/connection.js";
import { CheckpointCorruptionError, SessionNotFoundError } from "../errors.js";
import type { LongWork } from "../maintenance/options.js";
import { wholeForm } from "../maintenance/output-forms.js";
import { nextTurn } from "../runtime/event-loop.js";
import { OutputsTable } from "../tables/outputs.js";
import type { Misfit, SourceRow } from "./misfits.js";
import type { RowCounts } from "./reports.js";
import { noRows, TABLES, type Table, type TableName, type Value } from "./tables.js";

/** What to copy. */
export interface Scope {
  /** `null`: all. */
  sessionIds: readonly string[] | null;
  /** `null`: of every workspace, and of none. */
  workspaceId: string | null;
}

/** A row, and what was found to be wrong with it while it was read. */
export interface ReadRow {
  row: SourceRow;
  /** Whether the session that it refers to is not in the file. */
  isOrphan: boolean;
  damage?: Misfit;
}

const CHOSEN_SESSIONS = `
  (?1 IS NULL OR id IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR workspace_id = ?2)`;

const OF_CHOSEN_SESSIONS = (column: string) =>
  `${column} IN (SELECT id FROM main.sessions WHERE ${CHOSEN_SESSIONS})`;

const CREATE_SAVED = `
  CREATE TEMP TABLE saved_checkpoints (
    position INTEGER PRIMARY KEY,
    id TEXT,
    session_id TEXT,
    step INTEGER,
    created_at INTEGER
  )`;

/** In steps: behind large outputs even a short column takes long to read. */
const INSERT_SAVED = (scope: string) => `
  INSERT INTO temp.saved_checkpoints (position, id, session_id, step, created_at)
  SELECT rowid, id, session_id, step, created_at
  FROM main.checkpoints
  WHERE rowid IN (SELECT value FROM json_each(?3))
    AND ${scope}`;

const SELECT_POSITIONS = `
  SELECT json_group_array(position) AS positions, max(position) AS last
  FROM (
    SELECT rowid AS position
    FROM main.checkpoints
    WHERE rowid > ?1
    ORDER BY rowid
    LIMIT 200
  )`;

const IS_UNORDERED = "step_before >= step";

/** Renumbering solves these too. */
const IS_NO_INTEGER = `
  typeof(step) <> 'integer'
  OR step NOT BETWEEN -2147483648 AND 2147483647`;

/** Checkpoints with their places in the order of saving, in sessions that have a checkpoint for which the condition holds. */
const createUnordered = (condition: string) => `
  CREATE TEMP TABLE unordered_checkpoints AS
  WITH
    saved AS (
      SELECT
        id, session_id, step,
        row_number() OVER in_order - 1 AS place,
        lag(step) OVER in_order AS step_before
      FROM temp.saved_checkpoints
      WINDOW in_order AS (PARTITION BY session_id ORDER BY created_at, position)
    )
  SELECT id, session_id, place
  FROM saved
  WHERE session_id IN (SELECT session_id FROM saved WHERE ${condition})`;

const INDEX_UNORDERED = "CREATE UNIQUE INDEX temp.unordered_by_id ON unordered_checkpoints (id)";

const SELECT_UNORDERED_SESSIONS = `
  SELECT DISTINCT session_id
  FROM temp.unordered_checkpoints
  ORDER BY session_id`;

const NEW_STEP = `coalesce(
  (SELECT place FROM temp.unordered_checkpoints AS unordered WHERE unordered.id = checkpoints.id),
  step
) AS step`;

const SELECT_LAST_MESSAGE_ID = `
  SELECT seq
  FROM main.sqlite_sequence
  WHERE name = 'messages'`;

export class Source {
  readonly #connection: Connection;
  readonly #outputs: OutputsTable;
  readonly #scope: Scope;
  readonly #renumbersSteps: boolean;

  private constructor(connection: Connection, scope: Scope, renumbersSteps: boolean) {
    this.#connection = connection;
    this.#outputs = new OutputsTable(connection);
    this.#scope = scope;
    this.#renumbersSteps = renumbersSteps;
  }

  /**
   * Runs a copy in a read transaction.
   *
   * @throws {SessionNotFoundError} for an id in the scope.
   */
  static async read<T>(
    connection: Connection,
    { scope, renumberSteps }: { scope: Scope; renumberSteps: boolean },
    work: LongWork,
    copy: (source: Source) => Promise<T>,
  ): Promise<T> {
    const source = new Source(connection, scope, renumberSteps);
    await retryWhileBusy(() => source.#begin(), work.busyTimeout);
    try {
      source.#requireSessions();
      await source.#orderCheckpoints(work);
      return await copy(source);
    } finally {
      connection.queryOnce("ROLLBACK");
    }
  }

  /** The first read settles which state of the file all later ones see. */
  #begin(): void {
    this.#connection.queryOnce("BEGIN");
    try {
      this.#connection.queryOnce("SELECT 1 FROM main.sqlite_schema LIMIT 1");
    } catch (error) {
      this.#connection.queryOnce("ROLLBACK");
      throw error;
    }
  }

  async #orderCheckpoints(work: LongWork): Promise<void> {
    this.#connection.queryOnce(CREATE_SAVED);
    const { positions, insert } = this.#connection.statements({
      positions: SELECT_POSITIONS,
      insert: INSERT_SAVED(this.#isWhole ? "?1 IS ?2" : OF_CHOSEN_SESSIONS("session_id")),
    });
    for (let last: unknown = Number.MIN_SAFE_INTEGER; typeof last === "number"; ) {
      const page = positions.get(last);
      insert.run(...this.#chosen, String(page?.positions));
      last = page?.last;
      work.throwIfAborted();
      await nextTurn();
    }
    const condition = this.#renumbersSteps ? `${IS_UNORDERED} OR ${IS_NO_INTEGER}` : IS_UNORDERED;
    this.#connection.queryOnce(createUnordered(condition));
    this.#connection.queryOnce(INDEX_UNORDERED);
  }

  #requireSessions(): void {
    for (const id of this.#scope.sessionIds ?? []) {
      if (this.#connection.queryOnce("SELECT 1 FROM main.sessions WHERE id = ?1", id).length === 0) {
        throw new SessionNotFoundError(id);
      }
    }
  }

  get #isWhole(): boolean {
    return this.#scope.sessionIds === null && this.#scope.workspaceId === null;
  }

  /** What `CHOSEN_SESSIONS` compares with. */
  get #chosen(): [string | null, string | null] {
    const { sessionIds, workspaceId } = this.#scope;
    return [sessionIds === null ? null : JSON.stringify(sessionIds), workspaceId];
  }

  get #parameters(): SQLQueryBindings[] {
    return this.#isWhole ? [] : this.#chosen;
  }

  counts(): RowCounts {
    const counts = noRows();
    for (const { name } of TABLES) {
      const [row] = this.#connection.queryOnce(
        `SELECT count(*) AS count FROM main.${name} WHERE ${this.#conditionOf(name)}`,
        ...this.#parameters,
      );
      counts[name] = Number(row?.count);
    }
    return counts;
  }

  /** The sessions whose steps do not rise from each checkpoint to the one saved next, or are to be renumbered for another reason. */
  unorderedSessions(): string[] {
    return this.#connection.queryOnce(SELECT_UNORDERED_SESSIONS).map(({ session_id }) => String(session_id));
  }

  /** The highest id that a message of the file ever had; 0 if there was none, or if only some sessions are copied. */
  lastMessageId(): bigint {
    const [row] = this.#isWhole ? this.#connection.queryOnce(SELECT_LAST_MESSAGE_ID) : [];
    return BigInt(Math.trunc(Number(row?.seq ?? 0)));
  }

  /** One row at a time, messages by their ids. */
  *rows(table: Table): Generator<ReadRow, void, undefined> {
    const statement = this.#connection.database
      .prepare<SourceRow, SQLQueryBindings[]>(this.#select(table))
      .safeIntegers(true);
    try {
      for (const { is_orphan, ...row } of statement.iterate(...this.#parameters)) {
        const read = { row, isOrphan: is_orphan === 1n };
        yield table.name === "checkpoints" ? this.#whole(read) : read;
      }
    } finally {
      statement.finalize();
    }
  }

  #select({ name, columns, sessionColumn }: Table): string {
    const names = columns.map((column) =>
      column.name === "step" && this.#renumbersSteps ? NEW_STEP : column.name,
    );
    const isOrphan = name === "sessions" ? "FALSE" : isOrphaned(name, sessionColumn);
    return `
      SELECT ${names.join(", ")}, ${isOrphan} AS is_orphan
      FROM main.${name}
      WHERE ${this.#conditionOf(name)}
      ${name === "messages" ? "ORDER BY id" : ""}`;
  }

  #conditionOf(table: TableName): string {
    if (this.#isWhole) {
      return "TRUE";
    }
    switch (table) {
      case "sessions":
        return CHOSEN_SESSIONS;
      case "facts":
        return `(
          ${OF_CHOSEN_SESSIONS("source_session_id")}
          OR (?1 IS NULL AND source_session_id IS NULL AND workspace_id = ?2)
        )`;
      default:
        return OF_CHOSEN_SESSIONS("session_id");
    }
  }

  #whole(read: ReadRow): ReadRow {
    const { session_id, node_results } = read.row;
    if (typeof session_id !== "string" || typeof node_results !== "string") {
      return read;
    }
    try {
      const whole: Value = wholeForm(node_results, session_id, this.#outputs);
      return { ...read, row: { ...read.row, node_results: whole } };
    } catch (error) {
      if (error instanceof CheckpointCorruptionError) {
        const remedy =
          "run `checkpoint-sqlite verify` on the file, and restore a backup or delete the checkpoint";
        return { ...read, damage: { column: "node_results", problem: error.reason, remedy } };
      }
      throw error;
    }
  }
}

function isOrphaned(table: TableName, sessionColumn: string): string {
  return `(
    ${table}.${sessionColumn} IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM main.sessions AS owner WHERE owner.id = ${table}.${sessionColumn})
  )`;
}
