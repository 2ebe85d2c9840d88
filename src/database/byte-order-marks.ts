/**
 * Binds texts so that SQLite keeps their first character.
 *
 * Bun before 1.4.4 passes texts to SQLite as UTF-16. SQLite then drops a leading U+FEFF as a byte order mark, and after a
 * leading U+FFFE it swaps the bytes of the whole text. It handles one mark only, so a spare mark in front protects the text.
 */
import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";

type Prepared<T> = Statement<T, SQLQueryBindings[]>;

const BYTE_ORDER_MARK = "\uFEFF";
const SWAPPED_MARK = "\uFFFE";

let dropsMarks: boolean | undefined;

/** Returns the statement itself. If SQLite drops byte order marks, its methods bind such texts with a spare mark. */
export function keepingMarks<T>(database: Database, statement: Prepared<T>): Prepared<T> {
  dropsMarks ??= dropsMarksOf(database);
  return dropsMarks ? bindingSpareMarks(statement) : statement;
}

/**
 * Asks SQLite instead of comparing Bun's version, because a spare mark that is not dropped would change the text. Uses a
 * database that is already open, because opening one at import would fix which SQLite library macOS uses.
 */
function dropsMarksOf(database: Database): boolean {
  const statement = database.prepare<{ isKept: number }, SQLQueryBindings[]>(
    "SELECT unicode(?1) = 65279 AS isKept",
  );
  try {
    return Number(statement.get(`${BYTE_ORDER_MARK}a`)?.isKept) !== 1;
  } finally {
    statement.finalize();
  }
}

export function bindingSpareMarks<T>(statement: Prepared<T>): Prepared<T> {
  const { all, get, iterate, run, values } = statement;
  return Object.assign(statement, {
    all: (...parameters: SQLQueryBindings[]) => all.apply(statement, parameters.map(withSpareMark)),
    get: (...parameters: SQLQueryBindings[]) => get.apply(statement, parameters.map(withSpareMark)),
    iterate: (...parameters: SQLQueryBindings[]) => iterate.apply(statement, parameters.map(withSpareMark)),
    run: (...parameters: SQLQueryBindings[]) => run.apply(statement, parameters.map(withSpareMark)),
    values: (...parameters: SQLQueryBindings[]) => values.apply(statement, parameters.map(withSpareMark)),
  });
}

function withSpareMark(parameter: SQLQueryBindings): SQLQueryBindings {
  const isMarked =
    typeof parameter === "string" &&
    (parameter.startsWith(BYTE_ORDER_MARK) || parameter.startsWith(SWAPPED_MARK));
  return isMarked ? BYTE_ORDER_MARK + parameter : parameter;
}
