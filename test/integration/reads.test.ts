/** Reads: that they let other work run, and what they do when a lock is in the way. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SqliteCheckpointStore, StoreBusyError } from "@obsku/checkpoint-sqlite";
import { buildMessage } from "../support/builders.js";
import { buildFact } from "../support/memory-builders.js";
import { outcomesOf, rejectionOf } from "../support/outcomes.js";
import { SharedFile } from "../support/shared-file.js";
import { rowsOf } from "../support/sql.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

/** More than a second of them: a loop that needs so many lets nothing else run. */
const FAR_TOO_MANY = 300_000;

/** Some of so many reads that are called at once have to wait for a turn of the event loop. */
const SOME_WAIT = 2_500;

let file: SharedFile;
let folder: TemporaryFolder;
let store: SqliteCheckpointStore;
let other: Database;
let id: string;

beforeEach(async () => {
  file = await SharedFile.create();
  ({ folder, store, other, sessionId: id } = file);
});

afterEach(() => file.remove());

describe("a loop that awaits reads", () => {
  test("lets timers fire", async () => {
    let ticks = 0;
    const interval = setInterval(() => {
      ticks += 1;
    }, 1);
    try {
      for (let reads = 0; ticks < 3; reads++) {
        expect(reads).toBeLessThan(FAR_TOO_MANY);
        await store.getLatestCheckpoint(id);
      }
    } finally {
      clearInterval(interval);
    }
  });

  test("comes to see what another task of the process writes", async () => {
    setTimeout(() => store.addMessage(id, buildMessage(id, { content: "an answer" })), 1);
    for (let reads = 0; (await store.getMessages(id)).length === 0; reads++) {
      expect(reads).toBeLessThan(FAR_TOO_MANY);
    }
  });

  test("lets other work run also if the reads are searches", async () => {
    await store.saveFact(buildFact({ embedding: [1, 0] }));
    let hasRun = false;
    setImmediate(() => {
      hasRun = true;
    });
    for (let searches = 0; !hasRun; searches++) {
      expect(searches).toBeLessThan(FAR_TOO_MANY / 10);
      await store.searchFactsSemantic([1, 0]);
    }
  });

  test("lets other work run also if the reads fail", async () => {
    let hasRun = false;
    setImmediate(() => {
      hasRun = true;
    });
    for (let reads = 0; !hasRun; reads++) {
      expect(reads).toBeLessThan(FAR_TOO_MANY);
      await rejectionOf(store.getMessages("unknown"));
    }
  });
});

describe("a read", () => {
  test("that is alone in its turn is answered without waiting for another", async () => {
    for (let turn = 0; turn < 20; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      const read = store.getSession(id);
      for (let microtask = 0; microtask < 10; microtask++) await Promise.resolve();
      expect(Bun.peek.status(read)).toBe("fulfilled");
    }
  });

  test("that waits for a turn does not wait for a write that is called after it", async () => {
    rowsOf(other, "BEGIN IMMEDIATE");
    const reads = Array.from({ length: SOME_WAIT }, () => store.getSession(id));
    await Promise.resolve();
    expect(reads.map((read) => Bun.peek.status(read))).toContain("pending");
    const write = store.createSession("./later");
    await Promise.all(reads);
    expect(Bun.peek.status(write)).toBe("pending");
    rowsOf(other, "ROLLBACK");
    await write;
  });

  test("that waits for a turn is waited for by close", async () => {
    const reads = Array.from({ length: SOME_WAIT }, () => store.getSession(id));
    await store.close();
    expect(await outcomesOf(reads)).toEqual(reads.map(() => "ok"));
  });
});

describe("a lock that keeps even readers out, as in a rollback journal", () => {
  let host: Database;
  let writer: Database;

  beforeEach(() => {
    host = new Database(join(folder.path, "journal.db"));
    rowsOf(host, "PRAGMA foreign_keys = ON");
    writer = new Database(join(folder.path, "journal.db"));
  });

  afterEach(() => {
    writer.close(true);
    host.close(true);
  });

  test("is waited for by a read while the event loop keeps running", async () => {
    const guest = new SqliteCheckpointStore(host);
    rowsOf(writer, "BEGIN EXCLUSIVE");
    const read = guest.listSessions();
    const search = guest.searchFactsSemantic([1, 0]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([Bun.peek.status(read), Bun.peek.status(search)]).toEqual(["pending", "pending"]);
    rowsOf(writer, "ROLLBACK");
    expect([await read, await search]).toEqual([[], []]);
    await guest.close();
  });

  test("that is held for longer than busyTimeout makes a read reject, and the next one works", async () => {
    const guest = new SqliteCheckpointStore(host, { busyTimeout: 20 });
    rowsOf(writer, "BEGIN EXCLUSIVE");
    const reads: Promise<unknown>[] = [guest.listSessions(), guest.searchFactsSemantic([1, 0])];
    for (const error of await Promise.all(reads.map(rejectionOf))) {
      expect(error).toBeInstanceOf(StoreBusyError);
      expect(error.message).toContain("20 ms");
    }
    rowsOf(writer, "ROLLBACK");
    expect(await guest.listSessions()).toEqual([]);
    await guest.close();
  });

  test("is not waited for with a busyTimeout of 0", async () => {
    const guest = new SqliteCheckpointStore(host, { busyTimeout: 0 });
    rowsOf(writer, "BEGIN EXCLUSIVE");
    expect(await rejectionOf(guest.listSessions())).toBeInstanceOf(StoreBusyError);
    await guest.close();
  });
});
