/**
 * A process that saves checkpoints as the framework does, the version one above that of the newest: `bun graph-run.ts PATH
 * SESSION WAVES error|next`. It ends with its first error, and answers with the versions saved and the error's name.
 */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { outcomeOf } from "../faults/support/attempts.js";
import { buildCheckpoint } from "../support/builders.js";

const [path = "", sessionId = "", waves = "", conflict = ""] = process.argv.slice(2);
const versionConflict = conflict === "next" ? "next" : "error";
await using store = new SqliteCheckpointStore(path, { busyTimeout: 30_000, versionConflict });

console.log("ready");
await Bun.stdin.text();

const saved: number[] = [];
const outcome = await outcomeOf(run());
console.log(JSON.stringify({ saved, outcome }));

async function run(): Promise<void> {
  for (let step = 0; step < Number(waves); step++) {
    const [newest] = await store.listCheckpoints(sessionId, { namespace: "graph", limit: 1 });
    const version = (newest?.version ?? 0) + 1;
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(sessionId, { step, version }));
    saved.push(checkpoint.version);
  }
}
