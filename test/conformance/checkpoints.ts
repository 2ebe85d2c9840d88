import assert from "node:assert/strict";
import type { Checkpoint } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildFullCheckpoint } from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertAbsent, assertSafeInteger, assertSame, assertUuid } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

const OPTIONAL = ["parentId", "nodeId", "cycleState"];

export function describeCheckpoints(context: ConformanceContext): void {
  context.describe("checkpoints", () => {
    describeSaving(context);
    describeListing(context);
  });
}

function describeSaving({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("a checkpoint with every field reads back as it was given and returned", async (store) => {
    const { id } = await store.createSession("./d");
    const checkpoint = buildFullCheckpoint(id);
    const saved = await store.saveCheckpoint(checkpoint);
    assertUuid(saved.id);
    assertSafeInteger(saved.createdAt);
    assertSame(saved, { ...checkpoint, id: saved.id, createdAt: saved.createdAt });
    assertSame(await store.getCheckpoint(saved.id), saved);
    assertSame(await store.getLatestCheckpoint(id), saved);
    assertSame(await store.listCheckpoints(id), [saved]);
  });

  testStore("optional fields that were not given are absent", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveCheckpoint(
      buildCheckpoint(id, { nodeResults: { a: { status: "pending" } } }),
    );
    const [listed] = await store.listCheckpoints(id);
    for (const found of [
      saved,
      await store.getCheckpoint(saved.id),
      await store.getLatestCheckpoint(id),
      listed,
    ]) {
      assertAbsent(found, OPTIONAL);
      assertAbsent(found?.nodeResults.a, ["output", "error", "startedAt", "completedAt"]);
    }
  });

  testStore("null for an optional field means that it was not given", async (store) => {
    const { id } = await store.createSession("./d");
    const nulls = { parentId: null, nodeId: null, cycleState: null };
    const saved = await callUntyped(store, "saveCheckpoint", [{ ...buildCheckpoint(id), ...nulls }]);
    for (const found of [saved, await store.getLatestCheckpoint(id)]) assertAbsent(found, OPTIONAL);
  });

  testStore(
    "null for an optional field of a node's result is accepted, as its output null is kept",
    async (store) => {
      const { id } = await store.createSession("./d");
      const result = { status: "completed", output: null, error: null, startedAt: null, completedAt: null };
      await callUntyped(store, "saveCheckpoint", [{ ...buildCheckpoint(id), nodeResults: { a: result } }]);
      const back = (await store.getLatestCheckpoint(id))?.nodeResults.a;
      assert.deepEqual([back?.status, back?.output], ["completed", null]);
      assert.deepEqual(
        [back?.error ?? "none", back?.startedAt ?? "none", back?.completedAt ?? "none"],
        ["none", "none", "none"],
      );
    },
  );

  testStore(
    "without pendingNodes there are none, and without namespace it is the empty one",
    async (store) => {
      const { id } = await store.createSession("./d");
      const bare = { sessionId: id, step: 0, source: "loop", nodeResults: {} };
      const absent = await callUntyped(store, "saveCheckpoint", [{ ...bare, version: 1 }]);
      const nulls = { pendingNodes: null, namespace: null };
      const asNull = await callUntyped(store, "saveCheckpoint", [{ ...bare, version: 2, ...nulls }]);
      for (const found of [absent, asNull, ...(await store.listCheckpoints(id))]) {
        assertSame(found, { ...Object(found), pendingNodes: [], namespace: "" });
      }
    },
  );

  testStore("every source and every status of a node is kept", async (store) => {
    const { id } = await store.createSession("./d");
    const sources = ["input", "loop", "interrupt", "fork"] as const;
    for (const [version, source] of sources.entries()) {
      await store.saveCheckpoint(buildCheckpoint(id, { version, source }));
    }
    const listed = await store.listCheckpoints(id);
    assert.deepEqual(
      listed.map((checkpoint) => checkpoint.source),
      [...sources].reverse(),
    );
    const statuses = ["pending", "running", "completed", "failed", "skipped"] as const;
    const nodeResults = Object.fromEntries(statuses.map((status) => [`node ${status}`, { status }]));
    const saved = await store.saveCheckpoint(buildCheckpoint(id, { version: 9, nodeResults }));
    assertSame((await store.getCheckpoint(saved.id))?.nodeResults, nodeResults);
  });

  testStore("no nodes, step 0, version 0 and the largest safe integers are kept", async (store) => {
    const { id } = await store.createSession("./d");
    for (const number of [0, Number.MAX_SAFE_INTEGER]) {
      const fields = { version: number, step: number, nodeResults: {}, pendingNodes: [] };
      const saved = await store.saveCheckpoint(buildCheckpoint(id, fields));
      assertSame(await store.getCheckpoint(saved.id), { ...saved, ...fields });
    }
  });

  testStore(
    "a checkpoint of an unknown session is SessionNotFoundError and nothing is written",
    async (store) => {
      await assertStoreError(store.saveCheckpoint(buildCheckpoint("no-such-session")), {
        tag: "SessionNotFoundError",
        startsWith: "Session not found: no-such-session",
      });
      assert.equal(await store.getLatestCheckpoint("no-such-session"), null);
      assert.deepEqual(await store.listSessions(), []);
    },
  );

  testStore("an unknown checkpoint is null", async (store) => {
    assert.equal(await store.getCheckpoint("no-such-checkpoint"), null);
    assert.equal(await store.getCheckpoint(""), null);
  });
}

