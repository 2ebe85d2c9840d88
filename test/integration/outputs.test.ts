/** Large outputs: where they are kept, that they come back as they were, and what damage to them costs. */
import { Database, type Statement } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Checkpoint,
  CheckpointCorruptionError,
  CheckpointVersionConflictError,
  SqliteCheckpointStore,
  StorageError,
} from "@obsku/checkpoint-sqlite";
import fc from "fast-check";
import { hashOf, piecesOf } from "../../src/outputs/pieces.js";
import { OUTPUTS_SQL } from "../../src/tables/outputs.js";
import { buildCheckpoint } from "../support/builders.js";
import { assertSame } from "../support/difference.js";
import { nest } from "../support/exotic-values.js";
import {
  buildWave,
  longText,
  outputsOf,
  referenceTo,
  sharingEverything,
  storedOutputs,
} from "../support/large-outputs.js";
import { type Opened, watchOpening } from "../support/opened-database.js";
import { outcomesOf, rejectionOf } from "../support/outcomes.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;
let path: string;
let store: SqliteCheckpointStore;
let sessionId: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "store.db");
  store = new SqliteCheckpointStore(path);
  sessionId = (await store.createSession("./project")).id;
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

const stored = () => withDatabase(path, storedOutputs);
const changeFile = (sql: string, ...parameters: string[]) =>
  withDatabase(path, (database) => rowsOf(database, sql, ...parameters));

/** With a store that has read nothing yet. */
async function readFresh<T>(read: (fresh: SqliteCheckpointStore) => Promise<T>): Promise<T> {
  await using fresh = new SqliteCheckpointStore(path);
  return await read(fresh);
}

/** As JSON.rawJSON, which TypeScript does not know. */
function rawJSON(text: string): unknown {
  return callUntypedFunction(Reflect.get(JSON, "rawJSON"), text);
}

function callUntypedFunction(work: unknown, argument: string): unknown {
  if (typeof work !== "function") throw new TypeError("This engine has no JSON.rawJSON");
  return work(argument);
}

async function expectReadable(checkpoint: Checkpoint): Promise<void> {
  assertSame(await readFresh((fresh) => fresh.getCheckpoint(checkpoint.id)), checkpoint);
}

describe("a large output", () => {
  test("is stored once in its session, however many checkpoints and nodes have it", async () => {
    const output = longText(1);
    for (const version of [1, 2, 3]) {
      await store.saveCheckpoint(buildWave(sessionId, version, { a: output, b: output, c: longText(2) }));
    }
    expect(stored().map(({ text }) => text)).toEqual([JSON.stringify(output), JSON.stringify(longText(2))]);
  });

  test("is one whose text has 1,024 characters; a shorter one stays in its row", async () => {
    const saved = await store.saveCheckpoint(
      buildWave(sessionId, 1, { short: "s".repeat(1_021), long: "l".repeat(1_022) }),
    );
    expect(stored().map(({ text }) => text)).toEqual([`"${"l".repeat(1_022)}"`]);
    await expectReadable(saved);
  });

  test("is stored once more in another session", async () => {
    const other = await store.createSession("./other");
    for (const id of [sessionId, other.id]) await store.saveCheckpoint(buildWave(id, 1, { a: longText(1) }));
    expect(stored().map((each) => each.session_id)).toEqual([sessionId, other.id]);
  });

  test("leaves a reference in its row, and status, error and times where SQL finds them", async () => {
    const result = {
      status: "failed" as const,
      error: "late",
      startedAt: 1,
      output: longText(1),
      completedAt: 2,
    };
    await store.saveCheckpoint(
      buildCheckpoint(sessionId, { nodeResults: { a: result, b: { status: "pending" } } }),
    );
    const [row] = changeFile("SELECT node_results FROM checkpoints");
    expect(JSON.parse(String(row?.node_results))).toEqual({
      a: { ...result, output: JSON.parse(referenceTo(hashOf(JSON.stringify(result.output)))) },
      b: { status: "pending" },
    });
  });

  test("that is longer than a piece is cut, and an edit stores only the pieces that it touched", async () => {
    const before = longText(1, 200_000);
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: before }));
    const whole = stored().find(({ pieces }) => pieces !== null);
    const texts = new Map(stored().map(({ hash, text }) => [hash, text]));
    const list: string[] = JSON.parse(whole?.pieces ?? "[]");
    expect(list.length).toBeGreaterThan(20);
    expect(list.map((hash) => texts.get(hash)).join("")).toBe(JSON.stringify(before));
    expect(whole?.text).toBeNull();
    const after = `${before.slice(0, 100_000)} edited ${before.slice(100_000)}`;
    const saved = await store.saveCheckpoint(buildWave(sessionId, 2, { a: after }));
    expect(stored().length - texts.size).toBeLessThan(8);
    await expectReadable(saved);
  });

  test("that grows by an entry in each checkpoint shares what it had before", async () => {
    const entries: { index: number; text: string }[] = [];
    const entry = 1_000;
    const waves = 100;
    for (let wave = 1; wave <= waves; wave++) {
      entries.push({ index: wave, text: longText(wave, entry) });
      await store.saveCheckpoint(buildWave(sessionId, wave, { log: entries }));
    }
    const characters = stored().reduce((sum, { text, pieces }) => sum + (text ?? pieces ?? "").length, 0);
    // Whole, it would be 50 times its entries.
    expect(characters).toBeLessThan(6 * waves * entry);
    expect(outputsOf(await readFresh((fresh) => fresh.getLatestCheckpoint(sessionId)))).toEqual({
      log: entries,
    });
  });

  test("whose text is a piece of a larger one is stored once, whichever is saved first", async () => {
    // A number's digits, the only JSON whose pieces are JSON too.
    const digits = longText(1, 60_000).replaceAll(/\D/g, "7");
    const [piece = ""] = piecesOf(digits);
    for (const order of [
      [digits, piece],
      [piece, digits],
    ]) {
      const { id } = await store.createSession("./order");
      const saved: Checkpoint[] = [];
      for (const [index, text] of order.entries()) {
        saved.push(await store.saveCheckpoint(buildWave(id, index, { a: rawJSON(text) })));
      }
      for (const each of saved) await expectReadable(each);
      const texts = stored().filter((each) => each.session_id === id && each.text === piece);
      expect(texts).toHaveLength(1);
    }
  });
});

