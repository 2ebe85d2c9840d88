/**
 * Reads every row of a table in short steps, also if pages of it are damaged.
 *
 * A row is found by its position (SQLite's rowid). If the table cannot be read in order, the positions come from what is left
 * of it, from both ends, and from its indexes; then each row is tried by itself.
 *
 * Limits: what no index names and no end of the table reaches is reported as a range, not row by row.
 */
import type { SQLQueryBindings } from "bun:sqlite";
import type { Connection, Row } from "../database/connection.js";
import { codeOf, isBusy, SQLITE } from "../database/sqlite-errors.js";
import { messageOf } from "../values/describe.js";

/** A row, or rows, that cannot be read. */
export interface Unreadable {
  id?: string;
  session?: string;
  reason: string;
}

export interface ScanStep {
  rows: Row[];
  unreadable: Unreadable[];
}

export interface ScannedTable {
  name: string;
  columns: readonly string[];
  /** Whether a row's id is its position. */
  isIdPosition?: boolean;
}

/** In each step. */
const ROWS_PER_STEP = 200;

/** An output is found by its hash. */
const NAMING_COLUMNS: readonly string[] = ["id", "hash", "session_id"];

/** What is known of the row at each position. */
type Positions = Map<number, Unreadable>;

/** Large rows make short steps too: so many characters end one. */
const CHARACTERS_PER_STEP = 1_000_000;

/** The rows come in the order of their positions, each with its own as `position`. */
export function* scanRows(connection: Connection, table: ScannedTable): Generator<ScanStep> {
  let last = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const rows = unlessDamaged(() => readPage(connection, table, last));
    if (rows === undefined || !isAscending(rows, last)) {
      yield* scanDamaged(connection, table, last);
      return;
    }
    if (rows.length === 0) {
      return;
    }
    yield { rows, unreadable: [] };
    last = Number(rows.at(-1)?.position);
  }
}

/** In a page that was cut a row may have any position: reading on from there could go on for ever. */
function isAscending(rows: readonly Row[], after: number): boolean {
  let last = after;
  return rows.every(({ position }) => {
    const isNext = typeof position === "number" && position > last;
    last = Number(position);
    return isNext;
  });
}

/** At least one row, if there is one. */
function readPage(connection: Connection, { name, columns }: ScannedTable, after: number): Row[] {
  const sql = `
    SELECT rowid AS position, ${columns.join(", ")}
    FROM main.${name} NOT INDEXED
    WHERE rowid > ?1
    ORDER BY rowid
    LIMIT ${ROWS_PER_STEP}`;
  const rows: Row[] = [];
  let characters = 0;
  for (const row of iterate(connection, sql, [after])) {
    rows.push(row);
    characters += sizeOf(row);
    if (characters > CHARACTERS_PER_STEP) {
      break;
    }
  }
  return rows;
}

function sizeOf(row: Row): number {
  return Object.values(row).reduce<number>(
    (size, value) => size + (typeof value === "string" || value instanceof Uint8Array ? value.length : 0),
    0,
  );
}

function* scanDamaged(connection: Connection, table: ScannedTable, after: number): Generator<ScanStep> {
  const { positions, reason } = findPositions(connection, table, after);
  const sorted = [...positions.keys()].toSorted((a, b) => a - b);
  for (let at = 0; at < sorted.length; at += ROWS_PER_STEP) {
    const step: ScanStep = { rows: [], unreadable: [] };
    for (const position of sorted.slice(at, at + ROWS_PER_STEP)) {
      const row = readRow(connection, table, position);
      if (typeof row === "string") {
        const id = table.isIdPosition === true ? { id: String(position) } : {};
        step.unreadable.push({ ...positions.get(position), ...id, reason: row });
      } else {
        step.rows.push(row);
      }
    }
    yield step;
  }
  yield {
    rows: [],
    unreadable: [
      { reason: `pages of the table are damaged (${reason}): rows that no index names may be missing` },
    ],
  };
}

