/**
 * `exportSessions`: whole sessions as lines of JSON, of one state of the file.
 *
 * Limits: while it runs, its read transaction keeps the write-ahead log from being cut, so the log grows by what stores write
 * meanwhile. Of a session it holds the ids of its rows in memory, and one row at a time.
 */
import { retryWhileBusy } from "../database/busy-retry.js";
import type { Connection, PreparedStatement, Row, Statements } from "../database/connection.js";
import { SessionNotFoundError } from "../errors.js";
import { OutputCache } from "../outputs/output-cache.js";
import { ColumnReader } from "../rows/column-reader.js";
import { overdueTurn } from "../runtime/event-loop.js";
import { OutputsTable } from "../tables/outputs.js";
import { optionalText, optionalTexts } from "../validation/arguments.js";
import { endLine, headerLine, ROW_TYPES, type RowCounts, type RowType, rowLine } from "./export-format.js";
import { openForReading } from "./opening.js";
import { filePath, type LongRunningOptions, type LongWork, longRunning } from "./options.js";
import { wholeForm } from "./output-forms.js";
import { requireProgress } from "./paging.js";
import { STEP_ROWS } from "./transactions.js";

/** What to export; absent: every session, and every fact. */
export interface ExportOptions extends LongRunningOptions {
  /** Only these sessions, with the facts that were learned in them. */
  sessionIds?: readonly string[] | undefined;
  /** Only the sessions of this workspace, and its facts. */
  workspaceId?: string | undefined;
}

/** @internal */
export const EXPORT_SQL = {
  begin: "BEGIN",

  end: "COMMIT",

  count: `
    SELECT count(*) AS count
    FROM main.sessions
    WHERE ?1 IS NULL
      OR workspace_id = ?1`,

  page: `
    SELECT rowid AS position, *
    FROM main.sessions
    WHERE rowid > +?1
      AND (?2 IS NULL OR workspace_id = +?2)
    ORDER BY rowid
    LIMIT +?3`,

  session: `
    SELECT rowid AS position, *
    FROM main.sessions
    WHERE id = ?1`,

  messages: `
    SELECT id
    FROM main.messages
    WHERE session_id = +?1
    ORDER BY created_at, id`,

  message: `
    SELECT *
    FROM main.messages
    WHERE id = ?1`,

  // Oldest saved first; two indexes merged, as in CHECKPOINTS_SQL.list.
  checkpoints: `
    SELECT id, created_at, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND likelihood(namespace = '', 0.9999)
    UNION ALL
    SELECT id, created_at, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace <> ''
    ORDER BY created_at, position`,

  checkpoint: `
    SELECT *
    FROM main.checkpoints
    WHERE id = ?1`,

  entities: `
    SELECT id
    FROM main.entities
    WHERE session_id = +?1
    ORDER BY rowid`,

  entity: `
    SELECT *
    FROM main.entities
    WHERE id = ?1`,

  facts: `
    SELECT id
    FROM main.facts
    WHERE source_session_id = +?1
    ORDER BY rowid`,

  otherFacts: `
    SELECT id
    FROM main.facts
    WHERE source_session_id IS NULL
      AND (?1 IS NULL OR workspace_id = +?1)
    ORDER BY rowid`,

  fact: `
    SELECT *
    FROM main.facts
    WHERE id = ?1`,
};

interface Scope {
  /** `null`: all. */
  sessionIds: readonly string[] | null;
  workspaceId: string | null;
}

/**
 * The lines of an export, without line breaks; docs/export-format.md describes them. The file is opened, and arguments are checked,
 * when the first line is asked for.
 *
 * @throws {SessionNotFoundError} for an id in `sessionIds`.
 * @throws {CheckpointCorruptionError} for a row that does not decode, named.
 *
 * @example
 * for await (const line of exportSessions("runs.db", { sessionIds: [id] })) {
 *   writer.write(`${line}\n`);
 * }
 */
export async function* exportSessions(
  path: string,
  options?: ExportOptions,
): AsyncGenerator<string, void, undefined> {
  const file = filePath("path", path);
  const { given, work } = longRunning(options, ["sessionIds", "workspaceId"]);
  const scope: Scope = {
    sessionIds: optionalTexts("options.sessionIds", given.sessionIds),
    workspaceId: optionalText("options.workspaceId", given.workspaceId),
  };
  work.throwIfAborted();
  const connection = openForReading(file, work.busyTimeout);
  try {
    yield* new Export(connection, scope, work).lines();
  } finally {
    connection.close();
  }
}

