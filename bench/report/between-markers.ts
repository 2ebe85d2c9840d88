/** Replaces what stands between two marker comments of a file, and leaves the rest as it is. */
import { readFileSync, writeFileSync } from "node:fs";

export function writeBetweenMarkers(path: string, text: string): void {
  const begin = "<!-- bench:begin -->";
  const end = "<!-- bench:end -->";
  const file = readFileSync(path, "utf8");
  const from = file.indexOf(begin);
  const to = file.indexOf(end);
  if (from === -1 || to < from) {
    throw new Error(`${path} has no ${begin} … ${end} to write between`);
  }
  writeFileSync(path, `${file.slice(0, from + begin.length)}\n\n${text}\n\n${file.slice(to)}`);
}
