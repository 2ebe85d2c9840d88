/** The store option `keepCheckpoints`: what a save leaves of its namespace. */
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { InvalidArgumentError, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { OutputsTable } from "../../src/tables/outputs.js";
import { buildCheckpoint } from "../support/builders.js";
import { buildWave, longText, outputsOf, storedOutputs } from "../support/large-outputs.js";
import { runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});

afterEach(() => folder.remove());

/** Saves versions `from` to `to`, one after the other. */
async function saveVersions(
  store: SqliteCheckpointStore,
  sessionId: string,
  namespace: string,
  [from, to]: readonly [number, number],
): Promise<void> {
  for (let version = from; version <= to; version++) {
    await store.saveCheckpoint(buildCheckpoint(sessionId, { namespace, version }));
  }
}

async function versionsIn(
  store: SqliteCheckpointStore,
  sessionId: string,
  namespace: string,
): Promise<number[]> {
  return (await store.listCheckpoints(sessionId, { namespace })).map(({ version }) => version);
}

describe.each(["", "graph"])("in namespace %p", (namespace) => {
  test("a save keeps the newest so many", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 3 });
    const { id } = await store.createSession("./d");
    await saveVersions(store, id, namespace, [1, 10]);
    expect(await versionsIn(store, id, namespace)).toEqual([10, 9, 8]);
  });

  test("a save leaves other namespaces and sessions alone", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
    const [one, other] = [await store.createSession("./one"), await store.createSession("./other")];
    await saveVersions(store, one.id, "another", [1, 1]);
    await saveVersions(store, other.id, namespace, [1, 1]);
    await saveVersions(store, one.id, namespace, [1, 5]);
    expect(await versionsIn(store, one.id, namespace)).toEqual([5]);
    expect(await versionsIn(store, one.id, "another")).toEqual([1]);
    expect(await versionsIn(store, other.id, namespace)).toEqual([1]);
  });

  test("a namespace that holds more shrinks by the oldest, four per save", async () => {
    await using all = new SqliteCheckpointStore(path);
    const { id } = await all.createSession("./d");
    await saveVersions(all, id, namespace, [1, 12]);
    await using few = new SqliteCheckpointStore(path, { keepCheckpoints: 2 });
    await saveVersions(few, id, namespace, [13, 13]);
    expect(await versionsIn(few, id, namespace)).toEqual([13, 12, 11, 10, 9, 8, 7, 6, 5]);
    await saveVersions(few, id, namespace, [14, 15]);
    expect(await versionsIn(few, id, namespace)).toEqual([15, 14, 13]);
    await saveVersions(few, id, namespace, [16, 16]);
    expect(await versionsIn(few, id, namespace)).toEqual([16, 15]);
  });

  test("saves of one millisecond are told apart by their order", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 2, clock: () => 1_000 });
    const { id } = await store.createSession("./d");
    await Promise.all(
      [1, 2, 3, 4, 5].map((version) => saveVersions(store, id, namespace, [version, version])),
    );
    expect(await versionsIn(store, id, namespace)).toEqual([5, 4]);
  });

  test("the checkpoint that is being saved stays, even if another row counts as newer", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1, clock: () => 1_000 });
    const { id } = await store.createSession("./d");
    await saveVersions(store, id, namespace, [1, 1]);
    runOn(path, "UPDATE checkpoints SET rowid = 9223372036854775807"); // The next rowids are random, below it.
    const saved = await store.saveCheckpoint(buildCheckpoint(id, { namespace, version: 2 }));
    expect(await store.getCheckpoint(saved.id)).toEqual(saved);
  });
});

