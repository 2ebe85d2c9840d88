/**
 * What ships is what is tested: the tarball of `npm pack` is installed with Bun into an empty project, used from
 * TypeScript, and its declarations are compiled there. Not part of `npm test`, because it builds and packs.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");
const project = mkdtempSync(join(tmpdir(), "packed-tarball-"));
const installed = join(project, "node_modules/@obsku/checkpoint-sqlite");

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

/** Uses what the declarations declare, and no type of Bun's or Node's. */
const TYPES_ONLY_PROGRAM = `
import { type Checkpoint, SqliteCheckpointStore, type SqliteCheckpointStoreOptions } from "@obsku/checkpoint-sqlite";

const options: SqliteCheckpointStoreOptions = { busyTimeout: 1000 };
export const store: AsyncDisposable = new SqliteCheckpointStore("runs.db", options);
export const latest = (id: string): Promise<Checkpoint | null> => new SqliteCheckpointStore().getLatestCheckpoint(id);
`;

const HOST_PROGRAM = `
import { Database } from "bun:sqlite";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";

export const store = new SqliteCheckpointStore(new Database(":memory:"));
`;

const STRICTEST = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false };

const MODULES = [
  { module: "Node16", moduleResolution: "Node16" },
  { module: "NodeNext", moduleResolution: "NodeNext" },
  { module: "ESNext", moduleResolution: "Bundler" },
];

const TYPES_OF_BUN = { types: ["bun"], typeRoots: [join(root, "node_modules/@types")] };

const DECLARATIONS = MODULES.flatMap((modules) => [
  {
    title: `${modules.moduleResolution}, without @types/bun`,
    compilerOptions: { ...modules, target: "ES2022", types: [] },
    files: ["types-only.ts"],
  },
  {
    title: `${modules.moduleResolution}, with @types/bun`,
    compilerOptions: { ...modules, ...TYPES_OF_BUN, target: "ES2023", lib: ["ES2023", "ESNext.Disposable"] },
    files: ["types-only.ts", "program.ts", "host.ts"],
  },
]);

async function run(folder: string, ...command: string[]) {
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr, output: stdout + stderr };
}

beforeAll(async () => {
  const packed = await run(root, "npm", "pack", "--silent", "--pack-destination", project);
  expect(packed.exitCode, packed.output).toBe(0);
  const tarball = packed.stdout.trim().split("\n").at(-1);
  await Bun.write(join(project, "package.json"), JSON.stringify({ name: "user", type: "module" }));
  await Bun.write(join(project, "program.ts"), USER_PROGRAM);
  await Bun.write(join(project, "types-only.ts"), TYPES_ONLY_PROGRAM);
  await Bun.write(join(project, "host.ts"), HOST_PROGRAM);
  const added = await run(project, process.execPath, "add", `./${tarball}`);
  expect(added.exitCode, added.output).toBe(0);
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe("the packed tarball", () => {
  test("ships the bundle, its source map and declarations, README, LICENSE and CHANGELOG, and nothing else", () => {
    expect(
      readdirSync(installed)
        .filter((name) => !name.startsWith("."))
        .sort(),
    ).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json"]);
    const dist = readdirSync(join(installed, "dist"), { recursive: true, withFileTypes: true });
    const kinds = dist.filter((entry) => entry.isFile()).map((entry) => entry.name.replace(/^.*?\./, "."));
    expect(new Set(kinds)).toEqual(new Set([".js", ".js.map", ".d.ts"]));
    expect(kinds.filter((kind) => kind === ".js")).toHaveLength(1);
  });

  test("brings no other package along", () => {
    expect(readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."))).toEqual([
      "@obsku",
    ]);
    expect(readdirSync(join(project, "node_modules/@obsku"))).toEqual(["checkpoint-sqlite"]);
  });

  test("is one bundle under 40 kB, gzipped", async () => {
    const bundle = await Bun.file(join(installed, "dist/index.js")).bytes();
    expect(Bun.gzipSync(bundle).length).toBeLessThan(40_000);
  });

  test("is used from a TypeScript program", async () => {
    const result = await run(project, process.execPath, "program.ts");
    expect(result.output).toBe('{"metadata":true,"output":true,"parent":true,"unknown":true}\n');
    expect(result.exitCode).toBe(0);
  });

  test.each(DECLARATIONS)(
    "has declarations that compile in the strictest project, libraries checked too: $title",
    async ({ compilerOptions, files }) => {
      const tsconfig = { compilerOptions: { ...STRICTEST, ...compilerOptions }, files };
      await Bun.write(join(project, "tsconfig.json"), JSON.stringify(tsconfig));
      const result = await run(project, join(root, "node_modules/.bin/tsc"), "--project", "tsconfig.json");
      expect(result.output).toBe("");
      expect(result.exitCode).toBe(0);
    },
  );

  test("says on Node, in one sentence, that it needs Bun and which version", async () => {
    const { engines } = await Bun.file(join(installed, "package.json")).json();
    const lowest = String(engines.bun).replace(">=", "");
    const result = await run(
      project,
      "node",
      "--input-type=module",
      "--eval",
      'await import("@obsku/checkpoint-sqlite")',
    );
    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toContain(`@obsku/checkpoint-sqlite needs Bun ${lowest} or later`);
  });
});
