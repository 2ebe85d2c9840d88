/** Random saves, forks, deletions and reopenings against a plain model: two stores on one file, and two processes. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Checkpoint, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import fc from "fast-check";
import { Child } from "../support/children.js";
import { assertSame } from "../support/difference.js";
import { buildWave, outputOf, outputsOf, readView, storedOutputs } from "../support/large-outputs.js";
import { rowsOf, withDatabase } from "../support/sql.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";

const index = fc.nat({ max: 20 });
/** Which of two stores on the file makes the call. */
const by = fc.nat({ max: 1 });
const seeds = fc.array(fc.nat({ max: 11 }), { minLength: 1, maxLength: 4 });

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("save" as const), by, index, seeds }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("saveTogether" as const), by, index, seeds }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fork" as const), by, index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("deleteCheckpoint" as const), by, index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("deleteSession" as const), by, index }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("reopen" as const), by, shareOutputs: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("loseOutputs" as const), index }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Holds what each session must have, newest saved last. */
class Run {
  readonly #stores: SqliteCheckpointStore[];
  readonly #sessions = new Map<string, Checkpoint[]>();
  #version = 0;

  constructor(readonly path: string) {
    this.#stores = [new SqliteCheckpointStore(path), new SqliteCheckpointStore(path)];
  }

