/** Several stores on one file: in one process and in many. */
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import {
  CheckpointVersionConflictError,
  SessionNotFoundError,
  SqliteCheckpointStore,
} from "@obsku/checkpoint-sqlite";
import { SESSION_CLOCKS_SQL } from "../../src/rows/session-clocks.js";
import { buildCheckpoint, buildMessage, readTexts } from "../support/builders.js";
import { runTogether } from "../support/children.js";
import { statementOf, watchOpening } from "../support/opened-database.js";
import { outcomesOf, rejectionOf } from "../support/outcomes.js";
import { rowsOf, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "store.db");
});

afterEach(() => folder.remove());

test("the clocks of more sessions than are remembered stand above what is in them", async () => {
  let now = 2_000_000;
  await using store = new SqliteCheckpointStore(path, { clock: () => now });
  const sessions = await Promise.all(Array.from({ length: 1_100 }, () => store.createSession("./many")));
  const checkpoints = await Promise.all(sessions.map(({ id }) => store.saveCheckpoint(buildCheckpoint(id))));
  now = 1_000_000;
  const later = await Promise.all(sessions.map(({ id }) => store.addMessage(id, buildMessage(id))));
  expect(later.filter((message, index) => message.createdAt <= (checkpoints[index]?.createdAt ?? 0))).toEqual(
    [],
  );
});

test("no more clocks are remembered than a thousand: the first one is looked for again", async () => {
  const opened = watchOpening(path, () => new SqliteCheckpointStore(path));
  await using store = opened.result;
  const { id } = await store.createSession("./prepares");
  await store.addMessage(id, buildMessage(id));
  const looks = spyOn(statementOf(opened, SESSION_CLOCKS_SQL.latest), "get");
  const sessions = await Promise.all(Array.from({ length: 1_001 }, () => store.createSession("./many")));
  const ids = sessions.map(({ id }) => id);
  await Promise.all(ids.map((id) => store.addMessage(id, buildMessage(id))));
  const [first = "", last = ""] = [ids[0], ids.at(-1)];
  looks.mockClear();
  await store.addMessage(last, buildMessage(last));
  expect(looks).toHaveBeenCalledTimes(0);
  await store.addMessage(first, buildMessage(first));
  expect(looks).toHaveBeenCalledTimes(1);
});

describe("two stores on one file in one process", () => {
  let one: SqliteCheckpointStore;
  let other: SqliteCheckpointStore;

  beforeEach(() => {
    one = new SqliteCheckpointStore(path);
    other = new SqliteCheckpointStore(path);
  });

  afterEach(() => Promise.all([one.close(), other.close()]));

  test("each see what the other has committed", async () => {
    const session = await one.createSession("./shared");
    expect(await other.getSession(session.id)).toEqual(session);
    const message = await other.addMessage(session.id, buildMessage(session.id));
    expect(await one.getMessages(session.id)).toEqual([message]);
    const checkpoint = await one.saveCheckpoint(buildCheckpoint(session.id));
    expect(await other.getLatestCheckpoint(session.id)).toEqual(checkpoint);
    await other.updateSession(session.id, { title: "by the other" });
    expect((await one.getSession(session.id))?.title).toBe("by the other");
    await one.deleteSession(session.id);
    expect(await rejectionOf(other.getMessages(session.id))).toBeInstanceOf(SessionNotFoundError);
  });

  test("keep one clock in a session, though that of the other's machine is ahead", async () => {
    await using ahead = new SqliteCheckpointStore(path, { clock: () => Date.now() + 3_600_000 });
    const { id } = await one.createSession("./shared");
    await one.addMessage(id, buildMessage(id));
    for (let version = 1; version <= 3; version++) {
      const early = await ahead.addMessage(id, buildMessage(id));
      const checkpoint = await ahead.saveCheckpoint(buildCheckpoint(id, { version }));
      const late = await one.addMessage(id, buildMessage(id));
      expect(checkpoint.createdAt).toBeGreaterThanOrEqual(early.createdAt);
      expect(late.createdAt).toBeGreaterThan(checkpoint.createdAt);
      const fork = await one.fork(checkpoint.id);
      expect(await one.getMessages(fork.id)).toHaveLength(2 * version);
    }
  });

  test("interleave their writes, and lose none of them and no store's order", async () => {
    const { id } = await one.createSession("./shared");
    const stored = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const [store, name] = index % 2 === 0 ? ([one, "one"] as const) : ([other, "other"] as const);
        for (let wait = 0; wait < index % 5; wait++) await new Promise((resolve) => setImmediate(resolve));
        return store.addMessage(id, buildMessage(id, { content: `${name} ${index % 5} ${index}` }));
      }),
    );
    const read = await one.getMessages(id);
    expect(read.map((message) => message.id).toSorted(ascending)).toEqual(
      stored.map((message) => message.id).toSorted(ascending),
    );
    expect(new Set(read.map((message) => message.content)).size).toBe(100);
    expect(read.map((message) => message.id)).toEqual(read.map((message) => message.id).toSorted(ascending));
    const times = read.map((message) => message.createdAt);
    expect(times).toEqual([...new Set(times)].toSorted(ascending));
    for (const name of ["one 0", "other 0"]) {
      const indices = read
        .map((message) => message.content ?? "")
        .filter((content) => content.startsWith(name))
        .map((content) => Number(content.split(" ").at(2)));
      expect(indices).toEqual(indices.toSorted(ascending));
    }
  });

  test("cannot both save a version: one gets a conflict error, and nothing of it is written", async () => {
    const { id } = await one.createSession("./shared");
    const outcomes = await outcomesOf([
      one.saveCheckpoint(buildCheckpoint(id, { version: 1, nodeId: "one" })),
      other.saveCheckpoint(buildCheckpoint(id, { version: 1, nodeId: "other" })),
    ]);
    expect(outcomes.toSorted()).toEqual(["CheckpointVersionConflictError", "ok"]);
    expect(await one.listCheckpoints(id)).toHaveLength(1);
    const late = await rejectionOf(other.saveCheckpoint(buildCheckpoint(id, { version: 1 })));
    expect(late).toBeInstanceOf(CheckpointVersionConflictError);
    expect(late).toMatchObject({ sessionId: id, namespace: "graph", version: 1 });
  });

  test("go on separately when one is closed", async () => {
    const { id } = await one.createSession("./shared");
    const write = one.addMessage(id, buildMessage(id, { content: "before" }));
    await one.close();
    await write;
    await other.addMessage(id, buildMessage(id, { content: "after" }));
    expect(await readTexts(other, id)).toEqual(["before", "after"]);
  });

  test("keep a session's times in order though their clocks differ", async () => {
    const ahead = new SqliteCheckpointStore(path, { clock: () => 9_000_000_000_000 });
    const behind = new SqliteCheckpointStore(path, { clock: () => 1 });
    const { id } = await behind.createSession("./shared");
    const times: number[] = [];
    for (const store of [behind, ahead, behind, ahead, behind]) {
      times.push((await store.addMessage(id, buildMessage(id))).createdAt);
      times.push((await store.saveCheckpoint(buildCheckpoint(id, { version: times.length }))).createdAt);
    }
    expect(times).toEqual(times.toSorted(ascending));
    expect((await one.getLatestCheckpoint(id))?.version).toBe(9);
    await Promise.all([ahead.close(), behind.close()]);
  });
});

