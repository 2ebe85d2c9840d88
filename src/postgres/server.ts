/**
 * A connection to a PostgreSQL server, by Bun's built-in `SQL` client, and the transaction that runs on it.
 *
 * Limits: COPY needs a Bun whose `SQL` has it; it was tested with 1.4.5.
 */
import { InvalidArgumentError, OutcomeUnknownError, StorageError } from "../errors.js";
import { isInstance, messageOf } from "../values/describe.js";

/** A row as the client returns it. */
export type ServerRow = Record<string, unknown>;

type Client = InstanceType<typeof Bun.SQL>;

type Session = Awaited<ReturnType<Client["reserve"]>>;

/** What a transaction is for. */
export interface Purpose {
  /** How it begins. */
  begin: string;
  /** What its errors say of what is left. */
  ifFailed: string;
}

/** Rows for COPY … FROM STDIN. */
export interface CopyWriter {
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** Resolves when the server has all rows. */
  end(): Promise<void>;
}

/** Not every URL that the client takes can be parsed: one of a Unix socket has no host. */
const SCHEME = /^postgres(ql)?:\/\//;

/** @throws {InvalidArgumentError} without the text, which may hold a password. */
export function serverUrl(argument: string, value: unknown): string {
  if (typeof value !== "string" || !SCHEME.test(value)) {
    throw new InvalidArgumentError(
      argument,
      "must be the URL of a PostgreSQL database, such as postgres://user@localhost:5432/agents",
    );
  }
  return value;
}

/** How long a server has to answer to ROLLBACK before the connection is cut, which rolls back too. */
const ROLLBACK_TIMEOUT = 5_000;

/** Whatever the database or the user has set: no limit for a long copy, and values as they are read back. */
const SETTINGS = [
  "SET LOCAL statement_timeout = 0",
  "SET LOCAL idle_in_transaction_session_timeout = 0",
  "SET LOCAL extra_float_digits = 1",
  "SET LOCAL bytea_output = hex",
];

export class PostgresServer {
  readonly #client: Client;
  readonly #session: Session;
  readonly #signal: AbortSignal | undefined;
  readonly #ifFailed: string;
  /** Ends a COPY that is not done yet: until then the server reads nothing else. */
  #stopCopy: (() => Promise<void>) | undefined;

  private constructor(
    client: Client,
    session: Session,
    signal: AbortSignal | undefined,
    { ifFailed }: Purpose,
  ) {
    this.#client = client;
    this.#session = session;
    this.#signal = signal;
    this.#ifFailed = ifFailed;
  }

  /**
   * Runs work in one transaction, and commits it when the work is done. Whatever fails before the commit, nothing of it stays.
   *
   * @param signal Rejects with its reason, also while the server does not answer.
   * @param work Resolves to `commit: false` to roll back what it did.
   * @throws {OutcomeUnknownError} if the server does not answer to COMMIT.
   */
  static async transaction<T>(
    url: string,
    purpose: Purpose,
    signal: AbortSignal | undefined,
    work: (server: PostgresServer) => Promise<{ result: T; commit: boolean }>,
  ): Promise<T> {
    const server = await PostgresServer.#connect(url, purpose, signal);
    try {
      await server.#begin(purpose);
      const { result, commit } = await work(server);
      await (commit ? server.#commit() : server.query("ROLLBACK"));
      return result;
    } catch (error) {
      await server.#rollBack();
      throw error;
    } finally {
      await server.#close();
    }
  }

  static async #connect(
    url: string,
    purpose: Purpose,
    signal: AbortSignal | undefined,
  ): Promise<PostgresServer> {
    const client = clientOf(url);
    try {
      const session = await answerOf(client.reserve(), signal, purpose.ifFailed);
      return new PostgresServer(client, session, signal, purpose);
    } catch (error) {
      client.close({ timeout: 0 }).catch(() => {});
      throw error;
    }
  }

  async query(sql: string, parameters: readonly unknown[] = []): Promise<ServerRow[]> {
    const rows: ServerRow[] = await this.#answerOf(this.#session.unsafe(sql, [...parameters]));
    return rows;
  }

