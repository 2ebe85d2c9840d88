/** Whole runs, each in a file of its own: how long they take, and how large the file is then. */
import { statSync } from "node:fs";
import { type ContestantName, openStore } from "../contestants/contestant.js";
import { LangGraph } from "../contestants/langgraph.js";
import type { Durability } from "../contestants/subject.js";
import { playWholeRun, type WholeRun } from "../harness/jobs.js";
import { type RunShape, statesOfRun } from "../harness/waves.js";
import type { Bench } from "./workload.js";

export interface RunFile {
  ms: number;
  /** The file's size after it was closed. */
  megabytes: number;
}

export class RunFiles {
  readonly #bench: Bench;
  #langGraph: Promise<LangGraph> | undefined;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  async play(contestant: ContestantName, durability: Durability, run: WholeRun): Promise<RunFile> {
    const { scratch } = this.#bench;
    const path = scratch.newPath();
    try {
      const ms = await this.#played(contestant, path, durability, run);
      return { ms, megabytes: statSync(path).size / 1e6 };
    } finally {
      scratch.delete(path);
    }
  }

  async #played(contestant: ContestantName, path: string, durability: Durability, run: WholeRun) {
    if (contestant !== "LangGraph") {
      return playWholeRun(() => openStore(contestant, path, durability), run);
    }
    this.#langGraph ??= LangGraph.start();
    const langGraph = await this.#langGraph;
    const { ms } = await langGraph.ask({ do: "wholeRun", path, durability, run });
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const langGraph = await this.#langGraph;
    await langGraph?.close();
  }
}

/** What the checkpoints hold if every output is counted once and a list only at its longest, in MB of JSON. */
export function distinctData(shape: RunShape, waves: number): number {
  const states = statesOfRun(shape, waves);
  const outputs = new Set(
    shape.kind === "list" ? outputsOf(states.at(-1)) : states.flatMap((state) => outputsOf(state)),
  );
  return (
    [...outputs].reduce<number>((sum, output) => sum + Buffer.byteLength(JSON.stringify(output)), 0) / 1e6
  );
}

function outputsOf(state: ReturnType<typeof statesOfRun>[number] = {}): unknown[] {
  return Object.values(state).map(({ output }) => output);
}
