/**
 * `npm run test:soak -- MINUTES [SEED]`: random operations over the whole API against a model in memory, on one file,
 * while a second process writes to sessions of its own and is killed again and again.
 *
 * A round is some seconds of operations, a kill, and a comparison of everything; then memory and file handles are
 * sampled. The seed begins the same choices; rounds end by
 * the clock, so a run is not repeated to the last operation.
 *
 * Exits with 1 if anything differed, or memory or handles grew.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { ReportRow } from "./scenario.js";
import { checkFile, compareEverything } from "./soak/audit.js";
import { Soak } from "./soak/context.js";
import { deleteSurplus, OPERATIONS, pickOperation } from "./soak/operations.js";
import { type Sample, type Trend, takeSample, trendOf } from "./soak/trend.js";
import { compareWorker, Worker } from "./soak/worker.js";
import { markdownTable } from "./support/markdown.js";
import { Random } from "./support/random.js";

/**
 * By how much the fitted line may rise over the second half. The model, as large as what it is compared with, is in the heap;
 * resident memory swings by some 100 MiB while nothing is leaked, because the allocators give back late.
 */
const MOST_HEAP_GROWTH_MIB = 4;
const MOST_RSS_GROWTH_MIB = 48;
const MOST_HANDLE_GROWTH = 0.5;

const SHORTEST_ROUND = 1_000;
const LONGEST_ROUND = 4_000;
const MOST_VIOLATIONS = 20;

const { positionals } = parseArgs({ allowPositionals: true, options: {} });
const minutes = Number(positionals[0]);
const seed = positionals[1] === undefined ? Date.now() % 2 ** 32 : Number(positionals[1]);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error("Usage: npm run test:soak -- MINUTES [SEED]");
  process.exit(2);
}

const counts = new Map<string, number>();
const worker = { kills: 0, acknowledged: 0, unacknowledged: 0 };
const samples: Sample[] = [];
const folder = await createTemporaryFolder();
const path = join(folder.path, "soak.db");
const soak = new Soak(path, new Random(seed));
const started = performance.now();
const end = started + minutes * 60_000;

console.log(`seed ${seed}, ${minutes} minutes, Bun ${Bun.version}, ${process.platform} ${process.arch}\n`);
try {
  while (performance.now() < end && soak.violations.length < MOST_VIOLATIONS) {
    await runRound();
    showProgress();
  }
} finally {
  await soak.store.close();
  await folder.remove();
}
process.exitCode = report() ? 0 : 1;

async function runRound(): Promise<void> {
  const second = new Worker(path);
  try {
    const roundEnd = performance.now() + soak.random.between(SHORTEST_ROUND, LONGEST_ROUND);
    while (performance.now() < roundEnd && soak.violations.length < MOST_VIOLATIONS) await runOperation();
  } finally {
    await settleWorker(second);
  }
  await deleteSurplus(soak);
  await soak.reopen();
  await compareEverything(soak, soak.store);
  if (samples.length % 10 === 0) await compareReadonly();
  samples.push(takeSample(started));
}

async function runOperation(): Promise<void> {
  const operation = pickOperation(soak.random);
  const before = soak.violations.length;
  try {
    await operation.run(soak);
  } catch (error) {
    soak.violations.push(`${operation.name} failed: ${String(error)}`);
  }
  counts.set(operation.name, (counts.get(operation.name) ?? 0) + 1);
  for (let index = before; index < soak.violations.length; index++) {
    soak.violations[index] += ` (in ${operation.name}, operation ${total()} of seed ${seed})`;
  }
}

async function settleWorker(second: Worker): Promise<void> {
  const { acknowledged, unacknowledged } = await compareWorker(soak, await second.kill());
  worker.kills += 1;
  worker.acknowledged += acknowledged;
  worker.unacknowledged += unacknowledged;
}

async function compareReadonly(): Promise<void> {
  checkFile(soak);
  await using reader = soak.open({ readonly: true });
  await compareEverything(soak, reader);
}

/** Returns whether all is well. */
function report(): boolean {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  const heap = trendOf(samples, "heapMiB");
  const rss = trendOf(samples, "rssMiB");
  const handles = trendOf(samples, "handles");
  if (!(heap.growth <= MOST_HEAP_GROWTH_MIB)) soak.violations.push(`the heap grew: ${describe(heap, "MiB")}`);
  if (!(rss.growth <= MOST_RSS_GROWTH_MIB)) soak.violations.push(`memory grew: ${describe(rss, "MiB")}`);
  if (handles.growth > MOST_HANDLE_GROWTH) soak.violations.push(`handles grew: ${describe(handles, "")}`);
  console.log(markdownTable([...operationRows(), ...summaryRows(heap, rss, handles)]));
  for (const violation of soak.violations) console.log(`VIOLATED: ${violation}`);
  return soak.violations.length === 0;
}

function operationRows(): ReportRow[] {
  return OPERATIONS.map(({ name }) => {
    const differing = soak.violations.filter((violation) =>
      violation.includes(`(in ${name}, operation `),
    ).length;
    return {
      "what was tried": name,
      times: counts.get(name) ?? 0,
      "what came of it": `${differing} differed`,
    };
  });
}

function summaryRows(heap: Trend, rss: Trend, handles: Trend): ReportRow[] {
  const row = (tried: string, times: number, came: string): ReportRow => ({
    "what was tried": tried,
    times,
    "what came of it": came,
  });
  return [
    row("all operations", total(), `${soak.comparisons} comparisons, ${soak.violations.length} violations`),
    row(
      "second process killed with SIGKILL",
      worker.kills,
      `${worker.acknowledged} writes acknowledged, all compared; ${worker.unacknowledged} more were in flight and committed`,
    ),
    row("heap after garbage collection", samples.length, describe(heap, "MiB")),
    row("resident memory after garbage collection", samples.length, describe(rss, "MiB")),
    row("open file handles", samples.length, describe(handles, "")),
  ];
}

function describe({ first, last, highest, growth }: Trend, unit: string): string {
  const [a, b, c, d] = [first, last, highest, growth].map((number) => number.toFixed(1));
  return `${a} ${unit} at first, ${b} at last, ${c} at most; ${d} by the fitted line over the second half`;
}

function total(): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function showProgress(): void {
  if (!process.stderr.isTTY) return;
  const { rssMiB = 0, handles = 0 } = samples.at(-1) ?? {};
  const left = Math.max(0, (end - performance.now()) / 60_000).toFixed(1);
  const size = (statSync(path).size / 2 ** 20).toFixed(1);
  const line = `${left} min left, ${total()} operations, ${worker.kills} kills, file ${size} MiB, memory ${rssMiB.toFixed(0)} MiB, ${handles} handles, ${soak.violations.length} violations`;
  process.stderr.write(`\r\u001b[K${line.slice(0, process.stderr.columns - 1)}`);
}
