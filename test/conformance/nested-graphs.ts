/** The latest checkpoint of a session in which graphs run as nodes of other graphs. */
import assert from "node:assert/strict";
import type { Checkpoint, CheckpointBackend } from "@obsku/checkpoint-sqlite";
import type { ConformanceContext } from "./context.js";

/** Saves one wave of a graph: its nodes that are done, and those that are next. */
type SaveWave = (namespace: string, done: readonly string[], next?: readonly string[]) => Promise<Checkpoint>;

export function describeNestedGraphs({ describe, testStore }: ConformanceContext): void {
  const testLatest = (
    name: string,
    arrange: (save: SaveWave) => Promise<Checkpoint | undefined>,
    latestOf?: string,
  ) =>
    testStore(name, async (store) => {
      const session = await store.createSession("./d");
      const expected = await arrange(waveSaver(store, session.id));
      assert.equal((await store.getLatestCheckpoint(session.id, latestOf))?.id, expected?.id);
    });

  describe("the latest checkpoint without a namespace", () => {
    testLatest("is the outer graph's while a graph within it is running", async (save) => {
      const outer = await save("", ["plan"], ["scan", "report"]);
      await save("scan", ["plan"], ["probe"]);
      return outer;
    });

    testLatest("is the outer graph's after it has finished the graph within it", async (save) => {
      await save("", [], ["scan"]);
      await save("scan", ["plan"]);
      return save("", ["scan"], ["report"]);
    });

    testLatest("is the outer graph's if that has a namespace of its own", async (save) => {
      const outer = await save("nightly", ["plan"], ["scan"]);
      await save("scan", ["plan"], ["probe"]);
      return outer;
    });

    testLatest("is the outermost graph's if graphs are nested twice", async (save) => {
      const outer = await save("nightly", [], ["scan"]);
      await save("scan", ["plan"], ["probe"]);
      await save("probe", ["connect"]);
      return outer;
    });

    testLatest("is the outer graph's in every round of a loop", async (save) => {
      await save("", [], ["write"]);
      await save("write", ["outline"], ["text"]);
      await save("write", ["outline", "text"]);
      const outer = await save("", ["write", "critique"], ["write"]);
      await save("write", ["outline"], ["text"]);
      return outer;
    });

    testLatest("knows a node that has finished as well as one that is pending", async (save) => {
      await save("", ["scan"]);
      await save("scan", ["late"]);
      return save("", ["scan", "report"]);
    });

    testLatest("is the newest saved of graphs that run alongside each other", async (save) => {
      await save("research", ["plan"], ["search"]);
      await save("write", ["outline"]);
      return save("research", ["plan", "search"]);
    });

    testLatest("is the newest saved of independent graphs, whatever is nested in them", async (save) => {
      await save("research", ["plan"], ["scan"]);
      const write = await save("write", [], ["text"]);
      await save("scan", ["plan"]);
      return write;
    });

    testLatest("is the newest saved of all if all are nested in each other", async (save) => {
      await save("a", [], ["b"]);
      return save("b", [], ["a"]);
    });

    testLatest("is not misled by a graph that has a node of its own name", async (save) => {
      await save("other", ["x"]);
      return save("scan", ["scan"]);
    });

    testLatest("is not misled by what an earlier run under the same namespace had as nodes", async (save) => {
      await save("", [], ["research"]);
      await save("", ["other"]);
      return save("research", ["plan"]);
    });

    for (const name of ["a.b", 'say "x"', "back\\slash", "é🙂", "__type", "__proto__", "$", "[0]", "%"]) {
      testLatest(`finds a nested graph under the name ${name}`, async (save) => {
        const outer = await save("", ["plan"], [name]);
        await save(name, ["plan"]);
        return outer;
      });

      testLatest(`finds a nested graph that is done under the name ${name}`, async (save) => {
        await save(name, ["plan"]);
        const outer = await save("", [name, "__type"]);
        await save(name, ["plan"]);
        return outer;
      });
    }

    testLatest(
      "with a namespace is that of the nested graph",
      async (save) => {
        await save("", [], ["scan"]);
        return save("scan", ["plan"]);
      },
      "scan",
    );
  });
}

function waveSaver(store: CheckpointBackend, sessionId: string): SaveWave {
  let version = 0;
  return (namespace, done, next = []) => {
    version += 1;
    return store.saveCheckpoint({
      sessionId,
      namespace,
      version,
      step: 0,
      source: "loop",
      nodeResults: Object.fromEntries(done.map((node) => [node, { status: "completed", output: node }])),
      pendingNodes: [...next],
    });
  };
}
