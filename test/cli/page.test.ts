/** docs/cli.md shows what its commands print; `npm run cli-page` writes it. */
import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { withOutput } from "../../scripts/cli-page.js";
import { COMMANDS } from "../../src/cli/commands/index.js";

const page = await Bun.file(join(resolve(import.meta.dir, "../.."), "docs/cli.md")).text();

/** Without ids, which differ, and without sizes and rows of tables of this package, which change with its schema. */
function comparable(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "ID")
    .replaceAll(/(?<= {2})[0-9a-f]{8}\b/g, "ID")
    .replaceAll(/\d+(\.\d+)? k?B\b/g, "SIZE")
    .replaceAll(/^.*checkpoint_sqlite_(?:migrations|vector|output).*$/gm, "")
    .replaceAll(/,"checkpoint_sqlite_\w+":\d+/g, "")
    .replaceAll(/^\d+ rows read/gm, "N rows read")
    .replaceAll(/ +/g, " ")
    .replaceAll(/\n+/g, "\n");
}

test("docs/cli.md shows what its commands print", async () => {
  expect(comparable(await withOutput(page))).toBe(comparable(page));
}, 120_000);

test("docs/cli.md has every command", () => {
  for (const name of Object.keys(COMMANDS)) {
    expect(page).toMatch(new RegExp(`checkpoint-sqlite ${name}\\b`));
  }
});
