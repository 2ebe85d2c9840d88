import assert from "node:assert/strict";
import type { Checkpoint, CheckpointBackend } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint } from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

export function describeCheckpointOrder(context: ConformanceContext): void {
  context.describe("versions and order of checkpoints", () => {
    describeVersions(context);
    describeTakingTheNextVersion(context);
    describeOrder(context);
  });
}

function describeVersions({ testStore, assertStoreError }: ConformanceContext): void {
  testStore(
    "a version saved twice is CheckpointVersionConflictError and nothing is written",
    async (store) => {
      const { id } = await store.createSession("./d");
      const first = await store.saveCheckpoint(buildCheckpoint(id, { version: 3 }));
      const second = buildCheckpoint(id, { version: 3, step: 8, nodeResults: {} });
      await assertStoreError(store.saveCheckpoint(second), { tag: "CheckpointVersionConflictError" });
      assertSame(await store.listCheckpoints(id), [first]);
      const next = await store.saveCheckpoint(buildCheckpoint(id, { version: 4 }));
      assertSame(await store.listCheckpoints(id), [next, first]);
    },
  );

  testStore("namespaces and sessions count their versions apart", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    for (const { id } of [a, b]) {
      for (const namespace of ["outer", "inner", "", "Outer"]) {
        await store.saveCheckpoint(buildCheckpoint(id, { namespace, version: 1 }));
      }
    }
    assert.equal((await store.listCheckpoints(a.id)).length, 4);
    await assertStoreError(store.saveCheckpoint(buildCheckpoint(a.id, { namespace: "", version: 1 })), {
      tag: "CheckpointVersionConflictError",
    });
  });

  testStore("runs that count steps from 0 again never meet a version that exists", async (store) => {
    const { id } = await store.createSession("./d");
    for (const waves of [3, 1, 2]) {
      for (let step = 0; step < waves; step++) {
        const version = await nextVersion(store, id, "graph");
        await store.saveCheckpoint(buildCheckpoint(id, { version, step }));
      }
    }
    const listed = await store.listCheckpoints(id, { namespace: "graph" });
    assert.deepEqual(
      listed.map(({ version, step }) => [version, step]),
      [
        [6, 1],
        [5, 0],
        [4, 0],
        [3, 2],
        [2, 1],
        [1, 0],
      ],
    );
  });
}

/** How the framework decides it. */
async function nextVersion(store: CheckpointBackend, sessionId: string, namespace: string): Promise<number> {
  const [latest] = await store.listCheckpoints(sessionId, { namespace, limit: 1 });
  return (latest?.version ?? 0) + 1;
}

function describeTakingTheNextVersion({ testStoreTakingNext, assertStoreError }: ConformanceContext): void {
  testStoreTakingNext("a version that exists becomes the next free one, which is returned", async (store) => {
    const { id } = await store.createSession("./d");
    for (const version of [1, 2, 3]) await store.saveCheckpoint(buildCheckpoint(id, { version }));
    const moved = await store.saveCheckpoint(buildCheckpoint(id, { version: 2, step: 8 }));
    assert.deepEqual([moved.version, moved.step], [4, 8]);
    assertSame(await store.getLatestCheckpoint(id), moved);
    assertSame(await store.getCheckpoint(moved.id), moved);
    assert.deepEqual(
      (await store.listCheckpoints(id)).map((checkpoint) => checkpoint.version),
      [4, 3, 2, 1],
    );
  });

  testStoreTakingNext("a version that is free, or used only elsewhere, is kept", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    await store.saveCheckpoint(buildCheckpoint(a.id, { version: 7 }));
    for (const [id, namespace, version] of [
      [a.id, "other", 7],
      [b.id, "graph", 7],
      [a.id, "graph", 9],
    ] as const) {
      assert.equal(
        (await store.saveCheckpoint(buildCheckpoint(id, { namespace, version }))).version,
        version,
      );
    }
  });

  testStoreTakingNext("a version is refused if it exists and no higher one is possible", async (store) => {
    const { id } = await store.createSession("./d");
    const highest = Number.MAX_SAFE_INTEGER;
    const below = await store.saveCheckpoint(buildCheckpoint(id, { version: highest - 1 }));
    const last = await store.saveCheckpoint(buildCheckpoint(id, { version: highest - 1 }));
    assert.equal(last.version, highest);
    for (const version of [highest - 1, highest]) {
      await assertStoreError(store.saveCheckpoint(buildCheckpoint(id, { version })), {
        tag: "InvalidArgumentError",
        startsWith: "Invalid argument: checkpoint.version ",
        includes: `the highest possible version, ${highest}`,
      });
    }
    assertSame(await store.listCheckpoints(id), [last, below]);
    await store.saveCheckpoint(buildCheckpoint(id, { version: 1 }));
    await store.saveCheckpoint(buildCheckpoint(id, { namespace: "other", version: 1 }));
  });

  testStoreTakingNext("one version saved 50 times at once is 50 versions", async (store) => {
    const { id } = await store.createSession("./d");
    const saves = Array.from({ length: 50 }, (_, step) =>
      store.saveCheckpoint(buildCheckpoint(id, { step })),
    );
    const saved = await Promise.all(saves);
    assert.deepEqual(
      saved.map(({ version }) => version).sort((x, y) => x - y),
      saved.map((_, n) => n + 1),
    );
    assertSame(await store.listCheckpoints(id), saved.reverse());
  });
}

