/** A run: the workloads one after the other, their tables as they come, and the reports if it was a whole run. */
import { parseArguments } from "./arguments.js";
import type { ContestantName } from "./contestants/contestant.js";
import { whyLangGraphIsMissing } from "./contestants/langgraph.js";
import { clearProgress, showProgress } from "./harness/progress.js";
import { FULL_PACE, type MeasuredRow, measure, QUICK_PACE } from "./harness/rounds.js";
import { Scratch } from "./harness/scratch.js";
import { machineLines } from "./report/machine.js";
import { type Result, verdictsOfAll, writeReports } from "./report/report.js";
import { workloadTable } from "./report/tables.js";
import { WORKLOADS } from "./workloads/index.js";
import type { Workload } from "./workloads/workload.js";

export async function runBench(given: readonly string[]): Promise<void> {
  const all = WORKLOADS.map(({ name }) => name);
  const { isQuick, names } = parseArguments(given, all);
  const command = ["npm run bench", ...(given.length > 0 ? ["--", ...given] : [])].join(" ");
  console.log(machineLines(command).join("\n"));
  const results = await runAll(
    WORKLOADS.filter(({ name }) => names.includes(name)),
    isQuick,
  );
  summarize(results);
  if (isQuick || names.length < all.length) {
    console.log("Not a whole run: bench/results.md and docs/img are left as they are.");
  } else {
    writeReports(results, command);
    console.log("Written: bench/results.md, docs/img.");
  }
}

async function runAll(workloads: readonly Workload[], isQuick: boolean): Promise<Result[]> {
  const scratch = new Scratch();
  const results: Result[] = [];
  try {
    for (const workload of workloads) {
      results.push(await runOne(workload, scratch, isQuick));
    }
  } finally {
    clearProgress();
    scratch.deleteAll();
  }
  return results;
}

async function runOne(workload: Workload, scratch: Scratch, isQuick: boolean): Promise<Result> {
  const rows: MeasuredRow[] = [];
  const started = performance.now();
  const progress = (text: string) => showProgress(`${workload.title}: ${text}`);
  await workload.run({
    isQuick,
    scratch,
    present,
    progress,
    async measure(planned) {
      rows.push(...(await measure(planned, isQuick ? QUICK_PACE : FULL_PACE, progress)));
    },
  });
  clearProgress();
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  console.log(`\n${workload.title} [${workload.name}, ${seconds} s]`);
  console.log(workloadTable(workload.name, rows));
  return { workload, rows };
}

function present<Name extends ContestantName>(names: readonly Name[]): Name[] {
  return names.filter((name) => name !== "LangGraph" || whyLangGraphIsMissing() === undefined);
}

function summarize(results: readonly Result[]): void {
  const verdicts = verdictsOfAll(results);
  const missed = verdicts.filter(({ isMet }) => !isMet);
  console.log(`\nTargets: ${verdicts.length - missed.length} of ${verdicts.length} met`);
  for (const { workload, row, target, figure } of missed) {
    console.log(`  missed: ${workload}, ${row}: ${target}, measured ${figure}`);
  }
}
