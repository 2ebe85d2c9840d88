import { type ContestantName, takesPart } from "../contestants/contestant.js";
import type { Durability } from "../contestants/subject.js";
import type { Lane } from "../harness/rounds.js";
import type { RunShape } from "../harness/waves.js";
import { DURABILITIES } from "./files.js";
import { distinctData, RunFiles } from "./run-files.js";
import type { Bench, Workload } from "./workload.js";

const KB = 1_024;
const NAMES: readonly ContestantName[] = ["floor", "ours", "unshared", "0.2.3", "LangGraph"];

interface Run {
  label: string;
  shape: RunShape;
  waves: number;
  /** How many times its distinct data the file may take. */
  times: number;
}

const RUNS: readonly Run[] = [
  {
    label: "12 outputs × 20 KB, 60 waves",
    shape: { kind: "nodes", nodes: 12, characters: 20 * KB },
    waves: 60,
    times: 2,
  },
  {
    label: "100 outputs × 10 KB, 100 waves",
    shape: { kind: "nodes", nodes: 100, characters: 10 * KB },
    waves: 100,
    times: 2,
  },
  {
    label: "500 outputs × 1 KB, 500 waves",
    shape: { kind: "nodes", nodes: 500, characters: KB },
    waves: 500,
    times: 30,
  },
  {
    label: "a list growing by 20 KB, 60 waves",
    shape: { kind: "list", characters: 20 * KB },
    waves: 60,
    times: 2,
  },
  {
    label: "a list growing by 1 KB, 500 waves",
    shape: { kind: "list", characters: KB },
    waves: 500,
    times: 8,
  },
];

export const wholeRun: Workload = {
  name: "run",
  title: "A whole run",
  about:
    "A run in a new file, from opening it to closing it: a wave (as above) for each output that is completed, or for each entry of a " +
    "list. After the times, how large the file then is; distinct data is the JSON of every output once, of a list at its end. " +
    "LangGraph: `getTuple` and `put`, as above.",
  async run(bench) {
    await using files = new RunFiles(bench);
    for (const run of bench.isQuick ? RUNS.slice(0, 1) : RUNS) {
      const sizes = new Map<ContestantName, number>();
      for (const durability of DURABILITIES) {
        await bench.measure([
          {
            label: `${run.label}, ${durability}`,
            isHeadline: durability === "full" && run === RUNS[0],
            lanes: bench
              .present(NAMES.filter((name) => takesPart(name, durability)))
              .map((contestant) => lane(files, contestant, run, durability, sizes)),
          },
        ]);
      }
      await measureSizes(bench, run, sizes);
    }
  },
};

function lane(
  files: RunFiles,
  contestant: ContestantName,
  run: Run,
  durability: Durability,
  sizes: Map<ContestantName, number>,
): Lane {
  return {
    contestant,
    calls: 1,
    async round() {
      const { ms, megabytes } = await files.play(contestant, durability, run);
      sizes.set(contestant, megabytes);
      return ms;
    },
  };
}

async function measureSizes(
  bench: Bench,
  { label, shape, waves, times }: Run,
  sizes: ReadonlyMap<ContestantName, number>,
): Promise<void> {
  await bench.measure([
    {
      label: `${label}: file`,
      unit: "MB",
      isHeadline: true,
      distinct: distinctData(shape, waves),
      lanes: [...sizes].map(([contestant, megabytes]) => ({
        contestant,
        calls: 1,
        round: async () => megabytes,
      })),
      targets: [{ kind: "data", times }],
    },
  ]);
}