describe("an output comes back as it was", () => {
  const nodeId = fc.oneof(
    fc.constantFrom(
      "__type",
      "__proto__",
      "constructor",
      "value",
      "output",
      "",
      "a.b[0]",
      "项目 🎈",
      "\ufeff",
    ),
    fc.string({ unit: "binary", maxLength: 5 }),
  );
  const lookAlikes = fc.oneof(
    fc.constant(JSON.parse(referenceTo(hashOf("{}")))),
    fc.record(
      {
        __type: fc.constantFrom("Map", "js:object", "Set", "x"),
        value: fc.oneof(fc.string(), fc.constant([])),
      },
      { noNullPrototype: true },
    ),
    fc.string({ maxLength: 30 }).map((text) => ({ __type: "Map", value: hashOf(JSON.stringify(text)) })),
    fc.constant({ output: JSON.parse(referenceTo(hashOf("[]"))) }),
  );
  const output = fc.oneof(
    lookAlikes,
    fc.array(lookAlikes, { maxLength: 3 }),
    fc.dictionary(nodeId, lookAlikes, { maxKeys: 3, noNullPrototype: true }),
    fc.string({ maxLength: 30 }),
    fc.constantFrom(
      "\ufeffmarked",
      "\ufffeswapped",
      "\ud800",
      "\udfff alone",
      "项目🎈",
      "\u0000",
      '"',
      "\\u0041",
    ),
    fc.constantFrom(
      "x".repeat(3_000),
      "项".repeat(9_000),
      "\ud800".repeat(3_000),
      "\ufeff".repeat(20_000),
      "🎈".repeat(9_000),
    ),
    fc.anything({
      maxDepth: 3,
      withDate: true,
      withMap: true,
      withSet: true,
      withBigInt: true,
      withNullPrototype: false,
    }),
    fc.constantFrom(
      new Date(0),
      new Map([["a", new Map([[1, 2]])]]),
      Buffer.from("bytes"),
      undefined,
      0,
      false,
      null,
    ),
  );
  const result = fc.record(
    {
      status: fc.constantFrom("completed", "failed"),
      output,
      error: fc.constantFrom("broke", referenceTo(hashOf("[]"))),
      __type: fc.constantFrom("Map", "x"),
      note: lookAlikes,
    },
    { requiredKeys: ["status"], noNullPrototype: true },
  );
  const nodeResults = fc.dictionary(nodeId, result, { maxKeys: 4, noNullPrototype: true });

  test("whatever the nodes are called and the outputs look like, by every read and from a fork", async () => {
    using _ = sharingEverything();
    let version = 0;
    await fc.assert(
      fc.asyncProperty(nodeResults, async (given) => {
        version += 1;
        const checkpoint = buildCheckpoint(sessionId, {
          version,
          nodeResults: given as Checkpoint["nodeResults"],
        });
        const saved = await store.saveCheckpoint(checkpoint);
        const fork = await store.fork(saved.id);
        await using fresh = new SqliteCheckpointStore(path);
        const forked = await fresh.getLatestCheckpoint(fork.id);
        assertSame(saved.nodeResults, given);
        assertSame(await store.getCheckpoint(saved.id), saved);
        assertSame(forked?.nodeResults, given);
        assertSame(await fresh.getCheckpoint(saved.id), saved);
        assertSame((await fresh.listCheckpoints(sessionId, { limit: 2 }))[0], saved);
      }),
      { numRuns: 150 },
    );
  });

  test("a string that was saved before in another spelling is saved in its own", async () => {
    const other = await store.createSession("./other");
    const spelled = rawJSON(`"${"\\u0041".repeat(2_000)}"`);
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: spelled }));
    const saved = await store.saveCheckpoint(buildWave(other.id, 1, { a: "A".repeat(2_000) }));
    await expectReadable(saved);
  });

  test("a string that was read before in another spelling is saved in its own", async () => {
    const other = await store.createSession("./other");
    const first = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    const spelled = `"${"\\u0041".repeat(2_000)}"`;
    changeFile("UPDATE checkpoint_sqlite_outputs SET hash = ?1, text = ?2", hashOf(spelled), spelled);
    changeFile(
      "UPDATE checkpoints SET node_results = ?1",
      `{"a":{"status":"completed","output":${referenceTo(hashOf(spelled))}}}`,
    );
    await readFresh(async (fresh) => {
      const { a } = outputsOf(await fresh.getCheckpoint(first.id));
      expect(a).toBe("A".repeat(2_000));
      await fresh.saveCheckpoint(buildWave(other.id, 1, { a }));
    });
    expect(outputsOf(await readFresh((fresh) => fresh.getLatestCheckpoint(other.id)))).toEqual({
      a: "A".repeat(2_000),
    });
  });

  test("lone surrogates are those of each output, also after one that SQLite cannot store", async () => {
    const alone = "\ud800".repeat(2_000);
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: rawJSON(`"${alone}"`) }));
    for (const [index, output] of [alone, [alone], "\ufffd".repeat(2_000)].entries()) {
      const saved = await store.saveCheckpoint(buildWave(sessionId, 2 + index, { a: output }));
      assertSame(await store.getCheckpoint(saved.id), saved);
      await expectReadable(saved);
    }
  });

  test("no object is shared between two results, nodes or calls", async () => {
    const output = { list: [longText(1)] };
    const saved = await store.saveCheckpoint(buildWave(sessionId, 1, { a: output, b: output }));
    await store.saveCheckpoint(buildWave(sessionId, 2, { a: output }));
    const results = [
      saved,
      await store.getCheckpoint(saved.id),
      await store.getCheckpoint(saved.id),
      await store.getLatestCheckpoint(sessionId),
      ...(await store.listCheckpoints(sessionId)),
    ].map(outputsOf);
    const objects = results.flatMap((each) =>
      Object.values(each).flatMap((value) => [value, Reflect.get(Object(value), "list")]),
    );
    expect(objects).toHaveLength(20);
    expect(new Set([output, output.list, ...objects]).size).toBe(22);
  });

  test("a caller that changes what it saved or read changes nothing for others", async () => {
    const output = { list: [longText(1)] };
    const saved = await store.saveCheckpoint(buildWave(sessionId, 1, { a: output }));
    output.list.push("changed");
    const read = await store.getCheckpoint(saved.id);
    Object(outputsOf(read).a).list.push("changed");
    expect(outputsOf(await store.getCheckpoint(saved.id))).toEqual({ a: { list: [longText(1)] } });
    await expectReadable(saved);
  });
});

