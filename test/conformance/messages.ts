import assert from "node:assert/strict";
import type { CheckpointBackend, Session, StoredMessage } from "@obsku/checkpoint-sqlite";
import { addTexts, buildFullMessage, buildMessage, readTexts } from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertAbsent, assertAscendingIntegers, assertGreater, assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

const OPTIONAL = ["content", "toolCalls", "toolResults", "tokensIn", "tokensOut"];

export function describeMessages(context: ConformanceContext): void {
  context.describe("messages", () => {
    describeAdding(context);
    describeIdentity(context);
    describeReading(context);
    describePaging(context);
  });
}

function describeAdding({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("a message with every field reads back as it was given and returned", async (store) => {
    const { id } = await store.createSession("./d");
    const message = buildFullMessage(id);
    const stored = await store.addMessage(id, message);
    assertSame(stored, { ...message, id: stored.id, createdAt: stored.createdAt });
    assertSame(await store.getMessages(id), [stored]);
  });

  testStore("optional fields that were not given are absent", async (store) => {
    const { id } = await store.createSession("./d");
    const stored = await store.addMessage(id, buildMessage(id));
    const [found] = await store.getMessages(id);
    for (const message of [stored, found]) assertAbsent(message, OPTIONAL);
  });

  testStore("null for an optional field means that it was not given", async (store) => {
    const { id } = await store.createSession("./d");
    const nulls = Object.fromEntries(OPTIONAL.map((key) => [key, null]));
    const stored = await callUntyped(store, "addMessage", [id, { sessionId: id, role: "user", ...nulls }]);
    const [found] = await store.getMessages(id);
    for (const message of [stored, found]) assertAbsent(message, OPTIONAL);
    assert.equal(found?.role, "user");
  });

  testStore("null for an optional field of a tool result is accepted", async (store) => {
    const { id } = await store.createSession("./d");
    const result = { toolUseId: "t1", content: "ok", status: null, fullOutputRef: null };
    await callUntyped(store, "addMessage", [id, { sessionId: id, role: "tool", toolResults: [result] }]);
    const [found] = await store.getMessages(id);
    const [back] = found?.toolResults ?? [];
    assert.deepEqual([back?.toolUseId, back?.content], ["t1", "ok"]);
    assert.deepEqual([back?.status ?? undefined, back?.fullOutputRef ?? undefined], [undefined, undefined]);
  });

  testStore("an empty text, zero tokens and empty lists are values, not absence", async (store) => {
    const { id } = await store.createSession("./d");
    const fields = { content: "", toolCalls: [], toolResults: [], tokensIn: 0, tokensOut: 0 };
    const stored = await store.addMessage(id, buildMessage(id, fields));
    assertSame(stored, { ...stored, ...fields });
    assertSame(await store.getMessages(id), [stored]);
  });

  testStore("the largest safe integers are kept as token counts", async (store) => {
    const { id } = await store.createSession("./d");
    const tokens = { tokensIn: Number.MAX_SAFE_INTEGER, tokensOut: Number.MAX_SAFE_INTEGER };
    await store.addMessage(id, buildMessage(id, tokens));
    const [found] = await store.getMessages(id);
    assert.deepEqual([found?.tokensIn, found?.tokensOut], [tokens.tokensIn, tokens.tokensOut]);
  });

  testStore("every role is kept", async (store) => {
    const { id } = await store.createSession("./d");
    const roles = ["user", "assistant", "system", "tool"] as const;
    for (const role of roles) await store.addMessage(id, buildMessage(id, { role }));
    assert.deepEqual(
      (await store.getMessages(id)).map((message) => message.role),
      [...roles],
    );
  });

  testStore("the session argument wins over the message's own session", async (store) => {
    const [mine, other] = [await store.createSession("./a"), await store.createSession("./b")];
    for (const claimed of [other.id, "no-such-session"]) {
      const stored = await store.addMessage(mine.id, buildMessage(claimed, { content: claimed }));
      assert.equal(stored.sessionId, mine.id);
    }
    assert.deepEqual(await readTexts(store, mine.id), [other.id, "no-such-session"]);
    assert.deepEqual(
      (await store.getMessages(mine.id)).map((message) => message.sessionId),
      [mine.id, mine.id],
    );
    assert.deepEqual(await store.getMessages(other.id), []);
  });

  testStore("a message moves its session's updatedAt forward", async (store) => {
    const session = await store.createSession("./d");
    await store.addMessage(session.id, buildMessage(session.id));
    const found = await store.getSession(session.id);
    assertGreater(found?.updatedAt ?? 0, session.updatedAt);
    assertSame(found, { ...session, updatedAt: found?.updatedAt });
  });

  testStore(
    "a message to an unknown session is SessionNotFoundError and nothing is written",
    async (store) => {
      const session = await store.createSession("./d");
      await assertStoreError(store.addMessage("no-such-session", buildMessage(session.id)), {
        tag: "SessionNotFoundError",
        startsWith: "Session not found: no-such-session",
      });
      assert.deepEqual(await store.getMessages(session.id), []);
      assertSame(await store.listSessions(), [session]);
    },
  );
}

function describeIdentity({ testStore }: ConformanceContext): void {
  testStore("message ids are integers that grow across all sessions", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    const ids: number[] = [];
    for (const { id } of [a, b, b, a, b, a]) ids.push((await store.addMessage(id, buildMessage(id))).id);
    assertAscendingIntegers(ids);
    assert.equal(new Set(ids).size, ids.length);
  });

  testStore("the id of a deleted message is not given again", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    const [gone] = await addTexts(store, a, ["gone"]);
    await store.deleteSession(a.id);
    const [next] = await addTexts(store, b, ["next"]);
    assertGreater(next?.id ?? 0, gone?.id ?? Infinity);
  });

  testStore("a message's time is an integer that never decreases within the session", async (store) => {
    const session = await store.createSession("./d");
    const times = (await addTexts(store, session, ["a", "b", "c", "d", "e"])).map(
      (message) => message.createdAt,
    );
    assertAscendingIntegers(times);
  });
}

