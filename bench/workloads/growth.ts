import type { ContestantName } from "../contestants/contestant.js";
import type { RunShape } from "../harness/waves.js";
import { distinctData, RunFiles } from "./run-files.js";
import type { Workload } from "./workload.js";

const NAMES: readonly ContestantName[] = ["floor", "ours", "unshared", "0.2.3", "LangGraph"];
const SHAPE: RunShape = { kind: "nodes", nodes: 12, characters: 20 * 1_024 };
const WAVES = [1, 3, 10, 30, 100, 300];
const QUICK_WAVES = [1, 10];

export const growth: Workload = {
  name: "growth",
  title: "Size of the file",
  about:
    "After so many waves over 12 outputs of 20 KB, one of which is new in each wave; the file is closed. It is written once, because " +
    "its size does not vary.",
  plot: { file: "growth", axis: "waves", measure: "MB" },
  async run(bench) {
    await using files = new RunFiles(bench);
    for (const waves of bench.isQuick ? QUICK_WAVES : WAVES) {
      await bench.measure([
        {
          label: waves === 1 ? "1 wave" : `${waves} waves`,
          size: waves,
          unit: "MB",
          distinct: distinctData(SHAPE, waves),
          lanes: bench.present(NAMES).map((contestant) => {
            let megabytes: Promise<{ megabytes: number }> | undefined;
            return {
              contestant,
              calls: 1,
              async round() {
                megabytes ??= files.play(contestant, "normal", { shape: SHAPE, waves });
                return (await megabytes).megabytes;
              },
            };
          }),
        },
      ]);
    }
  },
};
