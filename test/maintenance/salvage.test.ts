/** salvage: all that comes back is as it was, and what does not is listed. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  CheckpointStoreError,
  InvalidArgumentError,
  SqliteCheckpointStore,
  StoreOpenError,
} from "../../src/index.js";
import { type SalvageReport, salvage, verify } from "../../src/maintenance/index.js";
import { DAMAGES, type Damage, flipBit } from "../faults/crash/damage.js";
import { HOSTILE_CELLS, type HostileCell } from "../faults/support/hostile-cells.js";
import { Random } from "../faults/support/random.js";
import { fillFile, type Rows, readTables, TABLES } from "../support/filled-file.js";
import { type StoredOutput, storedOutputs } from "../support/large-outputs.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const SEED = 20_261_128;

let folder: TemporaryFolder;
let path: string;
let to: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  to = join(folder.path, "salvaged.db");
});

afterEach(() => folder.remove());

describe("a file that is all right", () => {
  test("is copied whole: ids, times, order and the ids that were given out", async () => {
    await fillFile(path, { sessions: 3, rows: 5 });
    runOn(path, "DELETE FROM messages WHERE id = 15");
    const report = await salvage(path, to);
    expect(report).toEqual({
      copied: {
        sessions: 3,
        messages: 14,
        checkpoints: 15,
        entities: 15,
        facts: 15,
        checkpoint_sqlite_outputs: outputsIn(path).length,
      },
      lost: [],
    });
    expect(readTables(to)).toEqual(readTables(path));
    expect(outputsIn(to)).toEqual(outputsIn(path));
    expect((await verify(to)).problems).toEqual([]);
    expect(statSync(to).mode & 0o777).toBe(0o600);
    await using store = new SqliteCheckpointStore(to);
    const [session] = await store.listSessions();
    const sessionId = session?.id ?? "";
    expect((await store.addMessage(sessionId, { sessionId, role: "user" })).id).toBe(16);
  });

  test("is left as it is", async () => {
    await fillFile(path, { sessions: 2, rows: 2 });
    const before = readFileSync(path);
    await salvage(path, to);
    expect(readFileSync(path)).toEqual(before);
  });
});

test("refuses to overwrite a file", async () => {
  await fillFile(path, { sessions: 1, rows: 1 });
  writeFileSync(to, "precious");
  await expect(salvage(path, to)).rejects.toThrow(InvalidArgumentError);
  expect(readFileSync(to, "utf8")).toBe("precious");
});

test("refuses a file that holds no table of a store, and leaves nothing", async () => {
  runOn(path, "CREATE TABLE users (name)");
  await expect(salvage(path, to)).rejects.toThrow(StoreOpenError);
  expect(readdirSync(folder.path).filter((name) => name.startsWith("salvaged"))).toEqual([]);
});

test("can be aborted between two steps, and leaves nothing", async () => {
  await fillFile(path, { sessions: 2, rows: 2 });
  const abort = new AbortController();
  const reason = new Error("enough");
  const onProgress = () => abort.abort(reason);
  await expect(salvage(path, to, { signal: abort.signal, onProgress })).rejects.toBe(reason);
  expect(readdirSync(folder.path).filter((name) => name.startsWith("salvaged"))).toEqual([]);
});

describe("what is lost", () => {
  test("a session that does not decode is made again for its rows, and is listed", async () => {
    await fillFile(path, { sessions: 2, rows: 3 });
    runOn(path, "UPDATE sessions SET metadata = '{' WHERE rowid = 1");
    const original = readTables(path);
    const [id = ""] = [...(original.sessions?.keys() ?? [])];
    const { copied, lost } = await salvage(path, to);
    expect(copied).toMatchObject({ sessions: 1, messages: 6, checkpoints: 6, entities: 6, facts: 6 });
    expect(lost.filter(({ table }) => table === "sessions").map((row) => row.id)).toEqual([id, id]);
    const { sessions, ...others } = readTables(to);
    expect(others).toEqual(withoutSessions(original));
    expect(sessions?.get(id)).toMatchObject({ directory: "", title: null, metadata: null });
    expect((await verify(to)).problems).toEqual([]);
  });

  test("a session that is lost, and has no messages, is made again for its checkpoints and their outputs", async () => {
    await fillFile(path, { sessions: 2, rows: 3 });
    runOn(path, "DELETE FROM messages", "UPDATE sessions SET metadata = '{' WHERE rowid = 1");
    const original = readTables(path);
    const { copied } = await salvage(path, to);
    expect(copied.checkpoint_sqlite_outputs).toBe(outputsIn(path).length);
    expect(readTables(to).checkpoints).toEqual(original.checkpoints);
    expect((await verify(to)).problems).toEqual([]);
  });

  test.each([
    ["a piece", `DELETE FROM checkpoint_sqlite_outputs WHERE text LIKE '% 2"'`, 1, 1],
    ["the text of a piece", `UPDATE checkpoint_sqlite_outputs SET text = 'x' WHERE text LIKE '% 2"'`, 1, 2],
    [
      "every list of pieces",
      "UPDATE checkpoint_sqlite_outputs SET pieces = '[]' WHERE pieces IS NOT NULL",
      3,
      3,
    ],
  ])(
    "without %s of an output, the checkpoints that refer to it are listed, and the others whole",
    async (_, sql, checkpoints, outputs) => {
      await fillFile(path, { sessions: 1, rows: 3 });
      const original = readTables(path);
      runOn(path, sql);
      const report = await salvage(path, to);
      const { copied, lost } = report;
      expect(copied.checkpoints).toBe(3 - checkpoints);
      expect(copied.checkpoint_sqlite_outputs).toBe(outputsIn(to).length);
      expect(lost.filter(({ table }) => table === "checkpoints")).toHaveLength(checkpoints);
      expect(lost.filter(({ table }) => table === "checkpoint_sqlite_outputs")).toHaveLength(outputs);
      expect(differences(original, readTables(to), report)).toEqual([]);
      expect((await verify(to)).problems).toEqual([]);
    },
  );

  test("an embedding that does not decode is left out, and its row is kept", async () => {
    await fillFile(path, { sessions: 1, rows: 1 });
    runOn(path, `UPDATE entities SET embedding = '["a"]'`);
    const { copied, lost } = await salvage(path, to);
    expect(copied.entities).toBe(1);
    expect(lost).toEqual([
      { table: "entities", id: expect.any(String), session: expect.any(String), reason: expect.any(String) },
    ]);
    expect([...(readTables(to).entities?.values() ?? [])]).toMatchObject([{ embedding: null }]);
  });
});

/** One cell of every column and every kind of content, as the fault harness overwrites them. */
describe("a file with a hostile cell", () => {
  const COLUMNS: Record<string, readonly string[]> = {
    sessions: ["metadata", "created_at", "title"],
    messages: ["session_id", "tool_calls", "tool_results", "created_at", "content"],
    checkpoints: ["node_results", "pending_nodes", "cycle_state", "namespace", "version", "created_at"],
    entities: ["attributes", "relationships", "embedding", "updated_at"],
    facts: ["embedding", "content", "created_at"],
  };
  const CASES = Object.entries(COLUMNS)
    .flatMap(([table, columns]) => columns.map((column) => ({ table, column })))
    .map((place, first) => ({ ...place, first }));
  /** Each case takes some of the contents, and all cases together take each. */
  const STRIDE = CASES.length;
  /** So many rows of one file are overwritten, each by another content. */
  const AT_ONCE = 4;

  test.each(CASES)(
    "in $column of $table: the rest comes back, the row equal or listed",
    async ({ table, column, first }) => {
      const base = join(folder.path, "base.db");
      await fillFile(base, { sessions: AT_ONCE, rows: 1 });
      const contents = HOSTILE_CELLS.filter((_, number) => number % STRIDE === first).map(
        (cell) => cell.content,
      );
      for (let at = 0; at < contents.length; at += AT_ONCE) {
        for (const suffix of ["", "-wal", "-shm"]) {
          rmSync(path + suffix, { force: true });
          rmSync(to + suffix, { force: true });
        }
        copyFileSync(base, path);
        const chosen = contents.slice(at, at + AT_ONCE);
        for (const [row, content] of chosen.entries()) {
          overwrite(table, column, row, content);
        }
        const { ok } = await verify(path);
        const report = await salvage(path, to);
        expect(differences(readTables(path), readTables(to), report)).toEqual([]);
        expect((await verify(to)).problems.filter((problem) => !isOrderOnly(problem.remedy))).toEqual([]);
        expect({ chosen, mayBeLost: ok ? report.lost : [] }).toEqual({ chosen, mayBeLost: [] });
      }
    },
  );

  function overwrite(table: string, column: string, row: number, content: HostileCell["content"]): void {
    withDatabase(path, (database) => {
      try {
        rowsOf(database, "PRAGMA foreign_keys = OFF");
        rowsOf(
          database,
          `UPDATE ${table} SET ${column} = ?1 WHERE rowid = (SELECT rowid FROM ${table} ORDER BY rowid LIMIT 1 OFFSET ?2)`,
          content,
          row,
        );
      } catch {
        // A constraint of the table refuses it.
      }
    });
  }
});

