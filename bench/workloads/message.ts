import { atEachDurability, lanesOf } from "./files.js";
import type { Workload } from "./workload.js";

export const message: Workload = {
  name: "message",
  title: "Add a message",
  about:
    "One call after another into one session. LangGraph: `putWrites` of one write, the least that it can be asked to keep.",
  run: (bench) =>
    atEachDurability(bench, (durability, runners) =>
      bench.measure([
        {
          label: durability,
          isHeadline: true,
          lanes: lanesOf(runners, (calls) => ({ kind: "message", calls, atOnce: 1 })),
          targets: [
            { kind: "within", of: "floor", times: 1.15 },
            { kind: "faster", than: "0.2.3", times: 4 },
            { kind: "faster", than: "LangGraph", times: 1 },
          ],
        },
      ]),
    ),
};
