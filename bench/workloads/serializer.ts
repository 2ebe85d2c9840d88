import { measure as mitata } from "mitata";
import { JsonPlusSerializer } from "../../src/index.js";
import { LangGraph } from "../contestants/langgraph.js";
import { plainValue, richValue, type ValueSize } from "../harness/data.js";
import type { Lane, Row } from "../harness/rounds.js";
import type { Bench, Workload } from "./workload.js";

const SIZES: readonly ValueSize[] = [1_000, 100_000, 5_000_000];
const NAMES: Record<ValueSize, string> = { 1000: "1 KB", 100000: "100 KB", 5000000: "5 MB" };

type Direction = "serialize" | "deserialize";

export const serializer: Workload = {
  name: "serializer",
  title: "The wire format on its own",
  about:
    "The floor is JSON.stringify and JSON.parse, for what they can keep. Measured by mitata, in turns. LangGraph: `dumpsTyped` " +
    "and `loadsTyped`, on Node. 0.2.3 exports no serializer: see the next table.",
  async run(bench) {
    const [langGraph] = await Promise.all(bench.present(["LangGraph"]).map(() => startedLangGraph(bench)));
    for (const isRich of [false, true]) {
      for (const bytes of bench.isQuick ? SIZES.slice(0, 1) : SIZES) {
        await bench.measure([
          row(bench, "serialize", bytes, isRich, langGraph),
          row(bench, "deserialize", bytes, isRich, langGraph),
        ]);
      }
    }
    await langGraph?.close();
  },
};

function startedLangGraph(bench: Bench): Promise<LangGraph> {
  return LangGraph.open(bench.scratch.newPath(), "normal");
}

function row(
  bench: Bench,
  direction: Direction,
  bytes: ValueSize,
  isRich: boolean,
  langGraph: LangGraph | undefined,
): Row {
  const ours = new JsonPlusSerializer();
  const value = isRich ? richValue(bytes) : plainValue(bytes);
  const text = ours.serialize(value);
  const isSerialize = direction === "serialize";
  const lanes = [
    microLane(bench, "ours", isSerialize ? () => ours.serialize(value) : () => ours.deserialize(text)),
  ];
  if (!isRich) {
    lanes.unshift(
      microLane(bench, "floor", isSerialize ? () => JSON.stringify(value) : () => JSON.parse(text)),
    );
  }
  if (langGraph !== undefined) {
    lanes.push(langGraphLane(langGraph, { direction, bytes, isRich }));
  }
  return {
    label: `${direction} ${NAMES[bytes]} ${isRich ? "of Dates, Maps and Sets" : "plain"}`,
    lanes,
    targets: [{ kind: "faster", than: "LangGraph", times: 1 }],
  };
}

/** One call by mitata's median of many. */
function microLane(bench: Bench, contestant: "floor" | "ours", call: () => unknown): Lane {
  const min_cpu_time = (bench.isQuick ? 3 : 40) * 1e6;
  return {
    contestant,
    calls: 1,
    async round() {
      const { p50 } = await mitata(call, { min_cpu_time, min_samples: 3, batch_samples: 16 });
      return p50 / 1e6;
    },
  };
}

function langGraphLane(
  langGraph: LangGraph,
  what: { direction: Direction; bytes: ValueSize; isRich: boolean },
): Lane {
  return {
    contestant: "LangGraph",
    async round(calls) {
      const { ms } = await langGraph.ask({ do: "codec", calls, ...what });
      return ms;
    },
  };
}
