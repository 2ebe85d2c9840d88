/** Opening every contestant on a file of its own, and leaving nothing behind. */
import {
  type ContestantName,
  openRunner,
  openStore,
  STORES,
  type StoreName,
  takesPart,
} from "../contestants/contestant.js";
import type { Runner } from "../contestants/runner.js";
import type { Durability, StoreSubject } from "../contestants/subject.js";
import { Filling } from "../harness/fill.js";
import type { Job } from "../harness/jobs.js";
import type { Lane } from "../harness/rounds.js";
import type { Bench } from "./workload.js";

export const DURABILITIES: readonly Durability[] = ["full", "normal"];

/** Runs `use` once per durability, with all that take part at it, each on a new file. */
export async function atEachDurability(
  bench: Bench,
  use: (durability: Durability, runners: Map<ContestantName, Runner>) => Promise<void>,
): Promise<void> {
  for (const durability of DURABILITIES) {
    await withRunners(bench, durability, (runners) => use(durability, runners));
  }
}

const USUAL: readonly ContestantName[] = [...STORES, "LangGraph"];

/** Runs `use` with those of the names that take part at the durability, each on a new file. */
export async function withRunners(
  bench: Bench,
  durability: Durability,
  use: (runners: Map<ContestantName, Runner>) => Promise<void>,
  names = USUAL,
): Promise<void> {
  const runners = new Map<ContestantName, Runner>();
  const paths: string[] = [];
  try {
    for (const name of bench.present(names.filter((one) => takesPart(one, durability)))) {
      const path = bench.scratch.newPath();
      paths.push(path);
      runners.set(name, await openRunner(name, path, durability));
    }
    await use(runners);
  } finally {
    for (const runner of runners.values()) {
      await runner.close();
    }
    for (const path of paths) {
      bench.scratch.delete(path);
    }
  }
}

/** A lane for each runner. */
export function lanesOf(
  runners: ReadonlyMap<ContestantName, Runner>,
  job: (calls: number) => Job,
  limits: Pick<Lane, "atMost" | "multipleOf"> = {},
): Lane[] {
  return [...runners].map(([contestant, runner]) => ({
    contestant,
    round: (calls) => runner.run(job(calls)),
    ...limits,
  }));
}

/**
 * A file with the schema of whoever is to work on it, filled once a run. The floor and ours share one, which nobody
 * writes to; 0.2.3 has its own, without our indexes.
 */
export async function filledFile(
  bench: Bench,
  contestant: StoreName,
  what: string,
  fill: (filling: Filling) => Filling,
): Promise<string> {
  const isPublished = contestant.startsWith("0.2.3");
  const make = async (path: string) => {
    bench.progress(`fills a file: ${what}`);
    const subject = await openStore(isPublished ? "0.2.3" : "ours", path, "normal");
    await subject.close();
    fill(new Filling(path)).done();
  };
  const path = await bench.scratch.filled(`${isPublished ? "0.2.3" : "ours"}: ${what}`, make);
  return contestant === "0.2.3+WAL"
    ? bench.scratch.filled(`0.2.3+WAL: ${what}`, async (copy) => bench.scratch.copy(path, copy))
    : path;
}

/** Stores that are open for as long as `use` takes, with the names of their lanes. */
export class OpenStores {
  readonly #subjects: StoreSubject[] = [];

  async open(name: StoreName, path: string, durability: Durability = "full"): Promise<StoreSubject> {
    const subject = await openStore(name, path, durability);
    this.#subjects.push(subject);
    return subject;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const subject of this.#subjects) {
      await subject.close();
    }
  }
}