function describeListing({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("namespace and limit choose among the newest saved", async (store) => {
    const { id } = await store.createSession("./d");
    const saved: Checkpoint[] = [];
    for (let version = 1; version <= 4; version++) {
      for (const namespace of ["a", "b"]) {
        saved.unshift(await store.saveCheckpoint(buildCheckpoint(id, { namespace, version })));
      }
    }
    const ofA = saved.filter((checkpoint) => checkpoint.namespace === "a");
    assertSame(await store.listCheckpoints(id), saved);
    assertSame(await store.listCheckpoints(id, { limit: 3 }), saved.slice(0, 3));
    assertSame(await store.listCheckpoints(id, { limit: 100 }), saved);
    assertSame(await store.listCheckpoints(id, { namespace: "a" }), ofA);
    assertSame(await store.listCheckpoints(id, { namespace: "a", limit: 2 }), ofA.slice(0, 2));
    assert.deepEqual(await store.listCheckpoints(id, { namespace: "no-such-namespace" }), []);
  });

  testStore("no limit, a limit of 0 and null options all mean every checkpoint", async (store) => {
    const { id } = await store.createSession("./d");
    const first = await store.saveCheckpoint(buildCheckpoint(id, { version: 1 }));
    const second = await store.saveCheckpoint(buildCheckpoint(id, { version: 2 }));
    const all = [
      undefined,
      null,
      {},
      { limit: 0 },
      { limit: undefined, namespace: undefined },
      { limit: null, namespace: null },
    ];
    for (const options of all) {
      assertSame(await callUntyped(store, "listCheckpoints", [id, options]), [second, first]);
    }
    assertSame(await store.listCheckpoints(id, { namespace: "graph", limit: 0 }), [second, first]);
  });

  testStore("a session's checkpoints are not seen in another, and none are an empty list", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    const saved = await store.saveCheckpoint(buildCheckpoint(a.id));
    assertSame(await store.listCheckpoints(a.id), [saved]);
    assert.deepEqual(await store.listCheckpoints(b.id), []);
  });

  testStore("the checkpoints of an unknown session are SessionNotFoundError", async (store) => {
    const expected = { tag: "SessionNotFoundError", startsWith: "Session not found: no-such-session" };
    await assertStoreError(store.listCheckpoints("no-such-session"), expected);
    await assertStoreError(store.listCheckpoints("no-such-session", { namespace: "a", limit: 1 }), expected);
  });
}
