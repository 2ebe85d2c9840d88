import {
  type ContestantName,
  openStore,
  STORES,
  type StoreName,
  takesPart,
} from "../contestants/contestant.js";
import { LangGraph } from "../contestants/langgraph.js";
import type { Durability } from "../contestants/subject.js";
import { Filling } from "../harness/fill.js";
import type { Lane } from "../harness/rounds.js";
import { DURABILITIES } from "./files.js";
import type { Bench, Workload } from "./workload.js";

export const deleteSession: Workload = {
  name: "delete",
  title: "Delete a long session",
  about: "A session of 100 k messages, filled again each round. LangGraph: `deleteThread` of as many writes.",
  async run(bench) {
    const count = bench.isQuick ? 1_000 : 100_000;
    for (const durability of DURABILITIES) {
      const names = STORES.filter((name) => takesPart(name, durability));
      const langGraph = bench.present<ContestantName>(["LangGraph"]);
      await bench.measure([
        {
          label: `${count.toLocaleString("en")} messages, ${durability}`,
          lanes: [
            ...names.map((name) => lane(bench, name, count, durability)),
            ...langGraph.map(() => langGraphLane(bench, count, durability)),
          ],
          targets: [
            { kind: "within", of: "floor", times: 1.15 },
            { kind: "faster", than: "LangGraph", times: 1 },
          ],
        },
      ]);
    }
  },
};

function lane(bench: Bench, contestant: StoreName, count: number, durability: Durability): Lane {
  return {
    contestant,
    calls: 1,
    async round() {
      const path = bench.scratch.newPath();
      const first = await openStore(contestant, path, durability);
      const { id } = await first.createSession("./project");
      await first.close();
      new Filling(path).messages(id, count).done();
      const subject = await openStore(contestant, path, durability);
      const start = performance.now();
      await subject.deleteSession(id);
      const took = performance.now() - start;
      await subject.close();
      bench.scratch.delete(path);
      return took;
    },
  };
}

function langGraphLane(bench: Bench, count: number, durability: Durability): Lane {
  return {
    contestant: "LangGraph",
    calls: 1,
    async round() {
      const path = bench.scratch.newPath();
      const runner = await LangGraph.open(path, durability);
      const { id = "" } = await runner.ask({ do: "fillMessages", count });
      const took = await runner.run({ kind: "delete", calls: 1, sessionIds: [id] });
      await runner.close();
      bench.scratch.delete(path);
      return took;
    },
  };
}
