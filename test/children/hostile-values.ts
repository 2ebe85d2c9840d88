/**
 * A process that works through hostile cells: `bun hostile-values.ts SCALE FOLDER FIRST`. It names each case on stdout
 * before it begins it, so that its parent knows in which one it hangs, and what came of it after it.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { CellFuzz, casesOf, describeCase } from "../faults/support/cell-fuzz.js";

const [scale = "", folder = "", first = "0"] = process.argv.slice(2);
const cases = casesOf(scale === "full" ? "full" : "short");
const fuzz = new CellFuzz(join(folder, "good.db"), join(folder, "hostile.db"));
await fuzz.prepare();
for (const [index, one] of cases.entries()) {
  if (index < Number(first)) continue;
  tell({ index, doing: describeCase(one), place: `${one.place.table}.${one.place.column}` });
  await fuzz.tryCell(one);
  tellResults(index);
}
tell({ index: cases.length, doing: "texts", place: "texts" });
fuzz.tryTexts(scale === "full" ? 50_000 : 2_000);
tell({ index: cases.length + 1, doing: "large payloads", place: "large payloads" });
await fuzz.tryLargePayloads((scale === "full" ? 50 : 5) * 2 ** 20);
tellResults(cases.length + 1);

/** All so far: what a process that is ended came to is what it said last. */
function tellResults(index: number): void {
  tell({ index, done: true, counts: fuzz.counts(), violations: fuzz.violations.slice(0, 50) });
}

function tell(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