describe("shareOutputs: false", () => {
  test("writes every output in its row, and reads both forms, also in one session", async () => {
    const shared = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    await store.close();
    store = new SqliteCheckpointStore(path, { shareOutputs: false });
    const before = stored();
    const whole = await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1), b: longText(2) }));
    expect(stored()).toEqual(before);
    const [row] = changeFile("SELECT node_results FROM checkpoints WHERE version = 2");
    expect(JSON.parse(String(row?.node_results))).toEqual(whole.nodeResults);
    assertSame(await store.listCheckpoints(sessionId), [whole, shared]);
    await expectReadable(whole);
    await expectReadable(shared);
  });

  test("forks a checkpoint of either form", async () => {
    const shared = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    await store.close();
    store = new SqliteCheckpointStore(path, { shareOutputs: false });
    const whole = await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1) }));
    for (const { id, nodeResults } of [shared, whole]) {
      const fork = await store.fork(id);
      assertSame((await readFresh((fresh) => fresh.getLatestCheckpoint(fork.id)))?.nodeResults, nodeResults);
    }
  });
});

describe("a fork", () => {
  test("copies what its checkpoint refers to and nothing else, and is whole when the original is deleted", async () => {
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1), b: longText(2, 50_000) }));
    const origin = await store.saveCheckpoint(
      buildWave(sessionId, 2, { a: longText(3), b: longText(4, 50_000) }),
    );
    const fork = await store.fork(origin.id);
    const copied = stored().filter((each) => each.session_id === fork.id);
    await store.deleteSession(sessionId);
    expect(stored()).toEqual(copied);
    const wholes = copied.filter(({ hash }) =>
      [longText(3), longText(4, 50_000)].some((text) => hashOf(JSON.stringify(text)) === hash),
    );
    expect(wholes).toHaveLength(2);
    const pieces = wholes.flatMap((each) => JSON.parse(each.pieces ?? "[]"));
    expect(copied.map(({ hash }) => hash).sort()).toEqual(
      [...wholes.map(({ hash }) => hash), ...pieces].sort(),
    );
    assertSame(
      (await readFresh((fresh) => fresh.getLatestCheckpoint(fork.id)))?.nodeResults,
      origin.nodeResults,
    );
  });

  test("of a fork is whole when both are deleted", async () => {
    const origin = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1, 50_000) }));
    const first = await store.fork(origin.id);
    const copy = await store.getLatestCheckpoint(first.id);
    const second = await store.fork(copy?.id ?? "");
    for (const id of [sessionId, first.id]) await store.deleteSession(id);
    assertSame(
      (await readFresh((fresh) => fresh.getLatestCheckpoint(second.id)))?.nodeResults,
      origin.nodeResults,
    );
  });

  test.each([900, 996, 997, 998, 1_500])(
    "is whole although a part of its row is nested %i levels deep",
    async (levels) => {
      const nodeResults = {
        large: { status: "completed" as const, output: longText(1) },
        deep: { __type: "a node of the host's", status: "completed" as const, output: nest(levels, 1) },
      };
      const origin = await store.saveCheckpoint(buildCheckpoint(sessionId, { nodeResults }));
      const fork = await store.fork(origin.id);
      await store.deleteSession(sessionId);
      assertSame(
        (await readFresh((fresh) => fresh.getLatestCheckpoint(fork.id)))?.nodeResults,
        origin.nodeResults,
      );
    },
  );

  test("of a checkpoint whose list of pieces is damaged is as damaged as its original", async () => {
    const origin = await store.saveCheckpoint(
      buildWave(sessionId, 1, { a: longText(1, 50_000), b: longText(2) }),
    );
    changeFile("UPDATE checkpoint_sqlite_outputs SET pieces = '[damaged' WHERE pieces IS NOT NULL");
    const fork = await store.fork(origin.id);
    const error = await readFresh((fresh) => rejectionOf(fresh.getLatestCheckpoint(fork.id)));
    expect(error).toBeInstanceOf(CheckpointCorruptionError);
  });
});

