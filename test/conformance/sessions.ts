import assert from "node:assert/strict";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import {
  assertAbsent,
  assertAtLeast,
  assertGreater,
  assertSafeInteger,
  assertSame,
  assertUuid,
} from "./assertions.js";
import type { ConformanceContext } from "./context.js";

const OPTIONAL = ["title", "workspaceId", "metadata"];

export function describeSessions(context: ConformanceContext): void {
  context.describe("sessions", () => {
    describeCreating(context);
    describeListing(context);
    describeUpdating(context);
    describeDeleting(context);
  });
}

function describeCreating({ testStore, testStoreWithClock }: ConformanceContext): void {
  testStore("a new session has a UUID, its directory and one time for both of its times", async (store) => {
    const session = await store.createSession("./project");
    assertUuid(session.id);
    assert.equal(session.directory, "./project");
    assertSafeInteger(session.createdAt);
    assert.equal(session.updatedAt, session.createdAt);
  });

  testStore("a session reads back as it was returned when it was created", async (store) => {
    const options = {
      title: "Scan",
      workspaceId: "ws-1",
      metadata: { started: new Date(5), tags: new Set(["a"]) },
    };
    const created = await store.createSession("./project", options);
    assertSame(created, { ...created, ...options, directory: "./project" });
    assertSame(await store.getSession(created.id), created);
    assertSame(await store.listSessions(), [created]);
  });

  testStore("optional fields that were not given are absent everywhere", async (store) => {
    const created = await store.createSession("./project");
    const [listed] = await store.listSessions();
    for (const session of [created, await store.getSession(created.id), listed]) {
      assertAbsent(session, OPTIONAL);
    }
  });

  testStore("null options, and null for an option, mean that it was not given", async (store) => {
    const bare = await callUntyped(store, "createSession", ["./a", null]);
    const nulls = await callUntyped(store, "createSession", [
      "./b",
      { title: null, workspaceId: null, metadata: null },
    ]);
    for (const session of [bare, nulls, ...(await store.listSessions())]) {
      assertAbsent(session, OPTIONAL);
    }
  });

  testStore("empty strings and an empty metadata record are values, not absence", async (store) => {
    const options = { title: "", workspaceId: "", metadata: {} };
    const created = await store.createSession("", options);
    assertSame(created, { ...created, ...options, directory: "" });
    assertSame(await store.getSession(created.id), created);
  });

  testStore("two sessions in one directory are two sessions", async (store) => {
    const [first, second] = [await store.createSession("./same"), await store.createSession("./same")];
    assert.notEqual(first.id, second.id);
    assert.equal((await store.listSessions()).length, 2);
  });

  testStore("an unknown session is null", async (store) => {
    assert.equal(await store.getSession("no-such-session"), null);
    assert.equal(await store.getSession(""), null);
  });

  testStoreWithClock("times are whole milliseconds, whatever the clock returns", async (store, clock) => {
    clock.now += 0.75;
    const { id, createdAt } = await store.createSession("./d");
    assert.equal(createdAt, Math.floor(clock.now));
    assert.equal((await store.getSession(id))?.createdAt, createdAt);
  });

  testStoreWithClock("a session's times are the clock's", async (store, clock) => {
    const session = await store.createSession("./project");
    assert.deepEqual([session.createdAt, session.updatedAt], [clock.now, clock.now]);
  });
}