function describeReading({ testStore, assertStoreError }: ConformanceContext): void {
  testStore("messages come oldest first, however they are asked for", async (store) => {
    const session = await store.createSession("./d");
    const texts = ["one", "two", "three", "four"];
    const stored = await addTexts(store, session, texts);
    assertSame(await store.getMessages(session.id), stored);
    assertSame(await store.getMessages(session.id, { limit: 3 }), stored.slice(1));
    assertSame(await store.getMessages(session.id, { before: Number.MAX_SAFE_INTEGER }), stored);
  });

  testStore("a session without messages has none", async (store) => {
    const session = await store.createSession("./d");
    assert.deepEqual(await store.getMessages(session.id), []);
    assert.deepEqual(await store.getMessages(session.id, { limit: 5 }), []);
  });

  testStore("messages of one session are not seen in another", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    await addTexts(store, a, ["a1", "a2"]);
    await addTexts(store, b, ["b1"]);
    assert.deepEqual([await readTexts(store, a.id), await readTexts(store, b.id)], [["a1", "a2"], ["b1"]]);
  });

  testStore("a limit keeps the last messages", async (store) => {
    const session = await store.createSession("./d");
    const stored = await addTexts(store, session, ["a", "b", "c"]);
    for (const limit of [1, 2, 3, 4, Number.MAX_SAFE_INTEGER]) {
      assertSame(await store.getMessages(session.id, { limit }), stored.slice(-limit));
    }
  });

  testStore("no limit, a limit of 0 and null options all mean every message", async (store) => {
    const session = await store.createSession("./d");
    const stored = await addTexts(store, session, ["a", "b", "c"]);
    const all = [
      undefined,
      null,
      {},
      { limit: 0 },
      { limit: undefined, before: undefined },
      { limit: null, before: null },
    ];
    for (const options of all) {
      assertSame(await callUntyped(store, "getMessages", [session.id, options]), stored);
    }
  });

  testStore("the messages of an unknown session are SessionNotFoundError", async (store) => {
    const expected = { tag: "SessionNotFoundError", startsWith: "Session not found: no-such-session" };
    await assertStoreError(store.getMessages("no-such-session"), expected);
    await assertStoreError(store.getMessages("no-such-session", { limit: 1, before: 1 }), expected);
  });
}

function describePaging({ testStore, testStoreWithClock }: ConformanceContext): void {
  testStore("before and limit together give the last of what came before", async (store) => {
    const session = await store.createSession("./d");
    const stored = await addTexts(store, session, ["a", "b", "c", "d", "e", "f"]);
    for (const { createdAt: before } of stored) {
      const earlier = stored.filter((message) => message.createdAt < before);
      assertSame(await store.getMessages(session.id, { before }), earlier);
      for (const limit of [1, 2, 10]) {
        assertSame(await store.getMessages(session.id, { before, limit }), earlier.slice(-limit));
      }
    }
  });

  testStore("before may be any finite time, fractions included", async (store) => {
    const session = await store.createSession("./d");
    const [stored] = await addTexts(store, session, ["a"]);
    const createdAt = stored?.createdAt ?? 0;
    for (const [before, count] of [
      [createdAt + 0.5, 1],
      [createdAt - 0.5, 0],
      [-1, 0],
      [1e300, 1],
      [-1e300, 0],
    ] as const) {
      assert.equal((await store.getMessages(session.id, { before })).length, count);
    }
  });

  testStore("before 0 there is nothing", async (store) => {
    const session = await store.createSession("./d");
    await addTexts(store, session, ["a"]);
    assert.deepEqual(await store.getMessages(session.id, { before: 0 }), []);
  });

  testStoreWithClock("a message from exactly the time asked for is not before it", async (store, clock) => {
    const session = await store.createSession("./d");
    const stored: StoredMessage[] = [];
    for (const text of ["a", "b", "c"]) {
      clock.now += 1000;
      stored.push(...(await addTexts(store, session, [text])));
    }
    assert.deepEqual(
      stored.map((message) => message.createdAt),
      [clock.now - 2000, clock.now - 1000, clock.now],
    );
    assertSame(await store.getMessages(session.id, { before: clock.now }), stored.slice(0, 2));
    assertSame(await store.getMessages(session.id, { before: clock.now + 1 }), stored);
  });

  testStoreWithClock("paging backwards neither loses nor repeats a message", async (store, clock) => {
    const session = await store.createSession("./d");
    const stored: StoredMessage[] = [];
    for (let n = 0; n < 23; n++) {
      clock.now += 1 + (n % 3);
      stored.push(...(await addTexts(store, session, [`message ${n}`])));
    }
    for (const limit of [1, 4, 5, 23, 50]) {
      assertSame(await readAllPages(store, session, limit), stored);
    }
  });
}

async function readAllPages(
  store: CheckpointBackend,
  session: Session,
  limit: number,
): Promise<StoredMessage[]> {
  const collected: StoredMessage[] = [];
  let page = await store.getMessages(session.id, { limit });
  while (page.length > 0) {
    collected.unshift(...page);
    page = await store.getMessages(session.id, { before: collected[0]?.createdAt ?? 0, limit });
  }
  return collected;
}