  async #begin({ begin }: Purpose): Promise<void> {
    for (const statement of [begin, ...SETTINGS]) {
      await this.query(statement);
    }
  }

  async #commit(): Promise<void> {
    this.#signal?.throwIfAborted();
    let done: { command?: unknown };
    try {
      done = await this.#answerOf(this.#session.unsafe("COMMIT"));
    } catch (error) {
      throw isRefusal(error) ? error : new OutcomeUnknownError({ cause: error }, NO_ANSWER_TO_COMMIT);
    }
    // PostgreSQL answers so, without an error, if a statement has failed before.
    if (done.command === "ROLLBACK") {
      throw new StorageError(`PostgreSQL rolled the transaction back. ${this.#ifFailed} ${ADVICE}`);
    }
  }

  copyIn(sql: string): CopyWriter {
    const query = this.#session.unsafe(sql);
    requireCopy(query.writable);
    const writer = query.writable().getWriter();
    this.#stopCopy = () => writer.abort();
    return {
      write: (text) => this.#answerOf(writer.write(text)),
      end: async () => {
        await this.#answerOf(writer.close());
        this.#stopCopy = undefined;
      },
    };
  }

  async *copyOut(sql: string): AsyncGenerator<Uint8Array, void, undefined> {
    const query = this.#session.unsafe(sql);
    requireCopy(query.readable);
    const reader = query.readable().getReader();
    this.#stopCopy = () => reader.cancel();
    for (;;) {
      const { value, done } = await this.#answerOf(reader.read());
      if (done) {
        this.#stopCopy = undefined;
        return;
      }
      yield value;
    }
  }

  /** So that nothing holds a lock there any more when the caller learns of the failure. */
  async #rollBack(): Promise<void> {
    if (this.#signal?.aborted !== true) {
      const rolledBack = this.#endTransaction();
      await answerOf(rolledBack, AbortSignal.timeout(ROLLBACK_TIMEOUT), this.#ifFailed).catch(() => {});
    }
  }

  async #endTransaction(): Promise<void> {
    await this.#stopCopy?.().catch(() => {}); // The server may have ended it.
    await this.#session.unsafe("ROLLBACK");
  }

  async #close(): Promise<void> {
    await this.#client.close({ timeout: 0 }).catch(() => {});
  }

  #answerOf<T>(answer: PromiseLike<T>): Promise<T> {
    return answerOf(answer, this.#signal, this.#ifFailed);
  }
}

/** @throws {InvalidArgumentError} without the text, and without the client's error: both may hold a password. */
function clientOf(url: string): Client {
  try {
    return new Bun.SQL(url, { max: 1, idleTimeout: 0 });
  } catch {
    throw new InvalidArgumentError(
      "url",
      "cannot be read: check its port and parameters, and write special characters in the user and the password as encodeURIComponent does",
    );
  }
}

function requireCopy(method: unknown): void {
  if (typeof method !== "function") {
    throw new StorageError(
      `the SQL client of Bun ${process.versions.bun} has no COPY: run \`bun upgrade\`, then call again.`,
    );
  }
}

/** Rejects with this package's error for one of the server's or the client's, or as soon as the signal is aborted. */
async function answerOf<T>(
  answer: PromiseLike<T>,
  signal: AbortSignal | undefined,
  ifFailed: string,
): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    return await Promise.race([answer, aborted]);
  } catch (error) {
    Promise.resolve(answer).catch(() => {}); // Nobody waits for it any more.
    throw signal?.aborted === true ? signal.reason : toStorageError(error, ifFailed);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

const UNIQUE_VIOLATION = "23505";

const ADVICE = "Check the URL, the rights of its user and the server's log, then call again.";

const NO_ANSWER_TO_COMMIT =
  "PostgreSQL did not answer to COMMIT, so the copy is there as a whole or not at all. " +
  'Call again with onConflict: "skip" (--skip-existing), which leaves out what is there.';

function toStorageError(error: unknown, ifFailed: string): StorageError {
  const { code, detail } = stateOf(error);
  const reason = `PostgreSQL: ${messageOf(error)}${detail === undefined ? "" : ` (${detail})`}${code === undefined ? "" : `, ${code}`}.`;
  return new StorageError(`${reason} ${ifFailed} ${adviceFor(code)}`, { cause: error });
}

/** Whether the server answered with an error and lives on. One that shuts down may have committed before. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof StorageError &&
    isInstance(error.cause, Error) &&
    Reflect.get(error.cause, "severity") === "ERROR"
  );
}

function adviceFor(code: string | undefined): string {
  if (code === UNIQUE_VIOLATION) {
    return 'The row was written there meanwhile: call again, with onConflict: "skip" to leave out what is there.';
  }
  return ADVICE;
}

/** Bun puts the SQLSTATE into `errno`. */
function stateOf(error: unknown): { code: string | undefined; detail: string | undefined } {
  if (!isInstance(error, Error)) {
    return { code: undefined, detail: undefined };
  }
  const errno: unknown = Reflect.get(error, "errno");
  const detail: unknown = Reflect.get(error, "detail");
  return {
    code: typeof errno === "string" ? errno : undefined,
    detail: typeof detail === "string" && detail !== "" ? detail : undefined,
  };
}
