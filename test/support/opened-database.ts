/** The connection that a store opened for a path, to ask SQLite itself which settings are in force on it. */
import { Database, Statement } from "bun:sqlite";
import { spyOn } from "bun:test";
import { resolve } from "node:path";

export interface Opened<T> {
  readonly result: T;
  readonly database: Database;
  /** The text of every statement that was prepared on it meanwhile, and the statements themselves. */
  readonly statements: readonly string[];
  readonly prepared: readonly Statement[];
}

/** Watches which database, of the given file name, prepares statements while `open` runs. */
export function watchOpening<T>(path: string, open: () => T): Opened<T> {
  const spy = spyOn(Database.prototype, "prepare");
  try {
    const result = open();
    const own = spy.mock.contexts.flatMap((context, index) => {
      const statement: unknown = spy.mock.results[index]?.value;
      if (!(context instanceof Database) || !isOn(context, path) || !(statement instanceof Statement))
        return [];
      return [{ database: context, sql: spy.mock.calls[index]?.[0] ?? "", statement }];
    });
    const database = own[0]?.database;
    if (database === undefined) throw new Error(`Nothing was prepared on ${path}`);
    const [statements, prepared] = [own.map(({ sql }) => sql), own.map(({ statement }) => statement)];
    return { result, database, statements, prepared };
  } finally {
    spy.mockRestore();
  }
}

/** The statement that was prepared from this text. */
export function statementOf({ statements, prepared }: Opened<unknown>, sql: string): Statement {
  const statement = prepared[statements.indexOf(sql)];
  if (statement === undefined) throw new Error(`Not prepared: ${sql}`);
  return statement;
}

function isOn(database: Database, path: string): boolean {
  return resolve(database.filename) === path;
}
