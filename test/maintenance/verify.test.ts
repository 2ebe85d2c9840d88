/** verify: what is wrong is found and named, and a file that is all right passes. */
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore, StoreOpenError } from "../../src/index.js";
import { copySession, type Problem, type Progress, verify } from "../../src/maintenance/index.js";
import { OutputsTable } from "../../src/tables/outputs.js";
import { fillFile } from "../support/filled-file.js";
import { storedOutputs } from "../support/large-outputs.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const PUBLISHED = join(import.meta.dir, "../fixtures/published-0.2.3.db");

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});

afterEach(() => folder.remove());

describe("a file that is all right", () => {
  test("passes, and its rows are counted", async () => {
    await fillFile(path, { sessions: 3, rows: 5 });
    expect(await verify(path)).toEqual({
      ok: true,
      counts: {
        sessions: 3,
        messages: 15,
        checkpoints: 15,
        entities: 15,
        facts: 15,
        checkpoint_sqlite_outputs: countOutputs(),
        checkpoint_sqlite_vectors: 30,
      },
      problems: [],
    });
  });

  test("passes if 0.2.3 wrote it", async () => {
    copyFileSync(PUBLISHED, path);
    expect((await verify(path)).problems).toEqual([]);
  });

  test("passes while a store has it open and writes", async () => {
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./d");
    const writing = (async () => {
      for (let number = 0; number < 300; number++) {
        await store.addMessage(id, { sessionId: id, role: "user", content: String(number) });
      }
    })();
    expect((await verify(path)).problems).toEqual([]);
    await writing;
  });

  test("is left as it is, byte for byte", async () => {
    await fillFile(path, { sessions: 3, rows: 5 });
    const before = readFileSync(path);
    await verify(path);
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(folder.path).every((name) => name.startsWith("runs.db"))).toBe(true);
  });
});

describe("a problem is reported with its table, id and column", () => {
  const OTHER = "1e999 is no JSON";
  const PROBLEMS: { what: string; sql: string; expected: Partial<Problem> }[] = [
    {
      what: "metadata that does not decode",
      sql: `UPDATE sessions SET metadata = '${OTHER}' WHERE rowid = 2`,
      expected: { table: "sessions", column: "metadata" },
    },
    {
      what: "tool calls that do not decode",
      sql: `UPDATE messages SET tool_calls = '[1]' WHERE id = 3`,
      expected: { table: "messages", id: "3", column: "tool_calls" },
    },
    {
      what: "node results that do not decode",
      sql: `UPDATE checkpoints SET node_results = '{"a":' WHERE rowid = 4`,
      expected: { table: "checkpoints", column: "node_results" },
    },
    {
      what: "attributes that do not decode",
      sql: `UPDATE entities SET attributes = '[]' WHERE rowid = 1`,
      expected: { table: "entities", column: "attributes" },
    },
    {
      what: "an embedding that does not decode",
      sql: `UPDATE facts SET embedding = '["a"]' WHERE rowid = 1`,
      expected: { table: "facts", column: "embedding" },
    },
    {
      what: "a time that is none",
      sql: `UPDATE messages SET created_at = 'yesterday' WHERE id = 3`,
      expected: { table: "messages", id: "3", column: "created_at" },
    },
    {
      what: "a message from before the one that it follows",
      sql: `UPDATE messages SET created_at = created_at - 1000 WHERE id = 3`,
      expected: { table: "messages", id: "3", column: "created_at" },
    },
    {
      what: "a session updated before it was created",
      sql: `UPDATE sessions SET updated_at = created_at - 1 WHERE rowid = 1`,
      expected: { table: "sessions", column: "updated_at" },
    },
    {
      what: "a row without its session",
      sql: `UPDATE messages SET session_id = 'nobody' WHERE id = 1`,
      expected: {
        table: "messages",
        problem: "the row at rowid 1 refers to a row of sessions that does not exist",
      },
    },
    {
      what: "a vector that is not the one of its embedding",
      sql: `UPDATE checkpoint_sqlite_vectors SET unit = zeroblob(12) WHERE revision = 1`,
      expected: { table: "checkpoint_sqlite_vectors", problem: "the vector is not the one of the embedding" },
    },
    {
      what: "an embedding without a vector",
      sql: `DELETE FROM checkpoint_sqlite_vectors WHERE owner = 'fact' AND id = (SELECT min(id) FROM facts)`,
      expected: { table: "facts", problem: "the embedding has no vector" },
    },
    {
      what: "a trigger that is gone",
      sql: `DROP TRIGGER checkpoint_sqlite_fact_inserted`,
      expected: { table: "checkpoint_sqlite_vectors" },
    },
    {
      what: "an index that is gone",
      sql: `DROP INDEX idx_messages_session`,
      expected: { table: "idx_messages_session", problem: "the index is missing" },
    },
  ];

  test.each(PROBLEMS)("$what", async ({ sql, expected }) => {
    await fillFile(path, { sessions: 2, rows: 3 });
    runOn(path, sql);
    const { ok, problems } = await verify(path);
    expect(ok).toBe(false);
    expect(problems).toEqual([expect.objectContaining(expected)]);
    expect(problems[0]?.remedy).toEndWith(".");
  });

  test("a file that was cut to nothing", async () => {
    writeFileSync(path, "");
    const { ok, problems } = await verify(path);
    expect(ok).toBe(false);
    expect(problems).toEqual([
      expect.objectContaining({
        table: "sqlite_schema",
        problem: expect.stringContaining("it is missing tables of a checkpoint store: sessions, messages"),
      }),
    ]);
  });

  test("the remedy for a wrong vector works", async () => {
    await fillFile(path, { sessions: 2, rows: 3 });
    runOn(path, `UPDATE checkpoint_sqlite_vectors SET unit = zeroblob(12) WHERE revision = 1`);
    const remedy = (await verify(path)).problems[0]?.remedy ?? "";
    runOn(path, remedy.slice(0, remedy.indexOf(":")));
    expect((await verify(path)).problems).toEqual([]);
  });

  test("the remedy for a lost vector works", async () => {
    await fillFile(path, { sessions: 2, rows: 3 });
    runOn(path, `DELETE FROM checkpoint_sqlite_vectors WHERE revision = 1`);
    const remedy = (await verify(path)).problems[0]?.remedy ?? "";
    runOn(path, /DROP TRIGGER \w+/.exec(remedy)?.[0] ?? "");
    await new SqliteCheckpointStore(path).close();
    expect((await verify(path)).problems).toEqual([]);
  });
});