function describeListing({ testStore, testStoreWithClock }: ConformanceContext): void {
  testStore("a fresh store has no sessions", async (store) => {
    assert.deepEqual(await store.listSessions(), []);
    assert.deepEqual(await store.listSessions("ws"), []);
  });

  testStore("the workspace filter lists that workspace's sessions and no others", async (store) => {
    const mine = await store.createSession("./a", { workspaceId: "ws-1" });
    await store.createSession("./b", { workspaceId: "ws-10" });
    await store.createSession("./c");
    assertSame(await store.listSessions("ws-1"), [mine]);
    assert.deepEqual(await store.listSessions("ws"), []);
    assert.equal((await store.listSessions()).length, 3);
  });

  testStoreWithClock(
    "of the same millisecond the last created comes first, with or without a workspace",
    async (store) => {
      const ids: string[] = [];
      for (let n = 0; n < 3; n++)
        ids.unshift((await store.createSession(`./${n}`, { workspaceId: "ws" })).id);
      for (const workspace of ["ws", undefined]) {
        assert.deepEqual(
          (await store.listSessions(workspace)).map(({ id }) => id),
          ids,
        );
      }
    },
  );

  testStore("a null workspace lists all sessions", async (store) => {
    await store.createSession("./a", { workspaceId: "ws-1" });
    await store.createSession("./b");
    assertSame(await callUntyped(store, "listSessions", [null]), await store.listSessions());
    assert.equal((await store.listSessions()).length, 2);
  });

  testStore("updatedAt never increases along the list", async (store) => {
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) ids.push((await store.createSession(`./${n}`, { workspaceId: "ws" })).id);
    for (const id of [ids[3], ids[0], ids[5]]) await store.updateSession(id ?? "", { title: "touched" });
    for (const list of [await store.listSessions(), await store.listSessions("ws")]) {
      const times = list.map((session) => session.updatedAt);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      );
      assert.equal(times.length, 6);
    }
  });

  testStoreWithClock(
    "the session touched last comes first, with and without the filter",
    async (store, clock) => {
      const ids: string[] = [];
      for (const directory of ["a", "b", "c"]) {
        clock.now += 1000;
        ids.push((await store.createSession(directory, { workspaceId: "ws" })).id);
      }
      const [a = "", b = "", c = ""] = ids;
      clock.now += 1000;
      await store.updateSession(a, { title: "touched" });
      clock.now += 1000;
      await store.addMessage(b, buildMessage(b, { content: "hello" }));
      for (const list of [await store.listSessions(), await store.listSessions("ws")]) {
        assert.deepEqual(
          list.map((session) => session.id),
          [b, a, c],
        );
      }
    },
  );
}

function describeUpdating({ testStore, testStoreWithClock, assertStoreError }: ConformanceContext): void {
  testStore("title, workspace, directory and metadata are set if given", async (store) => {
    const session = await store.createSession("./old");
    const updates = { title: "New", workspaceId: "ws", directory: "./new", metadata: { at: new Date(1) } };
    await store.updateSession(session.id, updates);
    const found = await store.getSession(session.id);
    assertSame(found, { ...session, ...updates, updatedAt: found?.updatedAt });
    assert.equal((await store.listSessions("ws")).length, 1);
  });

  testStore("what is absent or undefined in an update is kept", async (store) => {
    const session = await store.createSession("./d", { title: "T", workspaceId: "ws", metadata: { a: 1 } });
    await store.updateSession(session.id, { title: "U" });
    await callUntyped(store, "updateSession", [
      session.id,
      { title: undefined, workspaceId: undefined, directory: undefined, metadata: undefined },
    ]);
    const found = await store.getSession(session.id);
    assertSame(found, { ...session, title: "U", updatedAt: found?.updatedAt });
  });

  testStore("null in an update clears title, workspace and metadata", async (store) => {
    const session = await store.createSession("./d", { title: "T", workspaceId: "ws", metadata: { a: 1 } });
    await callUntyped(store, "updateSession", [
      session.id,
      { title: null, workspaceId: null, metadata: null },
    ]);
    assertAbsent(await store.getSession(session.id), OPTIONAL);
    assert.deepEqual(await store.listSessions("ws"), []);
  });

  testStore("the directory cannot be cleared", async (store) => {
    const session = await store.createSession("./d");
    await callUntyped(store, "updateSession", [session.id, { directory: null }]).catch(() => undefined);
    assert.equal((await store.getSession(session.id))?.directory, "./d");
  });

  testStore("metadata is replaced whole, not merged", async (store) => {
    const session = await store.createSession("./d", { metadata: { a: 1, nested: { b: 2 } } });
    await store.updateSession(session.id, { metadata: { nested: { c: 3 } } });
    assertSame((await store.getSession(session.id))?.metadata, { nested: { c: 3 } });
  });

  testStore("id, createdAt and updatedAt in an update are ignored", async (store) => {
    const session = await store.createSession("./d");
    await store.updateSession(session.id, { id: "other", createdAt: 1, updatedAt: 2, title: "T" });
    const found = await store.getSession(session.id);
    assertSame(found, { ...session, title: "T", updatedAt: found?.updatedAt });
    assertAtLeast(found?.updatedAt ?? 0, session.updatedAt);
    assert.equal(await store.getSession("other"), null);
  });

  testStore("an update moves updatedAt forward", async (store) => {
    const session = await store.createSession("./d");
    let before = session.updatedAt;
    for (const title of ["a", "b", "c"]) {
      await store.updateSession(session.id, { title });
      const after = (await store.getSession(session.id))?.updatedAt ?? 0;
      assertGreater(after, before);
      before = after;
    }
  });

  testStoreWithClock("updatedAt moves forward even when the clock is set back", async (store, clock) => {
    const session = await store.createSession("./d");
    clock.now -= 60_000;
    await store.updateSession(session.id, { title: "later" });
    const updated = (await store.getSession(session.id))?.updatedAt ?? 0;
    assertGreater(updated, session.updatedAt);
    await store.addMessage(session.id, buildMessage(session.id));
    assertGreater((await store.getSession(session.id))?.updatedAt ?? 0, updated);
  });

  testStore("an update of one session leaves the others alone", async (store) => {
    const other = await store.createSession("./d", { title: "Other" });
    const session = await store.createSession("./d");
    await store.updateSession(session.id, { title: "Mine", directory: "./e" });
    assertSame(await store.getSession(other.id), other);
  });

  testStore("an update of an unknown session is SessionNotFoundError", async (store) => {
    await assertStoreError(store.updateSession("no-such-session", { title: "T" }), {
      tag: "SessionNotFoundError",
      startsWith: "Session not found: no-such-session",
    });
    assert.deepEqual(await store.listSessions(), []);
  });
}

