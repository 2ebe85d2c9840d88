/** Has damaged databases read by a child, because a crash or a hang would take this process along. */
import { commandOf } from "../../support/children.js";
import type { Damage } from "./damage.js";

export type DamagedLine = { begun: number } | DamagedOutcome;

export interface DamagedOutcome {
  ended: number;
  isEqual: boolean;
  /** Names of this package's errors. */
  typed: string[];
  /** Anything else that was thrown. */
  untyped: string[];
}

/** A file that could not be read to its end: the process died of it, or it took too long. */
export interface DamagedEnd {
  died: number;
  how: string;
}

/** Reading one file takes some ten milliseconds. */
const LONGEST_SILENCE = 20_000;

/** @param base A closed database, of which the child damages copies. */
export async function* readDamaged(
  base: string,
  damage: Damage,
  seed: number,
  count: number,
): AsyncGenerator<DamagedOutcome | DamagedEnd> {
  for (let first = 1; first <= count; ) {
    const reader = new Reader([base, damage, seed, first, count].map(String));
    for await (const outcome of reader.outcomes()) {
      yield outcome;
      first = "ended" in outcome ? outcome.ended + 1 : outcome.died + 1;
    }
  }
}

class Reader {
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  #current = 0;
  #isSilent = false;

  constructor(list: readonly string[]) {
    this.#process = Bun.spawn(commandOf("damaged-reader.ts", list), {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  async *outcomes(): AsyncGenerator<DamagedOutcome | DamagedEnd> {
    const errors = new Response(this.#process.stderr).text();
    for await (const line of this.#lines()) {
      if ("ended" in line) yield line;
      else this.#current = line.begun;
    }
    const code = await this.#process.exited;
    if (code === 0) return;
    if (this.#current === 0) throw new Error(`The intact file could not be read: ${await errors}`);
    const how = this.#isSilent ? `it said nothing for ${LONGEST_SILENCE} ms` : `it ended with ${code}`;
    yield { died: this.#current, how: `${how} ${(await errors).trim()}` };
  }

  async *#lines(): AsyncGenerator<DamagedLine> {
    const decoder = new TextDecoder();
    const watchdog = setTimeout(() => this.#stop(), LONGEST_SILENCE);
    let text = "";
    for await (const chunk of this.#process.stdout) {
      watchdog.refresh();
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line);
    }
    clearTimeout(watchdog);
  }

  #stop(): void {
    this.#isSilent = true;
    this.#process.kill("SIGKILL");
  }
}
