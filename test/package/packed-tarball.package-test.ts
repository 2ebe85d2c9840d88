/**
 * What ships is what is tested: the tarball of `npm pack` is installed with Bun into an empty project, inspected, and used
 * from TypeScript. Not part of `npm test`, because it builds and packs.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundledFiles, gzippedSize } from "../../scripts/bundle.js";
import { builtFile, ENTRIES } from "../../scripts/entries.js";
import * as source from "../../src/index.js";
import { type InstalledPackage, packAndInstall, ROOT, tool } from "./installed-package.js";

const USER_PROGRAM = `
import { type Checkpoint, SessionNotFoundError, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";

await using store = new SqliteCheckpointStore("runs.db", { busyTimeout: 1000 });
const session = await store.createSession("./project", { metadata: { since: new Date(0) } });
await store.addMessage(session.id, { sessionId: session.id, role: "user", content: "hello" });
const saved: Checkpoint = await store.saveCheckpoint({
  sessionId: session.id, namespace: "", version: 1, step: 0, source: "loop",
  nodeResults: { plan: { status: "completed", output: new Set(["a"]) } }, pendingNodes: ["write"],
});
const fork = await store.fork(saved.id);
const unknown = await store.listCheckpoints("nobody").catch((error: unknown) => error instanceof SessionNotFoundError);
const latest = await store.getLatestCheckpoint(fork.id);
console.log(JSON.stringify({
  metadata: session.metadata?.since instanceof Date,
  output: latest?.nodeResults.plan?.output instanceof Set,
  parent: latest?.parentId === saved.id,
  unknown,
}));
`;

/** SQLite's long statements run in a worker, which must come along with whatever the program becomes. */
const MAINTENANCE_PROGRAM = `
import { rmSync } from "node:fs";
import { InvalidArgumentError, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { backup, stats, verify } from "@obsku/checkpoint-sqlite/maintenance";

await using store = new SqliteCheckpointStore("maintained.db");
rmSync("copy.db", { force: true });
await backup("maintained.db", "copy.db");
const { ok } = await verify("copy.db");
const { tables } = await stats("copy.db", { sessions: 1 });
const refused = await backup("maintained.db", "copy.db").catch((error: unknown) => error instanceof InvalidArgumentError);
console.log(ok, tables.length > 0, refused);
`;

/** Prints what it answers to the link, from another folder than the package's. */
const INSPECTOR_PROGRAM = `
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { inspect } from "@obsku/checkpoint-sqlite/inspector";

await using store = new SqliteCheckpointStore("inspected.db");
await using inspector = await inspect("inspected.db", { port: 0 });
const page = await fetch(inspector.url);
console.log(page.status, page.headers.get("content-type"), (await page.text()).includes("<title>Checkpoint inspector"));
`;

const EXPORTS_PROGRAM = `
console.log(JSON.stringify(Object.keys(await import("@obsku/checkpoint-sqlite"))));
`;

const DEEP_IMPORT_PROGRAM = `
await import("@obsku/checkpoint-sqlite/dist/index.js");
`;

interface Manifest {
  exports: Record<string, string | { types: string; default: string }>;
  bin?: Record<string, string>;
  engines: { bun: string };
}

let installed: InstalledPackage;
let manifest: Manifest;

beforeAll(async () => {
  installed = await packAndInstall();
  manifest = await Bun.file(join(installed.folder, "package.json")).json();
});

afterAll(() => installed.remove());

function shippedFiles(pattern: string): string[] {
  return [...new Bun.Glob(pattern).scanSync(installed.folder)].sort();
}

describe("the packed tarball", () => {
  test("contains the build, the documentation, the benchmark's results, and nothing else", () => {
    expect(
      readdirSync(installed.folder)
        .filter((name) => !name.startsWith("."))
        .sort(),
    ).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "bench", "dist", "docs", "package.json"]);
    expect(shippedFiles("bench/**/*")).toEqual(["bench/README.md", "bench/results.md"]);
  });

  test("contains the bundle of each entry with its chunks, their source maps, and no other code", async () => {
    const bundles = new Set<string>();
    for (const entry of ENTRIES) {
      for (const file of await bundledFiles(join(installed.folder, builtFile(entry, ".js")))) {
        bundles.add(file.slice(installed.folder.length + 1));
      }
    }
    expect(shippedFiles("dist/**/*.js")).toEqual([...bundles].sort());
    expect(shippedFiles("dist/**/*").filter((file) => !file.endsWith(".d.ts"))).toEqual(
      [
        "dist/THIRD-PARTY-LICENSES.txt",
        "dist/inspector.html",
        ...[...bundles].flatMap((file) => [file, `${file}.map`]),
      ].sort(),
    );
  });

  test("brings no other package along", () => {
    const modules = join(installed.project, "node_modules");
    expect(readdirSync(modules).filter((name) => !name.startsWith("."))).toEqual(["@obsku"]);
    expect(readdirSync(join(modules, "@obsku"))).toEqual(["checkpoint-sqlite"]);
  });

  test.each(ENTRIES.map((entry) => ({ ...entry, file: builtFile(entry, ".js") })))(
    "keeps $file with its chunks within $largestGzipped bytes, gzipped",
    async ({ file, largestGzipped }) => {
      const size = await gzippedSize(await bundledFiles(join(installed.folder, file)));
      expect(size).toBeLessThanOrEqual(largestGzipped);
    },
  );
});

