import assert from "node:assert/strict";
import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

/** Strings that a store which builds SQL, folds case, trims or truncates would change or trip over. */
const awkwardTexts: readonly string[] = [
  "'; DROP TABLE sessions; --",
  `" OR "1"="1`,
  "' OR 1=1 --",
  "%",
  "_",
  "?1 :name @name $name",
  "días — 日本語 🚀 👩‍👩‍👧",
  "e\u0301 is not \u00e9",
  "a\u0000b",
  "\u0000",
  " leading and trailing \n\t",
  "null",
  "0",
  "1e3",
  "__proto__",
  "constructor",
  "\ufeffwith a byte order mark",
  "\ufeff",
  "\ufeff\ufeffwith two",
  "\ufffewith the mark's bytes swapped",
];

/** SQLite's own text encoding cannot hold these: refused or kept, but never altered. */
const loneSurrogates: readonly string[] = ["\ud800", "\udfff", "a\ud83d", "\ude80b"];

export function describeText(context: ConformanceContext): void {
  context.describe("text", () => {
    describeKeys(context);
    describeContent(context);
    describeLoneSurrogates(context);
  });
}

function describeKeys({ testStore, assertStoreError }: ConformanceContext): void {
  for (const text of awkwardTexts) {
    testStore(`${JSON.stringify(text)} is an id like any other, and unknown`, async (store) => {
      const session = await store.createSession("./d", { workspaceId: "ws" });
      const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
      assert.deepEqual([await store.getSession(text), await store.getCheckpoint(text)], [null, null]);
      assert.equal(await store.getLatestCheckpoint(text, text), null);
      assert.deepEqual(await store.listSessions(text), []);
      assert.deepEqual(await store.listCheckpoints(session.id, { namespace: text }), []);
      const startsWith = `Session not found: ${text}`;
      await assertStoreError(store.getMessages(text), { tag: "SessionNotFoundError", startsWith });
      await store.deleteSession(text);
      assertSame(await store.listCheckpoints(session.id), [checkpoint]);
    });

    testStore(`${JSON.stringify(text)} is kept as workspace, namespace, title and node`, async (store) => {
      const session = await store.createSession(text, { title: text, workspaceId: text });
      assert.deepEqual([session.directory, session.title, session.workspaceId], [text, text, text]);
      assertSame(await store.listSessions(text), [session]);
      const fields = { namespace: text, nodeId: text, parentId: text, pendingNodes: [text] };
      const saved = await store.saveCheckpoint(buildCheckpoint(session.id, fields));
      assertSame(saved, { ...saved, ...fields });
      assertSame(await store.getLatestCheckpoint(session.id, text), saved);
      assertSame(await store.listCheckpoints(session.id, { namespace: text }), [saved]);
    });
  }

  testStore("namespaces and workspaces that differ in anything are different", async (store) => {
    const texts = ["a", "A", "a ", "a\u0000", "a\u0000b", "\u00e9", "e\u0301", "1", "1.0", ""];
    const { id } = await store.createSession("./d", { workspaceId: "a" });
    for (const namespace of texts) await store.saveCheckpoint(buildCheckpoint(id, { namespace }));
    for (const namespace of texts) {
      const listed = await store.listCheckpoints(id, { namespace });
      assert.deepEqual(
        listed.map((checkpoint) => checkpoint.namespace),
        [namespace],
      );
    }
    assert.deepEqual(await store.listSessions("A"), []);
    assert.deepEqual(await store.listSessions("a\u0000"), []);
  });
}

function describeContent({ testStore }: ConformanceContext): void {
  testStore("every awkward text is kept as content, tool name and tool result", async (store) => {
    const { id } = await store.createSession("./d");
    for (const text of awkwardTexts) {
      const stored = await store.addMessage(id, messageOf(id, text));
      assertSame(stored, { ...stored, ...messageOf(id, text) });
    }
    const found = await store.getMessages(id);
    assert.deepEqual(
      found.map((message) => message.content),
      [...awkwardTexts],
    );
    assert.deepEqual(
      found.map((message) => message.toolCalls?.[0]?.name),
      [...awkwardTexts],
    );
    assert.deepEqual(
      found.map((message) => message.toolResults?.[0]?.content),
      [...awkwardTexts],
    );
  });

  testStore("a megabyte of content is kept", async (store) => {
    const { id } = await store.createSession("./d");
    const content = "0123456789é\u0000".repeat(100_000);
    const stored = await store.addMessage(id, buildMessage(id, { content }));
    const [found] = await store.getMessages(id);
    // Compared without a diff, which a megabyte would make unreadable.
    for (const message of [stored, found]) assert.ok(message?.content === content, "the content changed");
  });
}

