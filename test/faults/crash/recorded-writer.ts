/** Starts a child that says what it writes, and ends it: it is never open in this process what a child writes to. */
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { commandOf } from "../../support/children.js";
import { History } from "./history.js";
import type { WriterSettings } from "./writes.js";

export class RecordedWriter {
  readonly #process: Bun.Subprocess<"ignore", number, "pipe">;
  readonly #output: string;

  /** Its output goes into a file next to the database. @param under A command to run it under. */
  constructor(settings: WriterSettings, under: readonly string[] = []) {
    this.#output = join(dirname(settings.path), "output.jsonl");
    const output = openSync(this.#output, "w");
    this.#process = Bun.spawn([...under, ...commandOf("recorded-writer.ts", [JSON.stringify(settings)])], {
      stdin: "ignore",
      stdout: output,
      stderr: "pipe",
    });
    closeSync(output);
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  get hasSpoken(): boolean {
    return statSync(this.#output).size > 0;
  }

  /** Resolves when it has ended by itself; @returns what was wrong, if anything. */
  async ended(): Promise<string | undefined> {
    const code = await this.#process.exited;
    if (code === 0 || this.#process.signalCode === "SIGKILL") return undefined;
    return `the child ended with ${code}: ${await new Response(this.#process.stderr).text()}`;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  output(): string {
    return readFileSync(this.#output, "utf8");
  }

  history(): History {
    return new History(this.output());
  }
}