describe("the exports of the packed tarball", () => {
  test("are the entries of the build, each with its declarations", () => {
    const { "./package.json": _, ...entryPoints } = manifest.exports;
    const importable = ENTRIES.filter((entry) => entry.program === undefined);
    expect(Object.values(entryPoints)).toEqual(
      importable.map((entry) => ({
        types: `./${builtFile(entry, ".d.ts")}`,
        default: `./${builtFile(entry, ".js")}`,
      })),
    );
  });

  test("have a command for each entry that is a program", () => {
    const programs = ENTRIES.filter((entry) => entry.program !== undefined);
    expect(Object.values(manifest.bin ?? {})).toEqual(programs.map((entry) => builtFile(entry, ".js")));
  });

  test("are names of src/index.ts, all of them", async () => {
    await installed.write("exports.ts", EXPORTS_PROGRAM);
    const { stdout, stderr } = await installed.run(process.execPath, "exports.ts");
    expect(stderr).toBe("");
    expect(JSON.parse(stdout).sort()).toEqual(Object.keys(source).sort());
  });

  test("let nobody import a file of dist/ by its path", async () => {
    await installed.write("deep-import.ts", DEEP_IMPORT_PROGRAM);
    const { exitCode, stderr } = await installed.run(process.execPath, "deep-import.ts");
    expect(stderr).toContain("@obsku/checkpoint-sqlite/dist/index.js");
    expect(exitCode).not.toBe(0);
  });

  test("have no fault that publint knows", async () => {
    const { exitCode, output } = await installed.run(tool("publint"), "run", installed.tarball, "--strict");
    expect(output).toContain("All good!");
    expect(exitCode).toBe(0);
  });

  test("resolve to the right types for ESM in Node and for bundlers, as attw sees it", async () => {
    // The package is ESM only. The profile leaves out CommonJS and the resolution of Node 10.
    const { exitCode, output } = await installed.run(
      ...[
        tool("attw"),
        installed.tarball,
        "--profile",
        "esm-only",
        "--format",
        "ascii",
        "--no-color",
        "--no-emoji",
      ],
    );
    expect(exitCode, output).toBe(0);
    expect(output).toContain("OK (ESM)");
  });
});

describe("the documentation in the packed tarball", () => {
  test("is where the links of the README lead", () => {
    const links = linksOf("README.md");
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter(({ target }) => !existsSync(join(installed.folder, target)))).toEqual([]);
  });

  test("links only to what is in the tarball, or to the sources in the repository", () => {
    const links = shippedFiles("**/*.md").flatMap(linksOf);
    const isSource = (target: string) =>
      /^(?:src|test|examples|scripts)\//.test(target) && existsSync(join(ROOT, target));
    const broken = links.filter(
      ({ target }) => !existsSync(join(installed.folder, target)) && !isSource(target),
    );
    expect(broken).toEqual([]);
  });
});

/** The relative links of a page; their targets are relative to the package's folder. */
function linksOf(page: string): { page: string; target: string }[] {
  const markdown = readFileSync(join(installed.folder, page), "utf8");
  return relativeLinks(markdown).map((link) => ({ page, target: join(dirname(page), link) }));
}

/** Targets of Markdown links, link definitions and HTML images, without their anchors. */
function relativeLinks(markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```/gms, "");
  return [...prose.matchAll(/\]\(([^)\s]+)|^\[[^\]]+\]: (\S+)|(?:src|href)="([^"]+)"/gm)]
    .map(([, inline, defined, html]) => (inline ?? defined ?? html ?? "").replace(/#.*/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

describe("a program that uses the packed tarball", () => {
  test("runs from TypeScript", async () => {
    await installed.write("program.ts", USER_PROGRAM);
    const result = await installed.run(process.execPath, "program.ts");
    expect(result.output).toBe('{"metadata":true,"output":true,"parent":true,"unknown":true}\n');
    expect(result.exitCode).toBe(0);
  });

  test("maintains a file, also as a bundle and as a compiled program", async () => {
    await installed.write("maintain.ts", MAINTENANCE_PROGRAM);
    const build = (...flags: string[]) => installed.run(process.execPath, "build", "maintain.ts", ...flags);
    expect((await build("--target=bun", "--outfile=bundle.js")).exitCode).toBe(0);
    expect((await build("--compile", "--outfile=compiled")).exitCode).toBe(0);
    for (const command of [
      [process.execPath, "maintain.ts"],
      [process.execPath, "bundle.js"],
      ["./compiled"],
    ]) {
      expect((await installed.run(...command)).output).toBe("true true true\n");
    }
  });

  test("opens the inspector, whose page comes along", async () => {
    await installed.write("inspect.ts", INSPECTOR_PROGRAM);
    const { output } = await installed.run(process.execPath, "inspect.ts");
    expect(output).toBe("200 text/html; charset=utf-8 true\n");
  });

  test("is told on Node, in one sentence, that it needs Bun and which version", async () => {
    const lowest = manifest.engines.bun.replace(">=", "");
    const program = 'await import("@obsku/checkpoint-sqlite")';
    const result = await installed.run("node", "--input-type=module", "--eval", program);
    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toContain(`@obsku/checkpoint-sqlite needs Bun ${lowest} or later`);
  });
});
