/**
 * Child processes that wait for a word before they begin, so that many begin at once. Each runs one of the scripts
 * beside this file, says `ready`, waits until its input ends, and answers with one line of JSON.
 */
import { join } from "node:path";
import { linesOf } from "./lines.js";

/** An account without rights, as the kernel knows it. */
const NOBODY = "65534";

export class Child {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #lines: AsyncGenerator<string>;
  readonly #errors: Promise<string>;

  constructor(command: readonly string[]) {
    this.#process = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    this.#lines = linesOf(this.#process.stdout);
    this.#errors = new Response(this.#process.stderr).text();
  }

  /** Resolves when the child has loaded what it needs. */
  async ready(): Promise<void> {
    const line = await this.#nextLine();
    if (line !== "ready") throw new Error(`The child said ${line} before it was ready`);
  }

  /** Lets the child begin, and resolves to its answer when it has ended. */
  async answer(): Promise<unknown> {
    await this.#process.stdin.end();
    const answer: unknown = JSON.parse(await this.#nextLine());
    const code = await this.#process.exited;
    if (code !== 0) throw new Error(`The child ended with ${code}: ${await this.#errors}`);
    return answer;
  }

  /** Ends the child where it has not ended by itself. */
  async stop(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async #nextLine(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`The child ended without an answer: ${await this.#errors}`);
    return value;
  }
}

/** Starts one child for each list of arguments, lets all begin at once when all are ready, and returns their answers. */
export async function runTogether(script: string, argumentLists: readonly string[][]): Promise<unknown[]> {
  const children = argumentLists.map((list) => new Child(commandOf(script, list)));
  try {
    await Promise.all(children.map((child) => child.ready()));
    return await Promise.all(children.map((child) => child.answer()));
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

/** Runs one child as a user who owns nothing. */
export async function runAsNobody(script: string, list: readonly string[]): Promise<unknown> {
  const child = new Child(asNobody(commandOf(script, list)));
  try {
    await child.ready();
    return await child.answer();
  } finally {
    await child.stop();
  }
}

/** Whether this process may become nobody, and nobody may run Bun and read these sources. */
export function canRunAsNobody(): boolean {
  if (process.getuid?.() !== 0 || Bun.which("setpriv") === null) return false;
  const command = [
    process.execPath,
    "-e",
    `await import(${JSON.stringify(import.meta.resolve("@obsku/checkpoint-sqlite"))})`,
  ];
  return Bun.spawnSync(asNobody(command), { stdout: "ignore", stderr: "ignore" }).success;
}

function commandOf(script: string, list: readonly string[]): string[] {
  return [process.execPath, join(import.meta.dir, script), ...list];
}

function asNobody(command: readonly string[]): string[] {
  return ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", ...command];
}
