import { STORES } from "../contestants/contestant.js";
import { queryEmbedding } from "../harness/fill.js";
import type { Lane, Row, Target } from "../harness/rounds.js";
import { timed } from "../harness/time.js";
import { filledFile, OpenStores } from "./files.js";
import type { Bench, Workload } from "./workload.js";

export const search: Workload = {
  name: "search",
  title: "Semantic search",
  about:
    "The ten most similar of so many facts, 384 dimensions. The floor is a plain loop over resident unit vectors. A store's " +
    "first search reads them from the file and is not counted. 0.2.3 up to 10 k; LangGraph's saver has no search.",
  plot: { file: "search", axis: "vectors of 384 dimensions" },
  async run(bench) {
    for (const count of bench.isQuick ? [1_000] : [1_000, 10_000, 100_000]) {
      await using stores = new OpenStores();
      await bench.measure([await row(bench, stores, count)]);
    }
  },
};

async function row(bench: Bench, stores: OpenStores, count: number): Promise<Row> {
  const query = queryEmbedding();
  const lanes: Lane[] = [];
  const names = STORES.filter((name) => name !== "0.2.3+WAL" && (count <= 10_000 || name !== "0.2.3"));
  for (const contestant of names) {
    const path = await filledFile(bench, contestant, `${count} facts`, (filling) => filling.facts(count));
    const subject = await stores.open(contestant, path);
    bench.progress(`${count} vectors: ${contestant} searches for the first time`);
    await subject.searchFactsSemantic(query, { topK: 10, threshold: 0 });
    lanes.push({
      contestant,
      round: (calls) => timed(calls, () => subject.searchFactsSemantic(query, { topK: 10, threshold: 0 })),
    });
  }
  const targets: Target[] = count === 10_000 ? [{ kind: "faster", than: "0.2.3", times: 30 }] : [];
  return {
    label: `of ${count.toLocaleString("en")}`,
    size: count,
    isHeadline: count === 10_000,
    lanes,
    targets,
  };
}
