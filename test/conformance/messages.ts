import type { CheckpointBackend, Session, StoredMessage } from "@obsku/checkpoint-sqlite";
import { addTexts, buildFullMessage, buildMessage, readTexts } from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
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

function describeAdding({ testStore, expect, ...context }: ConformanceContext): void {
  testStore("a message with every field reads back as it was given and returned", async (store) => {
    const { id } = await store.createSession("./d");
    const message = buildFullMessage(id);
    const stored = await store.addMessage(id, message);
    context.expectSame(stored, { ...message, id: stored.id, createdAt: stored.createdAt });
    context.expectSame(await store.getMessages(id), [stored]);
  });

  testStore("optional fields that were not given are absent", async (store) => {
    const { id } = await store.createSession("./d");
    const stored = await store.addMessage(id, buildMessage(id));
    const [found] = await store.getMessages(id);
    for (const message of [stored, found]) context.expectAbsent(message, OPTIONAL);
  });

  testStore("null for an optional field means that it was not given", async (store) => {
    const { id } = await store.createSession("./d");
    const nulls = Object.fromEntries(OPTIONAL.map((key) => [key, null]));
    const stored = await callUntyped(store, "addMessage", [id, { sessionId: id, role: "user", ...nulls }]);
    const [found] = await store.getMessages(id);
    for (const message of [stored, found]) context.expectAbsent(message, OPTIONAL);
    expect(found?.role).toBe("user");
  });

  testStore("null for an optional field of a tool result is accepted", async (store) => {
    const { id } = await store.createSession("./d");
    const result = { toolUseId: "t1", content: "ok", status: null, fullOutputRef: null };
    await callUntyped(store, "addMessage", [id, { sessionId: id, role: "tool", toolResults: [result] }]);
    const [found] = await store.getMessages(id);
    const [back] = found?.toolResults ?? [];
    expect([back?.toolUseId, back?.content]).toEqual(["t1", "ok"]);
    expect([back?.status ?? undefined, back?.fullOutputRef ?? undefined]).toEqual([undefined, undefined]);
  });

  testStore("an empty text, zero tokens and empty lists are values, not absence", async (store) => {
    const { id } = await store.createSession("./d");
    const fields = { content: "", toolCalls: [], toolResults: [], tokensIn: 0, tokensOut: 0 };
    const stored = await store.addMessage(id, buildMessage(id, fields));
    context.expectSame(stored, { ...stored, ...fields });
    context.expectSame(await store.getMessages(id), [stored]);
  });

  testStore("the largest safe integers are kept as token counts", async (store) => {
    const { id } = await store.createSession("./d");
    const tokens = { tokensIn: Number.MAX_SAFE_INTEGER, tokensOut: Number.MAX_SAFE_INTEGER };
    await store.addMessage(id, buildMessage(id, tokens));
    const [found] = await store.getMessages(id);
    expect([found?.tokensIn, found?.tokensOut]).toEqual([tokens.tokensIn, tokens.tokensOut]);
  });

  testStore("every role is kept", async (store) => {
    const { id } = await store.createSession("./d");
    const roles = ["user", "assistant", "system", "tool"] as const;
    for (const role of roles) await store.addMessage(id, buildMessage(id, { role }));
    expect((await store.getMessages(id)).map((message) => message.role)).toEqual([...roles]);
  });

  testStore("the session argument wins over the message's own session", async (store) => {
    const [mine, other] = [await store.createSession("./a"), await store.createSession("./b")];
    for (const claimed of [other.id, "no-such-session"]) {
      const stored = await store.addMessage(mine.id, buildMessage(claimed, { content: claimed }));
      expect(stored.sessionId).toBe(mine.id);
    }
    expect(await readTexts(store, mine.id)).toEqual([other.id, "no-such-session"]);
    expect((await store.getMessages(mine.id)).map((message) => message.sessionId)).toEqual([
      mine.id,
      mine.id,
    ]);
    expect(await store.getMessages(other.id)).toEqual([]);
  });

  testStore("a message moves its session's updatedAt forward", async (store) => {
    const session = await store.createSession("./d");
    await store.addMessage(session.id, buildMessage(session.id));
    const found = await store.getSession(session.id);
    expect(found?.updatedAt ?? 0).toBeGreaterThan(session.updatedAt);
    context.expectSame(found, { ...session, updatedAt: found?.updatedAt });
  });

  testStore(
    "a message to an unknown session is SessionNotFoundError and nothing is written",
    async (store) => {
      const session = await store.createSession("./d");
      await context.expectStoreError(store.addMessage("no-such-session", buildMessage(session.id)), {
        tag: "SessionNotFoundError",
        startsWith: "Session not found: no-such-session",
      });
      expect(await store.getMessages(session.id)).toEqual([]);
      context.expectSame(await store.listSessions(), [session]);
    },
  );
}

