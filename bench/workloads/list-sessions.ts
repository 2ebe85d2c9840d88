import { STORES } from "../contestants/contestant.js";
import { workspaceId } from "../harness/fill.js";
import type { Lane, Row, Target } from "../harness/rounds.js";
import { timed } from "../harness/time.js";
import { filledFile, OpenStores } from "./files.js";
import type { Bench, Workload } from "./workload.js";

export const listSessions: Workload = {
  name: "list-sessions",
  title: "List a workspace's 50 sessions",
  about: "By how many sessions the file holds. LangGraph keeps no sessions.",
  plot: { file: "list-sessions", axis: "sessions in the file" },
  async run(bench) {
    await using stores = new OpenStores();
    const rows: Row[] = [];
    for (const count of bench.isQuick ? [50, 1_000] : [50, 5_000, 100_000]) {
      rows.push(await row(bench, stores, count));
    }
    await bench.measure(rows);
  },
};

async function row(bench: Bench, stores: OpenStores, count: number): Promise<Row> {
  const lanes: Lane[] = [];
  for (const contestant of STORES) {
    const path = await filledFile(bench, contestant, `${count} sessions`, (filling) =>
      filling.sessions(count),
    );
    const subject = await stores.open(contestant, path);
    const workspace = workspaceId(count / 2);
    lanes.push({ contestant, round: (calls) => timed(calls, () => subject.listSessions(workspace)) });
  }
  const flat: Target[] = count === 50 ? [] : [{ kind: "flat", from: labelOf(50), times: 1.5 }];
  return { label: labelOf(count), size: count, isHeadline: count === 100_000, lanes, targets: flat };
}

function labelOf(count: number): string {
  return `of ${count.toLocaleString("en")}`;
}