function describeDeleting({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("deleting a session removes its messages and checkpoints with it", async (store) => {
    const { id } = await store.createSession("./d", { workspaceId: "ws" });
    await store.addMessage(id, buildMessage(id, { content: "hello" }));
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
    await store.deleteSession(id);
    assert.equal(await store.getSession(id), null);
    assert.deepEqual(await store.listSessions(), []);
    assert.deepEqual(await store.listSessions("ws"), []);
    assert.equal(await store.getCheckpoint(checkpoint.id), null);
    assert.equal(await store.getLatestCheckpoint(id), null);
    assert.equal(await store.getLatestCheckpoint(id, "graph"), null);
  });

  testStore("a deleted session is unknown to every method that needs one", async (store) => {
    const { id } = await store.createSession("./d");
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
    await store.deleteSession(id);
    const expected = { tag: "SessionNotFoundError", startsWith: `Session not found: ${id}` };
    await assertStoreError(store.getMessages(id), expected);
    await assertStoreError(store.listCheckpoints(id), expected);
    await assertStoreError(store.updateSession(id, { title: "T" }), expected);
    await assertStoreError(store.addMessage(id, buildMessage(id)), expected);
    await assertStoreError(store.saveCheckpoint(buildCheckpoint(id, { version: 2 })), expected);
    await assertStoreError(store.fork(checkpoint.id), { tag: "CheckpointNotFoundError" });
  });

  testStore("deleting an unknown session, or one twice, is no error", async (store) => {
    const kept = await store.createSession("./kept");
    const { id } = await store.createSession("./d");
    await store.deleteSession("no-such-session");
    await store.deleteSession(id);
    await store.deleteSession(id);
    assertSame(await store.listSessions(), [kept]);
  });

  testStore("deleting one session leaves the others, their messages and checkpoints alone", async (store) => {
    const gone = await store.createSession("./d");
    const kept = await store.createSession("./d");
    for (const { id } of [gone, kept]) await store.addMessage(id, buildMessage(id, { content: "hello" }));
    for (const { id } of [gone, kept]) await store.saveCheckpoint(buildCheckpoint(id));
    const before = [
      await store.getSession(kept.id),
      await store.getMessages(kept.id),
      await store.listCheckpoints(kept.id),
    ];
    await store.deleteSession(gone.id);
    const after = [
      await store.getSession(kept.id),
      await store.getMessages(kept.id),
      await store.listCheckpoints(kept.id),
    ];
    assertSame(after, before);
  });
}
