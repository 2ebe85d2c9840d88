/** stats: the figures are those of the file. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgumentError, SqliteCheckpointStore, StoreOpenError } from "../../src/index.js";
import { type Progress, stats } from "../../src/maintenance/index.js";
import { fillFile } from "../support/filled-file.js";
import { buildWave, longText, storedOutputs } from "../support/large-outputs.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});

afterEach(() => folder.remove());

describe("tables", () => {
  test("have their rows, and together the bytes of all pages but the free ones and the schema's", async () => {
    await fillFile(path, { sessions: 5, rows: 20 });
    runOn(path, "DELETE FROM messages WHERE id > 20");
    const { tables, fileBytes, freeBytes } = await stats(path);
    const rows = Object.fromEntries(tables.map((table) => [table.name, table.rows]));
    expect(rows).toMatchObject({ sessions: 5, messages: 20, checkpoints: 100, entities: 100, facts: 100 });
    const [others] = withDatabase(path, (database) =>
      rowsOf<{ bytes: number }>(
        database,
        "SELECT sum(pgsize) AS bytes FROM dbstat WHERE name IN ('sqlite_schema', 'sqlite_sequence')",
      ),
    );
    const inTables = tables.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(freeBytes).toBeGreaterThan(0);
    expect(inTables + freeBytes + Number(others?.bytes)).toBe(fileBytes);
    expect(fileBytes).toBe(statSync(path).size);
  });
});

describe("sessions", () => {
  test("come largest first, as many as are asked for, with the bytes of their values", async () => {
    await using store = new SqliteCheckpointStore(path);
    const small = await store.createSession("./small", { title: "small" });
    const large = await store.createSession("./é");
    await store.addMessage(large.id, { sessionId: large.id, role: "user", content: "é".repeat(500) });
    const updatedAt = (await store.getSession(large.id))?.updatedAt;
    const { sessions } = await stats(path);
    expect(sessions).toEqual([
      {
        id: large.id,
        title: null,
        messages: 1,
        checkpoints: 0,
        bytes: 36 + "./é".length + 1 + 36 + "user".length + 1_000,
        outputBytes: 0,
        createdAt: large.createdAt,
        updatedAt: updatedAt ?? 0,
      },
      expect.objectContaining({ id: small.id, title: "small", messages: 0 }),
    ]);
    expect((await stats(path, { sessions: 1 })).sessions.map(({ id }) => id)).toEqual([large.id]);
    expect((await stats(path, { sessions: 0 })).sessions).toEqual([]);
  });
});

describe("outputs that are kept once", () => {
  test("are counted as often as checkpoints refer to them, and as they are kept", async () => {
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./d");
    const outputs = [1, 2, 3].map((version) => ({
      same: "é".repeat(2_000),
      edited: `${longText(1, 30_000)} ${version}`,
      small: "s",
      // A name that wraps the nodes.
      ...(version === 3 ? { __type: longText(2) } : {}),
    }));
    for (const [version, wave] of outputs.entries()) {
      await store.saveCheckpoint(buildWave(id, version, wave));
    }
    const bytesOf = (text: string | null) => (text === null ? 0 : Buffer.byteLength(text));
    const referenced = outputs
      .flatMap((wave) => Object.values(wave))
      .filter((output) => output.length > 1)
      .reduce((sum, output) => sum + bytesOf(JSON.stringify(output)), 0);
    const stored = withDatabase(path, storedOutputs).reduce(
      (sum, { text, pieces }) => sum + bytesOf(text) + bytesOf(pieces),
      0,
    );
    const { sharing, sessions } = await stats(path);
    expect(sharing).toEqual({ referenced, stored, saved: referenced - stored });
    expect(sharing.saved).toBeGreaterThan(sharing.stored);
    expect(sessions[0]?.outputBytes).toBe(stored);
  });

  test("are none in a file without them", async () => {
    await new SqliteCheckpointStore(path).close();
    expect((await stats(path)).sharing).toEqual({ referenced: 0, stored: 0, saved: 0 });
  });
});

test("the size of the log is that of the file beside it", async () => {
  await using store = new SqliteCheckpointStore(path);
  await store.createSession("./d");
  expect((await stats(path)).logBytes).toBe(statSync(`${path}-wal`).size);
});

test("reports its progress, can be aborted, and rejects what is not allowed", async () => {
  await fillFile(path, { sessions: 1, rows: 1 });
  const steps: Progress[] = [];
  await stats(path, { onProgress: (step) => void steps.push(step) });
  expect(steps.map(({ done, total }) => `${done} of ${total}`)).toEqual([
    "1 of 4",
    "2 of 4",
    "3 of 4",
    "4 of 4",
  ]);
  const reason = new Error("enough");
  await expect(stats(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(stats(path, { sessions: -1 })).rejects.toThrow(InvalidArgumentError);
  await expect(stats(join(folder.path, "missing.db"))).rejects.toThrow(StoreOpenError);
});
