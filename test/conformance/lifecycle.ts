import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import {
  addTexts,
  buildCheckpoint,
  buildFullCheckpoint,
  buildFullMessage,
  buildMessage,
} from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertGreater, assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

/** A method, good arguments for it, and the names of those that a refusal may name. */
const methods: readonly [string, (id: string) => readonly unknown[], ...string[]][] = [
  ["createSession", () => ["./d"], "directory", "options"],
  ["getSession", (id) => [id], "sessionId"],
  ["listSessions", () => [], "workspaceId"],
  ["updateSession", (id) => [id, { title: "T" }], "sessionId", "updates"],
  ["deleteSession", (id) => [id], "sessionId"],
  ["addMessage", (id) => [id, buildMessage(id)], "sessionId", "message"],
  ["getMessages", (id) => [id], "sessionId", "options"],
  ["saveCheckpoint", (id) => [buildCheckpoint(id)], "checkpoint"],
  ["getCheckpoint", (id) => [id], "checkpointId"],
  ["getLatestCheckpoint", (id) => [id], "sessionId", "namespace"],
  ["listCheckpoints", (id) => [id], "sessionId", "options"],
  ["fork", (id) => [id], "checkpointId", "options"],
];

const badForAll: readonly (readonly unknown[])[] = [[Symbol("s")], [{}, {}], [Number.NaN, "x"]];
/** But for listSessions, whose workspace may be left out. */
const nothing: readonly (readonly unknown[])[] = [[], [null, null]];

export function describeLifecycle(context: ConformanceContext): void {
  context.describe("life of a store", () => {
    describeClosing(context);
    describePersistence(context);
  });
}

function describeClosing({ testStore, assertStoreError, assertArgumentNamed }: ConformanceContext): void {
  testStore("closing twice, and at once, is no error", async (store) => {
    await Promise.all([store.close(), store.close()]);
    await store.close();
  });

  for (const [method, args, ...names] of methods) {
    testStore(`after close ${method} is StoreClosedError`, async (store) => {
      const { id } = await store.createSession("./d");
      await store.close();
      await assertStoreError(callUntyped(store, method, args(id)), { tag: "StoreClosedError" });
    });

    testStore(`${method} rejects bad arguments and never throws`, async (store) => {
      for (const bad of method === "listSessions" ? badForAll : [...badForAll, ...nothing]) {
        await assertArgumentNamed(callUntyped(store, method, bad), names);
      }
    });
  }

  testStore(
    "a call made in the same tick as close is done or StoreClosedError, but answered",
    async (store) => {
      const { id } = await store.createSession("./d");
      const adding = store.addMessage(id, buildMessage(id));
      const closing = store.close();
      const late = assertStoreError(store.addMessage(id, buildMessage(id)), {
        tag: "StoreClosedError",
      });
      await adding.catch(() => assertStoreError(adding, { tag: "StoreClosedError" }));
      await late;
      await closing;
    },
  );
}

function describePersistence({ testPersistentStore, assertStoreError }: ConformanceContext): void {
  testPersistentStore("everything acknowledged before close is there afterwards", async (subject) => {
    const first = subject.open();
    const { id } = await first.createSession("./d", { title: "T", metadata: { at: new Date(1) } });
    await first.addMessage(id, buildFullMessage(id));
    const checkpoint = await first.saveCheckpoint(buildFullCheckpoint(id));
    const fork = await first.fork(checkpoint.id);
    const before = [await readWhole(first, id), await readWhole(first, fork.id)];
    await first.close();
    const second = subject.open();
    const after = [await readWhole(second, id), await readWhole(second, fork.id)];
    await second.close();
    assertSame(after, before);
  });

  testPersistentStore(
    "of calls overlapping with close exactly those that were fulfilled are there",
    async (subject) => {
      const first = subject.open();
      const { id } = await first.createSession("./d");
      const calls = Array.from({ length: 50 }, (_, n) =>
        first.addMessage(id, buildMessage(id, { content: String(n) })),
      );
      const [outcomes] = await Promise.all([Promise.allSettled(calls), first.close()]);
      const fulfilled = outcomes.flatMap((outcome) =>
        outcome.status === "fulfilled" ? [outcome.value] : [],
      );
      const second = subject.open();
      const found = await second.getMessages(id);
      await second.close();
      assertSame(found, fulfilled);
    },
  );

  testPersistentStore("what was deleted and cleared stays so", async (subject) => {
    const first = subject.open();
    const [kept, gone] = [
      await first.createSession("./a", { metadata: { a: 1 } }),
      await first.createSession("./b"),
    ];
    await first.updateSession(kept.id, { metadata: { b: 2 } });
    await first.deleteSession(gone.id);
    await first.close();
    const second = subject.open();
    const listed = await second.listSessions();
    await second.close();
    assertSame(
      listed.map(({ id, metadata }) => ({ id, metadata })),
      [{ id: kept.id, metadata: { b: 2 } }],
    );
  });

  testPersistentStore("ids, versions and order continue where they stopped", async (subject) => {
    const first = subject.open();
    const session = await first.createSession("./d");
    const [one] = await addTexts(first, session, ["one"]);
    const saved = await first.saveCheckpoint(buildCheckpoint(session.id, { version: 5, step: 9 }));
    await first.close();
    const second = subject.open();
    const [two] = await addTexts(second, session, ["two"]);
    assertGreater(two?.id ?? 0, one?.id ?? Infinity);
    assertGreater(two?.createdAt ?? 0, saved.createdAt);
    const conflicting = second.saveCheckpoint(buildCheckpoint(session.id, { version: 5 }));
    await assertStoreError(conflicting, { tag: "CheckpointVersionConflictError" });
    const newest = await second.saveCheckpoint(buildCheckpoint(session.id, { version: 6, step: 0 }));
    const listed = await second.listCheckpoints(session.id);
    await second.close();
    assertSame(listed, [newest, saved]);
  });
}

async function readWhole(store: CheckpointBackend, sessionId: string): Promise<readonly unknown[]> {
  return [
    await store.getSession(sessionId),
    await store.getMessages(sessionId),
    await store.listCheckpoints(sessionId),
  ];
}
