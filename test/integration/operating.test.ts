/** What docs/operating.md says of files; its shell commands that move or replace them are run as they stand. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "../../src/index.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const PAGE = readFileSync(join(import.meta.dir, "../../docs/operating.md"), "utf8");

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});

afterEach(() => folder.remove());

describe("Move or rename the file", () => {
  const [moveClosed, moveWithLog] = commandsOf("Move or rename the file");

  test("takes everything along if the store is closed", async () => {
    await using store = new SqliteCheckpointStore(path);
    await store.createSession("./moved");
    await store.close();
    run(moveClosed);
    expect(readdirSync(folder.path)).toEqual(["archive.db"]);
    expect(await directoriesIn("archive.db")).toEqual(["./moved"]);
  });

  test("takes everything along after a crash", async () => {
    crashAfterWriting("./acknowledged");
    expect(readdirSync(folder.path).sort()).toEqual(["runs.db", "runs.db-shm", "runs.db-wal"]);
    run(moveWithLog);
    expect(readdirSync(folder.path).sort()).toEqual(["archive.db", "archive.db-wal"]);
    expect(await directoriesIn("archive.db")).toEqual(["./acknowledged"]);
  });

  test("is the same if there was no crash", async () => {
    await new SqliteCheckpointStore(path).close();
    run(moveWithLog);
    expect(readdirSync(folder.path)).toEqual(["archive.db"]);
  });
});

describe("Restore a backup", () => {
  const [restore] = commandsOf("Restore a backup");

  test("brings it back after a crash, and keeps what it replaces", async () => {
    crashAfterWriting("./first");
    await new SqliteCheckpointStore(path).close();
    runOn(path, `VACUUM INTO '${join(folder.path, "backup.db")}'`);
    crashAfterWriting("./second");
    run(restore);
    expect(await directoriesIn("runs.db")).toEqual(["./first"]);
    expect((await directoriesIn("old/runs.db")).toSorted()).toEqual(["./first", "./second"]);
  });

  test("works if the store was closed, or the file is gone", async () => {
    await new SqliteCheckpointStore(join(folder.path, "backup.db")).close();
    run(restore);
    expect(await directoriesIn("runs.db")).toEqual([]);
  });
});

describe("File permissions", () => {
  test("a read-only store leaves -shm and an empty -wal, which the next writing store removes", async () => {
    await new SqliteCheckpointStore(path).close();
    expect(readdirSync(folder.path)).toEqual(["runs.db"]);
    const reader = new SqliteCheckpointStore(path, { readonly: true });
    await reader.listSessions();
    await reader.close();
    expect(readdirSync(folder.path).sort()).toEqual(["runs.db", "runs.db-shm", "runs.db-wal"]);
    expect(statSync(`${path}-wal`).size).toBe(0);
    await new SqliteCheckpointStore(path).close();
    expect(readdirSync(folder.path)).toEqual(["runs.db"]);
  });
});

/** The blocks of shell commands in one section. */
function commandsOf(section: string): string[] {
  const text = PAGE.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "";
  return [...text.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
}

function run(commands: string | undefined): void {
  const shell = Bun.spawnSync(["sh", "-e", "-c", commands ?? "exit 1"], { cwd: folder.path });
  expect({ exitCode: shell.exitCode, errors: shell.stderr.toString() }).toEqual({ exitCode: 0, errors: "" });
}

/** A process that writes and is killed before it can close its store. */
function crashAfterWriting(directory: string): void {
  const source = JSON.stringify(join(import.meta.dir, "../../src/index.ts"));
  const script = `
    const { SqliteCheckpointStore } = await import(${source});
    await new SqliteCheckpointStore("runs.db").createSession(${JSON.stringify(directory)});
    process.kill(process.pid, "SIGKILL");`;
  const child = Bun.spawnSync([process.execPath, "-e", script], { cwd: folder.path });
  expect(child.signalCode).toBe("SIGKILL");
}

async function directoriesIn(name: string): Promise<string[]> {
  await using store = new SqliteCheckpointStore(join(folder.path, name));
  return (await store.listSessions()).map(({ directory }) => directory);
}
