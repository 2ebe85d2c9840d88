/** Maintenance of files whose checkpoints refer to large outputs, in pieces too, as stores write them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Checkpoint, CheckpointCorruptionError, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import {
  backup,
  compact,
  copySession,
  exportSessions,
  importSessions,
  prune,
  salvage,
  stats,
  verify,
} from "@obsku/checkpoint-sqlite/maintenance";
import { buildCheckpoint } from "../support/builders.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const WAVES = 12;

let folder: TemporaryFolder;
let path: string;
let other: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  other = join(folder.path, "other.db");
});

afterEach(() => folder.remove());

/** One output stays, one grows by an entry in every wave, one is small. */
function nodeResults(wave: number): Checkpoint["nodeResults"] {
  const entries = Array.from({ length: 40 + wave }, (_, index) => ({
    index,
    text: `entry ${index} of the list`.repeat(8),
  }));
  return {
    same: { status: "completed", output: "the same in all waves ".repeat(100) },
    list: { status: "completed", output: { entries, at: new Date(wave) } },
    small: { status: "completed", output: wave },
  };
}

/** Returns the ids of the session and of its checkpoints, the oldest first. */
async function fill(
  options: { keepCheckpoints?: number; waves?: number } = {},
): Promise<{ id: string; ids: string[] }> {
  const { waves = WAVES, ...settings } = options;
  await using store = new SqliteCheckpointStore(path, { synchronous: "normal", ...settings });
  const { id } = await store.createSession("./d", { title: "large" });
  const ids: string[] = [];
  for (let version = 0; version < waves; version++) {
    const saved = await store.saveCheckpoint(
      buildCheckpoint(id, { version, nodeResults: nodeResults(version) }),
    );
    ids.push(saved.id);
  }
  return { id, ids };
}

function outputs(file: string): { hash: string; text: string | null; pieces: string | null }[] {
  return withDatabase(file, (database) =>
    rowsOf(database, "SELECT hash, text, pieces FROM checkpoint_sqlite_outputs ORDER BY hash"),
  );
}

async function checkpointsOf(file: string, sessionId: string): Promise<Checkpoint["nodeResults"][]> {
  await using store = new SqliteCheckpointStore(file);
  const checkpoints = await store.listCheckpoints(sessionId);
  return checkpoints.map((checkpoint) => checkpoint.nodeResults).reverse();
}

const ALL = Array.from({ length: WAVES }, (_, wave) => nodeResults(wave));

test("the file of these tests has whole outputs, lists of pieces, and pieces", async () => {
  await fill();
  expect(outputs(path).filter(({ pieces }) => pieces !== null)).toHaveLength(WAVES);
  expect(outputs(path).length).toBeGreaterThan(2 * WAVES);
});

describe("verify", () => {
  test("counts the outputs, and finds nothing wrong", async () => {
    await fill();
    const report = await verify(path);
    expect(report).toMatchObject({ ok: true, problems: [] });
    expect(report.counts.checkpoint_sqlite_outputs).toBe(outputs(path).length);
  });

  test.each(["text", "pieces"] as const)("finds one character that changed in %s", async (column) => {
    await fill();
    const damaged = outputs(path).find((output) => output[column] !== null)?.hash ?? "";
    const changed = `substr(${column}, 1, 10) || char(unicode(substr(${column}, 11, 1)) + 1) || substr(${column}, 12)`;
    runOn(path, `UPDATE checkpoint_sqlite_outputs SET ${column} = ${changed} WHERE hash = '${damaged}'`);
    const { ok, problems } = await verify(path);
    expect(ok).toBe(false);
    expect(problems.map(({ table, id }) => [table, id])).toContainEqual([
      "checkpoint_sqlite_outputs",
      damaged,
    ]);
  });
});

describe("salvage", () => {
  test("copies outputs with the checkpoints that refer to them", async () => {
    const { id } = await fill();
    const { lost } = await salvage(path, other);
    expect(lost).toEqual([]);
    expect(outputs(other)).toEqual(outputs(path));
    expect(await checkpointsOf(other, id)).toEqual(ALL);
  });

  test("lists an output that is damaged, and returns the checkpoints that do not need it", async () => {
    const { id, ids } = await fill();
    const list = outputs(path).find(({ pieces }) => pieces !== null)?.hash ?? "";
    runOn(path, `DELETE FROM checkpoint_sqlite_outputs WHERE hash = '${list}'`);
    const { lost } = await salvage(path, other);
    expect(lost.length).toBeGreaterThan(0);
    expect(JSON.stringify(lost)).toContain(list);
    await using store = new SqliteCheckpointStore(other);
    const found = await Promise.all(ids.map((each) => store.getCheckpoint(each).catch(() => null)));
    const whole = found.flatMap((checkpoint, wave) => (checkpoint === null ? [] : [wave]));
    expect(whole).toHaveLength(WAVES - 1);
    for (const wave of whole) expect(found[wave]?.nodeResults).toEqual(nodeResults(wave));
    expect((await store.getSession(id))?.title).toBe("large");
  });
});

test("stats tells what the outputs would take in their rows, and what they take", async () => {
  await fill();
  const { sharing } = await stats(path);
  const referenced = ALL.flatMap(({ same, list }) => [same, list]).length;
  expect(referenced).toBe(2 * WAVES);
  expect(sharing.referenced).toBeGreaterThan(4 * sharing.stored);
  expect(sharing.saved).toBe(sharing.referenced - sharing.stored);
});

