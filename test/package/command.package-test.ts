/** The command of the packed tarball starts wherever people start it: with Node and Bun, with only one of them, in every way. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "../../src/index.js";
import { linesOf } from "../support/lines.js";
import { type InstalledPackage, packAndInstall } from "./installed-package.js";

const NEEDS_BUN =
  "checkpoint-sqlite needs Bun 1.2.23 or later, which is not on the PATH: install it with `npm install --global bun`, or see https://bun.sh.\n";

let installed: InstalledPackage;
let version: string;

/** Folders for the PATH. */
const paths = { node: "", bun: "", both: "" };

beforeAll(async () => {
  installed = await packAndInstall();
  ({ version } = await Bun.file(join(installed.folder, "package.json")).json());
  for (const name of ["node", "bun", "both"] as const) {
    paths[name] = createPath(name);
  }
});
afterAll(() => installed.remove());

function createPath(name: "node" | "bun" | "both"): string {
  const folder = join(installed.project, "path", name);
  mkdirSync(folder, { recursive: true });
  const link = (command: string, target = Bun.which(command)) =>
    target === null ? undefined : symlinkSync(target, join(folder, command));
  for (const command of ["sh", "env", "uname", "dirname", "readlink"]) {
    link(command);
  }
  if (name !== "bun") {
    ["node", "npm", "npx"].forEach((command) => {
      link(command);
    });
  }
  if (name !== "node") {
    link("bun", process.execPath);
    link("bunx", process.execPath);
  }
  return folder;
}

async function runWith(path: string, ...command: readonly string[]) {
  const [name = "", ...args] = command;
  const child = Bun.spawn([Bun.which(name, { PATH: path }) ?? name, ...args], {
    cwd: installed.project,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: {
      ...process.env,
      PATH: path,
      // npm sets these, and Bun takes them for a Node that is installed.
      NODE: undefined,
      npm_node_execpath: undefined,
      BUN_INSTALL: join(installed.project, "bun-global"),
      npm_config_prefix: join(installed.project, "npm-global"),
      npm_config_cache: join(installed.project, "npm-cache"),
    },
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

describe("installed in a project, the command starts with", () => {
  test.each([
    ["npx", "both", ["npx", "@obsku/checkpoint-sqlite"]],
    ["npx by its own name", "both", ["npx", "checkpoint-sqlite"]],
    ["bunx", "both", ["bunx", "@obsku/checkpoint-sqlite"]],
    ["bunx --bun", "both", ["bunx", "--bun", "@obsku/checkpoint-sqlite"]],
    ["bunx --bun without Node", "bun", ["bunx", "--bun", "@obsku/checkpoint-sqlite"]],
  ] as const)("%s", async (_, path, command) => {
    expect(await runWith(paths[path], ...command, "--version")).toEqual({
      exitCode: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
    expect(await runWith(paths[path], ...command, "sessions", "--jsn")).toMatchObject({
      exitCode: 2,
      stdout: "",
    });
  });

  test("npx, and says in one sentence what is missing if there is no Bun", async () => {
    const outcome = await runWith(paths.node, "npx", "@obsku/checkpoint-sqlite", "--version");
    expect(outcome).toEqual({ exitCode: 127, stdout: "", stderr: NEEDS_BUN });
  });
});

describe("installed globally, the command starts with", () => {
  test("npm install --global", async () => {
    const { exitCode, stderr } = await runWith(
      paths.both,
      "npm",
      "install",
      "--global",
      "--silent",
      installed.tarball,
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    await expectToStart(join(installed.project, "npm-global/bin/checkpoint-sqlite"));
  });

  test("bun add --global", async () => {
    const { exitCode, stderr } = await runWith(paths.both, "bun", "add", "--global", installed.tarball);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    await expectToStart(join(installed.project, "bun-global/bin/checkpoint-sqlite"));
  });

  async function expectToStart(command: string): Promise<void> {
    expect(await runWith(paths.both, command, "--version")).toEqual({
      exitCode: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
    const withoutBun = await runWith(paths.node, command, "--version");
    expect(withoutBun).toEqual({ exitCode: 127, stdout: "", stderr: NEEDS_BUN });
  }
});

describe("under Node", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s is passed on, and its exit code comes back", async (signal, code) => {
    const path = join(installed.project, `${signal}.db`);
    const store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./followed");
    await store.addMessage(id, { sessionId: id, role: "user", content: "hello" });
    await store.close();
    const bin = join(installed.folder, "dist/cli/bin.js");
    const child = Bun.spawn(["node", bin, "messages", path, id, "--follow"], {
      env: { ...process.env, PATH: paths.both },
      stdout: "pipe",
      stderr: "pipe",
    });
    expect((await linesOf(child.stdout).next()).value).toStartWith("user  ");
    child.kill(signal);
    expect({ code: await child.exited, errors: await child.stderr.text() }).toEqual({ code, errors: "" });
    expect(existsSync(`${path}-wal`)).toBe(false); // The program ended, and tidied up.
  });

  test("what a Bun that cannot load the program says is passed on, with its exit code", async () => {
    const folder = join(installed.project, "old");
    mkdirSync(folder);
    await Bun.write(join(folder, "bun"), '#!/bin/sh\necho "Bun is too old" >&2\nexit 127\n');
    chmodSync(join(folder, "bun"), 0o755);
    const bin = join(installed.folder, "dist/cli/bin.js");
    const outcome = await runWith(`${folder}:${paths.node}`, "node", bin, "--version");
    expect(outcome).toEqual({ exitCode: 127, stdout: "", stderr: "Bun is too old\n" });
  });
});

describe("the tarball", () => {
  test("has the licence of every package that the command or the page bundles", () => {
    const text = readFileSync(join(installed.folder, "dist/THIRD-PARTY-LICENSES.txt"), "utf8");
    const names = [...text.matchAll(/^(\S+) \d+\.\d+\.\d+$/gm)].map(([, name]) => name);
    expect(names).toEqual(["@commander-js/extra-typings", "commander", "preact"]);
    expect(text.match(/Permission is hereby granted/g)).toHaveLength(names.length);
  });

  test("brings no code of the command into what programs import", () => {
    for (const file of new Bun.Glob("{*,maintenance/*,postgres/*}.js").scanSync(
      join(installed.folder, "dist"),
    )) {
      expect(readFileSync(join(installed.folder, "dist", file), "utf8")).not.toContain("commander");
    }
  });
});