describe("deleting sessions", () => {
  test("leaves no output behind, whole, in pieces, of forks and of both forms", async () => {
    const saved = await store.saveCheckpoint(
      buildWave(sessionId, 1, { a: longText(1), b: longText(2, 50_000) }),
    );
    const fork = await store.fork(saved.id);
    expect(stored().length).toBeGreaterThan(10);
    for (const id of [sessionId, fork.id]) await store.deleteSession(id);
    expect(stored()).toEqual([]);
  });
});

describe("damage to an output", () => {
  const output = longText(1, 50_000);
  const hash = hashOf(JSON.stringify(output));
  const small = longText(2);
  const smallHash = hashOf(JSON.stringify(small));
  let damaged: Checkpoint;
  let withSmall: Checkpoint;
  let sound: Checkpoint;

  beforeEach(async () => {
    sound = await store.saveCheckpoint(buildWave(sessionId, 1, { c: longText(3, 50_000) }));
    withSmall = await store.saveCheckpoint(buildWave(sessionId, 2, { b: small }));
    damaged = await store.saveCheckpoint(
      buildWave(sessionId, 3, { c: longText(3, 50_000), "the node": output }),
    );
  });

  const FLIP = (column: string) =>
    `UPDATE checkpoint_sqlite_outputs SET ${column} = substr(${column}, 1, 9) || CASE substr(${column}, 10, 1) WHEN 'x' THEN 'y' ELSE 'x' END || substr(${column}, 11)`;
  const firstPiece = `(SELECT json_extract(pieces, '$[0]') FROM checkpoint_sqlite_outputs WHERE hash = '${hash}')`;
  const cases = {
    "a byte flipped in a piece": `${FLIP("text")} WHERE hash = ${firstPiece}`,
    "a byte flipped in the list of pieces": `${FLIP("pieces")} WHERE hash = '${hash}'`,
    "two pieces exchanged": `UPDATE checkpoint_sqlite_outputs SET pieces = json_set(pieces, '$[0]', json_extract(pieces, '$[1]'), '$[1]', json_extract(pieces, '$[0]')) WHERE hash = '${hash}'`,
    "a list of pieces that is no JSON": `UPDATE checkpoint_sqlite_outputs SET pieces = '[x' WHERE hash = '${hash}'`,
    "a list of pieces that names itself": `UPDATE checkpoint_sqlite_outputs SET pieces = '["${hash}"]' WHERE hash = '${hash}'`,
    "neither text nor pieces": `UPDATE checkpoint_sqlite_outputs SET pieces = NULL WHERE hash = '${hash}'`,
    "a piece that is a BLOB": `UPDATE checkpoint_sqlite_outputs SET text = CAST(text AS BLOB) WHERE hash = ${firstPiece}`,
    "a missing piece": `DELETE FROM checkpoint_sqlite_outputs WHERE hash = ${firstPiece}`,
    "a missing output": `DELETE FROM checkpoint_sqlite_outputs WHERE hash = '${hash}'`,
  };

  test.each(Object.entries(cases))(
    "%s is a CheckpointCorruptionError that names checkpoint, node and hash",
    async (_, sql) => {
      await store.close();
      runOn(path, sql);
      store = new SqliteCheckpointStore(path);
      const reads = [
        () => store.getCheckpoint(damaged.id),
        () => store.getLatestCheckpoint(sessionId),
        () => store.listCheckpoints(sessionId),
        () => store.listCheckpoints(sessionId, { limit: 1 }),
      ];
      for (const read of reads) {
        const error = await rejectionOf(read());
        expect(error).toBeInstanceOf(CheckpointCorruptionError);
        expect(error.message).toContain(damaged.id);
        expect(error.message).toContain('"the node"');
        expect(error.message).toContain(hash);
      }
      assertSame(await store.getCheckpoint(withSmall.id), withSmall);
      assertSame(await store.getCheckpoint(sound.id), sound);
      assertSame(await store.listCheckpoints(sessionId, { beforeId: damaged.id }), [withSmall, sound]);
    },
  );

  test.each(Object.entries(cases))(
    "%s is repaired by a save of the same output after it was read",
    async (_, sql) => {
      await store.close();
      runOn(path, sql);
      store = new SqliteCheckpointStore(path);
      await rejectionOf(store.getCheckpoint(damaged.id));
      const again = await store.saveCheckpoint(buildWave(sessionId, 4, { again: output }));
      await using reader = new SqliteCheckpointStore(path);
      assertSame(await reader.listCheckpoints(sessionId), [again, damaged, withSmall, sound]);
    },
  );

  test("is repaired once: later saves of the output write nothing of it", async () => {
    await store.close();
    runOn(path, `${FLIP("text")} WHERE hash = '${smallHash}'`);
    store = new SqliteCheckpointStore(path);
    await rejectionOf(store.getCheckpoint(withSmall.id));
    await store.saveCheckpoint(buildWave(sessionId, 4, { b: small }));
    runOn(
      path,
      "CREATE TRIGGER t BEFORE UPDATE ON checkpoint_sqlite_outputs BEGIN SELECT raise(ABORT, 'no'); END",
    );
    await store.saveCheckpoint(buildWave(sessionId, 5, { b: small }));
  });

  test("a byte flipped in an output that is one piece affects its checkpoint only", async () => {
    await store.close();
    runOn(path, `${FLIP("text")} WHERE hash = '${smallHash}'`);
    store = new SqliteCheckpointStore(path);
    const error = await rejectionOf(store.getCheckpoint(withSmall.id));
    expect(error).toBeInstanceOf(CheckpointCorruptionError);
    for (const part of [withSmall.id, '"b"', smallHash]) expect(error.message).toContain(part);
    assertSame(await store.getCheckpoint(damaged.id), damaged);
  });

  test("a text that is no JSON, under its right hash, is the same error from every read", async () => {
    await store.close();
    const bad = `"${longText(9)}`;
    changeFile(
      "UPDATE checkpoint_sqlite_outputs SET hash = ?1, text = ?2 WHERE hash = ?3",
      hashOf(bad),
      bad,
      smallHash,
    );
    changeFile("UPDATE checkpoints SET node_results = replace(node_results, ?1, ?2)", smallHash, hashOf(bad));
    store = new SqliteCheckpointStore(path);
    for (const read of [store.getCheckpoint(withSmall.id), store.listCheckpoints(sessionId)]) {
      const error = await rejectionOf(read);
      expect(error).toBeInstanceOf(CheckpointCorruptionError);
      for (const part of [withSmall.id, '"b"', hashOf(bad)]) expect(error.message).toContain(part);
    }
  });

  test("is in the file only: a store that has the output in memory still answers with it", async () => {
    runOn(path, `DELETE FROM checkpoint_sqlite_outputs WHERE hash = '${smallHash}'`);
    assertSame(await store.getCheckpoint(withSmall.id), withSmall);
  });
});

