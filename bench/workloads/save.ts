import type { ContestantName } from "../contestants/contestant.js";
import { MOST_SAVES } from "../harness/data.js";
import type { Target } from "../harness/rounds.js";
import { DURABILITIES, lanesOf, withRunners } from "./files.js";
import type { Workload } from "./workload.js";

const SIZES = ["small", "middle", "large"] as const;
const QUICK_SIZES = ["small", "middle"] as const;

const TITLES = { small: "5 nodes, 1 KB", middle: "100 nodes, 100 KB", large: "500 nodes, 5 MB" } as const;

const NAMES: readonly ContestantName[] = ["floor", "ours", "unshared", "0.2.3", "0.2.3+WAL", "LangGraph"];

/** What it may cost to look for large outputs: if there are none, and if all of them are new. */
const SHARING: Record<(typeof SIZES)[number], readonly Target[]> = {
  small: [{ kind: "within", of: "unshared", times: 1.03 }],
  middle: [],
  large: [{ kind: "within", of: "unshared", times: 1.25 }],
};

export const save: Workload = {
  name: "save",
  title: "Save a checkpoint",
  about:
    "One call after another into one session. The outputs of 5 MB are new in every call, those of 1 KB and 100 KB too short to be " +
    "kept once. LangGraph: `put`.",
  async run(bench) {
    for (const durability of DURABILITIES) {
      for (const size of bench.isQuick ? QUICK_SIZES : SIZES) {
        await withRunners(
          bench,
          durability,
          (runners) =>
            bench.measure([
              {
                label: `${TITLES[size]}, ${durability}`,
                isHeadline: size === "small",
                lanes: lanesOf(runners, (calls) => ({ kind: "save", size, calls, atOnce: 1 }), {
                  atMost: MOST_SAVES[size],
                }),
                targets: [
                  { kind: "within", of: "floor", times: 1.15 },
                  { kind: "faster", than: "0.2.3", times: 4 },
                  { kind: "faster", than: "LangGraph", times: 1 },
                  ...SHARING[size],
                ],
              },
            ]),
          NAMES,
        );
      }
    }
  },
};
