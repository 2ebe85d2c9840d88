import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { type ConformanceContext, rejectionOf } from "./context.js";

export function describeErrors({ describe, testStore, expect, ...context }: ConformanceContext): void {
  describe("errors", () => {
    testStore("an error of each kind has its own code, and the same one every time", async (store) => {
      const { id } = await store.createSession("./d");
      await store.saveCheckpoint(buildCheckpoint(id));
      const fail: readonly [string, () => Promise<unknown>][] = [
        ["SessionNotFoundError", () => store.getMessages("no-such-session")],
        ["CheckpointNotFoundError", () => store.fork("no-such-checkpoint")],
        ["CheckpointVersionConflictError", () => store.saveCheckpoint(buildCheckpoint(id))],
        ["InvalidArgumentError", () => store.getMessages(id, { limit: -1 })],
      ];
      const codes = new Set<unknown>();
      for (const [tag, call] of fail) {
        const [first, second] = [
          await context.expectStoreError(call(), { tag }),
          await context.expectStoreError(call(), { tag }),
        ];
        expect(first.code).toBe(second.code);
        codes.add(first.code);
      }
      await store.close();
      codes.add((await context.expectStoreError(store.listSessions(), { tag: "StoreClosedError" })).code);
      expect(codes.size).toBe(fail.length + 1);
    });

    testStore("what a retry cannot mend is not retryable", async (store) => {
      const { id } = await store.createSession("./d");
      const failures = [
        await context.expectStoreError(store.getMessages("x"), { tag: "SessionNotFoundError" }),
        await context.expectStoreError(store.fork("x"), { tag: "CheckpointNotFoundError" }),
        await context.expectStoreError(store.getMessages(id, { limit: -1 }), { tag: "InvalidArgumentError" }),
      ];
      await store.close();
      failures.push(await context.expectStoreError(store.listSessions(), { tag: "StoreClosedError" }));
      expect(failures.map((error) => error.retryable)).toEqual([false, false, false, false]);
    });

    testStore("a missing session is named by every method that needs it", async (store) => {
      const expected = { tag: "SessionNotFoundError", startsWith: "Session not found: missing" };
      await context.expectStoreError(store.getMessages("missing"), expected);
      await context.expectStoreError(store.listCheckpoints("missing"), expected);
      await context.expectStoreError(store.updateSession("missing", {}), expected);
      await context.expectStoreError(store.addMessage("missing", buildMessage("missing")), expected);
      await context.expectStoreError(store.saveCheckpoint(buildCheckpoint("missing")), expected);
    });

    testStore("a version conflict names what is there already", async (store) => {
      const { id } = await store.createSession("./d");
      const checkpoint = buildCheckpoint(id, { namespace: "the-namespace", version: 41 });
      await store.saveCheckpoint(checkpoint);
      const { message } = await rejectionOf(store.saveCheckpoint(checkpoint));
      expect([message.includes("41"), message.includes("the-namespace")]).toEqual([true, true]);
    });

    testStore("a failed call leaves the store usable", async (store) => {
      const { id } = await store.createSession("./d");
      for (let round = 0; round < 3; round++)
        await rejectionOf(store.addMessage("missing", buildMessage(id)));
      await store.addMessage(id, buildMessage(id));
      expect((await store.getMessages(id)).length).toBe(1);
    });
  });
}
