import { MOST_SAVES } from "../harness/data.js";
import { DURABILITIES, lanesOf, withRunners } from "./files.js";
import type { Workload } from "./workload.js";

const SIZES = ["small", "middle", "large"] as const;
const QUICK_SIZES = ["small", "middle"] as const;

const TITLES = { small: "5 nodes, 1 KB", middle: "100 nodes, 100 KB", large: "500 nodes, 5 MB" } as const;

export const save: Workload = {
  name: "save",
  title: "Save a checkpoint",
  about: "One call after another into one session. LangGraph: `put`.",
  async run(bench) {
    for (const durability of DURABILITIES) {
      for (const size of bench.isQuick ? QUICK_SIZES : SIZES) {
        await withRunners(bench, durability, (runners) =>
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
              ],
            },
          ]),
        );
      }
    }
  },
};