function describeLoneSurrogates({ testStore, assertStoreError }: ConformanceContext): void {
  const fields: readonly [string, (store: CheckpointBackend, text: string) => Promise<unknown>][] = [
    ["directory", async (store, text) => (await reread(store, await store.createSession(text)))?.directory],
    [
      "title",
      async (store, title) => (await reread(store, await store.createSession("./d", { title })))?.title,
    ],
    [
      "workspaceId",
      async (store, workspaceId) =>
        (await reread(store, await store.createSession("./d", { workspaceId })))?.workspaceId,
    ],
    ["content", async (store, content) => (await rereadMessage(store, { content }))?.content],
    ["namespace", async (store, namespace) => (await rereadCheckpoint(store, { namespace }))?.namespace],
    ["nodeId", async (store, nodeId) => (await rereadCheckpoint(store, { nodeId }))?.nodeId],
    ["parentId", async (store, parentId) => (await rereadCheckpoint(store, { parentId }))?.parentId],
    [
      "pendingNodes",
      async (store, node) => (await rereadCheckpoint(store, { pendingNodes: [node] }))?.pendingNodes[0],
    ],
  ];
  for (const [name, keep] of fields) {
    const isProse = name === "title" || name === "content";
    testStore(
      `a lone surrogate in ${name} is ${isProse ? "written as U+FFFD" : "refused or kept"}`,
      async (store) => {
        for (const text of loneSurrogates) {
          const back = await keep(store, text).catch((error: unknown) => error);
          if (!(back instanceof Error)) assert.equal(back, isProse ? text.toWellFormed() : text);
          else
            await assertStoreError(Promise.reject(isProse ? undefined : back), {
              tag: "InvalidArgumentError",
              includes: name,
            });
        }
      },
    );
  }

  testStore(
    "a lone surrogate is written as U+FFFD in the title of an update and of a fork",
    async (store) => {
      const { id } = await store.createSession("./d");
      await store.updateSession(id, { title: "a\ud83d" });
      assert.equal((await store.getSession(id))?.title, "a\ufffd");
      const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
      const fork = await store.fork(checkpoint.id, { title: "\ude00b" });
      assert.deepEqual([fork.title, (await store.getSession(fork.id))?.title], ["\ufffdb", "\ufffdb"]);
    },
  );

  testStore("two lone surrogates never become one key", async (store) => {
    const session = await store.createSession("./d");
    for (const namespace of ["\ud800", "\udfff"]) {
      const saving = store.saveCheckpoint(buildCheckpoint(session.id, { namespace }));
      const outcome = await Promise.allSettled([saving]);
      if (outcome[0].status === "fulfilled") continue;
      await assertStoreError(saving, { tag: "InvalidArgumentError", includes: "namespace" });
    }
    for (const id of ["\ud800", "\ufffd"]) {
      const found = await store.getSession(id).catch((error: unknown) => error);
      assert.ok(found === null || found instanceof Error, `Neither null nor an error: ${String(found)}`);
    }
  });

  testStore("a message with lone surrogates is returned as it is read", async (store) => {
    const { id } = await store.createSession("./d");
    for (const text of loneSurrogates) {
      const stored = await store.addMessage(id, messageOf(id, text));
      const expected = { ...messageOf(id, text), content: text.toWellFormed() };
      assertSame(stored, { ...stored, ...expected });
      assertSame((await store.getMessages(id)).at(-1), stored);
    }
  });

  testStore("a refused text is refused before anything is written", async (store) => {
    const session = await store.createSession("./d");
    const saving = store.saveCheckpoint(buildCheckpoint(session.id, { namespace: "\ud800" }));
    await assertStoreError(saving, { tag: "InvalidArgumentError", includes: "namespace" });
    const creating = store.createSession("./d", { workspaceId: "\ud800" });
    await assertStoreError(creating, { tag: "InvalidArgumentError", includes: "workspaceId" });
    assertSame(await store.listSessions(), [session]);
    assert.deepEqual(await store.listCheckpoints(session.id), []);
  });
}

function messageOf(sessionId: string, text: string) {
  return buildMessage(sessionId, {
    content: text,
    toolCalls: [{ name: text, toolUseId: text, input: { [text]: text } }],
    toolResults: [{ toolUseId: text, content: text, status: text, fullOutputRef: text }],
  });
}

function reread(store: CheckpointBackend, created: { id: string }) {
  return store.getSession(created.id);
}

async function rereadMessage(store: CheckpointBackend, fields: { content: string }) {
  const { id } = await store.createSession("./d");
  await store.addMessage(id, buildMessage(id, fields));
  return (await store.getMessages(id))[0];
}

async function rereadCheckpoint(store: CheckpointBackend, fields: Parameters<typeof buildCheckpoint>[1]) {
  const { id } = await store.createSession("./d");
  return store.getCheckpoint((await store.saveCheckpoint(buildCheckpoint(id, fields))).id);
}
