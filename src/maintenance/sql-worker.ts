/**
 * SQL in a thread of its own: statements that run for seconds, such as VACUUM INTO or integrity_check, would block the event loop.
 *
 * Limits: SQLite cannot be interrupted through bun:sqlite. After an abort the call rejects at once, and the statement that is
 * running ends in its thread, which does not keep the process alive.
 */
import type { Row } from "../database/connection.js";
import { StorageError } from "../errors.js";

/** The connection of a worker, by its place in the list of paths, and what to run on it. */
export interface Statement {
  on: number;
  sql: string;
  parameters?: readonly (string | number | null)[];
}

/**
 * Text rather than a module: `new Worker(new URL(…))` would look for a file that a bundle, or a program made by
 * `bun build --compile`, does not bring along.
 *
 * It takes either the paths to open, or a list of statements, or `null` to close, and answers each message with one.
 */
const SOURCE = `
import { Database } from "bun:sqlite";

let databases = [];

function open({ paths, busyTimeout, readonly }) {
  for (const path of paths) {
    const database = new Database(path, readonly ? { readonly, strict: true } : { readwrite: true, strict: true });
    databases.push(database);
    database.run("PRAGMA busy_timeout = " + busyTimeout);
    database.run("PRAGMA trusted_schema = OFF");
  }
  return [];
}

function run({ on, sql, parameters }) {
  const statement = databases[on].prepare(sql);
  try {
    return statement.all(...(parameters ?? []));
  } finally {
    statement.finalize();
  }
}

function close() {
  for (const database of databases.splice(0)) {
    database.close(true);
  }
  return [];
}

self.onmessage = ({ data }) => {
  try {
    postMessage({ results: data === null ? close() : Array.isArray(data) ? data.map(run) : open(data) });
  } catch (error) {
    postMessage({ message: String(error?.message ?? error), errno: error?.errno });
  }
};
`;

type Message =
  | { paths: readonly string[]; busyTimeout: number; readonly: boolean }
  | readonly Statement[]
  | null;

/** An error that crossed the thread: with SQLite's result code, by which database/sqlite-errors.ts tells it apart. */
class WorkerSqliteError extends Error {
  constructor(
    message: string,
    readonly errno: unknown,
  ) {
    super(message);
  }
}

export class SqlWorker {
  readonly #url = URL.createObjectURL(new Blob([SOURCE], { type: "application/javascript" }));
  readonly #worker: Worker;
  #last: Promise<unknown> = Promise.resolve();

  private constructor() {
    // The URL is revoked when the worker is closed: Bun loads it later.
    this.#worker = new Worker(this.#url);
  }

  /** Opens connections to the files, which must exist. */
  static async open(paths: readonly string[], busyTimeout: number, readonly = true): Promise<SqlWorker> {
    const worker = new SqlWorker();
    try {
      await worker.#send({ paths, busyTimeout, readonly });
      return worker;
    } catch (error) {
      await worker.close();
      throw error;
    }
  }

  /**
   * Runs statements one after the other, without a pause, and returns the rows of each. One call at a time.
   *
   * @param signal Rejects with its reason at once.
   */
  async run(statements: readonly Statement[], signal?: AbortSignal): Promise<Row[][]> {
    signal?.throwIfAborted();
    const answer = this.#send(statements);
    return signal === undefined ? answer : await unlessAborted(answer, signal);
  }

  /** Resolves when the last statement has ended and the connections are closed. Never rejects. */
  async close(): Promise<void> {
    this.#worker.unref();
    await this.#last.catch(ignore);
    await this.#send(null).catch(ignore);
    this.#worker.terminate();
    URL.revokeObjectURL(this.#url);
  }

  #send(message: Message): Promise<Row[][]> {
    const answer = new Promise<Row[][]>((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => {
        if (data.results === undefined) {
          reject(new WorkerSqliteError(String(data.message), data.errno));
        } else {
          resolve(data.results);
        }
      };
      this.#worker.onerror = ({ message: reason }) => {
        reject(new StorageError(`the worker thread of SQLite failed (${reason}).`));
      };
      this.#worker.postMessage(message);
    });
    this.#last = answer;
    return answer;
  }
}

async function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    answer.catch(ignore);
  }
}

function ignore(): void {}