  async perform(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case "save":
      case "saveTogether":
        return await this.#save(operation);
      case "fork":
        return await this.#fork(operation);
      case "deleteCheckpoint":
        return await this.#deleteCheckpoint(operation);
      case "deleteSession":
        return await this.#deleteSession(operation);
      case "reopen":
        return await this.#reopen(operation);
      case "loseOutputs":
        return this.#loseOutputs(operation.index);
    }
  }

  async #save({
    kind,
    by: which,
    index: at,
    seeds: given,
  }: Extract<Operation, { seeds: number[] }>): Promise<void> {
    const store = this.#store(which);
    const sessionId = pick([...this.#sessions.keys()], at) ?? (await store.createSession("./d")).id;
    const waves = kind === "save" ? [given] : given.map((seed) => [seed, given[0] ?? 0]);
    const calls = waves.map((wave) => {
      this.#version += 1;
      return store.saveCheckpoint(buildWave(sessionId, this.#version, { ...wave.map(outputOf) }));
    });
    const saved = await Promise.all(calls);
    for (const [place, checkpoint] of saved.entries()) {
      assertSame(outputsOf(checkpoint), { ...waves[place]?.map(outputOf) });
    }
    this.#sessions.set(sessionId, [...(this.#sessions.get(sessionId) ?? []), ...saved]);
  }

  async #fork({ by: which, index: at }: { by: number; index: number }): Promise<void> {
    const origin = pick([...this.#sessions.values()].flat(), at);
    if (origin === undefined) return;
    const { id: sessionId } = await this.#store(which).fork(origin.id);
    const [copy] = await this.#store(1 - which).listCheckpoints(sessionId);
    assertSame(copy?.nodeResults, origin.nodeResults);
    if (copy !== undefined) this.#sessions.set(sessionId, [copy]);
  }

  async #deleteCheckpoint({ by: which, index: at }: { by: number; index: number }): Promise<void> {
    const gone = pick([...this.#sessions.values()].flat(), at);
    if (gone === undefined) return;
    await this.#store(which).deleteCheckpoint(gone.id);
    const left = this.#sessions.get(gone.sessionId)?.filter(({ id }) => id !== gone.id);
    this.#sessions.set(gone.sessionId, left ?? []);
  }

  async #deleteSession({ by: which, index: at }: { by: number; index: number }): Promise<void> {
    const sessionId = pick([...this.#sessions.keys()], at);
    if (sessionId === undefined) return;
    await this.#store(which).deleteSession(sessionId);
    this.#sessions.delete(sessionId);
  }

  async #reopen({ by: which, shareOutputs }: { by: number; shareOutputs: boolean }): Promise<void> {
    await this.#store(which).close();
    this.#stores[which] = new SqliteCheckpointStore(this.path, { shareOutputs });
  }

  /** As a retention program could: all checkpoints of a session and all of its outputs are gone. */
  #loseOutputs(at: number): void {
    const sessionId = pick([...this.#sessions.keys()], at);
    if (sessionId === undefined) return;
    withDatabase(this.path, (database) => {
      rowsOf(database, "DELETE FROM checkpoints WHERE session_id = ?1", sessionId);
      rowsOf(database, "DELETE FROM checkpoint_sqlite_outputs WHERE session_id = ?1", sessionId);
    });
    this.#sessions.set(sessionId, []);
  }

  /** By both stores, by one that has read nothing yet, and by SQL. */
  async compare(): Promise<void> {
    await using fresh = new SqliteCheckpointStore(this.path);
    for (const store of [...this.#stores, fresh]) {
      for (const [sessionId, checkpoints] of this.#sessions) {
        assertSame(await store.listCheckpoints(sessionId), checkpoints.toReversed());
        assertSame(await store.getLatestCheckpoint(sessionId), checkpoints.at(-1) ?? null);
      }
    }
    const { view, outputs } = withDatabase(this.path, (database) => ({
      view: readView(database),
      outputs: storedOutputs(database),
    }));
    for (const checkpoint of [...this.#sessions.values()].flat())
      assertSame(view.get(checkpoint.id), checkpoint);
    const strays = outputs.filter((output) => !this.#sessions.has(output.session_id));
    expect(strays).toEqual([]);
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store.close();
  }

  #store(which: number): SqliteCheckpointStore {
    const store = this.#stores[which];
    if (store === undefined) throw new Error(`There is no store ${which}`);
    return store;
  }
}

function pick<T>(items: readonly T[], at: number): T | undefined {
  return items[at % Math.max(1, items.length)];
}

test("two stores on a file read what either saved, whatever was forked, deleted and reopened", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 25 }), async (operations) => {
      await using folder = await createTemporaryFolder();
      const run = new Run(join(folder.path, "store.db"));
      try {
        for (const each of operations) await run.perform(each);
        await run.compare();
      } finally {
        await run.close();
      }
    }),
    { numRuns: 30 },
  );
}, 120_000);

test("processes that save, fork and delete in the same sessions read what they and the others saved", async () => {
  await using folder = await createTemporaryFolder();
  const path = join(folder.path, "store.db");
  await using store = new SqliteCheckpointStore(path, { versionConflict: "next", busyTimeout: 25_000 });
  const sessions: string[] = [];
  for (const directory of ["./a", "./b", "./c"]) sessions.push((await store.createSession(directory)).id);
  const children = ["1", "2"].map((seed) => Child.start("output-writer.ts", [path, seed, "60", ...sessions]));
  try {
    await Promise.all(children.map((child) => child.ready()));
    const answers = Promise.all(children.map((child) => child.answer()));
    const own = new Map<string, unknown[]>();
    for (let save = 0; save < 60; save++) {
      const outputs = [save % 12, (save * 5) % 12].map(outputOf);
      const { id } = await store.saveCheckpoint(buildWave(sessions[save % 3] ?? "", 1, { ...outputs }));
      if (save % 4 === 3) await store.deleteCheckpoint(id);
      else own.set(id, outputs);
    }
    const expected = new Map([...own, ...(await answers).flatMap(savedBy)]);
    await using fresh = new SqliteCheckpointStore(path);
    for (const reader of [store, fresh]) {
      const found = new Map<string, unknown[]>();
      for (const { id: sessionId } of await reader.listSessions()) {
        for (const checkpoint of await reader.listCheckpoints(sessionId)) {
          found.set(checkpoint.id, Object.values(outputsOf(checkpoint)));
        }
      }
      expect(found.size).toBe(expected.size);
      for (const [id, outputs] of expected) assertSame(found.get(id), outputs);
    }
    for (const { id } of await store.listSessions()) await store.deleteSession(id);
    expect(withDatabase(path, storedOutputs)).toEqual([]);
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}, 60_000);

function savedBy(answer: unknown): [string, unknown[]][] {
  const saved: Record<string, number[]> = Object(answer).saved;
  return Object.entries(saved).map(([id, given]) => [id, given.map(outputOf)]);
}
