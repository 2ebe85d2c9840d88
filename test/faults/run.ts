/**
 * `npm run test:faults`: every fault scenario in its full form, a table each.
 *
 *     npm run test:faults                    all of them
 *     npm run test:faults -- sigkill wal     those named
 *     npm run test:faults -- --short         in the form that npm test runs
 *
 * Exits with 1 if something was lost that must not be.
 */
import { parseArgs } from "node:util";
import type { Report, ReportRow, Scenario } from "./scenario.js";
import { SCENARIOS } from "./scenarios.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: "boolean", default: false } },
});

const unknown = positionals.filter((name) => SCENARIOS.every((scenario) => scenario.name !== name));
if (unknown.length > 0) {
  console.error(
    `No such scenario: ${unknown.join(", ")}. There are: ${SCENARIOS.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}

const chosen = SCENARIOS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const counts = { held: 0, violated: 0, skipped: 0 };
for (const scenario of chosen) {
  counts[await runAndPrint(scenario)] += 1;
}
console.log(`\n${counts.held} held, ${counts.violated} violated, ${counts.skipped} skipped`);
process.exitCode = counts.violated > 0 ? 1 : 0;

async function runAndPrint(scenario: Scenario): Promise<keyof typeof counts> {
  console.log(`\n## ${scenario.name}\n\n${scenario.about}\n`);
  const missing = scenario.missing();
  if (missing !== undefined) {
    console.log(`skipped: ${missing}`);
    return "skipped";
  }
  const started = performance.now();
  const report = await scenario.run(values.short ? "short" : "full", showProgress);
  showProgress("");
  print(report, (performance.now() - started) / 1000);
  return report.violations.length > 0 ? "violated" : "held";
}

function print({ rows, violations }: Report, seconds: number): void {
  console.log(markdownTable(rows));
  for (const violation of violations) {
    console.log(`VIOLATED: ${violation}`);
  }
  console.log(`\n${seconds.toFixed(1)} s`);
}

/** One line that is written over, in a terminal only. */
function showProgress(doing: string): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001b[K${doing.slice(0, process.stderr.columns - 1)}`);
  }
}

function markdownTable(rows: readonly ReportRow[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => columns.map((column) => String(row[column] ?? "")));
  return [columns, columns.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
