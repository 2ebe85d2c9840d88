/** Fake timers, as an application's tests install them, change nothing: what waits continues, what is measured stays true. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, jest, setSystemTime, test } from "bun:test";
import { join } from "node:path";
import { SqliteCheckpointStore, StoreBusyError, StoreClosedError } from "@obsku/checkpoint-sqlite";
import { type Clock, install } from "@sinonjs/fake-timers";
import { buildCheckpoint, buildMessage, readTexts } from "../support/builders.js";
import { Child } from "../support/children.js";
import { buildEntity, buildFact } from "../support/memory-builders.js";
import { outcomesOf, rejectionOf, thrownBy } from "../support/outcomes.js";
import { SharedFile } from "../support/shared-file.js";
import { rowsOf } from "../support/sql.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";

const { setImmediate: realSetImmediate } = globalThis;
const DAY = 86_400_000;

interface Faker {
  install(): void;
  advance(milliseconds: number): void;
  /** Does nothing if they are not installed. */
  uninstall(): void;
  /** Whether timers that were set before still fire, and the event loop survives `advance`: Bun's own need 1.4 for that. */
  readonly isWhole: boolean;
}

let clock: Clock | undefined;

const FAKERS: Readonly<Record<string, Faker>> = {
  "@sinonjs/fake-timers": {
    install() {
      clock = install();
    },
    advance: (milliseconds) => void clock?.tick(milliseconds),
    uninstall() {
      clock?.uninstall();
      clock = undefined;
    },
    isWhole: true,
  },
  "jest.useFakeTimers() of bun:test": {
    install: () => void jest.useFakeTimers(),
    advance: (milliseconds) => void jest.advanceTimersByTime(milliseconds),
    uninstall: () => void jest.useRealTimers(),
    isWhole: Bun.semver.satisfies(Bun.version, ">=1.4.0"),
  },
};

let file: SharedFile;
let folder: TemporaryFolder;
let path: string;
let store: SqliteCheckpointStore;
let other: Database;
let id: string;

beforeEach(async () => {
  file = await SharedFile.create();
  ({ folder, path, store, other, sessionId: id } = file);
});

afterEach(async () => {
  for (const faker of Object.values(FAKERS)) faker.uninstall();
  setSystemTime();
  await file.remove();
});

