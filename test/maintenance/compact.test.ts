/** `compact`: smaller files, the two forms of checkpoints, alongside writers, and killed. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import {
  DiskFullError,
  InvalidArgumentError,
  SqliteCheckpointStore,
  type SqliteCheckpointStoreOptions,
  StorageError,
  StoreBusyError,
  StoreOpenError,
} from "@obsku/checkpoint-sqlite";
import { compact, exportSessions, prune } from "@obsku/checkpoint-sqlite/maintenance";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { buildWave, longText } from "../support/large-outputs.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { killRepeatedly, problemsIn } from "./support/killed.js";

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});

afterEach(() => folder.remove());

/** A hundred checkpoints of 20 KB, of which one is left. */
async function fillAndPrune(): Promise<string> {
  await using store = new SqliteCheckpointStore(path, { synchronous: "normal" });
  const { id } = await store.createSession("./d");
  await Promise.all(
    Array.from({ length: 100 }, (_, version) =>
      store.saveCheckpoint(
        buildCheckpoint(id, {
          version,
          nodeResults: { a: { status: "completed", output: `${version}`.repeat(10_000) } },
        }),
      ),
    ),
  );
  await prune(path, { keepCheckpoints: 1 });
  return id;
}

function useIncremental(): void {
  runOn(path, "PRAGMA auto_vacuum = INCREMENTAL", "VACUUM");
}

async function linesOf(file: string): Promise<string[]> {
  return Array.fromAsync(exportSessions(file));
}

describe.each(["vacuum", "incremental"] as const)("by the method %p", (method) => {
  beforeEach(() => {
    if (method === "incremental") useIncremental();
  });

  test("the file shrinks to what its content needs, and holds the same", async () => {
    await fillAndPrune();
    const before = await linesOf(path);
    const report = await compact(path);
    expect(report).toMatchObject({ method, checkpointsRewritten: 0 });
    expect(report.bytesBefore).toBeGreaterThan(1_000_000);
    expect(report.bytesAfter).toBeLessThan(200_000);
    expect(statSync(path).size).toBe(report.bytesAfter);
    expect(await linesOf(path)).toEqual(before);
    expect(problemsIn(path)).toEqual([]);
    expect(await compact(path)).toMatchObject({
      bytesBefore: report.bytesAfter,
      bytesAfter: report.bytesAfter,
    });
  });

  test("a store that is open goes on, and loses nothing that it writes meanwhile", async () => {
    const id = await fillAndPrune();
    await using store = new SqliteCheckpointStore(path);
    let isCompact = false;
    const compacting = compact(path).finally(() => {
      isCompact = true;
    });
    const written: number[] = [];
    while (!isCompact || written.length < 3) {
      written.push((await store.addMessage(id, buildMessage(id, { content: "meanwhile" }))).id);
    }
    expect((await compacting).bytesAfter).toBeLessThan((await compacting).bytesBefore);
    expect((await store.getMessages(id)).map((message) => message.id)).toEqual(written);
    expect(problemsIn(path)).toEqual([]);
  });

  test("a lock that is held past busyTimeout rejects, and leaves the file as it was", async () => {
    await fillAndPrune();
    const before = await linesOf(path);
    const pages = freePages();
    await expect(withLock(() => compact(path, { busyTimeout: 20 }))).rejects.toThrow(StoreBusyError);
    expect(freePages()).toBe(pages);
    expect(await linesOf(path)).toEqual(before);
  });

  test("killed at any moment, it leaves a whole file, and another call finishes", async () => {
    await fillAndPrune();
    const before = await linesOf(path);
    await killRepeatedly(`await compact(${JSON.stringify(path)});`, () =>
      expect(problemsIn(path)).toEqual([]),
    );
    expect((await compact(path)).bytesAfter).toBeLessThan(200_000);
    expect(await linesOf(path)).toEqual(before);
  });
});

test("killed within a VACUUM, it leaves a whole file, and another call finishes", async () => {
  const id = await fillAndPrune();
  await using store = new SqliteCheckpointStore(path, { synchronous: "normal" });
  const output = "x".repeat(1_000_000);
  for (let version = 200; version < 220; version++) {
    await store.saveCheckpoint(
      buildCheckpoint(id, { version, nodeResults: { a: { status: "completed", output } } }),
    );
  }
  await store.close();
  const before = await linesOf(path);
  const program = `
    const { compact } = await import(${JSON.stringify(join(import.meta.dir, "../../src/maintenance/index.ts"))});
    console.log("begins");
    await compact(${JSON.stringify(path)});`;
  for (const delay of [5, 15, 25, 40, 60, 90]) {
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "inherit" });
    await child.stdout.getReader().read();
    await Bun.sleep(delay); // A random moment is what is tried.
    child.kill("SIGKILL");
    await child.exited;
    expect(problemsIn(path)).toEqual([]);
  }
  await compact(path);
  expect(freePages()).toBe(0);
  expect(await linesOf(path)).toEqual(before);
});