const column = new ColumnReader("sessions");

class Export {
  readonly #scope: Scope;
  readonly #work: LongWork;
  readonly #statements: Statements<keyof typeof EXPORT_SQL>;
  readonly #outputs: OutputsTable;

  constructor(connection: Connection, scope: Scope, work: LongWork) {
    this.#scope = scope;
    this.#work = work;
    this.#statements = connection.statements(EXPORT_SQL);
    this.#outputs = new OutputsTable(connection, new OutputCache(0));
  }

  async *lines(): AsyncGenerator<string, void, undefined> {
    const total = await retryWhileBusy(() => this.#beginAndCount(), this.#work.busyTimeout);
    try {
      yield headerLine(total);
      let done = 0;
      for (const session of this.#sessions()) {
        yield* this.#linesOf(session);
        done += 1;
        await this.#work.endStep({ done, total, unit: "sessions" });
      }
      yield* this.#otherFacts(done);
    } finally {
      this.#statements.end.run();
    }
  }

  /** The first read settles which state of the file all later ones see. */
  #beginAndCount(): number {
    this.#statements.begin.run();
    try {
      const { sessionIds, workspaceId } = this.#scope;
      return sessionIds === null
        ? column.integer(this.#statements.count.get(workspaceId) ?? {}, "count")
        : this.#chosen(sessionIds).length;
    } catch (error) {
      this.#statements.end.run();
      throw error;
    }
  }

  *#sessions(): Generator<Row> {
    const { sessionIds, workspaceId } = this.#scope;
    if (sessionIds !== null) {
      yield* this.#chosen(sessionIds);
      return;
    }
    let last: number | undefined = Number.MIN_SAFE_INTEGER;
    while (last !== undefined) {
      const page: Row[] = this.#statements.page.all(last, workspaceId, STEP_ROWS);
      yield* page;
      const end = page.at(-1);
      last =
        end === undefined ? undefined : requireProgress("sessions", last, column.integer(end, "position"));
    }
  }

  /** In the order in which they are in the file, whatever the order of the ids. */
  #chosen(ids: readonly string[]): Row[] {
    const { workspaceId } = this.#scope;
    return ids
      .map((id) => {
        const row = this.#statements.session.get(id);
        if (row === null) {
          throw new SessionNotFoundError(id);
        }
        return row;
      })
      .filter((row) => workspaceId === null || row.workspace_id === workspaceId)
      .toSorted((one, other) => column.integer(one, "position") - column.integer(other, "position"));
  }

  async *#linesOf(session: Row): AsyncGenerator<string, void, undefined> {
    const id = column.text(session, "id");
    const { messages, checkpoints, entities, facts } = this.#statements;
    const keys = {
      message: keysOf(messages, id),
      checkpoint: keysOf(checkpoints, id),
      entity: keysOf(entities, id),
      fact: keysOf(facts, id),
    };
    const counts: RowCounts = {
      message: keys.message.length,
      checkpoint: keys.checkpoint.length,
      entity: keys.entity.length,
      fact: keys.fact.length,
    };
    yield rowLine("session", session, counts);
    for (const type of ROW_TYPES) {
      yield* this.#rowLines(type, keys[type]);
    }
  }

  async *#otherFacts(sessions: number): AsyncGenerator<string, void, undefined> {
    const { sessionIds, workspaceId } = this.#scope;
    const keys = sessionIds === null ? keysOf(this.#statements.otherFacts, workspaceId) : [];
    yield* this.#rowLines("fact", keys);
    yield endLine(sessions, keys.length);
  }

  async *#rowLines(type: RowType, keys: readonly Key[]): AsyncGenerator<string, void, undefined> {
    for (const key of keys) {
      this.#work.throwIfAborted();
      await overdueTurn();
      const row = this.#statements[type].get(key);
      if (row !== null) {
        yield rowLine(type, type === "checkpoint" ? this.#whole(row) : row);
      }
    }
  }

  /** With its outputs in their places. */
  #whole(row: Row): Row {
    const { session_id, node_results } = row;
    return typeof session_id === "string" && typeof node_results === "string"
      ? { ...row, node_results: wholeForm(node_results, session_id, this.#outputs) }
      : row;
  }
}

type Key = string | number;

function keysOf(statement: PreparedStatement, parameter: string | null): Key[] {
  return statement.values(parameter).map(([key]) => (typeof key === "number" ? key : String(key)));
}
