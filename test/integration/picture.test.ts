/** The picture in the README shows what the demo prints. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { shownLines } from "../../scripts/picture/chapters.js";
import { spansOf } from "../../scripts/picture/recording.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";

const root = resolve(import.meta.dir, "../..");

/** What differs from run to run: times, sizes and processes. */
function comparable(line: string): string {
  return line
    .replaceAll(/\d+(?:\.\d+)? (s|ms|kB)\b/g, "# $1")
    .replaceAll(/process \d+/g, "process #")
    .replaceAll(/─{3,}/g, "─")
    .replaceAll(/\s+/g, " ")
    .trim();
}

function linesOfPicture(): string[] {
  const svg = readFileSync(join(root, "docs/img/demo.svg"), "utf8");
  return [...svg.matchAll(/<g>(.*)<\/g>/g)].map(([, line = ""]) =>
    [...line.matchAll(/>([^<]+)<\/text>/g)]
      .map((match) => match[1] ?? "")
      .join(" ")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&"),
  );
}

test("docs/img/demo.svg shows today's output of the demo; `npm run picture` draws it again", async () => {
  await using folder = await createTemporaryFolder();
  const demo = Bun.spawnSync([
    process.execPath,
    join(root, "examples/resume-after-crash.ts"),
    join(folder.path, "runs.db"),
  ]);
  expect(demo.exitCode).toBe(0);
  const printed = shownLines(demo.stdout.toString().split("\n"), (line) => line).filter(
    (line) => line !== undefined,
  );
  expect(printed.length).toBeGreaterThan(30);
  const [prompt, ...shown] = linesOfPicture();
  expect(prompt).toBe("$ npm run demo");
  // Searches that run at once may end in another order.
  expect(shown.map(comparable).toSorted()).toEqual(printed.map(comparable).toSorted());
});

test("a recorded line is what stays after the busy indicator is cleared, with its styles", () => {
  expect(spansOf("\r\u001b[2K  busy\r\u001b[2K\u001b[32m✓\u001b[0m done\r")).toEqual([
    { text: "✓", style: "green" },
    { text: " done", style: "plain" },
  ]);
});
