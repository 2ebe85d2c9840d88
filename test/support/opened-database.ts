/** The connection that a store opened for a path, to ask SQLite itself which settings are in force on it. */
import { Database, type Statement } from "bun:sqlite";
import { spyOn } from "bun:test";
import { resolve } from "node:path";

export interface Opened<T> {
  readonly result: T;
  readonly database: Database;
  /** The text of every statement that was prepared on it, up to now, and the statements themselves. */
  readonly statements: readonly string[];
  readonly prepared: readonly Statement[];
}

/**
 * Watches which database, of the given file name, prepares statements while `open` runs, and that one from then on.
 *
 * @param onPrepared Called with every statement before it is used.
 */
export function watchOpening<T>(
  path: string,
  open: () => T,
  onPrepared: (statement: Statement, sql: string) => void = () => {},
): Opened<T> {
  const statements: string[] = [];
  const prepared: Statement[] = [];
  let database: Database | undefined;
  const prepare = Database.prototype.prepare;
  function watched(this: Database, sql: string, ...parameters: never[]): Statement {
    const statement = prepare.call(this, sql, ...parameters);
    if (isOn(this, path) && (database === undefined || database === this)) {
      database = this;
      statements.push(sql);
      prepared.push(statement);
      onPrepared(statement, sql);
    }
    return statement;
  }
  const spy = spyOn(Database.prototype, "prepare").mockImplementation(watched as never);
  try {
    const result = open();
    if (database === undefined) throw new Error(`Nothing was prepared on ${path}`);
    Object.assign(database, { prepare: watched });
    return { result, database, statements, prepared };
  } finally {
    spy.mockRestore();
  }
}

/** The statement that was prepared from this text, which is only there once it has been used. */
export function statementOf({ statements, prepared }: Opened<unknown>, sql: string): Statement {
  const statement = prepared[statements.indexOf(sql)];
  if (statement === undefined) throw new Error(`Not prepared: ${sql}`);
  return statement;
}

function isOn(database: Database, path: string): boolean {
  return resolve(database.filename) === path;
}
