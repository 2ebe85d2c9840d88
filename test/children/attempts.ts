/**
 * A process that makes calls which a fault may hit: `bun attempts.ts PATH EARLIER COUNT LENGTH`. It writes the outcome of
 * each to stdout, a line of JSON, and the error of opening in place of them all. Between the first half of the calls
 * and the second it waits for its input to end, if there is a fifth argument.
 */
import { writeSync } from "node:fs";
import { CheckpointStoreError, JsonPlusSerializer, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { type Attempt, attempt, type Earlier } from "../faults/support/attempts.js";

const [path = "", earlierText = "", count = "0", length = "0", waits] = process.argv.slice(2);
const earlier = new JsonPlusSerializer().deserialize(earlierText) as Earlier;

const store = open();
if (store !== undefined) {
  for (let call = 0; call < Number(count); call++) {
    if (waits !== undefined && call === Math.floor(Number(count) / 2)) await waitForParent();
    tell(await attempt(store, earlier, call, Number(length)));
  }
  await store.close();
}

function open(): SqliteCheckpointStore | undefined {
  try {
    return new SqliteCheckpointStore(path);
  } catch (error) {
    const outcome = error instanceof CheckpointStoreError ? error.name : `not ours: ${String(error)}`;
    tell({ kind: "message", key: "opening", outcome });
    return undefined;
  }
}

async function waitForParent(): Promise<void> {
  writeSync(1, '{"kind":"message","key":"half way","outcome":"waiting"}\n');
  await Bun.stdin.text();
}

function tell(outcome: Attempt): void {
  writeSync(1, `${JSON.stringify(outcome)}\n`);
}