describe.each(Object.entries(FAKERS))("under %s", (_, faker) => {
  beforeEach(() => faker.install());

  test("every method settles", async () => {
    const { id: sessionId } = await store.createSession("./another");
    const message = await store.addMessage(sessionId, buildMessage(sessionId, { content: "a" }));
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(sessionId));
    const entity = await store.saveEntity(buildEntity(sessionId, { embedding: [1, 0] }));
    const fact = await store.saveFact(buildFact({ embedding: [1, 0] }));
    const fork = await store.fork(checkpoint.id);
    const calls = [
      store.getSession(sessionId),
      store.listSessions(),
      store.updateSession(sessionId, { title: "b" }),
      store.getMessages(sessionId),
      store.getCheckpoint(checkpoint.id),
      store.getLatestCheckpoint(sessionId),
      store.listCheckpoints(sessionId),
      store.getEntity(entity.id),
      store.listEntities(),
      store.updateEntity(entity.id, { name: "c" }),
      store.searchEntitiesSemantic([1, 0]),
      store.getFact(fact.id),
      store.listFacts(),
      store.searchFactsSemantic([1, 0]),
      store.deleteMessage(message.id),
      store.deleteCheckpoint(checkpoint.id),
      store.deleteEntity(entity.id),
      store.deleteFact(fact.id),
      store.deleteSession(fork.id),
      store.close(),
    ];
    expect(await outcomesOf(calls)).toEqual(calls.map(() => "ok"));
    expect(await rejectionOf(store.listSessions())).toBeInstanceOf(StoreClosedError);
  });

  test("a search that pauses ends", async () => {
    await Promise.all(
      Array.from({ length: 700 }, (_, n) => store.saveFact(buildFact({ embedding: [1, n] }))),
    );
    await using another = new SqliteCheckpointStore(path);
    expect(await another.searchFactsSemantic([1, 0], { topK: 700 })).toHaveLength(700);
  });

  test("a loop of awaited reads lets other work run", async () => {
    let hasRun = false;
    realSetImmediate(() => {
      hasRun = true;
    });
    for (let reads = 0; !hasRun; reads++) {
      expect(reads).toBeLessThan(100_000);
      await store.getSession(id);
    }
  });

  test.skipIf(!faker.isWhole)(
    "a lock is waited for, however far the fake time is advanced meanwhile",
    async () => {
      rowsOf(other, "BEGIN IMMEDIATE");
      const write = store.addMessage(id, buildMessage(id, { content: "after the lock" }));
      await turns(10);
      faker.advance(DAY);
      await turns(10);
      expect(Bun.peek.status(write)).toBe("pending");
      rowsOf(other, "ROLLBACK");
      await write;
      expect(await readTexts(store, id)).toEqual(["after the lock"]);
    },
  );

  test("a write gives up waiting for a lock after busyTimeout, though the fake time stands still", async () => {
    await using impatient = new SqliteCheckpointStore(path, { busyTimeout: 20 });
    rowsOf(other, "BEGIN IMMEDIATE");
    expect(await rejectionOf(impatient.createSession("./no"))).toBeInstanceOf(StoreBusyError);
  });

  test("a write gives up after busyTimeout if the fakes go while it waits", async () => {
    await using impatient = new SqliteCheckpointStore(path, { busyTimeout: 20 });
    rowsOf(other, "BEGIN IMMEDIATE");
    const write = rejectionOf(impatient.createSession("./no"));
    await turns(2);
    faker.uninstall();
    expect(await write).toBeInstanceOf(StoreBusyError);
  });

  test.skipIf(!faker.isWhole)(
    "a write gives up after busyTimeout if the fakes come while it waits",
    async () => {
      faker.uninstall();
      await using impatient = new SqliteCheckpointStore(path, { busyTimeout: 20 });
      rowsOf(other, "BEGIN IMMEDIATE");
      const write = rejectionOf(impatient.createSession("./no"));
      await turns(2);
      faker.install();
      expect(await write).toBeInstanceOf(StoreBusyError);
    },
  );

  test("a read gives up waiting for a lock after busyTimeout", async () => {
    const host = new Database(join(folder.path, "journal.db"));
    const writer = new Database(join(folder.path, "journal.db"));
    rowsOf(host, "PRAGMA foreign_keys = ON");
    const guest = new SqliteCheckpointStore(host, { busyTimeout: 20 });
    rowsOf(writer, "BEGIN EXCLUSIVE");
    expect(await rejectionOf(guest.listSessions())).toBeInstanceOf(StoreBusyError);
    writer.close(true);
    await guest.close();
    host.close(true);
  });

  test("opening gives up waiting for a lock after busyTimeout", async () => {
    const locked = join(folder.path, "locked.db");
    const holder = Child.start("lock-holder.ts", [locked]);
    try {
      await holder.ready();
      expect(thrownBy(() => new SqliteCheckpointStore(locked, { busyTimeout: 20 }))).toBeInstanceOf(
        StoreBusyError,
      );
    } finally {
      await holder.stop();
    }
  });

  test("close waits for a lock with the writes before it", async () => {
    rowsOf(other, "BEGIN IMMEDIATE");
    const write = store.addMessage(id, buildMessage(id, { content: "behind the lock" }));
    const closing = store.close();
    await turns(10);
    expect(Bun.peek.status(closing)).toBe("pending");
    rowsOf(other, "ROLLBACK");
    await closing;
    expect(Bun.peek.status(write)).toBe("fulfilled");
  });
});

test("the system time that a test sets is the time of what is written, and no deadline follows it", async () => {
  rowsOf(other, "BEGIN IMMEDIATE");
  const write = store.createSession("./later");
  await turns(2);
  setSystemTime(new Date("2050-01-01T00:00:00Z"));
  await turns(2);
  expect(Bun.peek.status(write)).toBe("pending");
  rowsOf(other, "ROLLBACK");
  const session = await write;
  expect(new Date(session.createdAt).getUTCFullYear()).toBe(2050);
});

/** Lets the event loop turn so many times, whatever is faked. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => realSetImmediate(resolve));
}