describe("outputs that are kept once", () => {
  const WHOLE = "(SELECT max(rowid) FROM checkpoint_sqlite_outputs WHERE pieces IS NOT NULL)";
  const SMALL =
    "(SELECT rowid FROM checkpoint_sqlite_outputs WHERE hash NOT IN (SELECT value FROM checkpoint_sqlite_outputs, json_each(pieces)) AND pieces IS NULL)";
  /** A piece that only the log of the last checkpoint has. */
  const PIECE = `(SELECT max(rowid) FROM checkpoint_sqlite_outputs WHERE text LIKE '% 3"')`;

  test.each([
    [
      "a text is another one",
      `UPDATE checkpoint_sqlite_outputs SET text = text || ' ' WHERE rowid = ${SMALL}`,
      4,
      1,
    ],
    ["an output is missing", `DELETE FROM checkpoint_sqlite_outputs WHERE rowid = ${WHOLE}`, 1, 0],
    ["a piece is missing", `DELETE FROM checkpoint_sqlite_outputs WHERE rowid = ${PIECE}`, 1, 1],
    [
      "a piece is another one",
      `UPDATE checkpoint_sqlite_outputs SET text = 'x' WHERE rowid = ${PIECE}`,
      1,
      2,
    ],
    ["a list is damaged", `UPDATE checkpoint_sqlite_outputs SET pieces = '[' WHERE rowid = ${WHOLE}`, 1, 1],
    ["a list is no list", `UPDATE checkpoint_sqlite_outputs SET pieces = NULL WHERE rowid = ${WHOLE}`, 1, 1],
  ])(
    "if %s, every checkpoint that needs it is named, and every output",
    async (_, sql, checkpoints, outputs) => {
      await fillFile(path, { sessions: 1, rows: 4 });
      expect((await verify(path)).problems).toEqual([]);
      runOn(path, sql);
      const { problems } = await verify(path);
      const columns = problems.filter(({ table }) => table === "checkpoints").map(({ column }) => column);
      expect(columns).toEqual(Array(checkpoints).fill("node_results"));
      expect(problems.filter(({ table }) => table === "checkpoint_sqlite_outputs")).toHaveLength(outputs);
      expect(problems).toHaveLength(checkpoints + outputs);
    },
  );

  test("that are missing are reported, also if an earlier session has the same", async () => {
    await fillFile(path, { sessions: 1, rows: 4 });
    const [original] = withDatabase(path, (database) => rowsOf(database, "SELECT id FROM sessions"));
    const copy = await copySession(path, String(original?.id));
    runOn(path, `DELETE FROM checkpoint_sqlite_outputs WHERE session_id = '${copy.id}'`);
    const { problems } = await verify(path);
    const copies = withDatabase(path, (database) =>
      rowsOf(database, "SELECT id FROM checkpoints WHERE session_id = ?", copy.id).map(({ id }) =>
        String(id),
      ),
    );
    expect(copies).toHaveLength(4);
    expect(problems.map(({ table, id }) => [table, id]).toSorted()).toEqual(
      copies.map((id) => ["checkpoints", id]).toSorted(),
    );
  });

  test("are no problem if nothing refers to them", async () => {
    await fillFile(path, { sessions: 1, rows: 4 });
    runOn(path, "DELETE FROM checkpoints");
    expect((await verify(path)).problems).toEqual([]);
  });

  test("are not missing if they are deleted, with their checkpoints, after these were read", async () => {
    await fillFile(path, { sessions: 1, rows: 4 });
    const { texts } = OutputsTable.prototype;
    const spy = spyOn(OutputsTable.prototype, "texts").mockImplementation(function (
      this: OutputsTable,
      ...asked
    ) {
      runOn(path, "DELETE FROM checkpoints WHERE version < 2");
      runOn(
        path,
        "DELETE FROM checkpoint_sqlite_outputs WHERE text IS NULL AND rowid < (SELECT max(rowid) FROM checkpoint_sqlite_outputs)",
      );
      spy.mockRestore();
      return texts.apply(this, asked);
    });
    const { problems } = await verify(path);
    expect(problems.filter(({ id }) => id === "")).toEqual([]);
    const left = withDatabase(path, (database) => rowsOf(database, "SELECT id, version FROM checkpoints"));
    const expected = left.filter(({ version }) => version === 2).map(({ id }) => id);
    expect(problems.map(({ id }) => id)).toEqual(expected.map(String));
  });
});