test("a reader that stays in a transaction is no error: the file shrinks later", async () => {
  await fillAndPrune();
  const reader = new Database(path, { readonly: true });
  reader.run("BEGIN");
  reader.query("SELECT count(*) FROM sessions").get();
  const report = await compact(path, { busyTimeout: 50 });
  expect(report.bytesAfter).toBeGreaterThan(1_000_000);
  reader.close(true);
  expect((await compact(path)).bytesAfter).toBeLessThan(200_000);
});

test("steps report their progress, and can be aborted between them", async () => {
  useIncremental();
  await fillAndPrune();
  const controller = new AbortController();
  const seen: string[] = [];
  const aborted = compact(path, {
    signal: controller.signal,
    onProgress: ({ done, total, unit }) => {
      seen.push(unit);
      expect(done).toBeLessThan(total);
      controller.abort(new Error("enough"));
    },
  });
  await expect(aborted).rejects.toThrow("enough");
  expect(seen).toEqual(["pages"]);
  expect(freePages()).toBeGreaterThan(0);
});

describe("checkpoints are rewritten", () => {
  const long = (text: string) => text.repeat(1_200);

  /** Two sessions, whose checkpoints have their outputs in common in part. */
  async function fillWhole(options: SqliteCheckpointStoreOptions = { shareOutputs: false }): Promise<void> {
    await using store = new SqliteCheckpointStore(path, options);
    for (const directory of ["./one", "./two"]) {
      const { id } = await store.createSession(directory);
      for (const version of [1, 2, 3]) {
        await store.saveCheckpoint(
          buildCheckpoint(id, {
            version,
            nodeResults: {
              same: { status: "completed", output: [long('é\\"}'), new Map([["k", 1n]])] },
              other: { status: "completed", output: long(`v${version}`), startedAt: 1 },
              edited: { status: "completed", output: `${longText(1, 20_000)} ${version}` },
              small: { status: "completed", output: "x" },
              ...(version === 3 ? { __type: { status: "completed", output: long("w") } } : {}),
            },
          }),
        );
      }
    }
  }

  function nodeResults(): string[] {
    return withDatabase(path, (database) =>
      rowsOf<{ text: string }>(database, "SELECT node_results AS text FROM checkpoints ORDER BY rowid").map(
        ({ text }) => text,
      ),
    );
  }

  /** By session, in its order in the file: what is stored for it. */
  function outputs(): string[] {
    return withDatabase(path, (database) =>
      rowsOf(
        database,
        `SELECT sessions.rowid AS session, hash, text, pieces
         FROM checkpoint_sqlite_outputs JOIN sessions ON sessions.id = session_id
         ORDER BY session, hash`,
      ).map((row) => JSON.stringify(row)),
    );
  }

  test("in the shared form and back, byte by byte", async () => {
    await fillWhole();
    const whole = nodeResults();
    expect(await compact(path, { shareOutputs: true })).toMatchObject({ checkpointsRewritten: 6 });
    expect(outputs().length).toBeGreaterThan(2 * 10);
    expect(
      nodeResults().every((text) => text.length < 800 && text.includes('"output":{"__type":"Map","value":"')),
    ).toBe(true);
    expect(await compact(path, { shareOutputs: true })).toMatchObject({ checkpointsRewritten: 0 });
    expect(await compact(path, { whole: true })).toMatchObject({ checkpointsRewritten: 6 });
    expect(nodeResults()).toEqual(whole);
    expect(outputs()).toEqual([]);
    expect(await compact(path, { whole: true })).toMatchObject({ checkpointsRewritten: 0 });
  });

  test("as a save would have written them, pieces included", async () => {
    await fillWhole();
    await compact(path, { shareOutputs: true });
    const rewritten = [nodeResults(), outputs()];
    path = join(folder.path, "shared.db");
    await fillWhole({});
    expect(rewritten).toEqual([nodeResults(), outputs()]);
  });

  test("but one that only looks like it, or is too deep for SQL, stays whole", async () => {
    await fillWhole();
    const deep = `{"a":{"status":"completed","metadata":${"[".repeat(1_200)}${"]".repeat(1_200)},"output":"${long("d")}"}}`;
    const tagged = `{"a":{"__type":"js:object","value":{},"output":"${long("t")}"}}`;
    const damaged = `{"a":{"output":"${long("x")}"`;
    runOn(
      path,
      ...[deep, tagged, damaged].map(
        (text, row) => `UPDATE checkpoints SET node_results = '${text}' WHERE rowid = ${row + 1}`,
      ),
    );
    await compact(path, { shareOutputs: true });
    expect(nodeResults().slice(0, 3)).toEqual([deep, tagged, damaged]);
  });

  test("in numbers as they are spelled, and blanks as they are", async () => {
    await fillWhole();
    const odd = `{ "a" : { "status":"completed", "n": 1e400, "output" : [-0, 1.50, 1e2, "${long("o")}"] } , "b": -0}`;
    runOn(path, `UPDATE checkpoints SET node_results = '${odd}' WHERE rowid = 1`);
    await compact(path, { shareOutputs: true });
    expect(nodeResults()[0]).not.toEqual(odd);
    await compact(path, { whole: true });
    expect(nodeResults()[0]).toEqual(odd);
  });

  test("but a reference to an output that is missing rejects, and its checkpoint stays", async () => {
    await fillWhole();
    await compact(path, { shareOutputs: true });
    const shared = nodeResults();
    runOn(path, `DELETE FROM checkpoint_sqlite_outputs WHERE text LIKE '"v1%'`);
    await expect(compact(path, { whole: true })).rejects.toThrow("that a checkpoint refers to is missing");
    expect(nodeResults()).toEqual(shared);
  });

  test("killed at any moment, another call finishes", async () => {
    await fillWhole();
    const whole = nodeResults();
    await killRepeatedly(`await compact(${JSON.stringify(path)}, { shareOutputs: true });`, () =>
      expect(problemsIn(path)).toEqual([]),
    );
    await killRepeatedly(`await compact(${JSON.stringify(path)}, { whole: true });`, () =>
      expect(problemsIn(path)).toEqual([]),
    );
    await compact(path, { whole: true });
    expect(nodeResults()).toEqual(whole);
    expect(outputs()).toEqual([]);
  });

  test.each(["shareOutputs", "whole"] as const)(
    "but a trigger that ignores the update rejects, and the checkpoints stay (%s)",
    async (form) => {
      await using store = new SqliteCheckpointStore(path, { shareOutputs: form === "whole" });
      const { id } = await store.createSession("./d");
      await store.saveCheckpoint(buildWave(id, 1, { a: longText(1) }));
      const before = withDatabase(path, (database) => rowsOf(database, "SELECT * FROM checkpoints"));
      runOn(path, "CREATE TRIGGER t BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(IGNORE); END");
      await expect(compact(path, { [form]: true })).rejects.toThrow(StorageError);
      expect(withDatabase(path, (database) => rowsOf(database, "SELECT * FROM checkpoints"))).toEqual(before);
      expect(await linesOf(path)).toHaveLength(4);
    },
  );

  test("but a trigger that keeps outputs out rejects, and the checkpoints stay whole", async () => {
    await using store = new SqliteCheckpointStore(path, { shareOutputs: false });
    const { id } = await store.createSession("./d");
    await store.saveCheckpoint(buildWave(id, 1, { a: longText(1) }));
    const before = await linesOf(path);
    runOn(
      path,
      "CREATE TRIGGER t BEFORE INSERT ON checkpoint_sqlite_outputs BEGIN SELECT RAISE(IGNORE); END",
    );
    await expect(compact(path, { shareOutputs: true })).rejects.toThrow(StorageError);
    expect(await linesOf(path)).toEqual(before);
  });

  test("not both ways at once", async () => {
    await fillWhole();
    await expect(compact(path, { shareOutputs: true, whole: true })).rejects.toThrow(InvalidArgumentError);
  });
});

