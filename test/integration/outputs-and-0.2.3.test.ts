/** The published 0.2.3 on a file with large outputs apart: equal data or an error, never other data. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Checkpoint, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { SqliteCheckpointStore as Published } from "published-checkpoint-sqlite";
import { buildCheckpoint, buildFullMessage } from "../support/builders.js";
import { assertSame } from "../support/difference.js";
import { buildWave, longText } from "../support/large-outputs.js";
import { rowsOf, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { callUntyped } from "../support/untyped-call.js";

let folder: TemporaryFolder;
let path: string;
let published: object | undefined;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "store.db");
});

afterEach(async () => {
  await closePublished();
  await folder.remove();
});

async function openPublished(): Promise<object> {
  const opened = new Published(path);
  await opened.setup?.();
  published = opened;
  return opened;
}

async function closePublished(): Promise<void> {
  if (published !== undefined) await callUntyped(published, "close", []);
  published = undefined;
}

/** What the call answers, or `"an error"`. */
function answer(store: object, method: string, ...args: unknown[]): Promise<unknown> {
  return callUntyped(store, method, args).catch(() => "an error");
}

describe("a row that refers to outputs", () => {
  const shapes: Record<string, Record<string, unknown>> = {
    "one large output": { a: longText(1) },
    "one in pieces": { a: longText(1, 60_000) },
    "large and small ones": { a: longText(1), b: "small", c: [1] },
    "a node called __type": { __type: longText(1), b: "small" },
  };

  test.each(Object.entries(shapes))("with %s is refused by every read and by fork", async (_, outputs) => {
    const { sessionId, checkpointId } = await saveOne(outputs);
    const old = await openPublished();
    for (const [method, ...args] of [
      ["getCheckpoint", checkpointId],
      ["getLatestCheckpoint", sessionId],
      ["getLatestCheckpoint", sessionId, ""],
      ["listCheckpoints", sessionId],
      ["listCheckpoints", sessionId, { limit: 1 }],
      ["listCheckpoints", sessionId, { namespace: "" }],
      ["fork", checkpointId],
    ] as const) {
      expect([method, await answer(old, method, ...args)]).toEqual([method, "an error"]);
    }
    expect(await answer(old, "listSessions")).toHaveLength(1);
  });

  async function saveOne(outputs: Record<string, unknown>) {
    await using store = new SqliteCheckpointStore(path);
    const { id: sessionId } = await store.createSession("./project");
    const { id: checkpointId } = await store.saveCheckpoint(buildWave(sessionId, 1, outputs));
    return { sessionId, checkpointId };
  }
});

describe("in a file with such rows 0.2.3", () => {
  test("reads sessions, messages and rows without large outputs as before", async () => {
    const store = new SqliteCheckpointStore(path);
    const session = await store.createSession("./project", { title: "both" });
    const small = await store.saveCheckpoint(buildWave(session.id, 1, { a: "small", b: new Map([[1, 2]]) }));
    const message = await store.addMessage(session.id, buildFullMessage(session.id));
    await store.saveCheckpoint({ ...buildWave(session.id, 1, { a: longText(1) }), namespace: "large" });
    const { updatedAt } = (await store.getSession(session.id)) ?? session;
    await store.close();
    const old = await openPublished();
    assertSame(await answer(old, "getSession", session.id), { ...session, updatedAt });
    assertSame(await answer(old, "getMessages", session.id), [message]);
    assertSame(await answer(old, "getCheckpoint", small.id), small);
    assertSame(await answer(old, "listCheckpoints", session.id, { namespace: "" }), [small]);
    assertSame(await answer(old, "getLatestCheckpoint", session.id, ""), small);
  });

  test("reads every row of a store with shareOutputs: false", async () => {
    const store = new SqliteCheckpointStore(path, { shareOutputs: false });
    const { id } = await store.createSession("./project");
    const saved = await store.saveCheckpoint(buildWave(id, 1, { a: longText(1, 60_000) }));
    await store.close();
    const old = await openPublished();
    assertSame(await answer(old, "getCheckpoint", saved.id), saved);
    assertSame(await answer(old, "listCheckpoints", id), [saved]);
  });

  test("saves large outputs in their rows, which the store reads and forks beside its own", async () => {
    const store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./project");
    const ours = await store.saveCheckpoint(buildWave(id, 1, { a: longText(1) }));
    const old = await openPublished();
    const wave = buildCheckpoint(id, { ...buildWave(id, 2, { a: longText(1) }), step: 1 });
    const theirs = (await callUntyped(old, "saveCheckpoint", [wave])) as Checkpoint;
    await closePublished();
    assertSame(await store.getCheckpoint(theirs.id), theirs);
    assertSame(await store.getCheckpoint(ours.id), ours);
    expect(new Set((await store.listCheckpoints(id)).map((each) => each.id))).toEqual(
      new Set([ours.id, theirs.id]),
    );
    for (const { id: checkpointId, nodeResults } of [ours, theirs]) {
      const fork = await store.fork(checkpointId);
      assertSame((await store.getLatestCheckpoint(fork.id))?.nodeResults, nodeResults);
    }
    await store.close();
  });

  test("deletes a session with its outputs, and the store then stores them again", async () => {
    const store = new SqliteCheckpointStore(path);
    const gone = await store.createSession("./gone");
    const kept = await store.createSession("./kept");
    for (const { id } of [gone, kept]) await store.saveCheckpoint(buildWave(id, 1, { a: longText(1) }));
    await callUntyped(await openPublished(), "deleteSession", [gone.id]);
    await closePublished();
    const owners = withDatabase(path, (database) =>
      rowsOf(database, "SELECT session_id FROM checkpoint_sqlite_outputs"),
    );
    expect(owners).toEqual([{ session_id: kept.id }]);
    const saved = await store.saveCheckpoint(buildWave(kept.id, 2, { a: longText(1) }));
    await store.close();
    await using fresh = new SqliteCheckpointStore(path);
    assertSame(await fresh.getCheckpoint(saved.id), saved);
  });
});
