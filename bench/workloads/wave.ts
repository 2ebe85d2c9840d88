import type { ContestantName } from "../contestants/contestant.js";
import type { Row, Target } from "../harness/rounds.js";
import type { State } from "../harness/waves.js";
import { DURABILITIES, lanesOf, withRunners } from "./files.js";
import type { Workload } from "./workload.js";

const KB = 1_024;
const NAMES: readonly ContestantName[] = ["floor", "ours", "unshared", "0.2.3", "LangGraph"];

/** The new outputs of all calls of a round are made before it. */
const MOST_WAVES = 500;

const STATES: readonly { state: State; label: string; fasterThanUnshared?: number; isHeadline?: boolean }[] =
  [
    { label: "12 × 20 KB", state: { nodes: 12, characters: 20 * KB, form: "text" } },
    { label: "100 × 2 KB", state: { nodes: 100, characters: 2 * KB, form: "text" } },
    {
      label: "100 × 50 KB",
      state: { nodes: 100, characters: 50 * KB, form: "text" },
      fasterThanUnshared: 4,
      isHeadline: true,
    },
    {
      label: "100 × 50 KB of records",
      state: { nodes: 100, characters: 50 * KB, form: "records" },
      fasterThanUnshared: 4,
    },
  ];

export const wave: Workload = {
  name: "wave",
  title: "A wave of a run",
  about:
    "What the framework does after each wave: `listCheckpoints(session, { namespace, limit: 1 })`, then a save of all node results, " +
    "one of whose outputs is new. Outputs are texts; in the last row lists of records of 200 characters. LangGraph: `getTuple` and " +
    "`put`; its own loop reads only once.",
  async run(bench) {
    for (const durability of DURABILITIES) {
      for (const { label, state, fasterThanUnshared, isHeadline = false } of bench.isQuick
        ? STATES.slice(0, 2)
        : STATES) {
        const targets: Target[] =
          fasterThanUnshared === undefined
            ? []
            : [{ kind: "faster", than: "unshared", times: fasterThanUnshared }];
        await withRunners(
          bench,
          durability,
          (runners) => {
            const row: Row = {
              label: `${label}, ${durability}`,
              isHeadline,
              lanes: lanesOf(
                runners,
                (calls) => ({ kind: "wave", calls, state, changed: 1, isReadFirst: true }),
                { atMost: MOST_WAVES },
              ),
              targets: [{ kind: "faster", than: "LangGraph", times: 1 }, ...targets],
            };
            return bench.measure([row]);
          },
          NAMES,
        );
      }
    }
  },
};
