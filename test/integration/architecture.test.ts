/** docs/architecture.md and docs/decisions: what they say of the source is so. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");
const source = join(root, "src");
const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
const decisions = readdirSync(join(root, "docs/decisions")).filter((file) => /^\d/.test(file));

/** Modules that every room may import. */
const VOCABULARY = ["errors.ts", "types.ts", "options.ts"];

interface Import {
  from: string;
  to: string;
}

/** The arrows of the drawing; dashed ones lead from rooms that may not be there yet. */
const arrows: Import[] = [...page.matchAll(/^ {2}(\S+) -\.?-?> (\S+)$/gm)].map((match) => ({
  from: match[1] ?? "",
  to: match[2] ?? "",
}));

function reachableFrom(room: string, seen = new Set<string>()): Set<string> {
  for (const { to } of arrows.filter(({ from }) => from === room)) {
    if (!seen.has(to)) {
      reachableFrom(to, seen.add(to));
    }
  }
  return seen;
}

/** A room's folder, or a module at the top. */
function roomOf(file: string): string {
  return relative(source, file).split("/")[0] ?? "";
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), "utf8");
  return [...text.matchAll(/(?:from|import) "(\.[^"]+)\.js"/g)].map((match) => ({
    from: roomOf(join(source, file)),
    to: roomOf(join(source, dirname(file), `${match[1]}.ts`)),
  }));
}

describe("the drawing of the rooms", () => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const imports = files.flatMap(importsOf).filter(({ from, to }) => from !== to);

  test("has every room of the source", () => {
    const drawn = new Set(arrows.flatMap(({ from, to }) => [from, to]));
    const rooms = new Set(files.map((file) => roomOf(join(source, file))));
    expect([...rooms].filter((room) => !drawn.has(room) && !VOCABULARY.includes(room))).toEqual([]);
  });

  test("has no circle", () => {
    expect(arrows.filter(({ from }) => reachableFrom(from).has(from))).toEqual([]);
  });

  test("has an arrow, or several in a row, for every import", () => {
    expect(imports.length).toBeGreaterThan(50);
    const others = imports.filter(({ from, to }) => !VOCABULARY.includes(to) && !reachableFrom(from).has(to));
    expect(others).toEqual([]);
  });
});

describe("every path that is named exists, in", () => {
  test.each(["docs/architecture.md", ...decisions.map((file) => `docs/decisions/${file}`)])("%s", (file) => {
    const text = readFileSync(join(root, file), "utf8");
    const paths = [...text.matchAll(/`((?:src|test|docs|bench|scripts)\/[\w./-]*)`/g)].map(
      (match) => match[1] ?? "",
    );
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe("every decision", () => {
  const index = readFileSync(join(root, "docs/decisions/README.md"), "utf8");

  test.each(decisions)("has its four parts, and is in the index: %s", (file) => {
    const text = readFileSync(join(root, "docs/decisions", file), "utf8");
    const headings = [...text.matchAll(/^## (.*)$/gm)].map((match) => match[1]);
    expect(headings).toEqual(["Context", "Decision", "Consequences", "How it was measured"]);
    expect(index).toContain(`(${file})`);
  });
});
