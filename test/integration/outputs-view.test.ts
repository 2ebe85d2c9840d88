/** The view checkpoint_sqlite_checkpoints, beside what the API returns. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Checkpoint, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import fc from "fast-check";
import { hashOf } from "../../src/outputs/pieces.js";
import { buildCheckpoint, buildFullCheckpoint } from "../support/builders.js";
import { assertSame } from "../support/difference.js";
import { exoticValues } from "../support/exotic-values.js";
import { buildWave, longText, readView, referenceTo, sharingEverything } from "../support/large-outputs.js";
import { rowsOf, withDatabase } from "../support/sql.js";
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

async function expectViewEqual(): Promise<void> {
  const view = withDatabase(path, readView);
  const listed = await store.listCheckpoints(sessionId);
  expect(listed.length).toBeGreaterThan(0);
  expect(view.size).toBe(listed.length);
  for (const checkpoint of listed) assertSame(view.get(checkpoint.id), checkpoint);
}

describe("the view equals what the API returns", () => {
  test("for rows with shared outputs, whole rows, and both in one file", async () => {
    await store.saveCheckpoint(buildFullCheckpoint(sessionId));
    await store.saveCheckpoint(
      buildWave(sessionId, 1, { a: longText(1), b: "small", c: longText(2, 60_000) }),
    );
    await store.close();
    store = new SqliteCheckpointStore(path, { shareOutputs: false });
    await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(1), c: longText(2, 60_000) }));
    await expectViewEqual();
  });

  test("for pieces of text in all widths, and one that begins with a byte order mark", async () => {
    const texts = ["é", "项", "🎈", "\ufeff", "\ufffe", "\\", '"', "\u0000"].map((unit) =>
      unit.repeat(40_000),
    );
    await store.saveCheckpoint(buildWave(sessionId, 1, { ...texts }));
    await store.saveCheckpoint(buildWave(sessionId, 2, { list: texts }));
    await expectViewEqual();
  });

  test("for every value that plain JSON would lose", async () => {
    using _ = sharingEverything();
    for (const [version, { make }] of exoticValues.entries()) {
      await store.saveCheckpoint(buildWave(sessionId, version, { a: make(), b: { inner: make() } }));
    }
    await expectViewEqual();
  });

  test("for a node called __type, and for nodes that are wrapped because they have such a field", async () => {
    const large = { status: "completed" as const, output: longText(1) };
    const wrapped = { ...large, __type: "Map", value: "x" };
    const nodeIds = ["__type", "value", "__proto__"];
    const nodeResults = Object.fromEntries([...nodeIds.map((id) => [id, large]), ["wrapped", wrapped]]);
    await store.saveCheckpoint(buildCheckpoint(sessionId, { nodeResults }));
    await expectViewEqual();
  });

  test("for an object in another field of the node that looks like the reference", async () => {
    const note: unknown = JSON.parse(referenceTo(hashOf(JSON.stringify(longText(1)))));
    const result = {
      status: "completed" as const,
      note,
      more: { output: note },
      error: referenceTo("x"),
      output: longText(1),
    };
    await store.saveCheckpoint(
      buildCheckpoint(sessionId, { nodeResults: { a: result, b: { ...result, output: note } } }),
    );
    await expectViewEqual();
  });

  test("for whatever nodes are called: quotes, control characters, emoji", async () => {
    using _ = sharingEverything();
    // SQLite's JSON functions cannot return a lone surrogate, so the view replaces it, in a key only.
    const nodeId = fc.string({ unit: "binary", maxLength: 6 }).filter((id) => id.isWellFormed());
    const ids = fc.uniqueArray(
      fc.oneof(nodeId, fc.constantFrom('q"', "it's", "\u0000", "\n\t\u001f", "🎈", "a.b[0]", "$")),
      {
        minLength: 1,
        maxLength: 5,
      },
    );
    let version = 0;
    await fc.assert(
      fc.asyncProperty(ids, async (names) => {
        version += 1;
        const outputs = Object.fromEntries(names.map((name) => [name, `output of ${name}`]));
        const saved = await store.saveCheckpoint(buildWave(sessionId, version, outputs));
        const [row] = withDatabase(path, (database) => [...readView(database).values()].slice(-1));
        assertSame(row, saved);
      }),
      { numRuns: 100 },
    );
  });
});

test("the view has the columns of the table, in its order", () => {
  const columns = withDatabase(path, (database) =>
    ["checkpoints", "checkpoint_sqlite_checkpoints"].map((name) =>
      rowsOf(database, `SELECT name FROM pragma_table_info('${name}')`).map((column) => column.name),
    ),
  );
  expect(columns[1]).toEqual(columns[0]);
});

test.each([2_000, 60_000])(
  "a row that misses a text of %i shows its reference, and others are whole",
  async (length) => {
    const damaged = await store.saveCheckpoint(buildWave(sessionId, 1, { a: longText(1, length) }));
    const sound: Checkpoint = await store.saveCheckpoint(buildWave(sessionId, 2, { a: longText(2, length) }));
    const rows = withDatabase(path, (database) => {
      rowsOf(
        database,
        "DELETE FROM checkpoint_sqlite_outputs WHERE rowid = (SELECT min(rowid) FROM checkpoint_sqlite_outputs)",
      );
      return rowsOf(database, "SELECT id, node_results FROM checkpoint_sqlite_checkpoints ORDER BY version");
    });
    const reference = referenceTo(hashOf(JSON.stringify(longText(1, length))));
    expect(rows).toEqual([
      { id: damaged.id, node_results: `{"a":{"status":"completed","output":${reference}}}` },
      { id: sound.id, node_results: JSON.stringify(sound.nodeResults) },
    ]);
  },
);
