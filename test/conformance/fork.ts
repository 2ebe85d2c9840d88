import assert from "node:assert/strict";
import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import {
  addTexts,
  buildCheckpoint,
  buildFullCheckpoint,
  buildFullMessage,
  buildMessage,
  readTexts,
} from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertAbsent, assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

export function describeFork(context: ConformanceContext): void {
  context.describe("fork", () => {
    describeForkedSession(context);
    describeForkedRows(context);
  });
}

function describeForkedSession({ testStore, assertStoreError }: ConformanceContext): void {
  testStore(
    "a fork is a new session with the original's directory, workspace and metadata",
    async (store) => {
      const options = {
        title: "Original",
        workspaceId: "ws",
        metadata: { tags: new Set(["a"]), at: new Date(3) },
      };
      const original = await store.createSession("./d", options);
      const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id));
      const fork = await store.fork(checkpoint.id, { title: "Other way" });
      const { id, createdAt, updatedAt } = fork;
      assert.notEqual(id, original.id);
      assertSame(fork, { ...original, id, createdAt, updatedAt, title: "Other way" });
      assertSame(await store.getSession(id), fork);
      assert.deepEqual(
        (await store.listSessions("ws")).map((session) => session.id).sort(),
        [id, original.id].sort(),
      );
    },
  );

  testStore("a fork without title is named after the original", async (store) => {
    const original = await store.createSession("./d", { title: "Original" });
    const { id } = await store.saveCheckpoint(buildCheckpoint(original.id));
    const untitled = [
      [id],
      [id, undefined],
      [id, null],
      [id, {}],
      [id, { title: undefined }],
      [id, { title: null }],
    ];
    for (const args of untitled) {
      assertSame(Reflect.get(Object(await callUntyped(store, "fork", args)), "title"), "Fork of Original");
    }
    assert.equal((await store.fork(id, { title: "" })).title, "");
  });

  testStore("a fork of an untitled session is named after the checkpoint", async (store) => {
    const untitled = await store.createSession("./d");
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(untitled.id));
    const fork = await store.fork(checkpoint.id);
    assert.equal(fork.title, `Fork of ${checkpoint.id}`);
    assertAbsent(fork, ["workspaceId", "metadata"]);
    assertAbsent(await store.getSession(fork.id), ["workspaceId", "metadata"]);
  });

  testStore("the empty title of a session is a title", async (store) => {
    const session = await store.createSession("./d", { title: "" });
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
    assert.equal((await store.fork(checkpoint.id)).title, "Fork of ");
  });

  testStore("an unknown checkpoint is CheckpointNotFoundError and makes no session", async (store) => {
    const session = await store.createSession("./d");
    await assertStoreError(store.fork("no-such-checkpoint", { title: "T" }), {
      tag: "CheckpointNotFoundError",
      startsWith: "Checkpoint not found: no-such-checkpoint",
    });
    assertSame(await store.listSessions(), [session]);
  });
}

function describeForkedRows({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("the one checkpoint of a fork is a copy that points to the one forked", async (store) => {
    const { id } = await store.createSession("./d");
    await store.saveCheckpoint(buildCheckpoint(id, { version: 1 }));
    const forked = await store.saveCheckpoint(buildFullCheckpoint(id));
    await store.saveCheckpoint(buildCheckpoint(id, { version: 8 }));
    const fork = await store.fork(forked.id);
    const [copy, ...more] = await store.listCheckpoints(fork.id);
    assert.equal(more.length, 0);
    assert.ok(copy, "the fork has no checkpoint");
    assert.notEqual(copy.id, forked.id);
    const changed = {
      id: copy?.id,
      createdAt: copy?.createdAt,
      sessionId: fork.id,
      parentId: forked.id,
      source: "fork",
    };
    assertSame(copy, { ...forked, ...changed });
    assertSame(await store.getLatestCheckpoint(fork.id), copy);
    assertSame(await store.getLatestCheckpoint(fork.id, forked.namespace), copy);
  });

  testStore("copied messages keep their content and time under ids of their own", async (store) => {
    const session = await store.createSession("./d");
    const originals = [
      await store.addMessage(session.id, buildFullMessage(session.id)),
      await store.addMessage(session.id, buildMessage(session.id, { role: "system" })),
    ];
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
    const fork = await store.fork(checkpoint.id);
    const copies = await store.getMessages(fork.id);
    const expected = originals.map((message, n) => ({ ...message, sessionId: fork.id, id: copies[n]?.id }));
    assertSame(copies, expected);
    assert.equal(new Set([...originals, ...copies].map((message) => message.id)).size, 4);
  });

  testStore("the original is untouched by a fork and by what is done in it", async (store) => {
    const original = await store.createSession("./d", { title: "Original", metadata: { a: 1 } });
    await addTexts(store, original, ["one"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id));
    await addTexts(store, original, ["two"]);
    const before = await readWhole(store, original.id);
    const fork = await store.fork(checkpoint.id);
    assertSame(await readWhole(store, original.id), before);
    await addTexts(store, fork, ["three"]);
    await store.saveCheckpoint(buildCheckpoint(fork.id, { version: 2 }));
    await store.updateSession(fork.id, { title: "Mine", metadata: {} });
    assertSame(await readWhole(store, original.id), before);
    await store.deleteSession(fork.id);
    assertSame(await readWhole(store, original.id), before);
  });

  testStore("a fork outlives its original", async (store) => {
    const original = await store.createSession("./d");
    await addTexts(store, original, ["one"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id));
    const fork = await store.fork(checkpoint.id);
    const before = await readWhole(store, fork.id);
    await store.deleteSession(original.id);
    assertSame(await readWhole(store, fork.id), before);
  });

  testStore("a fork continues with the next version and its own conversation", async (store) => {
    const original = await store.createSession("./d");
    await addTexts(store, original, ["one"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id, { version: 4, step: 2 }));
    const fork = await store.fork(checkpoint.id);
    const next = await store.saveCheckpoint(buildCheckpoint(fork.id, { version: 5, step: 0 }));
    await addTexts(store, fork, ["two"]);
    assertSame(await store.getLatestCheckpoint(fork.id), next);
    assert.deepEqual(await readTexts(store, fork.id), ["one", "two"]);
    assert.deepEqual(await readTexts(store, original.id), ["one"]);
    await assertStoreError(store.saveCheckpoint(buildCheckpoint(fork.id, { version: 4 })), {
      tag: "CheckpointVersionConflictError",
    });
  });
}

async function readWhole(store: CheckpointBackend, sessionId: string): Promise<readonly unknown[]> {
  return [
    await store.getSession(sessionId),
    await store.getMessages(sessionId),
    await store.listCheckpoints(sessionId),
  ];
}
