/** What a whole run leaves in the repository: bench/results.md and the plots. */
import { join, relative } from "node:path";
import { CONTESTANTS } from "../contestants/contestant.js";
import type { MeasuredRow } from "../harness/rounds.js";
import type { Workload } from "../workloads/workload.js";
import { writeBetweenMarkers } from "./between-markers.js";
import { machineLines } from "./machine.js";
import { writePlot } from "./plots.js";
import { cell, table, verdictTable, workloadTable } from "./tables.js";
import { type Verdict, verdictsOf } from "./targets.js";

export interface Result {
  workload: Workload;
  rows: readonly MeasuredRow[];
}

const ROOT = join(import.meta.dir, "../..");

export function writeReports(results: readonly Result[], command: string): void {
  writeBetweenMarkers(join(ROOT, "bench/results.md"), resultsText(results, command));
}

function resultsText(results: readonly Result[], command: string): string {
  const sections = results.map(section);
  const verdicts = verdictsOfAll(results);
  const met = verdicts.filter(({ isMet }) => isMet).length;
  return [
    machineLines(command).join("\n"),
    "## In brief",
    shortTable(results),
    ...sections,
    `## Targets: ${met} of ${verdicts.length} met`,
    verdictTable(verdicts),
  ].join("\n\n");
}

function section({ workload, rows }: Result): string {
  const plot = writePlot(join(ROOT, "docs/img"), workload, rows);
  const parts = [`## ${workload.title}`, workload.about, workloadTable(workload.name, rows)];
  if (plot !== undefined) {
    parts.push(`![${workload.title}, cost against size](${relative(join(ROOT, "bench"), plot)})`);
  }
  return parts.join("\n\n");
}

export function verdictsOfAll(results: readonly Result[]): Verdict[] {
  return results.flatMap(({ workload, rows }) => rows.flatMap((row) => verdictsOf(workload.name, row, rows)));
}

function shortTable(results: readonly Result[]): string {
  const lines = results.flatMap(({ workload, rows }) =>
    rows
      .filter(({ isHeadline }) => isHeadline)
      .map((row) => [`${workload.title}: ${row.label}`, ...CONTESTANTS.map((name) => cell(row, name))]),
  );
  return table(["", ...CONTESTANTS], lines);
}