describe("a store never believes that an output is in the file when it is not", () => {
  const output = longText(1);
  let opened: Opened<SqliteCheckpointStore>;

  beforeEach(async () => {
    await store.close();
    opened = watchOpening(path, () => new SqliteCheckpointStore(path));
    store = opened.result;
  });

  /** On the store's own connection, whose changes do not change what SQLite calls the data version. */
  const onOwnConnection = (sql: string) => rowsOf(opened.database, sql);

  async function expectSavedWhole(version = 100): Promise<void> {
    await expectReadable(await store.saveCheckpoint(buildWave(sessionId, version, { a: output })));
  }

  test("because the write that stored it failed after that", async () => {
    const refused = longText(2);
    onOwnConnection(
      `CREATE TEMP TRIGGER refuse BEFORE INSERT ON checkpoint_sqlite_outputs
       WHEN NEW.hash = '${hashOf(JSON.stringify(refused))}' BEGIN SELECT RAISE(ABORT, 'refused'); END`,
    );
    expect(
      await rejectionOf(store.saveCheckpoint(buildWave(sessionId, 1, { a: output, b: refused }))),
    ).toBeInstanceOf(StorageError);
    expect(stored()).toEqual([]);
    onOwnConnection("DROP TRIGGER refuse");
    await expectSavedWhole();
  });

  test.each(["ABORT", "ROLLBACK"])(
    "because a write among others failed after that, with RAISE(%s)",
    async (raise) => {
      const refused = longText(2);
      onOwnConnection(
        `CREATE TEMP TRIGGER refuse BEFORE INSERT ON checkpoint_sqlite_outputs
       WHEN NEW.hash = '${hashOf(JSON.stringify(refused))}' BEGIN SELECT RAISE(${raise}, 'refused'); END`,
      );
      const outcomes = await outcomesOf([
        store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(3) })),
        store.saveCheckpoint(buildWave(sessionId, 2, { a: output, b: refused })),
        store.saveCheckpoint(buildWave(sessionId, 3, { a: longText(4) })),
      ]);
      expect(outcomes).toEqual(["ok", "StorageError", "ok"]);
      onOwnConnection("DROP TRIGGER refuse");
      await expectSavedWhole();
      for (const each of await store.listCheckpoints(sessionId)) await expectReadable(each);
    },
  );

  test("because another write of the same turn would have stored it, but failed", async () => {
    const other = await store.createSession("./other");
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(5) }));
    const [conflict, saved] = await Promise.allSettled([
      store.saveCheckpoint(buildWave(sessionId, 1, { a: output })),
      store.saveCheckpoint(buildWave(sessionId, 2, { a: output })),
      store.saveCheckpoint(buildWave(other.id, 1, { a: output })),
    ]);
    expect(conflict.status === "rejected" && conflict.reason).toBeInstanceOf(CheckpointVersionConflictError);
    if (saved.status === "rejected") throw saved.reason;
    await expectReadable(saved.value);
    await expectSavedWhole();
  });

  test("because the commit failed", async () => {
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(5) }));
    const commit = opened.prepared[opened.statements.indexOf("COMMIT")];
    if (commit === undefined) throw new Error("COMMIT was not prepared");
    const spy = spyOn(commit, "run").mockImplementationOnce(() => {
      throw new Error("the disk is gone");
    });
    expect(await rejectionOf(store.saveCheckpoint(buildWave(sessionId, 2, { a: output })))).toBeInstanceOf(
      StorageError,
    );
    spy.mockRestore();
    await expectSavedWhole();
  });

  test("because another connection deleted it", async () => {
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: output }));
    runOn(path, "DELETE FROM checkpoint_sqlite_outputs");
    await expectSavedWhole();
  });

  test("because another connection deleted the session and restored it without its outputs", async () => {
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: output }));
    withDatabase(path, (other) => {
      rowsOf(other, "PRAGMA foreign_keys = ON");
      const [session] = rowsOf<{ created_at: number }>(other, "SELECT created_at FROM sessions");
      rowsOf(other, "DELETE FROM sessions");
      rowsOf(
        other,
        "INSERT INTO sessions (id, directory, created_at, updated_at) VALUES (?1, './d', ?2, ?2)",
        sessionId,
        session?.created_at ?? 0,
      );
    });
    await expectSavedWhole();
  });

  test("because another connection deleted it between two writes of one turn's batch and the next", async () => {
    const [first] = await Promise.all([
      store.saveCheckpoint(buildWave(sessionId, 1, { a: output })),
      store.saveCheckpoint(buildWave(sessionId, 2, { b: output })),
    ]);
    await store.deleteCheckpoint(first.id);
    runOn(path, "DELETE FROM checkpoint_sqlite_outputs");
    await expectSavedWhole();
  });

  test("because it deleted the session in the turn in which it saved, and another connection restored it", async () => {
    await Promise.all([
      store.saveCheckpoint(buildWave(sessionId, 1, { a: output })),
      store.deleteSession(sessionId),
    ]);
    changeFile(
      "INSERT INTO sessions (id, directory, created_at, updated_at) VALUES (?1, './d', 1, 1)",
      sessionId,
    );
    await expectSavedWhole();
  });

  test("and asks the file no more about one that it has seen committed", async () => {
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: output }));
    const present = opened.prepared[opened.statements.indexOf(OUTPUTS_SQL.present)];
    if (present === undefined) throw new Error("nothing asked the file");
    const spy = spyOn(present, "values");
    await store.saveCheckpoint(buildWave(sessionId, 2, { a: output }));
    expect(spy).toHaveBeenCalledTimes(0);
    await store.saveCheckpoint(buildWave(sessionId, 3, { a: output, b: longText(2) }));
    expect(spy).toHaveBeenCalledTimes(1);
    spy.mockRestore();
    await expectSavedWhole();
  });
});

