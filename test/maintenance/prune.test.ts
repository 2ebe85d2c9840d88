/** `prune` against a model, alongside writers, and killed. */
import type { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import {
  InvalidArgumentError,
  SqliteCheckpointStore,
  StorageError,
  StoreOpenError,
} from "@obsku/checkpoint-sqlite";
import { compact, type PrunePolicy, type PruneReport, prune } from "@obsku/checkpoint-sqlite/maintenance";
import { Connection } from "../../src/database/connection.js";
import { Random } from "../faults/support/random.js";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { runTogether } from "../support/children.js";
import { buildWave, longText, outputOf, outputsOf, storedOutputs } from "../support/large-outputs.js";
import { buildEntity, buildFact } from "../support/memory-builders.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { killRepeatedly, problemsIn } from "./support/killed.js";

let folder: TemporaryFolder;
let path: string;
let now: number;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  now = 1_000;
});

afterEach(() => folder.remove());

interface SavedRow {
  id: string;
  session: string;
  namespace: string;
  created_at: number;
  position: number;
}

interface SessionRow {
  id: string;
  workspace_id: string | null;
  last: number;
}

/** Sessions of three namespaces in two workspaces, at times that a random walk chooses. */
async function fill(random: Random, sessionCount = 6): Promise<void> {
  await using store = new SqliteCheckpointStore(path, { clock: () => now, synchronous: "normal" });
  for (let index = 0; index < sessionCount; index++) {
    const { id } = await store.createSession("./d", { workspaceId: random.pick(["v", "w"]) });
    for (let step = 0; step < random.between(0, 20); step++) {
      now += random.between(0, 30);
      const namespace = random.pick(["", "", "a", "b"]);
      const { nodeResults } = buildWave(id, step, { a: outputOf(random.between(0, 9)), b: outputOf(3) });
      await store.saveCheckpoint(buildCheckpoint(id, { namespace, version: step, nodeResults }));
      if (random.between(0, 2) === 0) await store.addMessage(id, buildMessage(id, { content: "é" }));
      if (random.between(0, 5) === 0) await store.saveEntity(buildEntity(id));
    }
    await store.saveFact(buildFact({ sourceSessionId: id }));
  }
}

/** What a policy leaves, worked out from all rows in memory. */
function model(policy: PrunePolicy): Contents {
  return withDatabase(path, (database) => {
    const sessions = rowsOf<SessionRow>(
      database,
      `SELECT id, workspace_id, max(updated_at,
         coalesce((SELECT max(created_at) FROM checkpoints WHERE session_id = sessions.id), 0),
         coalesce((SELECT max(updated_at) FROM entities WHERE session_id = sessions.id), 0)) AS last
       FROM sessions ORDER BY id`,
    );
    const isInScope = (session: SessionRow) =>
      (policy.sessionIds?.includes(session.id) ?? true) &&
      (policy.workspaceId === undefined || policy.workspaceId === session.workspace_id);
    const left = sessions.filter(
      (session) => !(isInScope(session) && session.last < (policy.sessionsIdleSince ?? 0)),
    );
    const rows = rowsOf<SavedRow>(
      database,
      "SELECT id, session_id AS session, namespace, created_at, rowid AS position FROM checkpoints ORDER BY created_at DESC, rowid DESC",
    );
    const checkpoints = rows.filter((row) => {
      const session = left.find(({ id }) => id === row.session);
      if (session === undefined) return false;
      const peers = rows.filter((peer) => peer.session === row.session && peer.namespace === row.namespace);
      const rank = peers.indexOf(row);
      const isDropped =
        rank >= (policy.keepCheckpoints ?? Number.POSITIVE_INFINITY) ||
        row.created_at < (policy.checkpointsOlderThan ?? 0);
      const isInNamespace = policy.namespace === undefined || policy.namespace === row.namespace;
      return !(rank > 0 && isInScope(session) && isInNamespace && isDropped);
    });
    return {
      sessions: left.map(({ id }) => id),
      checkpoints: checkpoints.map(({ id }) => id).toSorted(),
      outputs: [...new Set(checkpoints.flatMap((row) => outputsNeededBy(database, row)))].toSorted(),
    };
  });
}

interface Contents {
  sessions: string[];
  checkpoints: string[];
  /** Each with its session. */
  outputs: string[];
}

/** Those that a row refers to, and their pieces. */
function outputsNeededBy(database: Database, { id, session }: SavedRow): string[] {
  const text = String(
    rowsOf(database, "SELECT node_results AS text FROM checkpoints WHERE id = ?", id)[0]?.text,
  );
  const referred = storedOutputs(database).filter(
    (row) => row.session_id === session && text.includes(row.hash),
  );
  const pieces = referred.flatMap((row): string[] => JSON.parse(row.pieces ?? "[]"));
  return [...referred.map(({ hash }) => hash), ...pieces].map((hash) => `${session} ${hash}`);
}

