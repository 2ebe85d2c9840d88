/**
 * A graph that holds a graph, killed before every call it makes on the store, and resumed as the README describes:
 * it has to end with what an uninterrupted run gives.
 *
 * The runner is a model of the framework's, held against a recorded run of it.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Checkpoint,
  type CheckpointNodeResult,
  JsonPlusSerializer,
  SqliteCheckpointStore,
} from "@obsku/checkpoint-sqlite";
import { createTemporaryFolder } from "../support/temporary-folder.js";

/** Waves of nodes in their order; a node is a leaf, or a graph of its own. */
type Graph = readonly (readonly (string | { id: string; graph: Graph })[])[];

const RECORDED: Graph = [["plan"], [{ id: "inner", graph: [["x"], ["y"]] }], ["done"]];

// Each inner graph has nodes of the outer one's names: taken for the outer graph's, they would be skipped.
const GRAPHS: Readonly<Record<string, { graph: Graph; namespace: string }>> = {
  "one graph within another": {
    namespace: "",
    graph: [["plan"], [{ id: "scan", graph: [["plan"], ["report"]] }], ["report"]],
  },
  "the outer one under a name": {
    namespace: "nightly",
    graph: [["plan"], [{ id: "scan", graph: [["plan"], ["report"]] }], ["report"]],
  },
  "nested twice": {
    namespace: "",
    graph: [
      ["plan"],
      [{ id: "scan", graph: [["plan"], [{ id: "probe", graph: [["plan"], ["report"]] }], ["report"]] }],
      ["report"],
    ],
  },
  "beside another node": {
    namespace: "",
    graph: [["plan"], [{ id: "scan", graph: [["plan"], ["report"]] }, "read"], ["report"]],
  },
  "the same graph in every round of a loop": {
    namespace: "",
    graph: [
      ["plan"],
      ...[1, 2, 3].map((): Graph[number] => [{ id: "write", graph: [["plan"], ["report"]] }]),
      ["report"],
    ],
  },
};

class Killed extends Error {}

describe("the model of the framework's runner", () => {
  test("saves what the recorded run saved, in the same order", async () => {
    const saved: Checkpoint[] = [];
    const store = new SqliteCheckpointStore();
    const { id } = await store.createSession("./d");
    await runGraph(
      { store, sessionId: id, call: async (make) => make(), onSave: (one) => saved.push(one) },
      "scan",
      RECORDED,
    );
    await store.close();
    const shape = ({ namespace, version, step, pendingNodes, nodeResults }: Checkpoint) => ({
      namespace,
      version,
      step,
      pending: pendingNodes[0],
      nodes: Object.keys(nodeResults).toSorted(),
    });
    expect(saved.map(shape)).toEqual(recordedCheckpoints().map(shape));
  });
});

describe.each(Object.keys(GRAPHS))("killed before any call and resumed: %s", (name) => {
  test("ends with what an uninterrupted run gives", async () => {
    const { graph, namespace } = GRAPHS[name] ?? { graph: [], namespace: "" };
    const whole = await runKilledAt(Number.POSITIVE_INFINITY, namespace, graph);
    expect(whole.wasKilled).toBe(false);
    for (let call = 1; call <= whole.calls; call++) {
      const { results, wasKilled } = await runKilledAt(call, namespace, graph);
      expect([call, wasKilled]).toEqual([call, true]);
      expect([call, results]).toEqual([call, whole.results]);
    }
  });
});

/** Runs until the given call of the store, closes the file there, and resumes in a store opened again. */
async function runKilledAt(killedAt: number, namespace: string, graph: Graph) {
  const folder = await createTemporaryFolder();
  const path = join(folder.path, "run.db");
  const first = new SqliteCheckpointStore(path);
  const { id } = await first.createSession("./d");
  let calls = 0;
  const call: Run["call"] = (make) => {
    calls += 1;
    if (calls >= killedAt) throw new Killed();
    return make();
  };
  try {
    const results = await runGraph({ store: first, sessionId: id, call }, namespace, graph);
    return { results, calls, wasKilled: false };
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    await first.close();
    await using store = new SqliteCheckpointStore(path);
    const [session] = await store.listSessions();
    const latest = await store.getLatestCheckpoint(session?.id ?? "");
    const run = { store, sessionId: id, call: <T>(make: () => Promise<T>) => make() };
    return { results: await runGraph(run, namespace, graph, latest), calls, wasKilled: true };
  } finally {
    await first.close();
    await folder.remove();
  }
}

interface Run {
  store: SqliteCheckpointStore;
  sessionId: string;
  call<T>(make: () => Promise<T>): Promise<T>;
  onSave?(checkpoint: Checkpoint): void;
}

type Results = Record<string, CheckpointNodeResult>;

/** Wave by wave: all its nodes, then one checkpoint. A resumed run starts with the wave that was pending. */
async function runGraph(
  run: Run,
  namespace: string,
  graph: Graph,
  from: Checkpoint | null = null,
): Promise<Results> {
  let results: Results = { ...from?.nodeResults };
  const first = from === null ? 0 : from.step + 1;
  for (const [step, wave] of [...graph.entries()].slice(first)) {
    const done = await Promise.all(
      wave.map(async (node) => [idOf(node), await runNode(run, namespace, node, step)] as const),
    );
    results = { ...results, ...Object.fromEntries(done) };
    await save(
      run,
      namespace,
      step,
      results,
      graph
        .slice(step + 1)
        .flat()
        .map(idOf),
    );
  }
  return results;
}

async function runNode(
  run: Run,
  namespace: string,
  node: Graph[number][number],
  step: number,
): Promise<CheckpointNodeResult> {
  const output =
    typeof node === "string"
      ? `${node} of ${namespace} in wave ${step}`
      : await runGraph(run, node.id, node.graph);
  return { status: "completed", output };
}

async function save(run: Run, namespace: string, step: number, nodeResults: Results, pendingNodes: string[]) {
  const { store, sessionId } = run;
  const [newest] = await run.call(() => store.listCheckpoints(sessionId, { namespace, limit: 1 }));
  const version = (newest?.version ?? 0) + 1;
  const saved = await run.call(() =>
    store.saveCheckpoint({ sessionId, namespace, version, step, source: "loop", nodeResults, pendingNodes }),
  );
  run.onSave?.(saved);
}

function idOf(node: Graph[number][number]): string {
  return typeof node === "string" ? node : node.id;
}

function recordedCheckpoints(): Checkpoint[] {
  const path = join(import.meta.dir, "..", "fixtures", "framework-traces", "subgraph.jsonl");
  const serializer = new JsonPlusSerializer();
  const events = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => serializer.deserialize(line) as Event);
  const isSave = new Set(events.filter((event) => event.method === "saveCheckpoint").map(({ op }) => op));
  return events.filter((event) => event.t === "return" && isSave.has(event.op)).map(({ result }) => result);
}

interface Event {
  t: string;
  op: number;
  method: string;
  result: Checkpoint;
}
