/** SQL by hand, past a store. Every statement is finalized: one that lives on keeps its file open after close. */
import { Database, type SQLQueryBindings } from "bun:sqlite";

export function rowsOf<Row = Record<string, unknown>>(
  database: Database,
  sql: string,
  ...parameters: SQLQueryBindings[]
): Row[] {
  const statement = database.prepare<Row, SQLQueryBindings[]>(sql);
  try {
    return statement.all(...parameters);
  } finally {
    statement.finalize();
  }
}

/** Opens the file for as long as `work` takes. */
export function withDatabase<T>(path: string, work: (database: Database) => T): T {
  const database = new Database(path, { readwrite: true, create: true, strict: true });
  try {
    return work(database);
  } finally {
    database.close(true);
  }
}

/** Runs statements on a file that is opened for them. */
export function runOn(path: string, ...statements: readonly string[]): void {
  withDatabase(path, (database) => {
    for (const statement of statements) rowsOf(database, statement);
  });
}
