/** A write-ahead log next to a file that is not its own is never replayed; a file's own log always is. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore, StoreOpenError } from "@obsku/checkpoint-sqlite";
import { refuseForeignLog } from "../../src/database/foreign-log.js";
import { Wal } from "../faults/crash/wal.js";
import { buildMessage } from "../support/builders.js";
import { commandOf } from "../support/children.js";
import { thrownBy } from "../support/outcomes.js";
import { rowsOf } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const PUBLISHED = join(import.meta.dir, "..", "fixtures", "published-0.2.3.db");

let folder: TemporaryFolder;
let path: string;
let log: string;
let backup: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  log = `${path}-wal`;
  backup = join(folder.path, "backup.db");
});

afterEach(() => folder.remove());

describe("refused, with nothing changed, is", () => {
  test("a backup that was restored over the file of a crashed process", async () => {
    crashAfter(200, backup);
    copyFileSync(backup, path);
    expectRefusal(/the log of another database file.*"Restore a backup" in docs\/operating\.md/s);
    rmSync(log);
    expect(await messagesIn(path)).toBe(100);
  });

  test("the backup opened with readonly", () => {
    crashAfter(20, backup);
    copyFileSync(backup, path);
    expectRefusal(/the log of another database file/, { readonly: true });
  });

  test("the backup through a symbolic link, whose target has the log next to it", () => {
    crashAfter(20, backup);
    copyFileSync(backup, path);
    mkdirSync(join(folder.path, "links"));
    const link = join(folder.path, "links", "link.db");
    symlinkSync(join("..", "runs.db"), link);
    expect(thrownBy(() => new SqliteCheckpointStore(link)).message).toMatch(
      /the log of another database file/,
    );
  });

  test("a former copy of the same file, put back over that of a crashed process", async () => {
    crashAfter(20);
    await new SqliteCheckpointStore(path).close();
    copyFileSync(path, backup);
    crashAfter(60);
    await new SqliteCheckpointStore(path).close();
    crashAfter(60);
    copyFileSync(backup, path);
    expectRefusal(/the log of another database file/);
  });

  test("the file of another store, renamed over that of a crashed process", async () => {
    crashAfter(60);
    const [crashed, other] = [join(folder.path, "crashed-wal"), join(folder.path, "other.db")];
    renameSync(log, crashed);
    rmSync(path);
    crashAfter(400);
    await new SqliteCheckpointStore(path).close();
    renameSync(path, other);
    renameSync(other, path);
    renameSync(crashed, log);
    expectRefusal(/the log of another database file/);
  });

  test("a file of another page size", () => {
    crashAfter(20);
    const file = readFileSync(path);
    file.writeUInt16BE(8_192, 16);
    writeFileSync(path, file);
    expectRefusal(/the log of another database file/);
  });

  test("a new file at the name of one that was moved without its log", async () => {
    crashAfter(50);
    const archive = join(folder.path, "archive.db");
    renameSync(path, archive);
    expectRefusal(/no longer there.*"Move or rename the file" in docs\/operating\.md/s);
    expect(existsSync(path)).toBe(false);
    renameSync(log, `${archive}-wal`);
    expect(await messagesIn(archive)).toBe(50);
    expect(await messagesIn(path)).toBe(0);
  });

  test("the same by a dangling symbolic link", () => {
    crashAfter(5);
    renameSync(path, join(folder.path, "archive.db"));
    const link = join(folder.path, "link.db");
    symlinkSync("runs.db", link);
    expect(thrownBy(() => new SqliteCheckpointStore(link)).message).toMatch(/no longer there/);
    expect(existsSync(path)).toBe(false);
  });

  test("a file that was emptied, next to its log", () => {
    crashAfter(5);
    truncateSync(path);
    expectRefusal(/no longer there/);
  });

  test("another file at the name of one that a store of this process still has open", async () => {
    await new SqliteCheckpointStore(backup).close();
    const store = new SqliteCheckpointStore(path);
    await store.createSession("./open");
    rmSync(path);
    copyFileSync(backup, path);
    const error = thrownBy(() => new SqliteCheckpointStore(path));
    expect(error.message).toMatch(/in use by a store in this process.*Close that store first/);
    expect(await store.listSessions()).toHaveLength(1);
    await store.close();
    expect(await messagesIn(path)).toBe(0);
  });
});

describe("never refused is", () => {
  test("a file with any beginning of its own log, cut after a frame or within it", () => {
    crashAfter(120);
    const wal = new Wal(readFileSync(log));
    expect(wal.frames).toBeGreaterThan(300);
    for (let frames = 0; frames <= wal.frames; frames++) {
      writeFileSync(log, wal.bytes.subarray(0, wal.endOf(frames)));
      refuseForeignLog(path);
      writeFileSync(log, wal.bytes.subarray(0, wal.endOf(frames) + 2_000));
      refuseForeignLog(path);
    }
  });

  test("a file into which every page of the log up to some transaction was copied before its process was killed", () => {
    crashAfter(60);
    const [wal, file] = [new Wal(readFileSync(log)), Buffer.alloc(4 * 1024 * 1024)];
    let length = readFileSync(path).copy(file);
    for (let frame = 0; frame < wal.frames; frame++) {
      const at = wal.endOf(frame);
      const page = wal.bytes.readUInt32BE(at);
      wal.bytes.copy(file, (page - 1) * 4_096, at + 24, at + 24 + 4_096);
      length = Math.max(length, page * 4_096);
      if (wal.endsTransaction[frame] !== true) continue;
      writeFileSync(path, file.subarray(0, length));
      refuseForeignLog(path);
    }
  });

  test.each([
    ["while it was switched to a log", "PRAGMA journal_mode = WAL", 5],
    [
      "after its first write to the log",
      "PRAGMA journal_mode = WAL; UPDATE sessions SET title = 'changed'",
      5,
    ],
    ["after a table was made in the log", "PRAGMA journal_mode = WAL; CREATE TABLE host (a)", 5],
    ["after it was rewritten in the log", "PRAGMA journal_mode = WAL; VACUUM", 5],
  ])("a file from 0.2.3 whose process was killed %s", async (_, sql, sessions) => {
    copyFileSync(PUBLISHED, path);
    const script = `
      const { Database } = require("bun:sqlite");
      const database = new Database(${JSON.stringify(path)});
      for (const sql of ${JSON.stringify(sql.split("; "))}) database.run(sql);
      process.kill(process.pid, "SIGKILL");`;
    expect(Bun.spawnSync([process.execPath, "-e", script]).signalCode).toBe("SIGKILL");
    await using store = new SqliteCheckpointStore(path);
    expect(await store.listSessions()).toHaveLength(sessions);
  });

  test("a file that is longer than its header says, as one is that grows in steps", async () => {
    const script = `
      const { Database } = await import("bun:sqlite");
      const { SqliteCheckpointStore } = await import(${JSON.stringify(import.meta.resolve("@obsku/checkpoint-sqlite"))});
      await new SqliteCheckpointStore(${JSON.stringify(path)}).close();
      const database = new Database(${JSON.stringify(path)});
      database.fileControl(6, Int32Array.of(1_048_576, 0)); // SQLITE_FCNTL_CHUNK_SIZE
      for (const sql of ["CREATE TABLE host (a)", "INSERT INTO host VALUES (1)", "PRAGMA wal_checkpoint(TRUNCATE)"]) database.run(sql);
      database.run("UPDATE host SET a = 2");
      process.kill(process.pid, "SIGKILL");`;
    expect(Bun.spawnSync([process.execPath, "-e", script]).signalCode).toBe("SIGKILL");
    const pages = readFileSync(path).readUInt32BE(28);
    expect(readFileSync(path).length).toBeGreaterThan(pages * 4_096);
    await new SqliteCheckpointStore(path).close();
  });

  test("a restored backup, if nothing of the log would be replayed because its first transaction is damaged", async () => {
    crashAfter(20, backup);
    copyFileSync(backup, path);
    const damaged = readFileSync(log);
    damaged.writeUInt8(damaged.readUInt8(2_000) ^ 1, 2_000);
    writeFileSync(log, damaged);
    expect(await messagesIn(path)).toBe(10);
  });

  test("a file that another process writes to, during WAL checkpoints that restart its log", async () => {
    const host = new Database(path);
    for (const pragma of [
      "journal_mode = WAL",
      "foreign_keys = ON",
      "wal_autocheckpoint = 20",
      "synchronous = OFF",
    ]) {
      rowsOf(host, `PRAGMA ${pragma}`);
    }
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./busy");
    const script = `
      const { refuseForeignLog } = await import(${JSON.stringify(join(import.meta.dir, "../../src/database/foreign-log.ts"))});
      for (let look = 0; look < 1_000; look++) refuseForeignLog(${JSON.stringify(path)});`;
    const looker = Bun.spawn([process.execPath, "-e", script], { stderr: "pipe" });
    while (looker.exitCode === null) {
      await store.addMessage(id, buildMessage(id, { content: "x".repeat(3_000) }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect({ exitCode: looker.exitCode, errors: await looker.stderr.text() }).toEqual({
      exitCode: 0,
      errors: "",
    });
    await store.close();
    host.close(true);
  });

  test("a file next to a log that never was one", async () => {
    await new SqliteCheckpointStore(path).close();
    for (const content of ["", "x", "x".repeat(32), "x".repeat(9_000)]) {
      writeFileSync(log, content);
      refuseForeignLog(path);
    }
  });
});

test.skipIf(!existsSync("/proc/locks"))(
  "SQLite's lock on a file that the host has open in this process outlives the look at its log (Linux; skipped otherwise)",
  async () => {
    const host = new Database(path);
    rowsOf(host, "PRAGMA journal_mode = WAL");
    rowsOf(host, "CREATE TABLE host (a)");
    const before = locksOn(path);
    expect(before).toHaveLength(1);
    await new SqliteCheckpointStore(path).close();
    expect(locksOn(path)).toEqual(before);
    host.close(true);
  },
);

/** What this process has locked of a file. */
function locksOn(file: string): string[] {
  const ofFile = new RegExp(` ${process.pid} \\S+:${statSync(file).ino} (.*)$`);
  const locks = readFileSync("/proc/locks", "utf8").split("\n");
  return locks.flatMap((lock) => ofFile.exec(lock)?.[1] ?? []);
}