describe("outputs that no checkpoint refers to any more", () => {
  const countStored = () => withDatabase(path, storedOutputs).length;

  /** Saves versions `from` to `to`: one output that stays, one that is new each time, one that grows in pieces. */
  async function saveWaves(
    store: SqliteCheckpointStore,
    sessionId: string,
    [from, to]: readonly [number, number],
  ) {
    for (let version = from; version <= to; version++) {
      await store.saveCheckpoint(buildWave(sessionId, version, waveOf(version)));
    }
  }

  const waveOf = (version: number) => ({
    same: longText(1),
    own: longText(100 + version),
    edited: `${longText(2, 20_000)} ${version}`,
  });

  test("go in time, and those of the checkpoints that are left stay", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 3 });
    const { id } = await store.createSession("./d");
    await saveWaves(store, id, [1, 3]);
    const ofThree = countStored();
    const counts: number[] = [];
    for (let version = 4; version <= 40; version++) {
      await saveWaves(store, id, [version, version]);
      counts.push(countStored());
    }
    // Three rows are a checkpoint's own: an output, the piece that ends differently, and the list of pieces.
    expect(Math.max(...counts)).toBeLessThanOrEqual(ofThree + 8 * 3);
    expect(counts).toContain(ofThree);
    await using other = new SqliteCheckpointStore(path);
    expect((await other.listCheckpoints(id)).map(outputsOf)).toEqual([40, 39, 38].map(waveOf));
  });

  test("go also if each process saves only one checkpoint", async () => {
    await using first = new SqliteCheckpointStore(path);
    const { id } = await first.createSession("./d");
    await saveWaves(first, id, [1, 2]);
    const ofTwo = countStored();
    for (let version = 3; version <= 8; version++) {
      await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 2 });
      await saveWaves(store, id, [version, version]);
      expect(countStored()).toBe(ofTwo);
    }
  });

  test("are stored again if they are saved again", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
    const { id } = await store.createSession("./d");
    await saveWaves(store, id, [1, 30]);
    await store.saveCheckpoint(buildWave(id, 31, waveOf(1)));
    await using other = new SqliteCheckpointStore(path);
    expect(outputsOf(await other.getLatestCheckpoint(id))).toEqual(waveOf(1));
  });

  test("take the save along if they cannot be deleted", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
    const { id } = await store.createSession("./d");
    await saveWaves(store, id, [1, 1]);
    runOn(
      path,
      "CREATE TRIGGER t BEFORE DELETE ON checkpoint_sqlite_outputs BEGIN SELECT raise(ABORT, 'no'); END",
    );
    await expect(saveWaves(store, id, [2, 2])).rejects.toThrow("no");
    expect((await store.listCheckpoints(id)).map(outputsOf)).toEqual([waveOf(1)]);
  });

  test("stay if a row whose JSON is damaged refers to them, and it reads again when it is repaired", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
    const { id } = await store.createSession("./d");
    const { nodeResults } = buildWave(id, 1, waveOf(1));
    const damaged = await store.saveCheckpoint(
      buildCheckpoint(id, { namespace: "damaged", version: 1, nodeResults }),
    );
    runOn(path, "UPDATE checkpoints SET node_results = 'x' || node_results");
    await saveWaves(store, id, [2, 20]);
    runOn(path, "UPDATE checkpoints SET node_results = substr(node_results, 2) WHERE namespace = 'damaged'");
    await using reader = new SqliteCheckpointStore(path);
    expect(outputsOf(await reader.getCheckpoint(damaged.id))).toEqual(waveOf(1));
  });

  test("are looked for about once in as many deletions as the session has checkpoints", async () => {
    await using all = new SqliteCheckpointStore(path, { synchronous: "normal" });
    const { id } = await all.createSession("./d");
    for (let version = 1; version <= 60; version++) {
      const { nodeResults } = buildWave(id, version, waveOf(version));
      await all.saveCheckpoint(buildCheckpoint(id, { namespace: "kept", version, nodeResults }));
    }
    await saveWaves(all, id, [1, 100]);
    const ofAll = countStored();
    await using few = new SqliteCheckpointStore(path, { keepCheckpoints: 4 });
    using sweep = spyOn(OutputsTable.prototype, "deleteUnused");
    await saveWaves(few, id, [101, 132]); // Four deletions each.
    expect((await few.listCheckpoints(id, { namespace: "" })).length).toBe(4);
    expect(sweep).not.toHaveBeenCalled();
    await saveWaves(few, id, [133, 133]);
    expect(sweep).toHaveBeenCalledTimes(1);
    expect(countStored()).toBeLessThan(ofAll);
    await saveWaves(few, id, [134, 196]);
    expect(sweep).toHaveBeenCalledTimes(1);
    await saveWaves(few, id, [197, 197]); // 64 deletions, of the 64 checkpoints that were read.
    expect(sweep).toHaveBeenCalledTimes(2);
  });

  test("go over several saves if they are many, so that none takes long", async () => {
    await using all = new SqliteCheckpointStore(path);
    const { id } = await all.createSession("./d");
    const outputs = Array.from({ length: 1_200 }, (_, seed) => [`n${seed}`, longText(seed, 1_100)]);
    const large = await all.saveCheckpoint(buildWave(id, 1, Object.fromEntries(outputs)));
    await saveWaves(all, id, [2, 2]);
    await all.deleteCheckpoint(large.id);
    const before = countStored();
    await using few = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
    const deleted: number[] = [];
    for (let version = 3; version <= 5; version++) {
      const stored = countStored();
      await few.saveCheckpoint(buildWave(id, version, { small: version }));
      deleted.push(stored - countStored());
    }
    expect(deleted).toEqual([500, 500, before - 1_000]);
  });

  test("of one session go without those of another", async () => {
    await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
    const [one, other] = [await store.createSession("./one"), await store.createSession("./other")];
    await saveWaves(store, other.id, [1, 1]);
    await saveWaves(store, one.id, [1, 20]);
    await using reader = new SqliteCheckpointStore(path);
    expect(outputsOf(await reader.getLatestCheckpoint(other.id))).toEqual(waveOf(1));
  });
});

test("Infinity keeps all, as does no option", async () => {
  await using store = new SqliteCheckpointStore(path, { keepCheckpoints: Number.POSITIVE_INFINITY });
  const { id } = await store.createSession("./d");
  await saveVersions(store, id, "", [1, 6]);
  expect(await versionsIn(store, id, "")).toEqual([6, 5, 4, 3, 2, 1]);
});

test("a save that fails deletes nothing", async () => {
  await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
  const { id } = await store.createSession("./d");
  await saveVersions(store, id, "", [1, 1]);
  await expect(store.saveCheckpoint(buildCheckpoint(id, { namespace: "", version: 1 }))).rejects.toThrow(
    "Checkpoint version already exists",
  );
  expect(await versionsIn(store, id, "")).toEqual([1]);
});

test("a deletion that fails takes the save along", async () => {
  await using store = new SqliteCheckpointStore(path, { keepCheckpoints: 1 });
  const { id } = await store.createSession("./d");
  await saveVersions(store, id, "", [1, 1]);
  runOn(path, "CREATE TRIGGER t BEFORE DELETE ON checkpoints BEGIN SELECT raise(ABORT, 'no'); END");
  await expect(saveVersions(store, id, "", [2, 2])).rejects.toThrow("no");
  expect(await versionsIn(store, id, "")).toEqual([1]);
});

test.each([0, -1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, "3"])("%p is not allowed", (keepCheckpoints) => {
  const options: object = { keepCheckpoints };
  expect(() => new SqliteCheckpointStore(path, options)).toThrow(InvalidArgumentError);
  expect(() => new SqliteCheckpointStore(path, options)).toThrow("options.keepCheckpoints");
});