function contents(): Contents {
  const outputs = withDatabase(path, storedOutputs).map(({ session_id, hash }) => `${session_id} ${hash}`);
  return { sessions: idsIn("sessions"), checkpoints: idsIn("checkpoints"), outputs: outputs.toSorted() };
}

function idsIn(table: string): string[] {
  return withDatabase(path, (database) =>
    rowsOf<{ id: string }>(database, `SELECT id FROM ${table} ORDER BY id`).map(({ id }) => id),
  );
}

function sessionIds(): string[] {
  return idsIn("sessions");
}

const SEEDS = Array.from({ length: 12 }, (_, seed) => seed + 1);

test.each(SEEDS)(
  "leaves what a model leaves, and a dry run reports it beforehand (seed %i)",
  async (seed) => {
    const random = new Random(seed);
    await fill(random);
    const policy: PrunePolicy = {
      keepCheckpoints: random.pick([undefined, 1, 3]),
      checkpointsOlderThan: random.pick([undefined, 1_000 + random.between(0, 800)]),
      sessionIds: random.pick([undefined, undefined, [...sessionIds().slice(0, 3), "unknown"]]),
      workspaceId: random.pick([undefined, undefined, "w"]),
      ...random.pick([
        { sessionsIdleSince: 1_000 + random.between(0, 800) },
        { namespace: "a", keepCheckpoints: 2 },
        { keepCheckpoints: 2 },
      ]),
    };
    const before = contents();
    const expected = model(policy);
    const dry = await prune(path, { ...policy, dryRun: true });
    expect(contents()).toEqual(before);
    const report = await prune(path, policy);
    expect(contents()).toEqual(expected);
    expect(report).toEqual({ ...dry, dryRun: false });
    expect(report.sessions).toBe(before.sessions.length - expected.sessions.length);
    expect(report.checkpoints).toBe(before.checkpoints.length - expected.checkpoints.length);
    expect(problemsIn(path)).toEqual([]);
    expect(await prune(path, policy)).toMatchObject({ sessions: 0, checkpoints: 0, messages: 0, bytes: 0 });
  },
);

test("deletes a session with more rows than one transaction takes, and keeps its facts", async () => {
  await using store = new SqliteCheckpointStore(path, { clock: () => now, synchronous: "normal" });
  const { id } = await store.createSession("./d");
  await Promise.all(
    Array.from({ length: 450 }, () => store.addMessage(id, buildMessage(id, { content: "1234" }))),
  );
  await Promise.all(
    Array.from({ length: 250 }, (_, version) => store.saveCheckpoint(buildCheckpoint(id, { version }))),
  );
  const fact = await store.saveFact(buildFact({ sourceSessionId: id }));
  const report = await prune(path, { sessionsIdleSince: 10_000 });
  expect(report).toMatchObject({ sessions: 1, messages: 450, checkpoints: 250 });
  expect(report.bytes).toBeGreaterThan(450 * 4);
  expect(await store.getSession(id)).toBeNull();
  expect(await store.listFacts()).toMatchObject([{ id: fact.id }]);
});

describe("a session is not idle", () => {
  test.each<[string, (store: SqliteCheckpointStore, id: string) => Promise<unknown>]>([
    [
      "checkpoint in the root namespace",
      (store, id) => store.saveCheckpoint(buildCheckpoint(id, { namespace: "" })),
    ],
    [
      "checkpoint in a named namespace",
      (store, id) => store.saveCheckpoint(buildCheckpoint(id, { namespace: "n" })),
    ],
    ["message", (store, id) => store.addMessage(id, buildMessage(id))],
    ["entity", (store, id) => store.saveEntity(buildEntity(id))],
    ["update", (store, id) => store.updateSession(id, { title: "t" })],
  ])("since its latest %s", async (_, write) => {
    await using store = new SqliteCheckpointStore(path, { clock: () => now });
    const { id } = await store.createSession("./d");
    now = 5_000;
    await write(store, id);
    expect((await prune(path, { sessionsIdleSince: 5_000 })).sessions).toBe(0);
    expect((await prune(path, { sessionsIdleSince: 6_000 })).sessions).toBe(1);
  });
});

