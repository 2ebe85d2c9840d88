/** The one write path: what is committed together, what fails alone, how locks are waited for. */
import { constants, Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import {
  CheckpointVersionConflictError,
  DiskFullError,
  SqliteCheckpointStore,
  StoreBusyError,
  StoreClosedError,
} from "@obsku/checkpoint-sqlite";
import { TRANSACTION_SQL } from "../../src/scheduler/write-queue.js";
import { MESSAGES_SQL } from "../../src/tables/messages.js";
import { SESSIONS_SQL } from "../../src/tables/sessions.js";
import { buildCheckpoint, buildMessage, readTexts } from "../support/builders.js";
import { countCommits } from "../support/commits.js";
import { statementOf, watchOpening } from "../support/opened-database.js";
import { outcomesOf, rejectionOf } from "../support/outcomes.js";
import { SharedFile } from "../support/shared-file.js";
import { rowsOf } from "../support/sql.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

let file: SharedFile;
let folder: TemporaryFolder;
let path: string;
let store: SqliteCheckpointStore;
let other: Database;
let id: string;

beforeEach(async () => {
  file = await SharedFile.create({ title: "untouched" });
  ({ folder, path, store, other, sessionId: id } = file);
});

afterEach(() => file.remove());

describe("writes called together", () => {
  test("are one transaction, of whatever kind they are", async () => {
    const before = countCommits(path);
    const calls = [
      ...Array.from({ length: 64 }, (_, index) => add(`${index}`)),
      ...Array.from({ length: 64 }, (_, index) =>
        store.saveCheckpoint(buildCheckpoint(id, { version: index })),
      ),
      store.createSession("./another"),
      store.updateSession(id, { title: "updated" }),
      store.deleteSession("unknown"),
    ];
    expect(await outcomesOf(calls)).toEqual(calls.map(() => "ok"));
    expect(countCommits(path) - before).toBe(1);
    expect(await readTexts(store, id)).toEqual(Array.from({ length: 64 }, (_, index) => `${index}`));
  });

  test("are one transaction also if microtasks of the same turn call some of them", async () => {
    const before = countCommits(path);
    const calls = [add("called")];
    queueMicrotask(() => calls.push(add("microtask")));
    process.nextTick(() => calls.push(add("next tick")));
    void Promise.resolve()
      .then(() => calls.push(add("promise")))
      .then(() => calls.push(add("promise after a promise")));
    await calls[0];
    expect(await outcomesOf(calls)).toEqual(calls.map(() => "ok"));
    expect(calls).toHaveLength(5);
    expect(countCommits(path) - before).toBe(1);
  });

  test("are one transaction also if each is called after a read was awaited", async () => {
    const before = countCommits(path);
    const calls = ["a", "b", "c"].map(async (content) => {
      await store.getSession(id);
      return add(content);
    });
    expect(await outcomesOf(calls)).toEqual(["ok", "ok", "ok"]);
    expect(countCommits(path) - before).toBe(1);
  });

  test("one after the other are a transaction each", async () => {
    const before = countCommits(path);
    for (const content of ["a", "b", "c"]) await add(content);
    expect(countCommits(path) - before).toBe(3);
  });

  test("take effect in the order of the calls", async () => {
    const calls = [
      store.updateSession(id, { title: "first" }),
      store.updateSession(id, { title: "second" }),
      store.saveCheckpoint(buildCheckpoint(id, { version: 1 })),
      add("after the checkpoint"),
      store.updateSession(id, { title: "last" }),
    ];
    await Promise.all(calls);
    expect((await store.getSession(id))?.title).toBe("last");
    const [message] = await store.getMessages(id);
    const checkpoint = await store.getLatestCheckpoint(id);
    expect(message?.createdAt).toBeGreaterThan(checkpoint?.createdAt ?? Number.POSITIVE_INFINITY);
  });

  test("are acknowledged in the order of the calls", async () => {
    const acknowledged: number[] = [];
    const calls = Array.from({ length: 10 }, (_, index) =>
      add(`${index}`).then(() => acknowledged.push(index)),
    );
    await Promise.all(calls);
    expect(acknowledged).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe("a write that fails among others fails alone", () => {
  test("if its session is unknown, its version taken or its checkpoint missing", async () => {
    const before = countCommits(path);
    const calls = [
      add("first"),
      store.addMessage("unknown", buildMessage("unknown")),
      store.saveCheckpoint(buildCheckpoint(id, { version: 1 })),
      store.saveCheckpoint(buildCheckpoint(id, { version: 1 })),
      store.fork("unknown"),
      store.updateSession("unknown", { title: "x" }),
      add("last"),
    ];
    expect(await outcomesOf(calls)).toEqual([
      "ok",
      "SessionNotFoundError",
      "ok",
      "CheckpointVersionConflictError",
      "CheckpointNotFoundError",
      "SessionNotFoundError",
      "ok",
    ]);
    expect(countCommits(path) - before).toBe(1);
    expect(await readTexts(store, id)).toEqual(["first", "last"]);
    expect(await store.listCheckpoints(id)).toHaveLength(1);
  });

  test("if its argument is refused before anything is written", async () => {
    const before = countCommits(path);
    const refused = store.addMessage(id, buildMessage(id, { tokensIn: -1 }));
    expect(await outcomesOf([add("first"), refused, add("last")])).toEqual([
      "ok",
      "InvalidArgumentError",
      "ok",
    ]);
    expect(countCommits(path) - before).toBe(1);
  });

  test.each(["ABORT", "FAIL", "ROLLBACK"])(
    "if SQLite answers its statement with %s, half of it done",
    async (answer) => {
      other.run(`CREATE TRIGGER refuse AFTER INSERT ON messages WHEN new.content = 'bad'
      BEGIN SELECT RAISE(${answer}, 'refused by a trigger'); END`);
      const outcomes = await outcomesOf([
        add("first"),
        add("bad"),
        add("last"),
        store.createSession("./another"),
      ]);
      expect(outcomes).toEqual(["ok", "StorageError", "ok", "ok"]);
      expect(await readTexts(store, id)).toEqual(["first", "last"]);
      expect(await store.listSessions()).toHaveLength(2);
      const last = (await store.getMessages(id)).at(-1);
      expect((await store.getSession(id))?.updatedAt).toBe(last?.createdAt ?? 0);
    },
  );

  test("and leaves nothing of a fork that fails halfway", async () => {
    await add("to take along");
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
    other.run(`CREATE TRIGGER refuse AFTER INSERT ON checkpoints WHEN new.source = 'fork'
      BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END`);
    expect(await outcomesOf([store.fork(checkpoint.id), add("beside it")])).toEqual(["StorageError", "ok"]);
    expect(await store.listSessions()).toHaveLength(1);
    expect(rowsOf(other, "SELECT content FROM messages ORDER BY id")).toEqual([
      { content: "to take along" },
      { content: "beside it" },
    ]);
  });

  test("and the others keep their order, though a reader then is in the way of their commits", async () => {
    const host = new Database(join(folder.path, "journal.db"));
    const reader = new Database(join(folder.path, "journal.db"));
    rowsOf(host, "PRAGMA foreign_keys = ON");
    // In a rollback journal a reader delays commits. It arrives while the writes, rolled back together, are made one by one.
    let attempts = Number.NEGATIVE_INFINITY;
    const clock = () => {
      attempts += 1;
      if (attempts === 3) for (const sql of ["BEGIN", "SELECT * FROM sessions"]) rowsOf(reader, sql);
      return 1;
    };
    const guest = new SqliteCheckpointStore(host, { clock });
    const session = await guest.createSession("./project");
    host.run(`CREATE TRIGGER refuse AFTER INSERT ON messages WHEN new.content = 'bad'
      BEGIN SELECT RAISE(ROLLBACK, 'refused by a trigger'); END`);
    attempts = 0;
    const calls = ["bad", "a", "b", "c"].map((content) =>
      guest.addMessage(session.id, buildMessage(session.id, { content })),
    );
    await rejectionOf(calls[0] ?? Promise.resolve());
    expect(reader.inTransaction).toBe(true);
    rowsOf(reader, "COMMIT");
    expect(await outcomesOf(calls)).toEqual(["StorageError", "ok", "ok", "ok"]);
    expect(await readTexts(guest, session.id)).toEqual(["a", "b", "c"]);
    reader.close(true);
    await guest.close();
    host.close(true);
  });

  test.each([
    ["nothing", undefined],
    ["an object without a prototype", Object.create(null)],
    ["an object whose message cannot be read", unreadable()],
    ["what looks like an error of SQLite", Object.assign(new Error("busy"), { errno: 5 })],
  ])("if the clock throws %s", async (_, thrown) => {
    let calls = 0;
    const clock = () => {
      calls += 1;
      if (calls === 2) throw thrown;
      return calls;
    };
    await using guest = new SqliteCheckpointStore(path, { clock });
    calls = 0;
    const outcomes = ["first", "bad", "last"].map((content) =>
      guest.addMessage(id, buildMessage(id, { content })),
    );
    expect(await outcomesOf(outcomes)).toEqual(["ok", "InvalidArgumentError", "ok"]);
    expect(await readTexts(guest, id)).toEqual(["first", "last"]);
  });

  test("and leaves none of its transaction's promises open, whatever a statement throws", async () => {
    for (const thrown of [undefined, Object.create(null), "text"]) {
      const opened = watchOpening(path, () => new SqliteCheckpointStore(path));
      await using guest = opened.result;
      await guest.createSession("./prepares");
      spyOn(statementOf(opened, SESSIONS_SQL.insert), "run").mockImplementationOnce(() => {
        throw thrown;
      });
      const calls = [guest.createSession("./bad"), guest.createSession("./good")];
      expect(await outcomesOf(calls)).toEqual(["StorageError", "ok"]);
    }
  });

  test("and a ROLLBACK that fails does not stop the writes after it", async () => {
    const opened = watchOpening(path, () => new SqliteCheckpointStore(path));
    await using guest = opened.result;
    other.run(`CREATE TRIGGER refuse AFTER INSERT ON messages WHEN new.content = 'bad'
      BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END`);
    await outcomesOf([guest.addMessage(id, buildMessage(id, { content: "bad" }))]);
    const rollback = spyOn(statementOf(opened, TRANSACTION_SQL.rollback), "run").mockImplementationOnce(
      () => {
        throw new Error("the rollback failed");
      },
    );
    const error = await rejectionOf(guest.addMessage(id, buildMessage(id, { content: "bad" })));
    expect(error.message).toContain("refused by a trigger");
    expect(rollback).toHaveBeenCalledTimes(1);
    await guest.addMessage(id, buildMessage(id, { content: "good" }));
    expect(await readTexts(guest, id)).toEqual(["good"]);
  });

  test("and an I/O error before the commit is no unknown outcome", async () => {
    const opened = watchOpening(path, () => new SqliteCheckpointStore(path));
    await using guest = opened.result;
    const first = await guest.addMessage(id, buildMessage(id));
    spyOn(statementOf(opened, MESSAGES_SQL.insert), "run").mockImplementationOnce(() => {
      throw Object.assign(new Error("disk I/O error"), { errno: 10, code: "SQLITE_IOERR" });
    });
    expect(await outcomesOf([guest.addMessage(id, buildMessage(id))])).toEqual(["StorageError"]);
    expect(await guest.getMessages(id)).toEqual([first]);
  });

  test("and a write that depends on it fails by itself", async () => {
    const conflict = store.saveCheckpoint(buildCheckpoint(id, { version: 1 }));
    const again = store.saveCheckpoint(buildCheckpoint(id, { version: 1 }));
    await conflict;
    expect(await rejectionOf(again)).toBeInstanceOf(CheckpointVersionConflictError);
    await store.saveCheckpoint(buildCheckpoint(id, { version: 2 }));
    expect((await store.listCheckpoints(id)).map((one) => one.version)).toEqual([2, 1]);
  });
});

test("what the caller changes after a call is not written", async () => {
  const message = {
    ...buildMessage(id, { content: "as called" }),
    toolCalls: [{ name: "t", toolUseId: "u", input: { a: 1 } }],
  };
  const metadata = { tags: new Set(["as called"]) };
  const checkpoint = buildCheckpoint(id, {
    nodeResults: { n: { status: "completed", output: [1] } },
    pendingNodes: ["p"],
  });
  const updates = { title: "as called" };
  const calls = [
    store.createSession("./another", { metadata }),
    store.addMessage(id, message),
    store.saveCheckpoint(checkpoint),
    store.updateSession(id, updates),
  ] as const;
  message.content = "changed";
  for (const call of message.toolCalls) call.input.a = 2;
  metadata.tags.add("changed");
  checkpoint.version = 99;
  checkpoint.pendingNodes.push("changed");
  Object.assign(checkpoint.nodeResults, { changed: { status: "pending" } });
  updates.title = "changed";
  const [session, added, saved] = await Promise.all(calls);
  for (const one of [session, await store.getSession(session.id)]) {
    expect(one?.metadata).toEqual({ tags: new Set(["as called"]) });
  }
  for (const one of [added, ...(await store.getMessages(id))]) {
    expect(one).toMatchObject({ content: "as called", toolCalls: [{ input: { a: 1 } }] });
  }
  for (const one of [saved, await store.getLatestCheckpoint(id)]) {
    expect(one?.version).toBe(1);
    expect(one?.pendingNodes).toEqual(["p"]);
    expect(one?.nodeResults).toEqual({ n: { status: "completed", output: [1] } });
  }
  expect((await store.getSession(id))?.title).toBe("as called");
});

test("what the caller changes in an answer is in no later answer", async () => {
  const saved = await store.saveCheckpoint(buildCheckpoint(id));
  saved.pendingNodes.push("changed");
  const read = await store.getLatestCheckpoint(id);
  read?.pendingNodes.push("changed");
  expect((await store.getLatestCheckpoint(id))?.pendingNodes).toEqual(["end"]);
});

describe("a write is acknowledged", () => {
  test("only when it is committed, also if something is in the way of the commit itself", async () => {
    const host = new Database(join(folder.path, "journal.db"));
    const reader = new Database(join(folder.path, "journal.db"));
    rowsOf(host, "PRAGMA foreign_keys = ON");
    const guest = new SqliteCheckpointStore(host);
    // In a rollback journal a reader lets a transaction begin and write, but not commit.
    for (const sql of ["BEGIN", "SELECT * FROM sessions"]) rowsOf(reader, sql);
    const calls = [guest.createSession("./one"), guest.createSession("./two")];
    await turns(20);
    expect(calls.map((call) => Bun.peek.status(call))).toEqual(["pending", "pending"]);
    rowsOf(reader, "COMMIT");
    const seen = Promise.race(calls).then(() =>
      rowsOf(reader, "SELECT directory FROM sessions ORDER BY directory"),
    );
    expect(await seen).toEqual([{ directory: "./one" }, { directory: "./two" }]);
    await guest.close();
    reader.close(true);
    host.close(true);
  });

  test("no sooner than its transaction: nothing is seen before the end of the turn", async () => {
    const call = add("not yet");
    await Promise.resolve();
    expect(rowsOf(other, "SELECT content FROM messages")).toEqual([]);
    await call;
    expect(rowsOf(other, "SELECT content FROM messages")).toEqual([{ content: "not yet" }]);
  });

  test("as failed only when the others of its transaction are committed", async () => {
    const refused = store.addMessage("unknown", buildMessage("unknown"));
    const accepted = add("committed");
    await rejectionOf(refused);
    expect(rowsOf(other, "SELECT content FROM messages")).toEqual([{ content: "committed" }]);
    await accepted;
  });
});

describe("a read sees every write called before it", () => {
  test("without awaiting any, also those after a write that fails", async () => {
    const failing = outcomesOf([store.addMessage("unknown", buildMessage("unknown"))]);
    const writes = [add("a"), store.saveCheckpoint(buildCheckpoint(id, { version: 4 })), add("b")];
    const reads = await Promise.all([
      readTexts(store, id),
      store.getLatestCheckpoint(id),
      store.listCheckpoints(id),
      store.getSession(id),
    ]);
    expect(reads[0]).toEqual(["a", "b"]);
    expect(reads[1]?.version).toBe(4);
    expect(reads[2]).toHaveLength(1);
    await Promise.all(writes);
    expect(await failing).toEqual(["SessionNotFoundError"]);
  });

  test("and does not wait for the first write after it", async () => {
    rowsOf(other, "BEGIN IMMEDIATE");
    const before = store.getMessages(id);
    const write = add("later");
    expect(await before).toEqual([]);
    expect(Bun.peek.status(write)).toBe("pending");
    rowsOf(other, "COMMIT");
    await write;
  });

  test("while that write waits for a lock", async () => {
    rowsOf(other, "BEGIN IMMEDIATE");
    const write = add("behind the lock");
    const read = readTexts(store, id);
    await turns(20);
    expect(Bun.peek.status(read)).toBe("pending");
    rowsOf(other, "COMMIT");
    expect(await read).toEqual(["behind the lock"]);
    await write;
  });

  test("or sees that it failed, once the lock was not to be had", async () => {
    const impatient = new SqliteCheckpointStore(path, { busyTimeout: 1 });
    rowsOf(other, "BEGIN IMMEDIATE");
    const write = rejectionOf(impatient.addMessage(id, buildMessage(id)));
    expect(await impatient.getMessages(id)).toEqual([]);
    expect(await write).toBeInstanceOf(StoreBusyError);
    await impatient.close();
  });
});

describe("a lock that another connection holds", () => {
  test("is waited for while the event loop keeps running", async () => {
    rowsOf(other, "BEGIN IMMEDIATE");
    const write = add("after the lock");
    let ticks = 0;
    const ticking = new Promise<void>((resolve) => {
      const interval = setInterval(() => {
        ticks += 1;
        if (ticks === 20) {
          clearInterval(interval);
          resolve();
        }
      }, 1);
    });
    await Promise.race([ticking, write]);
    expect(ticks).toBe(20);
    expect(Bun.peek.status(write)).toBe("pending");
    rowsOf(other, "ROLLBACK");
    const stored = await write;
    expect(rowsOf(other, "SELECT id FROM messages")).toEqual([{ id: stored.id }]);
  });

  test("is waited for by many writes, from many turns, that are then committed together in their order", async () => {
    rowsOf(other, "BEGIN IMMEDIATE");
    const before = countCommits(path);
    const calls: Promise<unknown>[] = [];
    for (let index = 0; index < 10; index++) {
      calls.push(add(`${index}`));
      await turns(1);
    }
    rowsOf(other, "ROLLBACK");
    await Promise.all(calls);
    expect(countCommits(path) - before).toBe(1);
    expect(await readTexts(store, id)).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  });

  test("longer than busyTimeout makes the writes fail with nothing written, to be called again", async () => {
    const impatient = new SqliteCheckpointStore(path, { busyTimeout: 20 });
    rowsOf(other, "BEGIN IMMEDIATE");
    const calls = [
      impatient.addMessage(id, buildMessage(id, { content: "again" })),
      impatient.createSession("./no"),
    ];
    const [error] = await Promise.all(calls.map(rejectionOf));
    expect(error).toBeInstanceOf(StoreBusyError);
    expect(error?.retryable).toBe(true);
    expect(error?.message).toContain("20 ms");
    rowsOf(other, "ROLLBACK");
    expect(await impatient.getMessages(id)).toEqual([]);
    expect(await impatient.listSessions()).toHaveLength(1);
    await impatient.addMessage(id, buildMessage(id, { content: "again" }));
    expect(await readTexts(impatient, id)).toEqual(["again"]);
    await impatient.close();
  });

  test("is not waited for with a busyTimeout of 0, and if there is none the write is made", async () => {
    const hurried = new SqliteCheckpointStore(path, { busyTimeout: 0 });
    rowsOf(other, "BEGIN IMMEDIATE");
    expect(await rejectionOf(hurried.createSession("./no"))).toBeInstanceOf(StoreBusyError);
    rowsOf(other, "ROLLBACK");
    await hurried.createSession("./yes");
    expect(await hurried.listSessions()).toHaveLength(2);
    await hurried.close();
  });

  test("fails only the writes whose own time is over", async () => {
    const patient = add("patient");
    const impatient = new SqliteCheckpointStore(path, { busyTimeout: 1 });
    rowsOf(other, "BEGIN IMMEDIATE");
    expect(await rejectionOf(impatient.createSession("./no"))).toBeInstanceOf(StoreBusyError);
    expect(Bun.peek.status(patient)).toBe("pending");
    rowsOf(other, "ROLLBACK");
    await patient;
    await impatient.close();
  });

  test("is waited for by writes called together if it is one of a table, as in a shared cache", async () => {
    const { SQLITE_OPEN_READWRITE, SQLITE_OPEN_CREATE, SQLITE_OPEN_URI } = constants;
    const open = () =>
      new Database(
        "file:write-queue-test?mode=memory&cache=shared",
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
      );
    const [host, reader] = [open(), open()];
    rowsOf(host, "PRAGMA foreign_keys = ON");
    const guest = new SqliteCheckpointStore(host);
    const session = await guest.createSession("./project");
    for (const sql of ["BEGIN", "SELECT * FROM messages"]) rowsOf(reader, sql);
    const calls = ["a", "b"].map((content) =>
      guest.addMessage(session.id, buildMessage(session.id, { content })),
    );
    await turns(20);
    expect(calls.map((call) => Bun.peek.status(call))).toEqual(["pending", "pending"]);
    rowsOf(reader, "COMMIT");
    expect(await outcomesOf(calls)).toEqual(["ok", "ok"]);
    await guest.close();
    reader.close(true);
    host.close(true);
  });

  test("is waited for also if SQLite calls it a locking protocol error", async () => {
    const opened = watchOpening(path, () => new SqliteCheckpointStore(path));
    await using guest = opened.result;
    await guest.createSession("./prepares");
    spyOn(statementOf(opened, TRANSACTION_SQL.begin), "run").mockImplementationOnce(() => {
      throw Object.assign(new Error("locking protocol"), { errno: 15, code: "SQLITE_PROTOCOL" });
    });
    await guest.addMessage(id, buildMessage(id, { content: "after it" }));
    expect(await readTexts(guest, id)).toEqual(["after it"]);
  });

  test("does not keep reads from being answered", async () => {
    await add("before");
    rowsOf(other, "BEGIN IMMEDIATE");
    expect(await readTexts(store, id)).toEqual(["before"]);
    rowsOf(other, "ROLLBACK");
  });
});

describe("a full disk", () => {
  let host: Database;
  let limited: SqliteCheckpointStore;

  beforeEach(() => {
    host = new Database(path);
    rowsOf(host, "PRAGMA foreign_keys = ON");
    limited = new SqliteCheckpointStore(host);
    rowsOf(host, "PRAGMA max_page_count = 64");
    rowsOf(host, "PRAGMA wal_autocheckpoint = 0"); // So that every commit can be counted.
  });

  afterEach(async () => {
    await limited.close();
    host.close(true);
  });

  test("fails the write that is too large alone: its small neighbours are committed, and the store works on", async () => {
    const calls = ["small", "x".repeat(1_000_000), "small too"].map((content) =>
      limited.addMessage(id, buildMessage(id, { content })),
    );
    expect(await outcomesOf(calls)).toEqual(["ok", "DiskFullError", "ok"]);
    expect(await readTexts(limited, id)).toEqual(["small", "small too"]);
    expect(await readTexts(store, id)).toEqual(["small", "small too"]);
    await limited.addMessage(id, buildMessage(id, { content: "later" }));
    expect(await readTexts(limited, id)).toEqual(["small", "small too", "later"]);
    expect(rowsOf(other, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  });

  test("is an error that may be tried again, once there is room", async () => {
    const large = buildMessage(id, { content: "x".repeat(1_000_000) });
    const error = await rejectionOf(limited.addMessage(id, large));
    expect(error).toBeInstanceOf(DiskFullError);
    expect(error.retryable).toBe(true);
    expect(error.cause).toBeDefined();
    rowsOf(host, "PRAGMA max_page_count = 4294967294");
    await limited.addMessage(id, large);
    expect((await limited.getMessages(id))[0]?.content).toBe(large.content);
  });

  describe("fails many writes together, of which one is at fault,", () => {
    const COUNT = 600;
    const CULPRIT = 411;

    function addMany(): Promise<unknown>[] {
      return Array.from({ length: COUNT }, (_, index) =>
        limited.addMessage(
          id,
          buildMessage(id, { content: index === CULPRIT ? "x".repeat(9_000_000) : `${index}` }),
        ),
      );
    }

    beforeEach(() => void rowsOf(host, "PRAGMA max_page_count = 200"));

    test("and the others are committed in halves, not one by one", async () => {
      const before = countCommits(path);
      const calls = addMany();
      expect(await outcomesOf(calls)).toEqual(
        calls.map((_, index) => (index === CULPRIT ? "DiskFullError" : "ok")),
      );
      expect(countCommits(path) - before).toBeLessThan(2 * Math.log2(COUNT));
      const texts = Array.from({ length: COUNT }, (_, index) => `${index}`);
      expect(await readTexts(store, id)).toEqual(texts.toSpliced(CULPRIT, 1));
    });

    test("and the event loop turns in between", async () => {
      let isDone = false;
      let turnsBetween = 0;
      const calls = outcomesOf(addMany()).finally(() => {
        isDone = true;
      });
      await turns(1);
      for (; !isDone; turnsBetween++) await turns(1);
      expect(turnsBetween).toBeGreaterThan(Math.log2(COUNT));
      await calls;
    });

    test("and a read and a write called meanwhile come after them, a close after all", async () => {
      const calls = addMany();
      await Promise.race(calls);
      expect(calls.map((call) => Bun.peek.status(call))).toContain("pending");
      const write = limited.addMessage(id, buildMessage(id, { content: "meanwhile" }));
      const read = readTexts(limited, id);
      const closing = limited.close();
      expect(await outcomesOf(calls)).toHaveLength(COUNT);
      expect((await read).at(-1)).toBe("meanwhile");
      await closing;
      expect([Bun.peek.status(write), (await read).length]).toEqual(["fulfilled", COUNT]);
    });
  });

  test("for every one of many writes costs no commit at all, and what is called next is committed together", async () => {
    const pages = rowsOf<{ page_count: number }>(host, "PRAGMA page_count")[0]?.page_count ?? 0;
    rowsOf(host, `PRAGMA max_page_count = ${pages}`);
    const before = countCommits(path);
    const large = buildMessage(id, { content: "x".repeat(10_000) });
    const calls = Array.from({ length: 200 }, () => limited.addMessage(id, large));
    expect(new Set(await outcomesOf(calls))).toEqual(new Set(["DiskFullError"]));
    expect(countCommits(path) - before).toBe(0);
    rowsOf(host, "PRAGMA max_page_count = 4294967294");
    await Promise.all(Array.from({ length: 20 }, () => limited.addMessage(id, large)));
    expect(countCommits(path) - before).toBe(1);
  });

  test("leaves as many whole writes as fit, each acknowledged one in the file", async () => {
    const calls = Array.from({ length: 40 }, (_, index) =>
      limited.addMessage(id, buildMessage(id, { content: `${index} ${"x".repeat(8_000)}` })),
    );
    const outcomes = await outcomesOf(calls);
    expect(new Set(outcomes)).toEqual(new Set(["ok", "DiskFullError"]));
    const acknowledged = outcomes.flatMap((outcome, index) => (outcome === "ok" ? [index] : []));
    const texts = await readTexts(store, id);
    expect(texts.map((text) => Number.parseInt(text ?? "", 10))).toEqual(acknowledged);
  });
});

describe("close", () => {
  test("waits for the writes called before it, which are in the file then", async () => {
    const calls = ["a", "b"].map(add);
    await store.close();
    expect(calls.map((call) => Bun.peek.status(call))).toEqual(["fulfilled", "fulfilled"]);
    expect(rowsOf(other, "SELECT content FROM messages ORDER BY id")).toEqual([
      { content: "a" },
      { content: "b" },
    ]);
  });

  test("waits for a lock with them", async () => {
    rowsOf(other, "BEGIN IMMEDIATE");
    const write = add("behind the lock");
    const closing = store.close();
    await turns(20);
    expect(Bun.peek.status(closing)).toBe("pending");
    rowsOf(other, "COMMIT");
    await closing;
    expect(Bun.peek.status(write)).toBe("fulfilled");
    expect(rowsOf(other, "SELECT content FROM messages")).toEqual([{ content: "behind the lock" }]);
  });

  test("leaves no call unsettled, whether it succeeds, fails or waits for a lock in vain", async () => {
    const impatient = new SqliteCheckpointStore(path, { busyTimeout: 20 });
    await impatient.addMessage(id, buildMessage(id, { content: "before" }));
    rowsOf(other, "BEGIN IMMEDIATE");
    const calls: Promise<unknown>[] = [
      impatient.getMessages(id),
      impatient.createSession("./no"),
      impatient.saveCheckpoint(buildCheckpoint("unknown")),
      impatient.getMessages(id),
      impatient.getSession("unknown"),
      impatient.addMessage(id, buildMessage(id, { tokensIn: -1 })),
    ];
    const outcomes = outcomesOf(calls);
    await impatient.close();
    expect(calls.map((call) => Bun.peek.status(call))).not.toContain("pending");
    expect(await outcomes).toEqual([
      "ok",
      "StoreBusyError",
      "StoreBusyError",
      "ok",
      "ok",
      "InvalidArgumentError",
    ]);
  });

  test("refuses what is called after it, at once and later, reads and writes", async () => {
    const before = add("before");
    const closing = store.close();
    const after = [add("after"), store.getSession(id), store.listSessions(), store.fork("x")];
    for (const call of after) expect(await rejectionOf(call)).toBeInstanceOf(StoreClosedError);
    await Promise.all([before, closing]);
    expect(await rejectionOf(add("later"))).toBeInstanceOf(StoreClosedError);
    expect(rowsOf(other, "SELECT content FROM messages")).toEqual([{ content: "before" }]);
  });

  test("called twice is one close", async () => {
    const write = add("once");
    await Promise.all([store.close(), store.close()]);
    await store.close();
    expect((await write).content).toBe("once");
  });
});

function add(content: string) {
  return store.addMessage(id, buildMessage(id, { content }));
}

/** Lets the event loop turn so many times. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function unreadable(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
