import type { ContestantName, StoreName } from "../contestants/contestant.js";
import { openStore } from "../contestants/contestant.js";
import type { Lane, Row } from "../harness/rounds.js";
import { timed } from "../harness/time.js";
import { changedStates, checkpointOfState, type State, stateOf } from "../harness/waves.js";
import { DURABILITIES, lanesOf, OpenStores, withRunners } from "./files.js";
import type { Bench, Workload } from "./workload.js";

const KB = 1_024;
const NAMES: readonly ContestantName[] = ["floor", "ours", "unshared", "0.2.3", "LangGraph"];
const FIRST_READERS: readonly StoreName[] = ["floor", "ours", "unshared", "0.2.3"];

/** The new outputs of all calls of a round are made before it. */
const MOST_SAVES = 500;

interface Size {
  label: string;
  state: State;
  isLarge: boolean;
}

const SIZES: readonly Size[] = [
  { label: "100 KB", state: { nodes: 100, characters: KB, form: "text" }, isLarge: false },
  { label: "5 MB", state: { nodes: 100, characters: 50 * KB, form: "text" }, isLarge: true },
  { label: "5 MB of records", state: { nodes: 100, characters: 50 * KB, form: "records" }, isLarge: true },
];

export const changed: Workload = {
  name: "changed",
  title: "One of 100 outputs changed",
  about:
    "Save a checkpoint in which one of 100 outputs is new, and read the latest one: by the store that saved it, and by one that was " +
    "just opened, as after a restart. Outputs are texts of 1 or 50 KB (of 1,024 characters), or lists of records of 200 characters. " +
    "LangGraph: `put` and `getTuple`.",
  async run(bench) {
    const sizes = bench.isQuick ? SIZES.slice(0, 1) : SIZES;
    for (const durability of DURABILITIES) {
      for (const size of sizes) {
        await withRunners(
          bench,
          durability,
          (runners) => {
            const { label, state, isLarge } = size;
            const saves: Row = {
              label: `save ${label}, ${durability}`,
              isHeadline: isLarge && state.form === "text",
              lanes: lanesOf(
                runners,
                (calls) => ({ kind: "wave", calls, state, changed: 1, isReadFirst: false }),
                { atMost: MOST_SAVES },
              ),
              targets: [
                ...(isLarge
                  ? [
                      { kind: "faster", than: "floor", times: 4 } as const,
                      { kind: "faster", than: "0.2.3", times: 1 } as const,
                    ]
                  : []),
                { kind: "faster", than: "LangGraph", times: 1 },
              ],
            };
            const reads: Row = {
              label: `read ${label}, ${durability}`,
              lanes: lanesOf(runners, (calls) => ({ kind: "newest", calls, state })),
              targets: [{ kind: "within", of: "floor", times: 1 }],
            };
            // What is read does not depend on the durability of writes.
            return bench.measure(durability === "full" ? [saves, reads] : [saves]);
          },
          NAMES,
        );
      }
    }
    for (const size of sizes) {
      await measureFirstRead(bench, size);
    }
  },
};

/** The file has twenty checkpoints; each call opens it, which is not timed, and reads the newest one. */
async function measureFirstRead(bench: Bench, { label, state }: Size): Promise<void> {
  const paths: string[] = [];
  const lanes: Lane[] = [];
  for (const contestant of FIRST_READERS) {
    const path = bench.scratch.newPath();
    paths.push(path);
    const sessionId = await filled(path, contestant, state);
    lanes.push({ contestant, round: (calls) => firstReads(contestant, path, sessionId, calls) });
  }
  await bench.measure([
    {
      label: `read ${label}, just opened`,
      lanes,
      targets: [{ kind: "within", of: "floor", times: 1 }],
    },
  ]);
  for (const path of paths) {
    bench.scratch.delete(path);
  }
}

async function filled(path: string, contestant: StoreName, state: State): Promise<string> {
  await using stores = new OpenStores();
  const subject = await stores.open(contestant, path, "normal");
  const { id } = await subject.createSession("./project");
  const first = stateOf(state);
  for (const [wave, results] of [first, ...changedStates(first, state, 1, 19)].entries()) {
    await subject.saveCheckpoint(checkpointOfState(results, id, wave + 1));
  }
  return id;
}

async function firstReads(
  contestant: StoreName,
  path: string,
  sessionId: string,
  calls: number,
): Promise<number> {
  let took = 0;
  for (let call = 0; call < calls; call++) {
    const subject = await openStore(contestant, path, "normal");
    took += await timed(1, () => subject.getLatestCheckpoint(sessionId, ""));
    await subject.close();
  }
  return took;
}
