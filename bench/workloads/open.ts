import { openStore, STORES } from "../contestants/contestant.js";
import { LangGraph } from "../contestants/langgraph.js";
import { sessionId } from "../harness/fill.js";
import type { Lane, Row, Target } from "../harness/rounds.js";
import { timed } from "../harness/time.js";
import { filledFile } from "./files.js";
import type { Bench, Workload } from "./workload.js";

const GIGABYTE = 1_000_000_000;
const EMPTY = "an empty file";

export const open: Workload = {
  name: "open",
  title: "Open and close a file",
  about:
    "An existing file: without a session in it, and a large one. LangGraph: the constructor and the first call, which sets " +
    "it up; not the large file, which it has no way to fill in bulk.",
  async run(bench) {
    const large = bench.isQuick ? GIGABYTE / 20 : GIGABYTE;
    const [langGraph] = await Promise.all(
      bench.present(["LangGraph"]).map(() => LangGraph.open(bench.scratch.newPath(), "normal")),
    );
    try {
      const rows = [await row(bench, EMPTY, 0, langGraph)];
      if (bench.scratch.room < 5 * large) {
        console.log("The large file is left out: it takes five times its size of free disk.");
      } else {
        rows.push(await row(bench, bench.isQuick ? "a file of 50 MB" : "a file of 1 GB", large));
      }
      await bench.measure(rows);
    } finally {
      await langGraph?.close();
    }
  },
};

async function row(bench: Bench, label: string, bytes: number, langGraph?: LangGraph): Promise<Row> {
  const session = sessionId(0);
  const lanes: Lane[] = [];
  // 0.2.3 reads the file that ours made, because a gigabyte is written only once.
  for (const contestant of STORES.filter((name) => name !== "0.2.3+WAL")) {
    const path = await filledFile(bench, "ours", label, (filling) =>
      bytes === 0 ? filling : filling.sessions(1).bulk(session, bytes),
    );
    lanes.push({
      contestant,
      round: (calls) =>
        timed(calls, async () => {
          const subject = await openStore(contestant, path, "full");
          await subject.close();
        }),
    });
  }
  if (langGraph !== undefined) {
    lanes.push(langGraphLane(bench, langGraph));
  }
  const targets: Target[] = [
    { kind: "under", milliseconds: 5 },
    { kind: "faster", than: "LangGraph", times: 1 },
  ];
  if (bytes > 0) {
    targets.push({ kind: "flat", from: EMPTY, times: 1.5 });
  }
  return { label, lanes, targets, isHeadline: bytes > 0 };
}

function langGraphLane(bench: Bench, langGraph: LangGraph): Lane {
  const path = bench.scratch.newPath();
  return {
    contestant: "LangGraph",
    async round(calls) {
      const { ms } = await langGraph.ask({ do: "reopen", calls, path });
      return ms;
    },
  };
}
