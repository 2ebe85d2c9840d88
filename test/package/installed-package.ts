/** Packs the package, and installs the tarball with Bun into an empty project. */
import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dir, "../..");

export interface InstalledPackage {
  /** The project's folder. */
  readonly project: string;
  /** The package's folder within the project. */
  readonly folder: string;
  readonly tarball: string;
  /** Writes a file into the project. */
  write(name: string, content: string): Promise<void>;
  /** Runs a command in the project's folder. */
  run(...command: string[]): Promise<Outcome>;
  remove(): void;
}

interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** `stdout`, then `stderr`. */
  output: string;
}

export async function packAndInstall(): Promise<InstalledPackage> {
  const project = mkdtempSync(join(tmpdir(), "installed-package-"));
  const remove = () => rmSync(project, { recursive: true, force: true });
  try {
    return {
      project,
      folder: join(project, "node_modules/@obsku/checkpoint-sqlite"),
      tarball: await packAndInstallInto(project),
      write: async (name, content) => {
        await Bun.write(join(project, name), content);
      },
      run: (...command) => runIn(project, ...command),
      remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Returns the path of the tarball. */
async function packAndInstallInto(project: string): Promise<string> {
  const packed = await runIn(ROOT, "npm", "pack", "--silent", "--pack-destination", project);
  expect(packed.exitCode, packed.output).toBe(0);
  const tarball = join(project, packed.stdout.trim().split("\n").at(-1) ?? "");
  await Bun.write(join(project, "package.json"), JSON.stringify({ name: "user", type: "module" }));
  const added = await runIn(project, process.execPath, "add", tarball);
  expect(added.exitCode, added.output).toBe(0);
  return tarball;
}

/** The path of a development tool's command. */
export function tool(name: string): string {
  return join(ROOT, "node_modules/.bin", name);
}

async function runIn(folder: string, ...command: string[]): Promise<Outcome> {
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr, output: stdout + stderr };
}