describe("refuses", () => {
  test.each<[string, object]>([
    ["has no rule", {}],
    ["has no rule", { sessionIds: ["s"], workspaceId: "w", dryRun: true }],
    ["policy.keepCheckpoints must be an integer of at least 1", { keepCheckpoints: 0 }],
    ["policy.checkpointsOlderThan must be a finite number", { checkpointsOlderThan: Number.NaN }],
    ["policy.sessionsIdleSince must be a finite number", { sessionsIdleSince: new Date() }],
    ["policy.sessionIds must be an array of strings", { keepCheckpoints: 1, sessionIds: "s" }],
    ["policy.sessionIds[1] must be a string", { keepCheckpoints: 1, sessionIds: ["s", 2] }],
    ["policy.dryRun must be true or false", { keepCheckpoints: 1, dryRun: "yes" }],
    ["policy.keepCheckpoint is unknown", { keepCheckpoint: 1 }],
    ["policy.namespace cannot be given with sessionsIdleSince", { sessionsIdleSince: 1, namespace: "" }],
  ])("a policy that %s", async (message, policy) => {
    await new SqliteCheckpointStore(path).close();
    const rejection = prune(path, policy);
    await expect(rejection).rejects.toThrow(InvalidArgumentError);
    await expect(rejection).rejects.toThrow(message);
  });

  test("a file that does not exist, and creates none", async () => {
    await expect(prune(path, { keepCheckpoints: 1 })).rejects.toThrow(StoreOpenError);
    await expect(prune(path, { keepCheckpoints: 1, dryRun: true })).rejects.toThrow(StoreOpenError);
    expect(await Bun.file(path).exists()).toBe(false);
  });
});

test("an abort rejects with its reason at the next step; another call finishes", async () => {
  await fill(new Random(3), 10);
  const expected = model({ keepCheckpoints: 1 });
  const controller = new AbortController();
  const seen: number[] = [];
  const aborted = prune(
    path,
    { keepCheckpoints: 1 },
    {
      signal: controller.signal,
      onProgress: ({ done, total, unit }) => {
        seen.push(done);
        expect([total, unit]).toEqual([10, "sessions"]);
        if (done === 3) controller.abort(new Error("enough"));
      },
    },
  );
  await expect(aborted).rejects.toThrow("enough");
  expect(seen).toEqual([1, 2, 3]);
  expect(contents()).not.toEqual(expected);
  await prune(path, { keepCheckpoints: 1 });
  expect(contents()).toEqual(expected);
});

test("loses nothing of what a store writes meanwhile", async () => {
  await fill(new Random(5), 30);
  await using store = new SqliteCheckpointStore(path, { clock: () => now });
  now += 1_000;
  const idleSince = now;
  const ids = sessionIds().slice(0, 10);
  let isPruned = false;
  const pruning = prune(path, { keepCheckpoints: 1, sessionsIdleSince: idleSince }).finally(() => {
    isPruned = true;
  });
  const acknowledged: { id: string; checkpoint: string }[] = [];
  const gone = new Set<string>();
  for (let version = 1_000; !isPruned || version < 1_010; version++) {
    now += 1;
    await Promise.all(
      ids.map(async (id) => {
        const saved = await store
          .saveCheckpoint(buildCheckpoint(id, { namespace: `n${version}` }))
          .catch(() => undefined);
        if (saved === undefined) gone.add(id);
        else acknowledged.push({ id, checkpoint: saved.id });
      }),
    );
  }
  await pruning;
  const left = new Set(idsIn("checkpoints"));
  expect(acknowledged.filter(({ id, checkpoint }) => gone.has(id) || !left.has(checkpoint))).toEqual([]);
  expect(acknowledged.length).toBeGreaterThanOrEqual(10);
  expect(problemsIn(path)).toEqual([]);
});

test.each(["checkpoints", "sessions", "checkpoint_sqlite_outputs"])(
  "a trigger that ignores deletions from %s is an error, not an endless loop",
  async (table) => {
    await fill(new Random(2));
    runOn(path, `CREATE TRIGGER t BEFORE DELETE ON ${table} BEGIN SELECT raise(IGNORE); END`);
    const before = contents();
    await expect(prune(path, { keepCheckpoints: 1, sessionsIdleSince: now + 1 })).rejects.toThrow(
      StorageError,
    );
    expect(contents()).toEqual(before);
  },
);

