/** Commands that change a file: what they do, and that they ask before. */

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { JsonPlusSerializer, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { copyPublished } from "./support/files.js";
import { printed, run } from "./support/run.js";

const serializer = new JsonPlusSerializer();

let folder: TemporaryFolder;
let path: string;
let session: string;
let first: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  await using store = new SqliteCheckpointStore(path);
  ({ id: session } = await store.createSession("./changed", { title: "Changed", workspaceId: "w" }));
  await store.addMessage(session, buildMessage(session));
  ({ id: first } = await store.saveCheckpoint(buildCheckpoint(session, { version: 1 })));
  await store.saveCheckpoint(buildCheckpoint(session, { version: 2 }));
});
afterEach(() => folder.remove());

function reading<T>(read: (store: SqliteCheckpointStore) => Promise<T>, file = path): Promise<T> {
  const store = new SqliteCheckpointStore(file);
  return read(store).finally(() => store.close());
}

describe("without a terminal, --yes is needed by", () => {
  test.each([
    "fork FILE Changed:v1",
    "copy FILE Changed",
    "delete FILE Changed",
    "prune FILE --keep 1",
    "compact FILE",
    "import FILE",
    "restore FILE FILE.copy --overwrite",
    "backup FILE FILE.copy --overwrite",
  ])("%s", async (line) => {
    await Bun.write(`${path}.copy`, "something");
    const before = await Bun.file(path).bytes();
    const { exitCode, stdout, stderr } = await run(argumentsOf(line));
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/error: This .*There is no terminal to ask on: add --yes to do it\.\n$/);
    expect(await Bun.file(path).bytes()).toEqual(before);
    expect(await Bun.file(`${path}.copy`).text()).toBe("something");
  });
});

function argumentsOf(line: string): string[] {
  return line.split(" ").map((word) => word.replace("FILE", path));
}

describe("fork", () => {
  test("starts a session from the checkpoint, and prints it", async () => {
    const output = await printed("fork", path, "Changed:v1", "--title", "Other", "--yes", "--json");
    const fork = serializer.deserialize(output);
    expect(fork).toMatchObject({ title: "Other", directory: "./changed" });
    const [newest] = await reading((store) => store.listSessions());
    expect(fork).toEqual(newest);
    const [copy] = await reading((store) => store.listCheckpoints(newest?.id ?? ""));
    expect(copy).toMatchObject({ source: "fork", parentId: first });
  });
});