test("an export has outputs whole, an import keeps them once, and exports the same lines", async () => {
  const { id } = await fill();
  const lines = await Array.fromAsync(exportSessions(path));
  expect(lines.join("")).not.toContain('{"__type":"Map","value":"');
  await new SqliteCheckpointStore(other).close();
  await importSessions(other, lines);
  expect(outputs(other)).toEqual(outputs(path));
  expect(await checkpointsOf(other, id)).toEqual(ALL);
  expect(await Array.fromAsync(exportSessions(other))).toEqual(lines);
});

test("a copy of a session is whole when the original is deleted", async () => {
  const { id } = await fill();
  const copy = await copySession(path, id);
  await using store = new SqliteCheckpointStore(path);
  await store.deleteSession(id);
  await store.close();
  expect(await checkpointsOf(path, copy.id)).toEqual(ALL);
});

test("a backup reads as the original", async () => {
  const { id } = await fill();
  await backup(path, other);
  expect(await checkpointsOf(other, id)).toEqual(ALL);
});

describe("what nothing refers to any more", () => {
  test("goes with the checkpoints that prune deletes, and nothing else does", async () => {
    const { id } = await fill();
    const before = outputs(path).length;
    const report = await prune(path, { keepCheckpoints: 2 });
    expect(report.outputs).toBe(before - outputs(path).length);
    expect(report.outputs).toBeGreaterThan(0);
    expect(outputs(path).filter(({ pieces }) => pieces !== null)).toHaveLength(2);
    expect(await checkpointsOf(path, id)).toEqual(ALL.slice(-2));
    expect((await verify(path)).problems).toEqual([]);
  });

  test("goes in time with the checkpoints that keepCheckpoints deletes at saves", async () => {
    const { id } = await fill({ keepCheckpoints: 2, waves: 60 });
    expect(outputs(path).filter(({ pieces }) => pieces !== null).length).toBeLessThan(2 + 2 * 8);
    expect(await checkpointsOf(path, id)).toEqual([nodeResults(58), nodeResults(59)]);
    expect((await verify(path)).problems).toEqual([]);
  });

  test("is written again by a store that knew it", async () => {
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./d");
    const first = await store.saveCheckpoint(
      buildCheckpoint(id, { version: 1, nodeResults: nodeResults(1) }),
    );
    await store.saveCheckpoint(buildCheckpoint(id, { version: 2 }));
    await store.deleteCheckpoint(first.id);
    await prune(path, { keepCheckpoints: 5 });
    expect(outputs(path)).toEqual([]);
    await store.saveCheckpoint(buildCheckpoint(id, { version: 3, nodeResults: nodeResults(1) }));
    await store.close();
    expect((await checkpointsOf(path, id)).at(-1)).toEqual(nodeResults(1));
  });
});

describe("what only a row of damaged JSON refers to", () => {
  /** The newest checkpoint, and the one before it, whose row is cut in the middle. Returns what repairs it. */
  async function damage(sessionId: string): Promise<() => void> {
    const [row] = withDatabase(path, (database) =>
      rowsOf<{ id: string; node_results: string }>(
        database,
        "SELECT id, node_results FROM checkpoints ORDER BY created_at DESC, rowid DESC LIMIT 1 OFFSET 1",
      ),
    );
    const write = (text: string) =>
      withDatabase(path, (database) =>
        database.run("UPDATE checkpoints SET node_results = ?2 WHERE id = ?1", [row?.id ?? "", text]),
      );
    const text = row?.node_results ?? "";
    write(text.slice(0, text.indexOf('"small"')));
    await using store = new SqliteCheckpointStore(path);
    await expect(store.listCheckpoints(sessionId)).rejects.toThrow(CheckpointCorruptionError);
    return () => write(text);
  }

  test("stays when prune sweeps, so that it reads again when it is repaired", async () => {
    const { id } = await fill();
    const repair = await damage(id);
    const dry = await prune(path, { keepCheckpoints: 2, dryRun: true });
    expect(await prune(path, { keepCheckpoints: 2 })).toEqual({ ...dry, dryRun: false });
    repair();
    expect(await checkpointsOf(path, id)).toEqual(ALL.slice(-2));
  });

  test("stays when compact writes the other rows whole", async () => {
    const { id } = await fill();
    const repair = await damage(id);
    expect((await compact(path, { whole: true })).checkpointsRewritten).toBe(WAVES - 1);
    expect(outputs(path).length).toBeGreaterThan(0);
    repair();
    expect(await checkpointsOf(path, id)).toEqual(ALL);
  });

  test("is copied with the session", async () => {
    const { id } = await fill();
    const repair = await damage(id);
    const copy = await copySession(path, id);
    repair();
    const hashes = (session: string) =>
      withDatabase(path, (database) =>
        rowsOf(
          database,
          "SELECT hash FROM checkpoint_sqlite_outputs WHERE session_id = ? ORDER BY hash",
          session,
        ),
      );
    expect(hashes(copy.id)).toEqual(hashes(id));
  });
});

test("a copy of a session has no outputs that nothing refers to", async () => {
  const { id } = await fill();
  await using store = new SqliteCheckpointStore(path);
  const [newest, ...older] = await store.listCheckpoints(id);
  for (const { id: checkpoint } of older) await store.deleteCheckpoint(checkpoint);
  const before = outputs(path).length;
  const copy = await copySession(path, id);
  const copied = outputs(path).length - before;
  expect(await checkpointsOf(path, copy.id)).toEqual(newest === undefined ? [] : [newest.nodeResults]);
  expect(await prune(path, { keepCheckpoints: 1, sessionIds: [copy.id] })).toMatchObject({ outputs: 0 });
  expect((await prune(path, { keepCheckpoints: 1 })).outputs).toBe(before - copied);
});