test("a file that does not exist is not created", async () => {
  await expect(compact(path)).rejects.toThrow(StoreOpenError);
  expect(await Bun.file(path).exists()).toBe(false);
});

const canMount = process.getuid?.() === 0 && Bun.which("mount") !== null;

test.skipIf(!canMount)("a full disk rejects, and leaves the file as it was", async () => {
  const disk = join(folder.path, "disk");
  Bun.spawnSync(["mkdir", disk]);
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk]);
  if (!mounted.success) return;
  try {
    path = join(disk, "runs.db");
    await using store = new SqliteCheckpointStore(path, { shareOutputs: false });
    const { id } = await store.createSession("./d");
    for (let version = 0; version < 60; version++) {
      await store.saveCheckpoint(
        buildCheckpoint(id, {
          version,
          nodeResults: { a: { status: "completed", output: `${version % 10}`.repeat(20_000) } },
        }),
      );
    }
    runOn(path, "PRAGMA wal_checkpoint(TRUNCATE)");
    await prune(path, { keepCheckpoints: 50 });
    runOn(path, "PRAGMA wal_checkpoint(TRUNCATE)");
    const before = await linesOf(path);
    await Bun.write(
      join(disk, "ballast"),
      new Uint8Array(8 * 1024 * 1024 - 256 * 1024 - statSync(path).size),
    );
    await expect(compact(path)).rejects.toThrow(DiskFullError);
    expect(await linesOf(path)).toEqual(before);
    expect(problemsIn(path)).toEqual([]);
  } finally {
    Bun.spawnSync(["umount", "-l", disk]);
  }
});

function freePages(): number {
  return withDatabase(
    path,
    (database) =>
      rowsOf<{ freelist_count: number }>(database, "PRAGMA freelist_count")[0]?.freelist_count ?? -1,
  );
}

/** Runs while another connection holds the write lock. */
async function withLock<T>(work: () => Promise<T>): Promise<T> {
  const holder = new Database(path, { readwrite: true });
  holder.run("BEGIN IMMEDIATE");
  try {
    return await work();
  } finally {
    holder.run("ROLLBACK");
    holder.close(true);
  }
}
