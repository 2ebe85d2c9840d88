/**
 * A connection to a PostgreSQL server, by Bun's built-in `SQL` client, and the transaction that runs on it.
 *
 * Limits: COPY needs a Bun whose `SQL` has it; it was tested with 1.4.5.
 */
import { InvalidArgumentError, StorageError } from "../errors.js";
import { isInstance, messageOf } from "../values/describe.js";

/** A row as the client returns it. */
export type ServerRow = Record<string, unknown>;

type Client = InstanceType<typeof Bun.SQL>;

type Session = Awaited<ReturnType<Client["reserve"]>>;

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

export class PostgresServer {
  readonly #client: Client;
  readonly #session: Session;
  readonly #signal: AbortSignal | undefined;

  private constructor(client: Client, session: Session, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#session = session;
    this.#signal = signal;
  }

  /**
   * Runs work in one transaction, and commits it when the work is done. Whatever fails, nothing of it stays.
   *
   * @param signal Rejects with its reason, also while the server does not answer.
   * @param work Resolves to `commit: false` to roll back what it did.
   */
  static async transaction<T>(
    url: string,
    begin: string,
    signal: AbortSignal | undefined,
    work: (server: PostgresServer) => Promise<{ result: T; commit: boolean }>,
  ): Promise<T> {
    const server = await PostgresServer.#connect(url, signal);
    try {
      await server.query(begin);
      const { result, commit } = await work(server);
      await server.query(commit ? "COMMIT" : "ROLLBACK");
      return result;
    } catch (error) {
      await server.#rollBack();
      throw error;
    } finally {
      await server.#close();
    }
  }

  static async #connect(url: string, signal: AbortSignal | undefined): Promise<PostgresServer> {
    const client = new Bun.SQL(url, { max: 1, idleTimeout: 0 });
    try {
      const session = await answerOf(client.reserve(), signal);
      return new PostgresServer(client, session, signal);
    } catch (error) {
      client.close({ timeout: 0 }).catch(() => {});
      throw error;
    }
  }

  async query(sql: string, parameters: readonly unknown[] = []): Promise<ServerRow[]> {
    const rows: ServerRow[] = await answerOf(this.#session.unsafe(sql, [...parameters]), this.#signal);
    return rows;
  }

  copyIn(sql: string): CopyWriter {
    const query = this.#session.unsafe(sql);
    requireCopy(query.writable);
    const writer = query.writable().getWriter();
    return {
      write: (text) => answerOf(writer.write(text), this.#signal),
      end: () => answerOf(writer.close(), this.#signal),
    };
  }

  async *copyOut(sql: string): AsyncGenerator<Uint8Array, void, undefined> {
    const query = this.#session.unsafe(sql);
    requireCopy(query.readable);
    const reader = query.readable().getReader();
    for (;;) {
      const { value, done } = await answerOf(reader.read(), this.#signal);
      if (done) {
        return;
      }
      yield value;
    }
  }

  /** So that nothing holds a lock there any more when the caller learns of the failure. */
  async #rollBack(): Promise<void> {
    if (this.#signal?.aborted !== true) {
      await answerOf(this.#session.unsafe("ROLLBACK"), AbortSignal.timeout(ROLLBACK_TIMEOUT)).catch(() => {});
    }
  }

  async #close(): Promise<void> {
    await this.#client.close({ timeout: 0 }).catch(() => {});
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
async function answerOf<T>(answer: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    return await Promise.race([answer, aborted]);
  } catch (error) {
    Promise.resolve(answer).catch(() => {}); // Nobody waits for it any more.
    throw signal?.aborted === true ? signal.reason : toStorageError(error);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

const UNIQUE_VIOLATION = "23505";

function toStorageError(error: unknown): StorageError {
  const { code, detail } = stateOf(error);
  const reason = `PostgreSQL: ${messageOf(error)}${detail === undefined ? "" : ` (${detail})`}${code === undefined ? "" : `, ${code}`}.`;
  return new StorageError(`${reason} Nothing was written there. ${adviceFor(code)}`, { cause: error });
}

function adviceFor(code: string | undefined): string {
  if (code === UNIQUE_VIOLATION) {
    return 'The row was written there meanwhile: call again, with onConflict: "skip" to leave out what is there.';
  }
  return "Check the URL, the rights of its user and the server's log, then call again.";
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
