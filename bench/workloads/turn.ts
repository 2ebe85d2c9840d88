import { atEachDurability, lanesOf } from "./files.js";
import type { Workload } from "./workload.js";

export const turn: Workload = {
  name: "turn",
  title: "A turn of an agent",
  about:
    "Get the session, get its messages, add five, save a small checkpoint; ten turns a session. LangGraph: `getTuple`, " +
    "five `putWrites` and a `put` with the messages so far.",
  run: (bench) =>
    atEachDurability(bench, (durability, runners) =>
      bench.measure([
        {
          label: durability,
          isHeadline: true,
          lanes: lanesOf(runners, (calls) => ({ kind: "turn", calls }), {
            multipleOf: bench.isQuick ? 1 : 10,
          }),
          targets: [
            { kind: "within", of: "floor", times: 1.15 },
            { kind: "faster", than: "LangGraph", times: 1 },
          ],
        },
      ]),
    ),
};