describe("copy and delete", () => {
  test("a copy has the same rows under a new id, and can be deleted by it", async () => {
    const { id } = JSON.parse(await printed("copy", path, "Changed", "--yes", "--json"));
    expect(id).not.toBe(session);
    expect(await reading((store) => store.listCheckpoints(id))).toHaveLength(2);
    expect(JSON.parse((await run(["delete", path, id, "--yes", "--json"])).stdout)).toEqual({
      deleted: [id],
    });
    expect(await reading((store) => store.listSessions())).toHaveLength(1);
  });

  test("delete takes several names, and each session once", async () => {
    const { id } = JSON.parse(await printed("copy", path, "Changed", "--yes", "--json"));
    const { exitCode, stdout, stderr } = await run(["delete", path, session, id, session.slice(0, 12), "-y"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "Deleted 2 sessions.\n" });
    expect(stderr).toContain(session);
    expect(await reading((store) => store.listSessions())).toEqual([]);
  });

  test("an unknown name among several deletes nothing", async () => {
    const { exitCode, stderr } = await run(["delete", path, session, "nobody", "--yes"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('No session has the id or title "nobody"');
    expect(await reading((store) => store.listSessions())).toHaveLength(1);
  });
});

describe("an error names the option as it is written here", () => {
  test("--busy-timeout, if another connection holds the lock", async () => {
    const { exitCode, stderr } = await withLock(() =>
      run(["delete", path, session, "-y", "--busy-timeout", "1"]),
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain("for longer than --busy-timeout (1 ms)");
    expect(stderr).toContain("or raise --busy-timeout.\n");
    expect(await reading((store) => store.listSessions())).toHaveLength(1);
  });

  test("--on-conflict, if a session is there already", async () => {
    const { exitCode, stderr } = await run(["import", path, "--yes"], {
      input: await printed("export", path),
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(": add --on-conflict skip or --on-conflict newIds\n");
  });

  test("none, if salvage would write over a file", async () => {
    const { exitCode, stderr } = await run(["salvage", path, path]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `error: ${path} exists: name another path.\n`,
    });
  });
});

async function withLock<T>(work: () => Promise<T>): Promise<T> {
  const database = new Database(path, { readwrite: true });
  try {
    database.run("BEGIN IMMEDIATE");
    return await work();
  } finally {
    database.close(true);
  }
}

describe("prune", () => {
  test("says what goes, without kinds of rows of which none does", async () => {
    const pruned = (...args: string[]) => printed("prune", path, ...args);
    expect(await pruned("--keep", "1", "--dry-run")).toMatch(/^Would delete 1 checkpoint \(\d+ B\)\.\n$/);
    expect(await pruned("--idle", "0m", "--dry-run")).toMatch(
      /^Would delete 1 session, 2 checkpoints and 1 message \(\d+ B\)\.\n$/,
    );
    expect(await pruned("--keep", "2", "--yes")).toBe("Deleted nothing.\n");
  });

  test("keeps the newest checkpoints, and says before what would go", async () => {
    const dryRun = JSON.parse(await printed("prune", path, "--keep", "1", "--dry-run", "--json"));
    expect(dryRun).toMatchObject({ checkpoints: 1, sessions: 0, dryRun: true });
    expect(await reading((store) => store.listCheckpoints(session))).toHaveLength(2);
    const report = JSON.parse(await printed("prune", path, "--keep", "1", "--yes", "--json"));
    expect(report).toEqual({ ...dryRun, dryRun: false });
    expect(await reading((store) => store.listCheckpoints(session))).toHaveLength(1);
  });

  test("deletes by age, within sessions and workspaces", async () => {
    const prune = async (...options: string[]) =>
      JSON.parse(await printed("prune", path, "--dry-run", "--json", ...options));
    expect(await prune("--idle", "0m")).toMatchObject({ sessions: 1 });
    expect(await prune("--idle", "1d")).toMatchObject({ sessions: 0 });
    expect(await prune("--idle", "0m", "--workspace", "other")).toMatchObject({ sessions: 0 });
    expect(await prune("--older-than", "9000-01-01", "--session", "Changed")).toMatchObject({
      checkpoints: 1,
    });
    expect(await prune("--older-than", "2001-01-01")).toMatchObject({ checkpoints: 0 });
  });
});

test("prune takes a date as the reader's: its midnight is the local one", async () => {
  const midnight = Date.parse("2020-05-01T00:00+09:00");
  const setTimes = (time: number) => {
    runOn(
      path,
      `UPDATE sessions SET updated_at = ${time}`,
      `UPDATE messages SET created_at = ${time}`,
      `UPDATE checkpoints SET created_at = ${time}`,
    );
  };
  const idleSessions = async (TZ: string) => {
    const args = ["prune", path, "--idle", "2020-05-01", "--dry-run", "--json"];
    return JSON.parse((await run(args, { env: { TZ } })).stdout).sessions;
  };
  setTimes(midnight - 1);
  expect(await idleSessions("Asia/Tokyo")).toBe(1);
  setTimes(midnight + 1);
  expect(await idleSessions("Asia/Tokyo")).toBe(0);
  expect(await idleSessions("UTC")).toBe(1);
});

describe("a file that is missing is named before anything is asked", () => {
  test.each([
    "compact MISSING",
    "prune MISSING --keep 1",
    "import MISSING FILE",
    "import FILE MISSING",
    "backup MISSING FILE --overwrite",
    "restore MISSING FILE --overwrite",
    "fork MISSING Changed:v1",
    "delete MISSING Changed",
  ])("%s", async (line) => {
    const { exitCode, stderr } = await run(argumentsOf(line.replace("MISSING", "FILE.missing")));
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `error: There is no file "${path}.missing".\n`,
    });
  });

  test("and so is a folder in place of an export", async () => {
    const { exitCode, stderr } = await run(["import", path, folder.path, "--yes"]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `error: "${folder.path}" is a directory.\n`,
    });
  });
});

describe("backup and restore", () => {
  test("copy the file, and replace one only with --overwrite", async () => {
    const copy = join(folder.path, "copy.db");
    expect(JSON.parse(await printed("backup", path, copy, "--json"))).toMatchObject({
      rows: { sessions: 1, checkpoints: 2, messages: 1 },
    });
    await reading((store) => store.deleteSession(session));
    const refused = await run(["restore", copy, path]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("exists: name another path, or add --overwrite");
    await printed("restore", copy, path, "--overwrite", "--yes");
    expect(await reading((store) => store.listCheckpoints(session))).toHaveLength(2);
    expect(readdirSync(folder.path).sort()).toEqual(["copy.db", "runs.db"]);
  });
});

describe("compact", () => {
  test("gives free pages back", async () => {
    await reading(async (store) => {
      for (let version = 3; version < 20; version += 1) {
        const output = Buffer.from(crypto.getRandomValues(new Uint8Array(50_000))).toString("hex"); // Shares no piece.
        await store.saveCheckpoint(
          buildCheckpoint(session, { version, nodeResults: { node: { status: "completed", output } } }),
        );
      }
      await store.deleteSession(session);
    });
    const report = JSON.parse(await printed("compact", path, "--yes", "--json"));
    expect(report.bytesAfter).toBeLessThan(report.bytesBefore / 2);
    expect(Bun.file(path).size).toBe(report.bytesAfter);
  });
});

describe("export and import", () => {
  test("take sessions to another file, through a pipe or a file", async () => {
    const lines = await printed("export", path, "Changed");
    const other = join(folder.path, "other.db");
    const imported = await run(["import", other, "--create", "--yes", "--json"], { input: lines });
    expect(JSON.parse(imported.stdout)).toMatchObject({
      sessions: 1,
      messages: 1,
      checkpoints: 2,
      skipped: 0,
    });
    const file = join(folder.path, "lines.jsonl");
    const exported = await run(["export", path, "Changed", "--output", file]);
    expect(exported).toMatchObject({ exitCode: 0, stdout: "", stderr: `Exported to ${file}.\n` });
    const skipped = JSON.parse(
      await printed("import", other, file, "--on-conflict", "skip", "--yes", "--json"),
    );
    expect(skipped).toMatchObject({ sessions: 0, skipped: 1 });
    const original = await reading((store) => store.listCheckpoints(session));
    expect(await reading((store) => store.listCheckpoints(session), other)).toEqual(original);
  });

  test("keep line separators within texts", async () => {
    const content = "one\u2028two\u2029three\u0085four\rfive";
    await reading((store) => store.addMessage(session, { sessionId: session, role: "user", content }));
    const other = join(folder.path, "other.db");
    await run(["import", other, "--create", "--yes"], { input: await printed("export", path) });
    const messages = await reading((store) => store.getMessages(session), other);
    expect(messages.at(-1)?.content).toBe(content);
  });

  test("export does not write over a file", async () => {
    const { exitCode, stderr } = await run(["export", path, "--output", path]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("cannot be created");
    expect(await reading((store) => store.listSessions())).toHaveLength(1);
  });

  test.each<[string, (lines: string[]) => string[]]>([
    ["begins with a bad line", (lines) => ["no export", ...lines]],
    ["is damaged in its first session", (lines) => lines.with(2, "{")],
    ["is cut in its first session", (lines) => lines.slice(0, 3)],
    ["is empty", () => []],
  ])("import leaves no database behind if the export %s", async (_, damage) => {
    const other = join(folder.path, "other.db");
    const lines = damage((await printed("export", path)).split("\n"));
    const before = readdirSync(folder.path);
    const { exitCode, stderr } = await run(["import", other, "--create", "--yes"], {
      input: lines.join("\n"),
    });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("line ")]);
    expect(readdirSync(folder.path)).toEqual(before);
  });

  test("import keeps a database that it did not create, and the sessions before a bad line", async () => {
    const other = join(folder.path, "other.db");
    await new SqliteCheckpointStore(other).close();
    await run(["import", other, "--create", "--yes"], { input: "no export" });
    expect(await reading((store) => store.listSessions(), other)).toEqual([]);
    const created = join(folder.path, "created.db");
    const lines = (await printed("export", path)).trimEnd().split("\n");
    const { exitCode } = await run(["import", created, "--create", "--yes"], {
      input: lines.with(-1, "{").join("\n"),
    });
    expect(exitCode).toBe(1);
    expect(await reading((store) => store.listSessions(), created)).toHaveLength(1);
  });

  test("import does not create a database unless it is asked to", async () => {
    const other = join(folder.path, "other.db");
    const { exitCode } = await run(["import", other, "--yes"], { input: await printed("export", path) });
    expect(exitCode).toBe(1);
    expect(await Bun.file(other).exists()).toBe(false);
  });
});

test("a file from 0.2.3 is read as it is, and upgraded by a command that changes it", async () => {
  const old = join(folder.path, "old.db");
  copyPublished(old);
  const before = await Bun.file(old).bytes();
  await printed("sessions", old);
  expect(await Bun.file(old).bytes()).toEqual(before);
  await printed("copy", old, "Security Scan", "--yes");
  expect(await printed("verify", old)).toContain("rows read");
  expect(await reading((store) => store.listSessions(), old)).toHaveLength(6);
});