test('two stores with versionConflict "next" give every version once', async () => {
  const stores = [1, 2].map(() => new SqliteCheckpointStore(path, { versionConflict: "next" }));
  const [first] = stores;
  const id = (await first?.createSession("./shared"))?.id ?? "";
  const saved = await Promise.all(
    Array.from({ length: 20 }, () =>
      stores.map((store) => store.saveCheckpoint(buildCheckpoint(id, { version: 1 }))),
    ).flat(),
  );
  const versions = saved.map((checkpoint) => checkpoint.version).toSorted(ascending);
  expect(versions).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  const listed = (await first?.listCheckpoints(id)) ?? [];
  expect(listed.map((checkpoint) => checkpoint.version)).toEqual(versions.toReversed());
  await Promise.all(stores.map((store) => store.close()));
});

test("four processes writing to one session with many calls in flight: all that was acknowledged is there, once", async () => {
  const [rounds, calls] = [8, 25];
  const names = ["w0", "w1", "w2", "w3"];
  const store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./shared");
  const answers = await runTogether(
    "writer.ts",
    names.map((name) => [path, id, name, `${rounds}`, `${calls}`]),
  );
  const messages = answers.flatMap((answer) => listOf(answer, "messages"));
  const checkpoints = answers.flatMap((answer) => listOf(answer, "checkpoints"));
  const total = names.length * rounds * calls;
  expect(messages).toHaveLength(total);
  expect(checkpoints).toHaveLength(total);

  const read = await store.getMessages(id);
  expect(read.map((message) => `${message.id} ${message.content}`).toSorted()).toEqual(messages.toSorted());
  const listed = await store.listCheckpoints(id);
  expect(listed.map((one) => `${one.id} ${one.version} ${one.nodeId}`).toSorted()).toEqual(
    checkpoints.toSorted(),
  );
  expect(listed.map((one) => one.version)).toEqual(
    Array.from({ length: total }, (_, index) => total - index),
  );
  expect(read.map((message) => message.createdAt)).toEqual(
    [...new Set(read.map((message) => message.createdAt))].toSorted(ascending),
  );
  for (const name of names) {
    const order = read.flatMap(({ content = "" }) => (content.startsWith(`${name}-`) ? [content] : []));
    const called = Array.from(
      { length: rounds * calls },
      (_, n) => `${name}-${Math.floor(n / calls)}-${n % calls}`,
    );
    expect(order).toEqual(called);
  }
  await store.close();
  withDatabase(path, (database) => {
    expect(rowsOf(database, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    expect(rowsOf(database, "PRAGMA foreign_key_check")).toEqual([]);
  });
});

function ascending(a: number, b: number): number {
  return a - b;
}

function listOf(answer: unknown, name: string): string[] {
  const list: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, name) : undefined;
  if (!Array.isArray(list)) throw new Error(`A child answered without ${name}: ${JSON.stringify(answer)}`);
  return list.map(String);
}