/** Leaves a file and its log as a process leaves them that was killed after so many messages. */
function crashAfter(messages: number, backup?: string): void {
  const args = [path, String(messages), ...(backup === undefined ? [] : [backup])];
  const child = Bun.spawnSync(commandOf("crashed-writer.ts", args), { stderr: "pipe" });
  expect({ signal: child.signalCode, errors: child.stderr.toString() }).toEqual({
    signal: "SIGKILL",
    errors: "",
  });
}

function expectRefusal(reason: RegExp, options?: { readonly: boolean }): void {
  const before = contents();
  const error = thrownBy(() => new SqliteCheckpointStore(path, options));
  expect(error).toBeInstanceOf(StoreOpenError);
  expect(error.message).toMatch(reason);
  expect(error.message).toContain("Nothing was changed.");
  expect(contents()).toEqual(before);
}

/** No file in the folder is open in this process. */
function contents(): string[] {
  return readdirSync(folder.path).map((name) => `${name} ${Bun.hash(readFileSync(join(folder.path, name)))}`);
}

async function messagesIn(file: string): Promise<number> {
  await using store = new SqliteCheckpointStore(file);
  const sessions = await store.listSessions();
  const messages = await Promise.all(sessions.map(({ id }) => store.getMessages(id)));
  return messages.flat().length;
}
