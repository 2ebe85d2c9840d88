import assert from "node:assert/strict";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { rejectionWith } from "../support/failures.js";
import { assertIncludes } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

export function describeErrors({ describe, testStore, assertStoreError }: ConformanceContext): void {
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
          await assertStoreError(call(), { tag }),
          await assertStoreError(call(), { tag }),
        ];
        assert.equal(first.code, second.code);
        codes.add(first.code);
      }
      await store.close();
      codes.add((await assertStoreError(store.listSessions(), { tag: "StoreClosedError" })).code);
      assert.equal(codes.size, fail.length + 1);
    });

    testStore("what a retry cannot fix is not retryable", async (store) => {
      const { id } = await store.createSession("./d");
      const failures = [
        await assertStoreError(store.getMessages("x"), { tag: "SessionNotFoundError" }),
        await assertStoreError(store.fork("x"), { tag: "CheckpointNotFoundError" }),
        await assertStoreError(store.getMessages(id, { limit: -1 }), { tag: "InvalidArgumentError" }),
      ];
      await store.close();
      failures.push(await assertStoreError(store.listSessions(), { tag: "StoreClosedError" }));
      assert.deepEqual(
        failures.map((error) => error.retryable),
        [false, false, false, false],
      );
    });

    testStore("a missing session is named by every method that needs it", async (store) => {
      const expected = { tag: "SessionNotFoundError", startsWith: "Session not found: missing" };
      await assertStoreError(store.getMessages("missing"), expected);
      await assertStoreError(store.listCheckpoints("missing"), expected);
      await assertStoreError(store.updateSession("missing", {}), expected);
      await assertStoreError(store.addMessage("missing", buildMessage("missing")), expected);
      await assertStoreError(store.saveCheckpoint(buildCheckpoint("missing")), expected);
    });

    testStore("a version conflict names what is there already", async (store) => {
      const { id } = await store.createSession("./d");
      const checkpoint = buildCheckpoint(id, { namespace: "the-namespace", version: 41 });
      await store.saveCheckpoint(checkpoint);
      const { message } = await rejectionWith(Error, store.saveCheckpoint(checkpoint));
      assertIncludes(message, "41");
      assertIncludes(message, "the-namespace");
    });

    testStore("a failed call leaves the store usable", async (store) => {
      const { id } = await store.createSession("./d");
      for (let round = 0; round < 3; round++)
        await rejectionWith(Error, store.addMessage("missing", buildMessage(id)));
      await store.addMessage(id, buildMessage(id));
      assert.equal((await store.getMessages(id)).length, 1);
    });
  });
}
