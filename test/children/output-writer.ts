/**
 * A process that saves large outputs to sessions that other processes write to as well, and now and then forks one:
 * `bun output-writer.ts PATH SEED SAVES SESSION…`. It answers with the ids of what it saved, each with the seeds of its outputs.
 */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { Random } from "../faults/support/random.js";
import { buildWave, outputOf } from "../support/large-outputs.js";

const [path = "", seed = "", saves = "", ...sessions] = process.argv.slice(2);

console.log("ready");
await Bun.stdin.text();

const random = new Random(Number(seed));
await using store = new SqliteCheckpointStore(path, { versionConflict: "next", busyTimeout: 25_000 });
const saved: Record<string, number[]> = {};
for (let save = 0; save < Number(saves); save++) {
  const seeds = [random.below(12), random.below(12)];
  const wave = buildWave(random.pick(sessions), 1, { ...seeds.map(outputOf) });
  const { id } = await store.saveCheckpoint(wave);
  saved[id] = seeds;
  if (random.chance(0.2)) {
    const fork = await store.fork(id);
    const copy = await store.getLatestCheckpoint(fork.id);
    saved[copy?.id ?? ""] = seeds;
  }
}
console.log(JSON.stringify({ saved }));