describe("a read while another connection writes", () => {
  /** Runs `interfere` once, between the reading of a row and that of its outputs. */
  async function readInterrupted<T>(
    interfere: (other: Database) => void,
    read: (interrupted: SqliteCheckpointStore) => Promise<T>,
  ): Promise<T> {
    const other = new Database(path, { readwrite: true });
    rowsOf(other, "PRAGMA foreign_keys = ON");
    let isDone = false;
    const onPrepared = (statement: Statement, sql: string) => {
      if (sql !== OUTPUTS_SQL.select) return;
      const all = statement.all.bind(statement);
      Object.assign(statement, {
        all: (...parameters: never[]) => {
          if (!isDone) {
            isDone = true;
            interfere(other);
          }
          return all(...parameters);
        },
      });
    };
    const { result } = watchOpening(path, () => new SqliteCheckpointStore(path), onPrepared);
    try {
      return await read(result);
    } finally {
      expect(isDone).toBe(true);
      await result.close();
      other.close(true);
    }
  }

  const deleteSessions = (other: Database) => void rowsOf(other, "DELETE FROM sessions");

  test("finds no checkpoint of a session that is deleted between row and output", async () => {
    const { id } = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    expect(await readInterrupted(deleteSessions, (reader) => reader.getCheckpoint(id))).toBeNull();
  });

  test("finds no latest checkpoint of a session that is deleted in between", async () => {
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    expect(
      await readInterrupted(deleteSessions, (reader) => reader.getLatestCheckpoint(sessionId)),
    ).toBeNull();
  });

  test("lists the checkpoints that are left if some are deleted with their outputs in between", async () => {
    const kept = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    const gone = await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(2) }));
    const prune = (other: Database) => {
      rowsOf(other, "DELETE FROM checkpoints WHERE id = ?1", gone.id);
      const hash = hashOf(JSON.stringify(longText(2)));
      rowsOf(other, "DELETE FROM checkpoint_sqlite_outputs WHERE hash = ?1", hash);
    };
    assertSame(await readInterrupted(prune, (reader) => reader.listCheckpoints(sessionId)), [kept]);
  });

  test("leaves no transaction open when the damage is real", async () => {
    const { id } = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    runOn(path, "DELETE FROM checkpoint_sqlite_outputs");
    await readFresh(async (fresh) => {
      for (let times = 0; times < 2; times++) {
        expect(await rejectionOf(fresh.getCheckpoint(id))).toBeInstanceOf(CheckpointCorruptionError);
      }
      // In a transaction that is still open, it would not be seen.
      const later = await store.createSession("./later");
      expect(await fresh.getSession(later.id)).toEqual(later);
      const saved = await fresh.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1) }));
      assertSame(await fresh.getLatestCheckpoint(sessionId), saved);
    });
  });
});

