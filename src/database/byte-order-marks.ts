/**
 * Binds texts so that SQLite keeps their first character.
 *
 * Bun before 1.4.4 passes texts to SQLite as UTF-16. SQLite drops a leading U+FEFF there, as a byte order mark, and after a
 * leading U+FFFE it swaps the bytes of the whole text. It looks for one mark only: one more in front saves the text.
 */
import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";

type Prepared<Row> = Statement<Row, SQLQueryBindings[]>;

const BYTE_ORDER_MARK = "\uFEFF";
const SWAPPED_MARK = "\uFFFE";

let dropsMarks: boolean | undefined;

/** Returns the statement itself; where SQLite drops a byte order mark, its methods bind texts with one more. */
export function keepingMarks<Row>(database: Database, statement: Prepared<Row>): Prepared<Row> {
  dropsMarks ??= dropsMarksOf(database);
  return dropsMarks ? bindingSpareMarks(statement) : statement;
}

/**
 * SQLite is asked rather than Bun's version compared: a spare mark that nobody drops would change the text. It is asked on a
 * database that is open, because opening one at import would settle which SQLite library macOS uses.
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

export function bindingSpareMarks<Row>(statement: Prepared<Row>): Prepared<Row> {
  const { all, get, run, values } = statement;
  return Object.assign(statement, {
    all: (...parameters: SQLQueryBindings[]) => all.apply(statement, parameters.map(withSpareMark)),
    get: (...parameters: SQLQueryBindings[]) => get.apply(statement, parameters.map(withSpareMark)),
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