describe("a damaged file, as the fault harness damages it", () => {
  /** SQLite keeps no checksums: what these change within a text cannot be told. */
  const MAY_CHANGE: Partial<Record<Damage, number>> = {
    "one bit flipped": 1,
    "one bit of the header flipped": 0,
    "one bit of the schema flipped": 0,
    "a sector of noise": 16,
  };
  const COPIES = 6;
  let intact: Uint8Array;
  let original: Record<string, Rows>;

  beforeAll(async () => {
    const made = await createTemporaryFolder();
    const base = join(made.path, "base.db");
    await fillFile(base, { sessions: 12, rows: 12 });
    original = readTables(base);
    intact = readFileSync(base);
    await made.remove();
  });

  /** How many copies were tried, and how many of them were salvaged. */
  const counts = new Map<Damage, { tried: number; salvaged: number }>();

  afterAll(() => {
    const whole = [...counts].filter(([, { tried }]) => tried === COPIES);
    expect(whole.filter(([, { salvaged }]) => salvaged === 0)).toEqual([]);
  });

  // One test per copy: on a busy machine one takes seconds, and all six of a kind would be cut off.
  const cases = (Object.keys(DAMAGES) as Damage[]).flatMap((damage) =>
    Array.from({ length: COPIES }, (_, index) => ({ damage, number: index + 1 })),
  );
  test.each(cases)(
    "$damage, copy $number: all that comes back is as it was, the rest is listed",
    async ({ damage, number }) => {
      const [from, into] = [path, to];
      const count = counts.get(damage) ?? { tried: 0, salvaged: 0 };
      counts.set(damage, count);
      count.tried += 1;
      writeFileSync(from, DAMAGES[damage](intact, new Random(SEED + number)));
      const verified = await orTypedError(() => verify(from));
      const report = await orTypedError(() => salvage(from, into));
      if (report instanceof CheckpointStoreError) {
        expect(existsSync(into)).toBe(false);
        return;
      }
      count.salvaged += 1;
      // The indexes name every row of a lost page of a table; a file that was cut may have lost them too.
      const isNamed = damage === "a page of zeros";
      const found = differences(original, readTables(into), report, isNamed);
      expect((await verify(into)).problems.filter((problem) => !isOrderOnly(problem.remedy))).toEqual([]);
      expect(found.slice(MAY_CHANGE[damage] ?? 0)).toEqual([]);
      const isWhole = !(verified instanceof CheckpointStoreError) && verified.ok;
      expect(isWhole ? report.lost : []).toEqual([]);
    },
  );
});