describe("a list of checkpoints", () => {
  /** What a store that has read nothing yet asks the file for, statement by statement, while it lists the session. */
  async function hashesAskedFor(): Promise<string[][]> {
    const asked: string[][] = [];
    const onPrepared = (statement: Statement, sql: string) => {
      if (sql !== OUTPUTS_SQL.select) return;
      const all = statement.all.bind(statement);
      Object.assign(statement, {
        all: (...parameters: never[]) => {
          asked.push(JSON.parse(String(parameters[1])));
          return all(...parameters);
        },
      });
    };
    await using reader = watchOpening(path, () => new SqliteCheckpointStore(path), onPrepared).result;
    assertSame(await reader.listCheckpoints(sessionId), await store.listCheckpoints(sessionId));
    return asked;
  }

  test("reads each text from the file once, and asks for all at once", async () => {
    for (let version = 1; version <= 20; version++) {
      const outputs = { a: longText(1), b: longText(2, 50_000), c: longText(version % 4, 30_000) };
      await store.saveCheckpoint(buildWave(sessionId, version, outputs));
    }
    const asked = await hashesAskedFor();
    expect(asked).toHaveLength(2);
    expect(asked.flat()).toHaveLength(stored().length);
    expect(new Set(asked.flat()).size).toBe(stored().length);
  });

  test("reads a text once that is too large to be kept in memory for later", async () => {
    const output = { large: "x".repeat(9 * 2 ** 20) };
    for (const version of [1, 2, 3]) await store.saveCheckpoint(buildWave(sessionId, version, { output }));
    expect((await hashesAskedFor()).flat()).toHaveLength(stored().length);
  });
});

