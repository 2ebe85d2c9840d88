import type { ReportRow } from "../scenario.js";

/** The columns are those of the first row. */
export function markdownTable(rows: readonly ReportRow[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => columns.map((column) => String(row[column] ?? "")));
  return [columns, columns.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
