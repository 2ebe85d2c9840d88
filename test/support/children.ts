/**
 * Starts the scripts of test/children/ as processes. A `Child` waits before it begins, so that many begin at once: it
 * says `ready`, waits until its input ends, and answers with one line of JSON.
 */
import { join } from "node:path";
import { linesOf } from "./lines.js";

/** An account without rights, as the kernel knows it. */
export const NOBODY = 65_534;

export class Child {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #lines: AsyncGenerator<string>;
  readonly #errors: Promise<string>;

  private constructor(command: readonly string[]) {
    this.#process = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    this.#lines = linesOf(this.#process.stdout);
    this.#errors = new Response(this.#process.stderr).text();
  }

  static start(script: string, args: readonly string[]): Child {
    return new Child(commandOf(script, args));
  }

  /** As a user who owns nothing. */
  static startAsNobody(script: string, args: readonly string[]): Child {
    return new Child(asNobody(commandOf(script, args)));
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

  /** Ends the child if it has not ended by itself. */
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
  const children = argumentLists.map((list) => Child.start(script, list));
  try {
    await Promise.all(children.map((child) => child.ready()));
    return await Promise.all(children.map((child) => child.answer()));
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

/** Runs one child as a user who owns nothing. */
export async function runAsNobody(script: string, list: readonly string[]): Promise<unknown> {
  const child = Child.startAsNobody(script, list);
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

/** The command that runs one of the scripts of test/children/, by its file name. */
export function commandOf(script: string, args: readonly string[]): string[] {
  return [process.execPath, join(import.meta.dir, "..", "children", script), ...args];
}

/** The command, run by a user who owns nothing. */
export function asNobody(command: readonly string[]): string[] {
  return ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", ...command];
}
