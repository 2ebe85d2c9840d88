/**
 * Nothing but writes into one session, to be looked at by a profiler:
 *
 *     perf record -g bun bench/profile.ts save normal
 *     strace -c -f bun bench/profile.ts message full
 *     bun --cpu-prof bench/profile.ts save full
 */
import { parseArgs } from "node:util";
import { openOurs } from "./contestants/ours.js";
import { runJob } from "./harness/jobs.js";
import { Scratch } from "./harness/scratch.js";

const CALLS = 40_000;

const { positionals } = parseArgs({ allowPositionals: true, options: {} });
const [kind, durability] = positionals;
if ((kind !== "save" && kind !== "message") || (durability !== "full" && durability !== "normal")) {
  throw new Error("Usage: bun bench/profile.ts save|message full|normal");
}

const scratch = new Scratch();
try {
  const store = openOurs(scratch.newPath(), durability);
  const job = { calls: CALLS, atOnce: 1 };
  const took = await runJob(store, kind === "save" ? { kind, size: "small", ...job } : { kind, ...job });
  await store.close();
  console.log(`${kind}, ${durability}: ${((took / CALLS) * 1_000).toFixed(1)} µs a call`);
} finally {
  scratch.deleteAll();
}
