/** The latest checkpoint of random sessions, held against the rule in its plainest form. */
import { expect, test } from "bun:test";
import { type Checkpoint, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import fc from "fast-check";

const NAMES = ["", "a", "b", "c", "d"] as const;
const name = fc.constantFrom(...NAMES);
const wave = fc.record({ namespace: name, done: fc.uniqueArray(name), pending: fc.uniqueArray(name) });

test("without a namespace it is the newest saved one that is in no nested namespace", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wave, { maxLength: 12 }), async (waves) => {
      await using store = new SqliteCheckpointStore();
      const { id: sessionId } = await store.createSession("./d");
      const saved: Checkpoint[] = [];
      for (const [index, { namespace, done, pending }] of waves.entries()) {
        const nodeResults = Object.fromEntries(done.map((node) => [node, { status: "completed" as const }]));
        const rest = { version: index, step: 0, source: "loop" as const, nodeResults, pendingNodes: pending };
        saved.unshift(await store.saveCheckpoint({ sessionId, namespace, ...rest }));
      }
      expect((await store.getLatestCheckpoint(sessionId))?.id).toBe(latestByRule(saved)?.id);
    }),
    { numRuns: 300 },
  );
});

/** @param saved Newest saved first. */
function latestByRule(saved: readonly Checkpoint[]): Checkpoint | undefined {
  const newest = new Map(saved.toReversed().map((checkpoint) => [checkpoint.namespace, checkpoint]));
  const isNested = (namespace: string) =>
    [...newest.values()].some(
      (other) =>
        other.namespace !== namespace &&
        (Object.hasOwn(other.nodeResults, namespace) || other.pendingNodes.includes(namespace)),
    );
  return saved.find(({ namespace }) => !isNested(namespace)) ?? saved[0];
}
