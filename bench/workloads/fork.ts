import { STORES, type StoreName, takesPart } from "../contestants/contestant.js";
import type { Durability } from "../contestants/subject.js";
import { sessionId } from "../harness/fill.js";
import type { Lane, Row } from "../harness/rounds.js";
import { DURABILITIES, filledFile, OpenStores } from "./files.js";
import type { Bench, Workload } from "./workload.js";

const CHECKPOINT = "00000000-0000-4000-9000-000000000000";

export const fork: Workload = {
  name: "fork",
  title: "Fork",
  about:
    "By how many messages are taken along; each fork is deleted again, which is not timed. 0.2.3 up to 1 k: it copies row by " +
    "row, each in a transaction of its own. LangGraph cannot fork into a session of its own.",
  plot: { file: "fork", axis: "messages taken along" },
  async run(bench) {
    for (const durability of DURABILITIES) {
      await using stores = new OpenStores();
      for (const count of bench.isQuick ? [10] : [10, 1_000, 100_000]) {
        await bench.measure([await row(bench, stores, count, durability)]);
      }
    }
  },
};

async function row(bench: Bench, stores: OpenStores, count: number, durability: Durability): Promise<Row> {
  const isIn = (name: StoreName) =>
    takesPart(name, durability) && (count <= 1_000 || !name.startsWith("0.2.3"));
  const lanes: Lane[] = [];
  for (const contestant of STORES.filter(isIn)) {
    lanes.push(await lane(bench, stores, contestant, count, durability));
  }
  return {
    label: `${count.toLocaleString("en")} messages, ${durability}`,
    ...(durability === "full" && { size: count }),
    isHeadline: count === 1_000 && durability === "full",
    lanes,
    targets: [
      { kind: "within", of: "floor", times: 1.15 },
      { kind: "faster", than: "0.2.3", times: 20 },
    ],
  };
}

async function lane(
  bench: Bench,
  stores: OpenStores,
  contestant: StoreName,
  count: number,
  durability: Durability,
): Promise<Lane> {
  const session = sessionId(0);
  const filled = await filledFile(bench, contestant, `${count} messages to fork`, (filling) =>
    filling.session(session).messages(session, count).checkpointAtEnd(CHECKPOINT, session),
  );
  const path = bench.scratch.newPath();
  bench.scratch.copy(filled, path);
  const subject = await stores.open(contestant, path, durability);
  return {
    contestant,
    atMost: 50,
    async round(calls) {
      let took = 0;
      for (let call = 0; call < calls; call++) {
        const start = performance.now();
        const { id } = await subject.fork(CHECKPOINT);
        took += performance.now() - start;
        await subject.deleteSession(id);
      }
      return took;
    },
  };
}
