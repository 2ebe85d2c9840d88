/** Tables in Markdown, aligned so that they can be read in a terminal as well. */
import { CONTESTANTS, type ContestantName } from "../contestants/contestant.js";
import type { MeasuredRow } from "../harness/rounds.js";
import { median, pairedRatio } from "../harness/statistics.js";
import { duration, megabytes, times } from "./figures.js";
import { type Verdict, verdictsOf } from "./targets.js";

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

/** Medians, and in brackets how many times the median round took of ours. */
export function workloadTable(workload: string, rows: readonly MeasuredRow[]): string {
  const present = CONTESTANTS.filter((name) => rows.some(({ samples }) => samples.has(name)));
  const isOfData = rows.some(({ distinct }) => distinct !== undefined);
  return table(
    ["", ...(isOfData ? ["distinct data"] : []), ...present, "rounds", "target"],
    rows.map((row) => [
      row.label,
      ...(isOfData ? [row.distinct === undefined ? "" : megabytes(row.distinct)] : []),
      ...present.map((name) => cell(row, name)),
      String(row.samples.get("ours")?.length ?? 0),
      verdictsOf(workload, row, rows).map(verdictText).join("; "),
    ]),
  );
}

export function cell(row: MeasuredRow, name: ContestantName): string {
  const samples = row.samples.get(name);
  const ours = row.samples.get("ours");
  if (samples === undefined || ours === undefined) {
    return "";
  }
  const figure = row.unit === "MB" ? megabytes(median(samples)) : duration(median(samples));
  return name === "ours" ? figure : `${figure} (${times(pairedRatio(samples, ours))})`;
}

function verdictText({ target, figure, isMet }: Verdict): string {
  return `${target}: ${figure} ${isMet ? "✓" : "✗ missed"}`;
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  return table(
    ["workload", "", "target", "measured", ""],
    verdicts.map(({ workload, row, target, figure, isMet }) => [
      workload,
      row,
      target,
      figure,
      isMet ? "✓" : "✗ missed",
    ]),
  );
}
