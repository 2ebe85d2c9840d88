import assert from "node:assert/strict";
import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import { addTexts, buildCheckpoint, buildMessage, readTexts } from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertGreater, assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

export function describeConcurrency(context: ConformanceContext): void {
  context.describe("overlapping calls", () => {
    describeManyCalls(context);
    describeReadsSeeWrites(context);
    describeSnapshots(context);
    describeFailingAlone(context);
  });
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

function describeManyCalls({ testStore }: ConformanceContext): void {
  testStore("200 messages added at once are all stored, in the order of the calls", async (store) => {
    const { id } = await store.createSession("./d");
    const stored = await Promise.all(
      range(200).map((n) => store.addMessage(id, buildMessage(id, { content: `message ${n}` }))),
    );
    assert.deepEqual(
      stored.map((message) => message.content),
      range(200).map((n) => `message ${n}`),
    );
    assertSame(await store.getMessages(id), stored);
  });

  testStore("200 checkpoints saved at once are all stored, the last call being the newest", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await Promise.all(
      range(200).map((n) => store.saveCheckpoint(buildCheckpoint(id, { version: 200 - n, step: n % 7 }))),
    );
    assert.equal(new Set(saved.map((checkpoint) => checkpoint.id)).size, 200);
    assertSame(await store.listCheckpoints(id), saved.reverse());
  });

  testStore("200 sessions created at once are 200 sessions", async (store) => {
    const created = await Promise.all(range(200).map((n) => store.createSession(`./${n}`)));
    assert.deepEqual(
      created.map((session) => session.directory),
      range(200).map((n) => `./${n}`),
    );
    assert.equal(new Set((await store.listSessions()).map((session) => session.id)).size, 200);
  });

  testStore("reads and writes of ten sessions do not mix when they overlap", async (store) => {
    const sessions = await Promise.all(range(10).map((n) => store.createSession(`./${n}`)));
    await Promise.all(
      sessions.map(async ({ id, directory }) => {
        for (const version of range(5)) {
          await Promise.all([
            store.addMessage(id, buildMessage(id, { content: `${directory} ${version}` })),
            store.saveCheckpoint(buildCheckpoint(id, { version })),
          ]);
          assert.equal((await store.getLatestCheckpoint(id))?.version, version);
        }
      }),
    );
    for (const { id, directory } of sessions) {
      assert.deepEqual(
        await readTexts(store, id),
        range(5).map((n) => `${directory} ${n}`),
      );
    }
  });

  testStore("forks of one checkpoint made at once are equal and separate", async (store) => {
    const session = await store.createSession("./d");
    await addTexts(store, session, ["one", "two"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
    const forks = await Promise.all(range(20).map(() => store.fork(checkpoint.id)));
    assert.equal(new Set(forks.map((fork) => fork.id)).size, 20);
    for (const fork of forks) assert.deepEqual(await readTexts(store, fork.id), ["one", "two"]);
  });
}

function describeReadsSeeWrites({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("a read sees the message whose call came before it, awaited or not", async (store) => {
    const session = await store.createSession("./d");
    const adding = store.addMessage(session.id, buildMessage(session.id, { content: "first" }));
    const [messages, found] = await Promise.all([
      store.getMessages(session.id),
      store.getSession(session.id),
    ]);
    assertSame(messages, [await adding]);
    assertGreater(found?.updatedAt ?? 0, session.updatedAt);
  });

  testStore("every kind of checkpoint read sees the save whose call came before it", async (store) => {
    const { id } = await store.createSession("./d");
    const saving = store.saveCheckpoint(buildCheckpoint(id));
    const reads = [store.getLatestCheckpoint(id), store.getLatestCheckpoint(id, "graph")];
    const [listed, latest] = await Promise.all([store.listCheckpoints(id, { limit: 1 }), Promise.all(reads)]);
    const saved = await saving;
    assertSame([listed, latest], [[saved], [saved, saved]]);
  });

  testStore(
    "a list of sessions sees a creation, an update and a deletion called before it",
    async (store) => {
      const [kept, gone] = [await store.createSession("./a"), await store.createSession("./b")];
      const writes: Promise<unknown>[] = [
        store.createSession("./c"),
        store.updateSession(kept.id, { title: "new" }),
        store.deleteSession(gone.id),
      ];
      const [listed, found, missing] = await Promise.all([
        store.listSessions(),
        store.getSession(kept.id),
        store.getSession(gone.id),
      ]);
      await Promise.all(writes);
      assert.deepEqual(listed.map((session) => session.directory).sort(), ["./a", "./c"]);
      assert.deepEqual([found?.title, missing], ["new", null]);
    },
  );

  testStore(
    "a read that is not awaited sees what was called before it after a failed write too",
    async (store) => {
      const { id } = await store.createSession("./d");
      const failing = store.addMessage("no-such-session", buildMessage(id)).catch(() => "failed");
      const adding = store.addMessage(id, buildMessage(id, { content: "stored" }));
      assert.deepEqual(await readTexts(store, id), ["stored"]);
      assert.equal(await failing, "failed");
      await adding;
    },
  );

  testStore(
    "a write called after a deletion finds no session, one called before it was stored",
    async (store) => {
      const { id } = await store.createSession("./d");
      const before = store.addMessage(id, buildMessage(id, { content: "before" }));
      const deleting = store.deleteSession(id);
      const after = store.addMessage(id, buildMessage(id, { content: "after" }));
      await assertStoreError(after, { tag: "SessionNotFoundError" });
      assert.equal((await before).content, "before");
      await deleting;
      assert.equal(await store.getSession(id), null);
    },
  );

  testStore(
    "a fork sees the messages called before its checkpoint and a deletion called before it",
    async (store) => {
      const { id } = await store.createSession("./d");
      const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
      const forking = store.fork(checkpoint.id);
      const deleting = store.deleteSession(id);
      const tooLate = store.fork(checkpoint.id);
      await assertStoreError(tooLate, { tag: "CheckpointNotFoundError" });
      await deleting;
      const fork = await forking;
      assert.deepEqual(
        (await store.listSessions()).map((session) => session.id),
        [fork.id],
      );
    },
  );
}

function describeSnapshots({ testStore }: ConformanceContext): void {
  testStore("what is changed in a message after the call does not matter", async (store) => {
    const { id } = await store.createSession("./d");
    const input: Record<string, unknown> = { list: [1], when: new Date(1), map: new Map([["k", { v: 1 }]]) };
    const message = buildMessage(id, {
      content: "before",
      toolCalls: [{ name: "n", toolUseId: "t", input }],
    });
    const adding = store.addMessage(id, message);
    Object.assign(message, { content: "after", role: "tool", tokensIn: -1 });
    Object.assign(input, { list: "gone", added: true, map: new Map() });
    const expected = { list: [1], when: new Date(1), map: new Map([["k", { v: 1 }]]) };
    for (const found of [await adding, ...(await store.getMessages(id))]) {
      assertSame([found.role, found.content, found.tokensIn], ["user", "before", undefined]);
      assertSame(found.toolCalls?.[0]?.input, expected);
    }
  });

  testStore("what is changed in a checkpoint after the call does not matter", async (store) => {
    const { id } = await store.createSession("./d");
    const output = { hosts: new Set(["a"]), deep: { n: 1 } };
    const pendingNodes = ["b"];
    const cycleState = { backEdge: "b->a", iteration: 1 };
    const nodeResults = { a: { status: "completed" as const, output } };
    const checkpoint = buildCheckpoint(id, { nodeResults, pendingNodes, cycleState });
    const saving = store.saveCheckpoint(checkpoint);
    output.hosts.add("z");
    output.deep.n = 2;
    pendingNodes.push("z");
    cycleState.iteration = 2;
    Object.assign(nodeResults, { z: { status: "failed" } });
    Object.assign(checkpoint, { version: 9, namespace: "other" });
    for (const found of [await saving, ...(await store.listCheckpoints(id))]) {
      assertSame([found.version, found.namespace, found.pendingNodes], [1, "graph", ["b"]]);
      assertSame(found.cycleState, { backEdge: "b->a", iteration: 1 });
      const results = { a: { status: "completed", output: { hosts: new Set(["a"]), deep: { n: 1 } } } };
      assertSame(found.nodeResults, results);
    }
  });

  testStore("what is changed in metadata and options after the call does not matter", async (store) => {
    const metadata: Record<string, unknown> = { tags: ["a"] };
    const options = { title: "before", metadata };
    const creating = store.createSession("./d", options);
    Object.assign(options, { title: "after", metadata: {} });
    Object.assign(metadata, { tags: ["z"] });
    const session = await creating;
    for (const found of [session, await store.getSession(session.id)]) {
      assertSame([found?.title, found?.metadata], ["before", { tags: ["a"] }]);
    }
    const updates = { title: "updated", metadata: { n: [1] } };
    const updating = store.updateSession(session.id, updates);
    updates.metadata.n.push(2);
    updates.title = "after";
    await updating;
    const found = await store.getSession(session.id);
    assertSame([found?.title, found?.metadata], ["updated", { n: [1] }]);
  });

  testStore("what is changed in an answer does not change the store", async (store) => {
    const metadata = { tags: ["a"] };
    const session = await store.createSession("./d", { metadata });
    Object.assign(session.metadata ?? {}, { tags: "changed" });
    const found = await store.getSession(session.id);
    Object.assign(found?.metadata ?? {}, { tags: "changed" });
    assertSame((await store.getSession(session.id))?.metadata, { tags: ["a"] });
    assert.equal(metadata.tags.length, 1);
  });
}

function describeFailingAlone({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("of many calls at once only the bad ones fail", async (store) => {
    const { id } = await store.createSession("./d");
    const outcomes = await Promise.allSettled([
      store.addMessage(id, buildMessage(id, { content: "one" })),
      store.addMessage("no-such-session", buildMessage(id)),
      store.saveCheckpoint(buildCheckpoint(id, { version: 1 })),
      store.saveCheckpoint(buildCheckpoint(id, { version: 1 })),
      store.fork("no-such-checkpoint"),
      callUntyped(store, "addMessage", [id, { role: "robot" }]),
      store.updateSession(id, { title: "T" }),
      store.updateSession("no-such-session", { title: "T" }),
      store.addMessage(id, buildMessage(id, { content: "two" })),
    ]);
    const tags = outcomes.map((outcome) =>
      outcome.status === "rejected" ? Reflect.get(Object(outcome.reason), "_tag") : "ok",
    );
    const lost = "SessionNotFoundError";
    assert.deepEqual(tags, [
      "ok",
      lost,
      "ok",
      "CheckpointVersionConflictError",
      "CheckpointNotFoundError",
      "InvalidArgumentError",
      "ok",
      lost,
      "ok",
    ]);
    await assertOneCheckpointAndTwoTexts(store, id);
  });

  testStore("one version saved 50 times at once is saved once", async (store) => {
    const { id } = await store.createSession("./d");
    const saves = range(50).map((step) => store.saveCheckpoint(buildCheckpoint(id, { step })));
    const outcomes = await Promise.allSettled(saves);
    const saved = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    assert.equal(saved.length, 1);
    assertSame(await store.listCheckpoints(id), saved);
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") continue;
      await assertStoreError(saves[index] ?? Promise.resolve(), {
        tag: "CheckpointVersionConflictError",
      });
    }
  });
}

async function assertOneCheckpointAndTwoTexts(store: CheckpointBackend, sessionId: string): Promise<void> {
  assert.deepEqual(await readTexts(store, sessionId), ["one", "two"]);
  assert.equal((await store.listCheckpoints(sessionId)).length, 1);
  assert.deepEqual(
    (await store.listSessions()).map((session) => session.title),
    ["T"],
  );
}
