import assert from "node:assert/strict";
import type { CheckpointBackend, Session } from "@obsku/checkpoint-sqlite";
import { addTexts, buildCheckpoint, buildMessage, readTexts } from "../support/builders.js";
import { assertGreater, assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

export function describeForkExactness(context: ConformanceContext): void {
  context.describe("the messages of a fork", () => {
    describeExactness(context);
    describeForkOfFork(context);
  });
}

function describeExactness({ testStore, testStoreWithClock }: ConformanceContext): void {
  testStore(
    "a message before the checkpoint is in the fork, one after it is not, at full speed",
    async (store) => {
      const session = await store.createSession("./d");
      await assertForksExact(store, session, 12);
    },
  );

  for (const [name, move] of [
    ["stands still", 0],
    ["runs backwards", -5000],
    ["runs", 1],
  ] as const) {
    testStoreWithClock(`forks are exact while the clock ${name}`, async (store, clock) => {
      const session = await store.createSession("./d");
      await assertForksExact(store, session, 5, () => {
        clock.now += move;
      });
    });

    testStoreWithClock(`a session's times are in order while the clock ${name}`, async (store, clock) => {
      const { id } = await store.createSession("./d");
      const times: number[] = [];
      for (let n = 1; n <= 4; n++) {
        times.push((await store.addMessage(id, buildMessage(id))).createdAt);
        clock.now += move;
        const checkpoint = await store.saveCheckpoint(buildCheckpoint(id, { version: n }));
        clock.now += move;
        const after = await store.addMessage(id, buildMessage(id));
        assertGreater(after.createdAt, checkpoint.createdAt);
        times.push(checkpoint.createdAt, after.createdAt);
      }
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
      );
    });
  }

  testStore(
    "calls made together are before or after the checkpoint in the order of the calls",
    async (store) => {
      const { id } = await store.createSession("./d");
      const add = (content: string) => store.addMessage(id, buildMessage(id, { content }));
      const [, checkpoint] = await Promise.all([
        add("in"),
        store.saveCheckpoint(buildCheckpoint(id)),
        add("out"),
      ]);
      const fork = await store.fork(checkpoint.id);
      assert.deepEqual(await readTexts(store, fork.id), ["in"]);
      assert.deepEqual(await readTexts(store, id), ["in", "out"]);
    },
  );

  testStore("a checkpoint saved before any message forks into an empty conversation", async (store) => {
    const session = await store.createSession("./d");
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
    await addTexts(store, session, ["later"]);
    assert.deepEqual(await readTexts(store, (await store.fork(checkpoint.id)).id), []);
  });
}

function describeForkOfFork({ testStore, testStoreWithClock }: ConformanceContext): void {
  testStore("a fork of a fork's copy has its messages and points to that copy", async (store) => {
    const original = await store.createSession("./d", { title: "Original" });
    await addTexts(store, original, ["one", "two"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id));
    const fork = await store.fork(checkpoint.id);
    const copy = await store.getLatestCheckpoint(fork.id);
    await addTexts(store, fork, ["not in the second"]);
    const second = await store.fork(copy?.id ?? "");
    assert.equal(second.title, "Fork of Fork of Original");
    assert.deepEqual(await readTexts(store, second.id), ["one", "two"]);
    const [copyOfCopy] = await store.listCheckpoints(second.id);
    assert.deepEqual([copyOfCopy?.parentId, copyOfCopy?.source], [copy?.id, "fork"]);
    const times = async (session: Session) => (await store.getMessages(session.id)).map((m) => m.createdAt);
    assert.deepEqual(await times(second), (await times(original)).slice(0, 2));
  });

  testStore("forks of a fork's own checkpoints are exact", async (store) => {
    const original = await store.createSession("./d");
    await addTexts(store, original, ["one"]);
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id, { version: 100 }));
    const fork = await store.fork(checkpoint.id);
    await assertForksExact(store, fork, 4, undefined, ["one"]);
  });

  testStoreWithClock(
    "a fork made after the clock was set back is exact in its turn",
    async (store, clock) => {
      const original = await store.createSession("./d");
      await addTexts(store, original, ["one"]);
      const checkpoint = await store.saveCheckpoint(buildCheckpoint(original.id, { version: 100 }));
      clock.now -= 3_600_000;
      const fork = await store.fork(checkpoint.id);
      const [copy] = await store.listCheckpoints(fork.id);
      await assertForksExact(store, fork, 3, undefined, ["one"]);
      assert.deepEqual(await readTexts(store, (await store.fork(copy?.id ?? "")).id), ["one"]);
      const messages = await store.getMessages(fork.id);
      assertSame(
        messages.map((message) => message.createdAt),
        messages.map((m) => m.createdAt).sort((a, b) => a - b),
      );
    },
  );
}

/** Message, checkpoint, message, checkpoint, …; then a fork of each checkpoint holds just the messages before it. */
async function assertForksExact(
  store: CheckpointBackend,
  session: Session,
  rounds: number,
  between: () => void = () => {},
  already: readonly string[] = [],
): Promise<void> {
  const checkpoints: string[] = [];
  const texts: string[] = [...already];
  for (let version = 1; version <= rounds; version++) {
    texts.push(`message ${version}`);
    await addTexts(store, session, [`message ${version}`]);
    between();
    checkpoints.push((await store.saveCheckpoint(buildCheckpoint(session.id, { version }))).id);
    between();
  }
  for (const [index, checkpointId] of checkpoints.entries()) {
    const fork = await store.fork(checkpointId);
    assert.deepEqual(await readTexts(store, fork.id), texts.slice(0, already.length + index + 1));
  }
}
