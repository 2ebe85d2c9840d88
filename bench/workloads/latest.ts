import { type ContestantName, openRunner, type StoreName } from "../contestants/contestant.js";
import { LangGraph } from "../contestants/langgraph.js";
import type { Runner } from "../contestants/runner.js";
import { NAMESPACES, sessionId } from "../harness/fill.js";
import type { Lane, Row, Target } from "../harness/rounds.js";
import { filledFile } from "./files.js";
import type { Bench, Workload } from "./workload.js";

interface Size {
  label: string;
  sessions: number;
  each: number;
  /** How many of the sessions are asked for, in turn. Default: all. */
  inUse?: number;
}

const SIZES: readonly Size[] = [
  { label: "100", sessions: 1, each: 100 },
  { label: "10 k", sessions: 1, each: 10_000 },
  { label: "1 M", sessions: 1, each: 1_000_000 },
  { label: "1 M in 10 k sessions, ten in use", sessions: 10_000, each: 100, inUse: 10 },
  { label: "1 M in 10 k sessions, all in use", sessions: 10_000, each: 100 },
];

const QUICK_SIZES: readonly Size[] = [
  { label: "100", sessions: 1, each: 100 },
  { label: "10 k", sessions: 1, each: 10_000 },
  { label: "20 k in 200 sessions", sessions: 200, each: 100 },
];

/** Above it only the floor and ours continue. */
const MOST_FOR_OTHERS = 10_000;

/** A contestant with the file of one size open. */
interface Opened {
  name: ContestantName;
  runner: Runner;
  sessionIds: readonly string[];
}

export const latest: Workload = {
  name: "latest",
  title: "Latest checkpoint",
  about:
    "By how many checkpoints the file holds. LangGraph: `getTuple`, and without a namespace `list` with limit 1. Above " +
    "10 k only the floor and ours: 0.2.3 reads them all, and LangGraph has no way to fill a file in bulk.",
  plot: { file: "latest", axis: "checkpoints in the file" },
  async run(bench) {
    const sizes = bench.isQuick ? QUICK_SIZES : SIZES;
    const opened = new Map<Size, Opened[]>();
    try {
      for (const size of sizes) {
        opened.set(size, await openAll(bench, size));
      }
      for (const namespace of ["research", undefined]) {
        await bench.measure(sizes.map((size) => row(size, opened.get(size) ?? [], namespace, sizes[0])));
      }
    } finally {
      for (const { runner } of [...opened.values()].flat()) {
        await runner.close();
      }
    }
  },
};

async function openAll(bench: Bench, size: Size): Promise<Opened[]> {
  const { sessions, each, inUse = sessions } = size;
  const isForAll = sessions * each <= MOST_FOR_OTHERS;
  const names: readonly StoreName[] = isForAll ? ["floor", "ours", "0.2.3", "0.2.3+WAL"] : ["floor", "ours"];
  const sessionIds = shuffled(Array.from({ length: sessions }, (_, index) => sessionId(index))).slice(
    0,
    inUse,
  );
  const opened: Opened[] = [];
  for (const name of names) {
    const path = await filledFile(bench, name, `${each} checkpoints in ${sessions} sessions`, (filling) =>
      filling.sessions(sessions).checkpoints(sessions, each),
    );
    opened.push({ name, sessionIds, runner: await openRunner(name, path, "full") });
  }
  const others = isForAll ? bench.present(["LangGraph"]) : [];
  return others.length === 0 ? opened : [...opened, await openLangGraph(bench, each)];
}

async function openLangGraph(bench: Bench, count: number): Promise<Opened> {
  const runner = await LangGraph.open(bench.scratch.newPath(), "normal");
  const { id = "" } = await runner.ask({ do: "fillCheckpoints", count, namespaces: NAMESPACES });
  return { name: "LangGraph", runner, sessionIds: [id] };
}

function row(size: Size, opened: readonly Opened[], namespace: string | undefined, smallest?: Size): Row {
  const label = (of: Size) => `${of.label}, ${namespace === undefined ? "any namespace" : "one namespace"}`;
  const flat: Target[] =
    smallest === undefined || smallest === size ? [] : [{ kind: "flat", from: label(smallest), times: 1.5 }];
  const published: Target[] =
    namespace === undefined && size.each === 10_000 ? [{ kind: "faster", than: "0.2.3", times: 100 }] : [];
  return {
    label: label(size),
    isHeadline: namespace === undefined && (size.each === 10_000 || size.each === 1_000_000),
    ...(size.sessions === 1 && namespace === undefined && { size: size.each }),
    lanes: opened.map((one) => lane(one, namespace)),
    targets: [
      { kind: "within", of: "floor", times: 1.3 },
      ...published,
      { kind: "faster", than: "LangGraph", times: 1 },
      ...flat,
    ],
  };
}

function lane({ name, runner, sessionIds }: Opened, namespace: string | undefined): Lane {
  // A process of its own is not sent thousands of ids each round: LangGraph has one.
  return {
    contestant: name,
    round: (calls) =>
      runner.run({ kind: "latest", calls, sessionIds, ...(namespace !== undefined && { namespace }) }),
  };
}

/** In an order that no index is in, the same each time. */
function shuffled(ids: string[]): string[] {
  return ids.map((_, index) => ids[(index * 7_919) % ids.length] ?? "");
}