/** The row, or why it cannot be read. */
function readRow(connection: Connection, table: ScannedTable, position: number): Row | string {
  try {
    return rowAt(connection, table, position) ?? "an index names it, and the table has no such row";
  } catch (error) {
    return reasonOfDamage(error);
  }
}

/** As {@link scanRows} yields it; `undefined`: there is none. */
export function rowAt(
  connection: Connection,
  { name, columns }: ScannedTable,
  position: number,
): Row | undefined {
  return connection.queryOnce(
    `SELECT rowid AS position, ${columns.join(", ")}
    FROM main.${name} NOT INDEXED
    WHERE rowid = ?1`,
    position,
  )[0];
}

function findPositions(
  connection: Connection,
  { name }: ScannedTable,
  after: number,
): { positions: Positions; reason: string } {
  const positions: Positions = new Map();
  let reason = "rows are not in their order";
  for (const order of ["ASC", "DESC"]) {
    const select = `SELECT rowid AS position FROM main.${name} NOT INDEXED WHERE rowid > ?1 ORDER BY rowid ${order}`;
    reason = collect(connection, positions, select, after) ?? reason;
  }
  for (const index of indexesOf(connection, name)) {
    const names = index.columns.map((column) => `, ${column}`).join("");
    for (const order of ["ASC", "DESC"]) {
      const select = `SELECT rowid AS position${names} FROM main.${name} INDEXED BY "${index.name}" ORDER BY "${index.first}" ${order}`;
      collect(connection, positions, select);
    }
  }
  for (const position of positions.keys()) {
    if (position <= after) {
      positions.delete(position);
    }
  }
  return { positions, reason };
}

/** Takes what can be read; returns why no more can. */
function collect(
  connection: Connection,
  positions: Positions,
  sql: string,
  ...parameters: SQLQueryBindings[]
): string | undefined {
  try {
    for (const row of iterate(connection, sql, parameters)) {
      if (Number.isSafeInteger(row.position)) {
        const position = Number(row.position);
        positions.set(position, { ...positions.get(position), ...namesIn(row), reason: "" });
      }
    }
    return undefined;
  } catch (error) {
    return reasonOfDamage(error);
  }
}

function* iterate(connection: Connection, sql: string, parameters: SQLQueryBindings[]): Generator<Row> {
  const statement = connection.database.prepare<Row, SQLQueryBindings[]>(sql);
  try {
    yield* statement.iterate(...parameters);
  } finally {
    statement.finalize();
  }
}

function namesIn(row: Row): { id?: string; session?: string } {
  const names: { id?: string; session?: string } = {};
  const id = row.id ?? row.hash;
  if (typeof id === "string") {
    names.id = id;
  }
  if (typeof row.session_id === "string") {
    names.session = row.session_id;
  }
  return names;
}

interface Index {
  name: string;
  first: string;
  /** Those that name a row. */
  columns: readonly string[];
}

/** The indexes with every row in them. */
function indexesOf(connection: Connection, table: string): Index[] {
  const rows =
    unlessDamaged(() =>
      connection.queryOnce(
        `SELECT list.name, group_concat(column.name) AS columns
        FROM pragma_index_list(?1, 'main') AS list
        JOIN pragma_index_info(list.name, 'main') AS column
        WHERE NOT list.partial
        GROUP BY list.name`,
        table,
      ),
    ) ?? [];
  return rows.map(({ name, columns }) => {
    const all = String(columns).split(",");
    const naming = all.filter((column) => NAMING_COLUMNS.includes(column));
    return { name: String(name), first: all[0] ?? "", columns: naming };
  });
}

function unlessDamaged<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    reasonOfDamage(error);
    return undefined;
  }
}

/** @throws what is no damage: a lock is not. */
export function reasonOfDamage(error: unknown): string {
  const code = codeOf(error);
  if (code === undefined || isBusy(error) || code === SQLITE.CANTOPEN) {
    throw error;
  }
  return messageOf(error);
}