describe("a damaged log", () => {
  let file: Uint8Array;
  let log: Uint8Array;

  beforeAll(async () => {
    const made = await createTemporaryFolder();
    const base = join(made.path, "base.db");
    Bun.spawnSync([process.execPath, join(import.meta.dir, "../children/crashed-writer.ts"), base, "60"]);
    [file, log] = [readFileSync(base), readFileSync(`${base}-wal`)];
    await made.remove();
  });

  test.each(Array.from({ length: 12 }, (_, index) => index + 1))(
    "what SQLite recovers comes back, and no more is lost (copy %d)",
    async (number) => {
      const [from, into] = [path, to];
      const random = new Random(SEED + number);
      writeFileSync(from, file);
      const at = random.between(log.length / 2, log.length - 1);
      writeFileSync(`${from}-wal`, number % 2 === 0 ? log.subarray(0, at) : flipBit(log, at, random));
      expect((await verify(from)).problems).toEqual([]);
      expect((await salvage(from, into)).lost).toEqual([]);
      const expected = readTables(from);
      expect(readTables(into)).toEqual(expected);
      const numbers = [...(expected.messages?.values() ?? [])].map(({ content }) =>
        Number.parseInt(String(content), 10),
      );
      expect(numbers).toEqual(numbers.map((_, index) => index));
    },
  );
});

function outputsIn(file: string): StoredOutput[] {
  return withDatabase(file, storedOutputs);
}

/** Rows that came back otherwise than they were, and rows that did not and are not listed. */
function differences(
  original: Record<string, Rows>,
  salvaged: Record<string, Rows>,
  { lost }: SalvageReport,
  isNamed = false,
): string[] {
  const found: string[] = [];
  for (const table of TABLES) {
    const listed = new Set(lost.filter((row) => row.table === table).map((row) => row.id));
    for (const [id, row] of original[table] ?? []) {
      const copy = salvaged[table]?.get(id);
      const isSame = copy !== undefined && Bun.deepEquals(copy, row);
      // Listed without an id: rows that no index names.
      const isInRange = copy === undefined && listed.has(undefined) && !isNamed;
      if (!isSame && !listed.has(id) && !isInRange) {
        found.push(`${table} ${id} ${copy === undefined ? "is missing" : "has changed"}`);
      }
    }
    for (const id of salvaged[table]?.keys() ?? []) {
      if (original[table]?.has(id) !== true && !listed.has(id)) {
        found.push(`${table} ${id} was never written`);
      }
    }
  }
  return found;
}

async function orTypedError<T>(work: () => Promise<T>): Promise<T | CheckpointStoreError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CheckpointStoreError) {
      return error;
    }
    throw error;
  }
}

function withoutSessions(tables: Record<string, Rows>): Record<string, Rows> {
  const { sessions: _, ...others } = tables;
  return others;
}

function isOrderOnly(remedy: string): boolean {
  return remedy.includes("the order of this row");
}