function describeIdentity({ testStore, expect }: ConformanceContext): void {
  testStore("message ids are integers that grow across all sessions", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    const ids: number[] = [];
    for (const { id } of [a, b, b, a, b, a]) ids.push((await store.addMessage(id, buildMessage(id))).id);
    expect(ids.every(Number.isSafeInteger)).toBe(true);
    expect(ids).toEqual([...new Set(ids)].sort((x, y) => x - y));
  });

  testStore("the id of a deleted message is not given again", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    const [gone] = await addTexts(store, a, ["gone"]);
    await store.deleteSession(a.id);
    const [next] = await addTexts(store, b, ["next"]);
    expect(next?.id ?? 0).toBeGreaterThan(gone?.id ?? Infinity);
  });

  testStore("a message's time is an integer that never decreases within the session", async (store) => {
    const session = await store.createSession("./d");
    const times = (await addTexts(store, session, ["a", "b", "c", "d", "e"])).map(
      (message) => message.createdAt,
    );
    expect(times.every(Number.isSafeInteger)).toBe(true);
    expect(times).toEqual([...times].sort((x, y) => x - y));
  });
}

function describeReading({ testStore, expect, ...context }: ConformanceContext): void {
  testStore("messages come oldest first, however they are asked for", async (store) => {
    const session = await store.createSession("./d");
    const texts = ["one", "two", "three", "four"];
    const stored = await addTexts(store, session, texts);
    context.expectSame(await store.getMessages(session.id), stored);
    context.expectSame(await store.getMessages(session.id, { limit: 3 }), stored.slice(1));
    context.expectSame(await store.getMessages(session.id, { before: Number.MAX_SAFE_INTEGER }), stored);
  });

  testStore("a session without messages has none", async (store) => {
    const session = await store.createSession("./d");
    expect(await store.getMessages(session.id)).toEqual([]);
    expect(await store.getMessages(session.id, { limit: 5 })).toEqual([]);
  });

  testStore("messages of one session are not seen in another", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    await addTexts(store, a, ["a1", "a2"]);
    await addTexts(store, b, ["b1"]);
    expect([await readTexts(store, a.id), await readTexts(store, b.id)]).toEqual([["a1", "a2"], ["b1"]]);
  });

  testStore("a limit keeps the last messages", async (store) => {
    const session = await store.createSession("./d");
    const stored = await addTexts(store, session, ["a", "b", "c"]);
    for (const limit of [1, 2, 3, 4, Number.MAX_SAFE_INTEGER]) {
      context.expectSame(await store.getMessages(session.id, { limit }), stored.slice(-limit));
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
      context.expectSame(await callUntyped(store, "getMessages", [session.id, options]), stored);
    }
  });

  testStore("the messages of an unknown session are SessionNotFoundError", async (store) => {
    const expected = { tag: "SessionNotFoundError", startsWith: "Session not found: no-such-session" };
    await context.expectStoreError(store.getMessages("no-such-session"), expected);
    await context.expectStoreError(store.getMessages("no-such-session", { limit: 1, before: 1 }), expected);
  });
}

function describePaging({ testStore, testStoreWithClock, expect, ...context }: ConformanceContext): void {
  testStore("before and limit together give the last of what came before", async (store) => {
    const session = await store.createSession("./d");
    const stored = await addTexts(store, session, ["a", "b", "c", "d", "e", "f"]);
    for (const { createdAt: before } of stored) {
      const earlier = stored.filter((message) => message.createdAt < before);
      context.expectSame(await store.getMessages(session.id, { before }), earlier);
      for (const limit of [1, 2, 10]) {
        context.expectSame(await store.getMessages(session.id, { before, limit }), earlier.slice(-limit));
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
      expect((await store.getMessages(session.id, { before })).length).toBe(count);
    }
  });

  testStore("before 0 there is nothing", async (store) => {
    const session = await store.createSession("./d");
    await addTexts(store, session, ["a"]);
    expect(await store.getMessages(session.id, { before: 0 })).toEqual([]);
  });

  testStoreWithClock("a message from exactly the time asked for is not before it", async (store, clock) => {
    const session = await store.createSession("./d");
    const stored: StoredMessage[] = [];
    for (const text of ["a", "b", "c"]) {
      clock.now += 1000;
      stored.push(...(await addTexts(store, session, [text])));
    }
    expect(stored.map((message) => message.createdAt)).toEqual([
      clock.now - 2000,
      clock.now - 1000,
      clock.now,
    ]);
    context.expectSame(await store.getMessages(session.id, { before: clock.now }), stored.slice(0, 2));
    context.expectSame(await store.getMessages(session.id, { before: clock.now + 1 }), stored);
  });

  testStoreWithClock("paging backwards neither loses nor repeats a message", async (store, clock) => {
    const session = await store.createSession("./d");
    const stored: StoredMessage[] = [];
    for (let n = 0; n < 23; n++) {
      clock.now += 1 + (n % 3);
      stored.push(...(await addTexts(store, session, [`message ${n}`])));
    }
    for (const limit of [1, 4, 5, 23, 50]) {
      context.expectSame(await readAllPages(store, session, limit), stored);
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
