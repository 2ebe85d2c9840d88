/** A copy of the working tree, in which code may be broken and tests run. */
import { chmodSync, cpSync, mkdirSync, symlinkSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import type { Mutation } from "./mutation.js";

const ROOT = resolve(import.meta.dir, "..", "..");

/** The installed packages are shared, and no test reads what was built. */
const NOT_COPIED = new Set(["node_modules", "dist", ".git"]);

/** A breakage that makes the tests hang is noticed as well. In milliseconds: for one test, and for all of a run. */
const TEST_TIMEOUT = 30_000;
const RUN_TIMEOUT = 180_000;

export class Workspace {
  private constructor(readonly folder: TemporaryFolder) {}

  static async create(): Promise<Workspace> {
    const folder = await createTemporaryFolder();
    cpSync(ROOT, folder.path, { recursive: true, filter: (path) => !NOT_COPIED.has(basename(path)) });
    symlinkSync(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
    mkdirSync(join(folder.path, "tmp"));
    chmodSync(folder.path, 0o755); // Some tests run a child as a user without rights.
    return new Workspace(folder);
  }

  /** How often the text to be replaced is in the file. */
  async countOf({ file, find }: Mutation): Promise<number> {
    const source = Bun.file(join(this.folder.path, file));
    return (await source.exists()) ? (await source.text()).split(find).length - 1 : 0;
  }

  /** Does `work` while the code is broken. */
  async broken<T>({ file, find, replace }: Mutation, work: () => Promise<T>): Promise<T> {
    const path = join(this.folder.path, file);
    const source = await Bun.file(path).text();
    await Bun.write(
      path,
      source.replace(find, () => replace),
    );
    try {
      return await work();
    } finally {
      await Bun.write(path, source);
    }
  }

  /** The name of the first test that fails, or how else the run ends badly; `undefined` if all pass. No files: the whole suite. */
  async failureOf(tests: readonly string[], only?: string): Promise<string | undefined> {
    const files = tests.map((file) => `./${file}`);
    const filter = only === undefined ? [] : ["--test-name-pattern", only];
    const run = Bun.spawn(
      [process.execPath, "test", "--bail", "--timeout", String(TEST_TIMEOUT), ...filter, ...files],
      {
        cwd: this.folder.path,
        env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, TMPDIR: join(this.folder.path, "tmp") },
        stdout: "ignore",
        stderr: "pipe",
        timeout: RUN_TIMEOUT,
        killSignal: "SIGKILL",
      },
    );
    const [output, exitCode] = await Promise.all([run.stderr.text(), run.exited]);
    if (exitCode === 0) {
      return undefined;
    }
    const failed = /^\(fail\) (.*?)(?: \[[\d.]+ms\])?$/m.exec(output)?.[1];
    return (
      failed ??
      (run.signalCode === "SIGKILL" ? "the time limit" : `exit code ${exitCode}: ${lastLineOf(output)}`)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder.remove();
  }
}

function lastLineOf(output: string): string {
  return output.trimEnd().split("\n").at(-1) ?? "";
}