test("other processes write all the time, and nothing that they acknowledged is lost", async () => {
  await fill(new Random(9), 40);
  const since = now + 1;
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./writers");
  let isWritten = false;
  const writing = runTogether(
    "writer.ts",
    ["one", "two"].map((name) => [path, id, name, "40", "5"]),
  ).finally(() => {
    isWritten = true;
  });
  const reports: PruneReport[] = [];
  while (!isWritten) {
    reports.push(await prune(path, { keepCheckpoints: 1, namespace: "a" }, { busyTimeout: 25_000 }));
    reports.push(await prune(path, { sessionsIdleSince: since }, { busyTimeout: 25_000 }));
    await compact(path, { busyTimeout: 25_000 });
  }
  const answers = (await writing) as { messages: string[]; checkpoints: string[] }[];
  const messages = (await store.getMessages(id)).map((message) => `${message.id} ${message.content}`);
  const checkpoints = (await store.listCheckpoints(id)).map(
    (saved) => `${saved.id} ${saved.version} ${saved.nodeId}`,
  );
  expect(messages.toSorted()).toEqual(answers.flatMap((answer) => answer.messages).toSorted());
  expect(checkpoints.toSorted()).toEqual(answers.flatMap((answer) => answer.checkpoints).toSorted());
  expect(messages).toHaveLength(2 * 40 * 5);
  expect(reports.reduce((sum, { sessions }) => sum + sessions, 0)).toBe(40);
  expect(problemsIn(path)).toEqual([]);
}, 60_000);

test("sweeps also what deleteCheckpoint left behind, in sessions that the policy is for", async () => {
  await using store = new SqliteCheckpointStore(path);
  const left = async (directory: string) => {
    const { id } = await store.createSession(directory);
    const saved = await store.saveCheckpoint(buildWave(id, 1, { a: longText(1, 30_000), b: longText(2) }));
    await store.saveCheckpoint(buildWave(id, 2, { b: longText(2) }));
    await store.deleteCheckpoint(saved.id);
    return id;
  };
  const [one, other] = [await left("./one"), await left("./other")];
  const countOf = (id: string) =>
    withDatabase(path, storedOutputs).filter((row) => row.session_id === id).length;
  const before = countOf(other);
  const dry = await prune(path, { keepCheckpoints: 5, sessionIds: [one], dryRun: true });
  expect(dry).toMatchObject({ checkpoints: 0, outputs: before - 1 });
  expect(await prune(path, { keepCheckpoints: 5, sessionIds: [one] })).toEqual({ ...dry, dryRun: false });
  expect([countOf(one), countOf(other)]).toEqual([1, before]);
});

test("keeps an output that a store refers to again after it was found unused", async () => {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./d");
  const saved = await store.saveCheckpoint(buildWave(id, 1, { a: longText(1, 30_000), b: longText(2) }));
  await store.saveCheckpoint(buildWave(id, 2, { a: "small" }));
  const [row] = withDatabase(path, (database) =>
    rowsOf<{ node_results: string }>(database, "SELECT node_results FROM checkpoints WHERE version = 1"),
  );
  await store.deleteCheckpoint(saved.id);
  const { queryOnce } = Connection.prototype;
  using spy = spyOn(Connection.prototype, "queryOnce").mockImplementation(function (
    this: Connection,
    sql,
    ...given
  ) {
    if (sql === "BEGIN IMMEDIATE") {
      spy.mockRestore();
      withDatabase(path, (database) =>
        database.run(
          `INSERT INTO checkpoints (id, session_id, namespace, version, step, node_results, created_at)
           VALUES ('again', ?1, '', 3, 0, ?2, ${Date.now()})`,
          [id, row?.node_results ?? ""],
        ),
      );
    }
    return queryOnce.call(this, sql, ...given);
  });
  expect(await prune(path, { keepCheckpoints: 9 })).toMatchObject({ checkpoints: 0, outputs: 0 });
  await using other = new SqliteCheckpointStore(path);
  expect(outputsOf(await other.getCheckpoint("again"))).toEqual({ a: longText(1, 30_000), b: longText(2) });
});

test("a store that is open stores again what was swept", async () => {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./d");
  await store.saveCheckpoint(buildWave(id, 1, { a: longText(1, 30_000) }));
  await store.saveCheckpoint(buildWave(id, 2, { a: "small" }));
  expect((await prune(path, { keepCheckpoints: 1 })).outputs).toBeGreaterThan(5);
  await store.saveCheckpoint(buildWave(id, 3, { a: longText(1, 30_000) }));
  await using other = new SqliteCheckpointStore(path);
  expect(outputsOf(await other.getLatestCheckpoint(id))).toEqual({ a: longText(1, 30_000) });
});

test("killed at any moment, it leaves a whole file, and another call finishes", async () => {
  await fill(new Random(7), 40);
  const policy = { keepCheckpoints: 1, sessionsIdleSince: now - 200 };
  const expected = model(policy);
  const survived = await killRepeatedly(
    `await prune(${JSON.stringify(path)}, ${JSON.stringify(policy)});`,
    () => expect(problemsIn(path)).toEqual([]),
  );
  await prune(path, policy);
  expect(contents()).toEqual(expected);
  expect(survived).toBeGreaterThan(0);
});
