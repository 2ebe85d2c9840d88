import { expect, test } from "bun:test";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { rejectionOf } from "../support/outcomes.js";

const END_OF_9999 = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

test.each([END_OF_9999 + 1, 8.64e15, Number.POSITIVE_INFINITY, Number.NaN, "now"])(
  "a clock that returns %p is refused, and nothing is written",
  async (time) => {
    let now: unknown = 1_000;
    await using store = new SqliteCheckpointStore(":memory:", { clock: () => now as number });
    now = time;
    const error = await rejectionOf(store.createSession("./d"));
    expect([error.name, error.message.includes("options.clock")]).toEqual(["InvalidArgumentError", true]);
    now = 1_000;
    expect(await store.listSessions()).toEqual([]);
  },
);

test("after a write at the end of the year 9999 a session continues with times that a Date can hold, in order", async () => {
  let now = END_OF_9999;
  await using store = new SqliteCheckpointStore(":memory:", { clock: () => now });
  const { id } = await store.createSession("./d");
  const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
  now = 1_800_000_000_000;
  const message = await store.addMessage(id, buildMessage(id));
  const other = await store.createSession("./other");
  expect(message.createdAt).toBeGreaterThan(checkpoint.createdAt);
  expect(new Date(message.createdAt + 1_000_000_000).getTime()).not.toBeNaN();
  expect(other.createdAt).toBe(now);
});