function describeOrder({ testStore, testStoreWithClock }: ConformanceContext): void {
  testStore("the latest checkpoint is the one saved last, whatever its step and version", async (store) => {
    const { id } = await store.createSession("./d");
    for (const [version, step] of [
      [5, 9],
      [2, 4],
      [8, 0],
      [1, 2],
    ] as const) {
      const saved = await store.saveCheckpoint(buildCheckpoint(id, { version, step }));
      assertSame(await store.getLatestCheckpoint(id), saved);
      assertSame(await store.getLatestCheckpoint(id, "graph"), saved);
      assertSame(await store.listCheckpoints(id, { limit: 1 }), [saved]);
    }
    assert.deepEqual(
      (await store.listCheckpoints(id)).map((checkpoint) => checkpoint.version),
      [1, 8, 2, 5],
    );
  });

  testStore("the latest checkpoint of a namespace is not hidden by another namespace", async (store) => {
    const { id } = await store.createSession("./d");
    const outer = await store.saveCheckpoint(buildCheckpoint(id, { namespace: "outer", step: 5 }));
    const inner = await store.saveCheckpoint(buildCheckpoint(id, { namespace: "inner" }));
    const unnamed = await store.saveCheckpoint(buildCheckpoint(id, { namespace: "" }));
    assertSame(await store.getLatestCheckpoint(id, "outer"), outer);
    assertSame(await store.getLatestCheckpoint(id, "inner"), inner);
    const last = await store.saveCheckpoint(buildCheckpoint(id, { namespace: "outer", version: 2 }));
    assertSame(await store.getLatestCheckpoint(id, "outer"), last);
    assertSame(await store.getLatestCheckpoint(id), last);
    assertSame(await callUntyped(store, "getLatestCheckpoint", [id, null]), last);
    assertSame(await store.getLatestCheckpoint(id, ""), unnamed);
  });

  testStore(
    "without session, checkpoint or such a namespace the latest checkpoint is null",
    async (store) => {
      const [empty, full] = [await store.createSession("./a"), await store.createSession("./b")];
      await store.saveCheckpoint(buildCheckpoint(full.id));
      assert.equal(await store.getLatestCheckpoint("no-such-session"), null);
      assert.equal(await store.getLatestCheckpoint("no-such-session", "graph"), null);
      assert.equal(await store.getLatestCheckpoint(empty.id), null);
      assert.equal(await store.getLatestCheckpoint(full.id, "no-such-namespace"), null);
    },
  );

  for (const [name, move] of [
    ["stands still", 0],
    ["runs backwards", -60_000],
  ] as const) {
    testStoreWithClock(`newest saved comes first while the clock ${name}`, async (store, clock) => {
      const { id } = await store.createSession("./d");
      const saved: Checkpoint[] = [];
      for (const [version, namespace] of [
        [3, "a"],
        [1, "b"],
        [4, ""],
        [2, "a"],
        [1, "a"],
        [3, ""],
        [7, "b"],
      ] as const) {
        saved.unshift(await store.saveCheckpoint(buildCheckpoint(id, { version, namespace })));
        clock.now += move;
        assertSame(await store.getLatestCheckpoint(id), saved[0]);
      }
      assertSame(await store.listCheckpoints(id), saved);
      assertSame(await store.listCheckpoints(id, { limit: 3 }), saved.slice(0, 3));
      for (const namespace of ["a", "b", ""]) {
        const ofNamespace = saved.filter((checkpoint) => checkpoint.namespace === namespace);
        assertSame(await store.listCheckpoints(id, { namespace }), ofNamespace);
        assertSame(await store.listCheckpoints(id, { namespace, limit: 1 }), [ofNamespace[0]]);
        assertSame(await store.getLatestCheckpoint(id, namespace), ofNamespace[0]);
      }
    });
  }
}