describe("a read-only store", () => {
  test("reads shared and whole outputs", async () => {
    const shared = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1, 50_000) }));
    await store.close();
    store = new SqliteCheckpointStore(path, { shareOutputs: false });
    const whole = await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1, 50_000) }));
    await using reader = new SqliteCheckpointStore(path, { readonly: true });
    assertSame(await reader.listCheckpoints(sessionId), [whole, shared]);
  });
});

describe("on a host's Database", () => {
  let database: Database;

  beforeEach(async () => {
    await store.close();
    database = new Database(path, { readwrite: true });
    rowsOf(database, "PRAGMA foreign_keys = ON");
    store = new SqliteCheckpointStore(database);
  });

  afterEach(async () => {
    await store.close();
    database.close(true);
  });

  test("outputs are stored once and read back, also in a transaction of the host", async () => {
    const first = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1, 50_000) }));
    const before = storedOutputs(database);
    const second = await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1, 50_000) }));
    expect(storedOutputs(database)).toEqual(before);
    rowsOf(database, "BEGIN");
    assertSame(await store.listCheckpoints(sessionId), [second, first]);
    rowsOf(database, "COMMIT");
    await expectReadable(second);
  });

  test("an output that the host deleted, on the same connection, is stored again", async () => {
    await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    rowsOf(database, "DELETE FROM checkpoint_sqlite_outputs");
    await expectReadable(await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1) })));
  });

  test("a deletion that the host rolls back takes nothing away", async () => {
    const saved = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    rowsOf(database, "BEGIN");
    rowsOf(database, "DELETE FROM sessions");
    expect(await store.getCheckpoint(saved.id)).toBeNull();
    rowsOf(database, "ROLLBACK");
    assertSame(await store.getCheckpoint(saved.id), saved);
    await expectReadable(saved);
  });

  test("damage is told of in a transaction of the host too, and leaves it open", async () => {
    const saved = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1) }));
    rowsOf(database, "DELETE FROM checkpoint_sqlite_outputs");
    await using reader = new SqliteCheckpointStore(database);
    rowsOf(database, "BEGIN");
    expect(await rejectionOf(reader.getCheckpoint(saved.id))).toBeInstanceOf(CheckpointCorruptionError);
    expect(database.inTransaction).toBe(true);
    rowsOf(database, "ROLLBACK");
  });
});

describe("a file from before outputs were shared", () => {
  test("of 0.3.0 opens, reads equal, also read-only, and is written on", async () => {
    await store.close();
    store = new SqliteCheckpointStore(path, { shareOutputs: false });
    const old = await store.saveCheckpoint(
      buildWave(sessionId, 1, { a: longText(1), b: new Map([["x", longText(2)]]) }),
    );
    await store.close();
    runOn(
      path,
      "DROP VIEW checkpoint_sqlite_checkpoints",
      "DROP TABLE checkpoint_sqlite_outputs",
      "DELETE FROM checkpoint_sqlite_migrations WHERE version >= 5",
    );
    const readonly = new SqliteCheckpointStore(path, { readonly: true });
    assertSame(await readonly.listCheckpoints(sessionId), [old]);
    await readonly.close();
    store = new SqliteCheckpointStore(path);
    assertSame(await store.getCheckpoint(old.id), old);
    const added = await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1), c: longText(3) }));
    expect(stored()).toHaveLength(2);
    assertSame(await readFresh((fresh) => fresh.listCheckpoints(sessionId)), [added, old]);
    const fork = await store.fork(old.id);
    assertSame((await store.getLatestCheckpoint(fork.id))?.nodeResults, old.nodeResults);
  });

  test("of 0.2.3 opens, keeps its rows as they are, and is written on", async () => {
    await store.close();
    const old = join(folder.path, "old.db");
    copyFileSync(join(import.meta.dir, "..", "fixtures", "published-0.2.3.db"), old);
    const rows = () =>
      withDatabase(old, (database) => rowsOf(database, "SELECT * FROM checkpoints ORDER BY rowid"));
    const before = rows();
    await using reader = new SqliteCheckpointStore(old);
    const [session] = await reader.listSessions();
    const saved = await reader.saveCheckpoint(
      buildWave(session?.id ?? "", 1_000, { a: longText(1, 50_000) }),
    );
    expect(rows().slice(0, -1)).toEqual(before);
    await using fresh = new SqliteCheckpointStore(old);
    assertSame(await fresh.getCheckpoint(saved.id), saved);
  });
});
