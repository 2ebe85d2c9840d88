import type { ContestantName } from "../contestants/contestant.js";
import type { Runner } from "../contestants/runner.js";
import type { Durability } from "../contestants/subject.js";
import type { Row, Target } from "../harness/rounds.js";
import { atEachDurability, lanesOf } from "./files.js";
import type { Workload } from "./workload.js";

/** How many times the floor's one-at-a-time rate. */
const TIMES = new Map([
  [8, 4],
  [64, 15],
]);

export const atOnce: Workload = {
  name: "at-once",
  title: "Sessions at once",
  about:
    "So many sessions make one call each at the same time; the time is per call. The floor can only do one after the other.",
  run: (bench) =>
    atEachDurability(bench, async (durability, runners) => {
      const counts = bench.isQuick ? [1, 8] : [1, 8, 64];
      await bench.measure(counts.map((sessions) => row(runners, "save", sessions, durability)));
      await bench.measure(counts.map((sessions) => row(runners, "message", sessions, durability)));
    }),
};

function row(
  runners: ReadonlyMap<ContestantName, Runner>,
  kind: "save" | "message",
  sessions: number,
  durability: Durability,
): Row {
  const what = kind === "save" ? "small checkpoint" : "message";
  const times = TIMES.get(sessions);
  const ahead: Target = { kind: "faster", than: "LangGraph", times: 1 };
  return {
    label: `${what}, ${sessions} at once, ${durability}`,
    isHeadline: kind === "save" && sessions === 64,
    lanes: lanesOf(
      runners,
      (calls) =>
        kind === "save"
          ? { kind, size: "small", calls, atOnce: sessions }
          : { kind, calls, atOnce: sessions },
      { multipleOf: sessions },
    ),
    targets: times === undefined ? [ahead] : [{ kind: "faster", than: "floor", times }, ahead],
  };
}
