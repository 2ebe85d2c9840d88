/**
 * A PostgreSQL server of its own for a test: a new cluster in a temporary folder, on a Unix socket, as an unprivileged user.
 *
 * Limits: it is killed with this process only if that is root's, by `setpriv`.
 */
import { afterAll, afterEach, beforeAll, describe, test } from "bun:test";
import { chownSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { NOBODY } from "../../support/children.js";
import { linesOf } from "../../support/lines.js";
import { createTemporaryFolder, type TemporaryFolder } from "../../support/temporary-folder.js";
import { PROGRAMS, WHY_NOT } from "./programs.js";

/** A suite that needs a server; one test that is skipped, and says why, if the machine has none. */
export function describeWithServer(title: string, tests: () => void): void {
  if (WHY_NOT === undefined) describe(title, tests);
  else test.skip(`${title} (skipped: ${WHY_NOT})`, () => {});
}

type Server = Bun.Subprocess<"ignore", "ignore", "pipe">;

/** Milliseconds, after which a connection that is left open is cut off. */
const LONGEST_GOODBYE = 10_000;

export class Cluster {
  readonly #folder: TemporaryFolder;
  #server: Server;
  #databases = 0;

  private constructor(folder: TemporaryFolder, server: Server) {
    this.#folder = folder;
    this.#server = server;
  }

  static async start(): Promise<Cluster> {
    const folder = await createTemporaryFolder();
    if (process.getuid?.() === 0) {
      chownSync(folder.path, NOBODY, NOBODY);
    }
    const data = dataIn(folder.path);
    const encoding = ["--no-sync", "-E", "UTF8", "--locale=C.UTF-8"];
    run(program("initdb", "-D", data, "-U", "obsku", "--auth=trust", ...encoding));
    return new Cluster(folder, await startServer(folder.path));
  }

  /** Ends the server as a crash would, and returns when all its processes are gone. */
  crash(): void {
    run(program("pg_ctl", "stop", "-w", "-m", "immediate", "-D", dataIn(this.#folder.path)));
  }

  async restart(): Promise<void> {
    await this.#server.exited;
    this.#server = await startServer(this.#folder.path);
  }

  /** Creates an empty database, and returns its URL. */
  async createDatabase(options = ""): Promise<string> {
    this.#databases += 1;
    const name = `test${this.#databases}`;
    await onServer(this.#urlOf("postgres"), (sql) => sql.unsafe(`CREATE DATABASE ${name} ${options}`));
    return this.#urlOf(name);
  }

  #urlOf(database: string): string {
    return `postgres://obsku@/${database}?host=${this.#folder.path}&port=5432`;
  }

  /** The path of the server's socket. */
  get socket(): string {
    return join(this.#folder.path, ".s.PGSQL.5432");
  }

  /**
   * Lets connections end, then the server. The pool of the published store is closed before its connections are, and would throw
   * an error that nobody handles if the server cut them off.
   */
  async stop(): Promise<void> {
    this.#server.kill("SIGTERM");
    const cutOff = setTimeout(() => this.#server.kill("SIGINT"), LONGEST_GOODBYE);
    await this.#server.exited;
    clearTimeout(cutOff);
    await this.#folder.remove();
  }
}

/** A server for the suite around it. `newPlace` gives a test a folder, which goes after it, and an empty database. */
export function useServer() {
  let cluster: Cluster | undefined;
  let folder: TemporaryFolder | undefined;
  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.stop());
  afterEach(() => folder?.remove());
  const started = (): Cluster => {
    if (cluster === undefined) throw new Error("The server is started before the first test.");
    return cluster;
  };
  return {
    get cluster() {
      return started();
    },
    async newPlace() {
      folder = await createTemporaryFolder();
      return { folder, path: join(folder.path, "runs.db"), url: await started().createDatabase() };
    },
  };
}

/** Runs work on a connection of its own. */
export async function onServer<T>(url: string, work: (sql: SQL) => Promise<T>): Promise<T> {
  const sql = new SQL(url, { max: 1 });
  try {
    return await work(sql);
  } finally {
    await sql.close({ timeout: 1 });
  }
}

function program(name: string, ...args: readonly string[]): string[] {
  const command = [join(PROGRAMS ?? "", name), ...args];
  return process.getuid?.() === 0
    ? [
        ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--pdeathsig=KILL", "--"],
        ...command,
      ]
    : command;
}

function dataIn(folder: string): string {
  return join(folder, "data");
}

async function startServer(folder: string): Promise<Server> {
  const settings = ["listen_addresses=", "fsync=off", "lc_messages=C"].flatMap((setting) => ["-c", setting]);
  const server = Bun.spawn(program("postgres", "-D", dataIn(folder), "-k", folder, ...settings), {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  await ready(server.stderr);
  return server;
}

function run(command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", cwd: "/" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}

/** Resolves when the server takes connections, and continues to read its log. */
async function ready(log: ReadableStream<Uint8Array>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const read = async () => {
    const lines: string[] = [];
    for await (const line of linesOf(log)) {
      lines.push(line);
      if (line.includes("ready to accept connections")) resolve();
    }
    reject(new Error(`The server ended: ${lines.join("\n")}`));
  };
  read().catch(reject);
  await promise;
}
