/** What docs/operating.md and docs/export-format.md say of files; every block of shell commands on them is run as it stands. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "../../src/index.js";
import { compact, exportSessions, importSessions } from "../../src/maintenance/index.js";
import { buildWave } from "../support/large-outputs.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const PAGE = readFileSync(join(import.meta.dir, "../../docs/operating.md"), "utf8");
const FORMAT_PAGE = readFileSync(join(import.meta.dir, "../../docs/export-format.md"), "utf8");

/** Every block of commands that a test below runs, as it stands. */
const COMMANDS = {
  backUp: block(PAGE, "Backup", 0),
  restore: block(PAGE, "Restore a backup", 0),
  moveClosed: block(PAGE, "Move or rename the file", 0),
  moveWithLog: block(PAGE, "Move or rename the file", 1),
  inspectRows: block(PAGE, "Inspect the file", 0),
  inspectView: block(PAGE, "Inspect the file", 1),
  createIncremental: block(PAGE, "Keep the file small", 0),
  readTexts: block(FORMAT_PAGE, "Example", 0),
};
const missing = ["sqlite3", "jq"].filter((program) => Bun.which(program) === null).join(", ");
const skipped = missing === "" ? "" : ` (skipped: no ${missing})`;

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});

afterEach(() => folder.remove());

describe("Move or rename the file", () => {
  test("takes everything along if the store is closed", async () => {
    await using store = new SqliteCheckpointStore(path);
    await store.createSession("./moved");
    await store.close();
    run(COMMANDS.moveClosed);
    expect(readdirSync(folder.path)).toEqual(["archive.db"]);
    expect(await directoriesIn("archive.db")).toEqual(["./moved"]);
  });

  test("takes everything along after a crash", async () => {
    crashAfterWriting("./acknowledged");
    expect(readdirSync(folder.path).sort()).toEqual(["runs.db", "runs.db-shm", "runs.db-wal"]);
    run(COMMANDS.moveWithLog);
    expect(readdirSync(folder.path).sort()).toEqual(["archive.db", "archive.db-wal"]);
    expect(await directoriesIn("archive.db")).toEqual(["./acknowledged"]);
  });

  test("is the same if there was no crash", async () => {
    await new SqliteCheckpointStore(path).close();
    run(COMMANDS.moveWithLog);
    expect(readdirSync(folder.path)).toEqual(["archive.db"]);
  });
});

describe("Restore a backup", () => {
  test("brings it back after a crash, and keeps what it replaces", async () => {
    crashAfterWriting("./first");
    await new SqliteCheckpointStore(path).close();
    runOn(path, `VACUUM INTO '${join(folder.path, "backup.db")}'`);
    crashAfterWriting("./second");
    run(COMMANDS.restore);
    expect(await directoriesIn("runs.db")).toEqual(["./first"]);
    expect((await directoriesIn("old/runs.db")).toSorted()).toEqual(["./first", "./second"]);
  });

  test("works if the store was closed, or the file is gone", async () => {
    await new SqliteCheckpointStore(join(folder.path, "backup.db")).close();
    run(COMMANDS.restore);
    expect(await directoriesIn("runs.db")).toEqual([]);
  });
});

describe.skipIf(missing !== "")(`with sqlite3 and jq${skipped}`, () => {
  test("Backup: the copy holds what was committed while the store is open", async () => {
    await using store = new SqliteCheckpointStore(path);
    await store.createSession("./copied");
    run(COMMANDS.backUp);
    expect(await directoriesIn("backup.db")).toEqual(["./copied"]);
  });

  test("Inspect the file: a node's status is in the row, and its output in the view", async () => {
    const output = "long ".repeat(1_000);
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./d");
    await store.saveCheckpoint(buildWave(id, 7, { plan: output }));
    expect(run(COMMANDS.inspectRows)).toBe("7|0|loop|completed\nok\n");
    expect(run(COMMANDS.inspectView)).toBe(`7|${output}\n`);
  });

  test("Keep the file small: a new file is compacted in small steps, and private", async () => {
    run(COMMANDS.createIncremental);
    const file = join(folder.path, "new.db");
    await new SqliteCheckpointStore(file).close();
    expect((await compact(file)).method).toBe("incremental");
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("the export format: the texts of all messages, and the example is one that is imported", async () => {
    const example = /^```json\n(.*?)^```$/ms.exec(FORMAT_PAGE)?.[1] ?? "";
    await Bun.write(join(folder.path, "session.jsonl"), example);
    expect(run(COMMANDS.readTexts)).toBe("Scan it\n");
    await new SqliteCheckpointStore(path).close();
    const lines = example.split("\n");
    expect(await importSessions(path, lines)).toMatchObject({ sessions: 1, messages: 1, checkpoints: 1 });
    expect(await Array.fromAsync(exportSessions(path))).toEqual(lines.filter((line) => line !== ""));
  });
});

test("no block of commands is left out", () => {
  expect(Object.values(COMMANDS).toSorted()).toEqual(
    [...blocksIn(PAGE), ...blocksIn(FORMAT_PAGE)].toSorted(),
  );
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

/** A block of shell commands in one section. */
function block(page: string, section: string, index: number): string {
  const text = page.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "";
  return blocksIn(text)[index] ?? "exit 1";
}

function blocksIn(text: string): string[] {
  return [...text.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
}

/** Returns what the commands printed. */
function run(commands: string): string {
  const shell = Bun.spawnSync(["sh", "-e", "-c", commands], { cwd: folder.path });
  expect({ exitCode: shell.exitCode, errors: shell.stderr.toString() }).toEqual({ exitCode: 0, errors: "" });
  return shell.stdout.toString();
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