describe("a damaged file", () => {
  test("is reported, its readable rows are counted", async () => {
    await fillFile(path, { sessions: 10, rows: 20 });
    zeroLeaf("messages");
    const { ok, counts, problems } = await verify(path);
    expect(ok).toBe(false);
    expect(counts.messages).toBeGreaterThan(50);
    expect(counts.messages).toBeLessThan(200);
    expect(problems.filter(({ table }) => table === "messages").length).toBeGreaterThanOrEqual(
      200 - Number(counts.messages),
    );
  });

  test("is reported if the end of a page is lost, whose rows then are in no order", async () => {
    await fillFile(path, { sessions: 10, rows: 20 });
    cutLastLeaf("entities");
    const { problems } = await verify(path);
    expect(problems.some(({ table, problem }) => table === "entities" && problem.includes("order"))).toBe(
      true,
    );
  });

  test("is reported if its schema cannot be read", async () => {
    await fillFile(path, { sessions: 1, rows: 1 });
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100, 120);
    writeFileSync(path, bytes);
    const { ok, problems } = await verify(path);
    expect(ok).toBe(false);
    expect(problems[0]?.table).toBe("sqlite_schema");
  });

  test("is an error if it is missing or no database", async () => {
    await expect(verify(path)).rejects.toThrow(StoreOpenError);
    writeFileSync(
      path,
      "This is a text, and not a short one: it is longer than the header of a database.".repeat(9),
    );
    await expect(verify(path)).rejects.toThrow(StoreOpenError);
  });
});

test("reports its progress in rows, and can be aborted between two steps", async () => {
  await fillFile(path, { sessions: 10, rows: 60 });
  const steps: Progress[] = [];
  await verify(path, { onProgress: (step) => steps.push(step) });
  expect(steps.map(({ done }) => done)).toEqual(steps.map(({ done }) => done).toSorted((a, b) => a - b));
  expect(steps.at(-1)?.done).toBe(steps.at(-1)?.total);

  const abort = new AbortController();
  const reason = new Error("enough");
  let calls = 0;
  const onProgress = () => {
    calls += 1;
    abort.abort(reason);
  };
  await expect(verify(path, { signal: abort.signal, onProgress })).rejects.toBe(reason);
  expect(calls).toBe(1);
});

function countOutputs(): number {
  return withDatabase(path, (database) => storedOutputs(database).length);
}

/** Overwrites the second half of a table's last page by zeros: its rows are still listed in the first. */
function cutLastLeaf(table: string): void {
  const [leaf] = withDatabase(path, (database) =>
    rowsOf<{ pageno: number }>(
      database,
      "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path DESC LIMIT 1",
      table,
    ),
  );
  const page = leaf?.pageno ?? 0;
  const bytes = readFileSync(path);
  bytes.fill(0, page * 4_096 - 3_800, page * 4_096);
  writeFileSync(path, bytes);
}

/** Overwrites a page in the middle of a table by zeros. */
function zeroLeaf(table: string): void {
  const pages = withDatabase(path, (database) =>
    rowsOf<{ pageno: number }>(
      database,
      "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'",
      table,
    ),
  );
  const page = pages[Math.floor(pages.length / 2)]?.pageno ?? 0;
  const bytes = readFileSync(path);
  bytes.fill(0, (page - 1) * 4_096, page * 4_096);
  writeFileSync(path, bytes);
}
