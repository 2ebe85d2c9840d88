import { STORES } from "../contestants/contestant.js";
import { sessionId } from "../harness/fill.js";
import type { Lane, Row, Target } from "../harness/rounds.js";
import { timed } from "../harness/time.js";
import { filledFile, OpenStores } from "./files.js";
import type { Bench, Workload } from "./workload.js";

const LIMIT = 20;

export const lastMessages: Workload = {
  name: "last-messages",
  title: "Last 20 messages",
  about:
    "By how many messages the session has; of 10 there are 10 to read, so what should stay flat is counted from 1 k. 0.2.3 " +
    "up to 10 k. LangGraph has no such call: its messages are read with the whole state.",
  plot: { file: "last-messages", axis: "messages in the session" },
  async run(bench) {
    await using stores = new OpenStores();
    const rows: Row[] = [];
    for (const count of bench.isQuick ? [10, 1_000] : [10, 1_000, 10_000, 100_000]) {
      rows.push(await row(bench, stores, count));
    }
    await bench.measure(rows);
  },
};

async function row(bench: Bench, stores: OpenStores, count: number): Promise<Row> {
  const session = sessionId(0);
  const lanes: Lane[] = [];
  for (const contestant of STORES.filter((name) => count <= 10_000 || !name.startsWith("0.2.3"))) {
    const path = await filledFile(bench, contestant, `${count} messages`, (filling) =>
      filling.sessions(1).messages(session, count),
    );
    const subject = await stores.open(contestant, path);
    const round = (calls: number) => timed(calls, () => subject.getMessages(session, { limit: LIMIT }));
    lanes.push({ contestant, round });
  }
  return {
    label: labelOf(count),
    size: count,
    isHeadline: count === 10_000,
    lanes,
    targets: targetsOf(count),
  };
}

function labelOf(count: number): string {
  return `of ${count.toLocaleString("en")}`;
}

function targetsOf(count: number): Target[] {
  const targets: Target[] = [{ kind: "within", of: "floor", times: 1.3 }];
  if (count === 10_000) {
    targets.push({ kind: "faster", than: "0.2.3", times: 50 });
  }
  if (count > 1_000) {
    targets.push({ kind: "flat", from: labelOf(1_000), times: 1.5 });
  }
  return targets;
}
