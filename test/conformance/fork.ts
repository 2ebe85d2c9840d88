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
import type { ConformanceContext } from "./context.js";

export function describeFork(context: ConformanceContext): void {
  context.describe("fork", () => {
    describeForkedSession(context);
    describeForkedRows(context);
  });
}

function describeForkedSession({ testStore, expect, ...context }: ConformanceContext): void {
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
      expect(id === original.id).toBe(false);
      context.expectSame(fork, { ...original, id, createdAt, updatedAt, title: "Other way" });
      context.expectSame(await store.getSession(id), fork);
      expect((await store.listSessions("ws")).map((session) => session.id).sort()).toEqual(
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
      context.expectSame(
        Reflect.get(Object(await callUntyped(store, "fork", args)), "title"),
        "Fork of Original",
      );
    }
    expect((await store.fork(id, { title: "" })).title).toBe("");
  });

  testStore("a fork of an untitled session is named after the checkpoint", async (store) => {
    const untitled = await store.createSession("./d");
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(untitled.id));
    const fork = await store.fork(checkpoint.id);
    expect(fork.title).toBe(`Fork of ${checkpoint.id}`);
    context.expectAbsent(fork, ["workspaceId", "metadata"]);
    context.expectAbsent(await store.getSession(fork.id), ["workspaceId", "metadata"]);
  });

  testStore("the empty title of a session is a title", async (store) => {
    const session = await store.createSession("./d", { title: "" });
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
    expect((await store.fork(checkpoint.id)).title).toBe("Fork of ");
  });

  testStore("an unknown checkpoint is CheckpointNotFoundError and makes no session", async (store) => {
    const session = await store.createSession("./d");
    await context.expectStoreError(store.fork("no-such-checkpoint", { title: "T" }), {
      tag: "CheckpointNotFoundError",
      startsWith: "Checkpoint not found: no-such-checkpoint",
    });
    context.expectSame(await store.listSessions(), [session]);
  });
}

function describeForkedRows({ testStore, expect, ...context }: ConformanceContext): void {
  testStore("the one checkpoint of a fork is a copy that points to the one forked", async (store) => {
    const { id } = await store.createSession("./d");
    await store.saveCheckpoint(buildCheckpoint(id, { version: 1 }));
    const forked = await store.saveCheckpoint(buildFullCheckpoint(id));
    await store.saveCheckpoint(buildCheckpoint(id, { version: 8 }));
    const fork = await store.fork(forked.id);
    const [copy, ...more] = await store.listCheckpoints(fork.id);
    expect(more.length).toBe(0);
    expect(copy === undefined || copy.id === forked.id).toBe(false);
    const changed = {
      id: copy?.id,
      createdAt: copy?.createdAt,
      sessionId: fork.id,
      parentId: forked.id,
      source: "fork",
    };
    context.expectSame(copy, { ...forked, ...changed });
    context.expectSame(await store.getLatestCheckpoint(fork.id), copy);
    context.expectSame(await store.getLatestCheckpoint(fork.id, forked.namespace), copy);
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
    context.expectSame(copies, expected);
    expect(new Set([...originals, ...copies].map((message) => message.id)).size).toBe(4);
  });

  testStore("the original is untouched by a fork and by what is done in it", async (store) => {
    const original = await store.createSession("./d", { title: "Original", metadata: { a: 1 } });
    await addTexts(store, original, ["one"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id));
    await addTexts(store, original, ["two"]);
    const before = await readWhole(store, original.id);
    const fork = await store.fork(checkpoint.id);
    context.expectSame(await readWhole(store, original.id), before);
    await addTexts(store, fork, ["three"]);
    await store.saveCheckpoint(buildCheckpoint(fork.id, { version: 2 }));
    await store.updateSession(fork.id, { title: "Mine", metadata: {} });
    context.expectSame(await readWhole(store, original.id), before);
    await store.deleteSession(fork.id);
    context.expectSame(await readWhole(store, original.id), before);
  });

  testStore("a fork outlives its original", async (store) => {
    const original = await store.createSession("./d");
    await addTexts(store, original, ["one"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id));
    const fork = await store.fork(checkpoint.id);
    const before = await readWhole(store, fork.id);
    await store.deleteSession(original.id);
    context.expectSame(await readWhole(store, fork.id), before);
  });

  testStore("a fork goes on with the next version and its own conversation", async (store) => {
    const original = await store.createSession("./d");
    await addTexts(store, original, ["one"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id, { version: 4, step: 2 }));
    const fork = await store.fork(checkpoint.id);
    const next = await store.saveCheckpoint(buildCheckpoint(fork.id, { version: 5, step: 0 }));
    await addTexts(store, fork, ["two"]);
    context.expectSame(await store.getLatestCheckpoint(fork.id), next);
    expect(await readTexts(store, fork.id)).toEqual(["one", "two"]);
    expect(await readTexts(store, original.id)).toEqual(["one"]);
    await context.expectStoreError(store.saveCheckpoint(buildCheckpoint(fork.id, { version: 4 })), {
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
