/** `exportSessions`, `importSessions` and `copySession`. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  CheckpointCorruptionError,
  InvalidArgumentError,
  SessionNotFoundError,
  SqliteCheckpointStore,
  type SqliteCheckpointStoreOptions,
  StorageError,
} from "@obsku/checkpoint-sqlite";
import {
  compact,
  copySession,
  type ExportOptions,
  exportSessions,
  type ImportOptions,
  importSessions,
} from "@obsku/checkpoint-sqlite/maintenance";
import { hashOf } from "../../src/outputs/pieces.js";
import { buildCheckpoint, buildFullCheckpoint, buildFullMessage, buildMessage } from "../support/builders.js";
import { buildWave, longText, outputsOf, referenceTo, storedOutputs } from "../support/large-outputs.js";
import { buildEntity, buildFact, buildFullEntity, buildFullFact } from "../support/memory-builders.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { killRepeatedly, problemsIn } from "./support/killed.js";

const PUBLISHED = join(import.meta.dir, "../fixtures/published-0.2.3.db");

let folder: TemporaryFolder;
let path: string;
let other: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  other = join(folder.path, "other.db");
  await new SqliteCheckpointStore(other).close();
});

afterEach(() => folder.remove());

/** Three sessions with everything there can be in one, the last a fork of the first, and facts of none. */
async function fill(): Promise<{ full: string; plain: string; fork: string }> {
  await using store = new SqliteCheckpointStore(path);
  const full = await store.createSession("./full", {
    title: 'Fünf \u2028 "quoted"\n',
    workspaceId: "w",
    metadata: { since: new Date(5), tags: new Set(["a"]), big: 10n, deep: { n: [-0, null] } },
  });
  await store.addMessage(full.id, buildFullMessage(full.id));
  await store.addMessage(full.id, buildMessage(full.id, { content: '\\"}],{' }));
  const saved = await store.saveCheckpoint(buildFullCheckpoint(full.id));
  const output = { map: new Map([["k", { lost: undefined, bytes: new Uint8Array([1, 2]) }]]), text: '}\\"' };
  await store.saveCheckpoint(
    buildCheckpoint(full.id, {
      namespace: "",
      parentId: saved.id,
      nodeResults: {
        __type: { status: "completed" },
        "1": { status: "completed", output },
        a: { status: "completed", output: "x".repeat(5_000) },
        b: { status: "completed", output: longText(1, 30_000) },
      },
    }),
  );
  const first = await store.saveEntity(buildFullEntity(full.id));
  await store.saveEntity(
    buildEntity(full.id, {
      embedding: [-0, 5e-324, 1e300],
      relationships: [
        { targetId: first.id, type: "knows" },
        { targetId: "elsewhere", type: "t" },
      ],
    }),
  );
  await store.saveFact(buildFullFact(full.id));
  const plain = await store.createSession("", {});
  await store.addMessage(plain.id, buildMessage(plain.id));
  const fork = await store.fork(saved.id);
  await store.saveFact(buildFact({ workspaceId: "w", confidence: 1 }));
  await store.saveFact(buildFact());
  return { full: full.id, plain: plain.id, fork: fork.id };
}

async function linesOf(file: string, options?: ExportOptions): Promise<string[]> {
  return Array.fromAsync(exportSessions(file, options));
}

async function importedFrom(lines: readonly string[], options?: ImportOptions) {
  return importSessions(other, lines, options);
}

async function everythingIn(file: string, sessionId: string): Promise<object> {
  await using store = new SqliteCheckpointStore(file);
  return {
    session: await store.getSession(sessionId),
    messages: await store.getMessages(sessionId),
    checkpoints: await store.listCheckpoints(sessionId),
    entities: await store.listEntities({ sessionId }),
    latest: await store.getLatestCheckpoint(sessionId),
  };
}

function countsIn(file: string): Record<string, number> {
  return withDatabase(file, (database) =>
    Object.fromEntries(
      ["sessions", "messages", "checkpoints", "entities", "facts"].map((table) => [
        table,
        rowsOf<{ n: number }>(database, `SELECT count(*) AS n FROM ${table}`)[0]?.n ?? -1,
      ]),
    ),
  );
}

test("export, import, export gives the same bytes, and stores read the same", async () => {
  const ids = await fill();
  const lines = await linesOf(path);
  const report = await importedFrom(lines);
  expect(report).toEqual({ sessions: 3, messages: 5, checkpoints: 3, entities: 2, facts: 3, skipped: 0 });
  expect(await linesOf(other)).toEqual(lines);
  for (const id of Object.values(ids)) {
    expect(await everythingIn(other, id)).toEqual(await everythingIn(path, id));
  }
  await using one = new SqliteCheckpointStore(path);
  await using two = new SqliteCheckpointStore(other);
  const byId = (a: { id: string }, b: { id: string }) => a.id.localeCompare(b.id);
  expect((await two.listFacts()).toSorted(byId)).toEqual((await one.listFacts()).toSorted(byId));
  expect((await two.searchEntitiesSemantic([0.1, -0.2, 0]))[0]).toEqual(
    (await one.searchEntitiesSemantic([0.1, -0.2, 0]))[0],
  );
  expect(problemsIn(other)).toEqual([]);
});

test("a file from 0.2.3 is exported as it is, also read-only, and imported with the same bytes", async () => {
  await Bun.write(path, Bun.file(PUBLISHED));
  const lines = await linesOf(path);
  expect(lines.length).toBeGreaterThan(5);
  await importedFrom(lines);
  expect(await linesOf(other)).toEqual(lines);
});

test("an export with 3,000 levels of brackets in a text, and every escape, survives", async () => {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./d");
  let deep: unknown = '\\\\"';
  for (let level = 0; level < 1_500; level++) deep = [deep];
  const nasty = ["[".repeat(3_000), "\\", '"', '\\"', "}{,:", "\u0000\u001f\ud83d\ude00", "__proto__"];
  await store.saveCheckpoint(
    buildCheckpoint(id, {
      nodeResults: Object.fromEntries(
        [...nasty, "deep"].map((key) => [
          key,
          { status: "completed" as const, output: key === "deep" ? deep : key },
        ]),
      ),
    }),
  );
  const lines = await linesOf(path);
  await importedFrom(lines);
  expect(await linesOf(other)).toEqual(lines);
  expect(await everythingIn(other, id)).toEqual(await everythingIn(path, id));
});

test("numbers that JavaScript cannot hold, and line breaks between tokens, do not change what a column means", async () => {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./d", { metadata: { n: 1 } });
  await store.close();
  runOn(path, `UPDATE sessions SET metadata = '{"n":\n[-0, 1.0, 123456789012345678901234567890]}'`);
  const lines = await linesOf(path);
  expect(lines[1]).toContain(`"metadata":{"n": [-0, 1.0, 123456789012345678901234567890]}`);
  await importedFrom(lines);
  expect(await linesOf(other)).toEqual(lines);
  expect(await everythingIn(other, id)).toEqual(await everythingIn(path, id));
});

describe("large outputs", () => {
  const outputsIn = (file: string) => withDatabase(file, storedOutputs);

  /** Two checkpoints that have most of an output in common. */
  async function save(options?: SqliteCheckpointStoreOptions): Promise<string> {
    await using store = new SqliteCheckpointStore(path, options);
    const { id } = await store.createSession("./d");
    for (const version of [1, 2]) {
      await store.saveCheckpoint(
        buildWave(id, version, { log: `${longText(1, 30_000)} ${version}`, plan: longText(2), small: "s" }),
      );
    }
    return id;
  }

  test.each([true, false])(
    "are whole in an export and shared by an import as by a save (saved shared: %p)",
    async (shareOutputs) => {
      const id = await save({ shareOutputs });
      const lines = await linesOf(path);
      expect(lines.filter((line) => line.includes(longText(1, 30_000)))).toHaveLength(2);
      await importedFrom(lines);
      expect(await linesOf(other)).toEqual(lines);
      expect(await everythingIn(other, id)).toEqual(await everythingIn(path, id));
      const imported = outputsIn(other);
      if (!shareOutputs) await compact(path, { shareOutputs: true });
      expect(imported.length).toBeGreaterThan(6);
      expect(imported.map(({ hash, text, pieces }) => ({ hash, text, pieces }))).toEqual(
        outputsIn(path).map(({ hash, text, pieces }) => ({ hash, text, pieces })),
      );
    },
  );

  test("keep numbers as they are spelled", async () => {
    await save();
    const output = `{"n":[-0,1.50,1e400,9007199254740993],"text":"${longText(3)}"}`;
    runOn(
      path,
      `UPDATE checkpoints SET node_results = '{"a":{"status":"completed","output":${output}}}' WHERE version = 1`,
    );
    const lines = await linesOf(path);
    await importedFrom(lines);
    expect(outputsIn(other).map(({ text }) => text)).toContain(output);
    expect(await linesOf(other)).toEqual(lines);
  });

  test("that are missing reject an export, naming the checkpoint", async () => {
    await save();
    runOn(path, "DELETE FROM checkpoint_sqlite_outputs WHERE pieces IS NULL");
    await expect(linesOf(path)).rejects.toThrow(CheckpointCorruptionError);
    await expect(linesOf(path)).rejects.toThrow(/is missing or damaged/);
  });

  test("cannot be referred to by a line", async () => {
    await save();
    const [output] = outputsIn(path);
    const hostile = (await linesOf(path)).map((line) =>
      line.replace(/"output":"s"/, `"output":{"__type":"Map","value":"${output?.hash}"}`),
    );
    await expect(importedFrom(hostile)).rejects.toThrow(/line 3.*does not decode/);
    expect(countsIn(other).sessions).toBe(0);
  });

  test("are copied with a session, and those that nothing refers to are not", async () => {
    const id = await save();
    const used = outputsIn(path).length;
    await using store = new SqliteCheckpointStore(path);
    const saved = await store.saveCheckpoint(buildWave(id, 3, { own: longText(9) }));
    await store.deleteCheckpoint(saved.id);
    const copy = await copySession(path, id);
    await store.deleteSession(id);
    expect(outputsIn(path)).toHaveLength(used);
    expect((await store.listCheckpoints(copy.id)).map((checkpoint) => outputsOf(checkpoint).log)).toEqual([
      `${longText(1, 30_000)} 2`,
      `${longText(1, 30_000)} 1`,
    ]);
  });
});

test.each([2 ** 52 + 1, Number.MAX_SAFE_INTEGER, 0, -5])(
  "messages with the id %p get others, so a file's next ids stay low",
  async (highest) => {
    const { plain } = await fill();
    const lines = await linesOf(path, { sessionIds: [plain] });
    await importedFrom(lines.map((line) => line.replace(/("type":"message","id":)\d+/, `$1${highest}`)));
    await using store = new SqliteCheckpointStore(other);
    expect((await store.getMessages(plain)).map(({ id }) => id)).toEqual([1]);
    expect((await store.addMessage(plain, buildMessage(plain))).id).toBe(2);
  },
);

describe("an export is limited", () => {
  test("to sessions by id, in the order of the file, with their facts only", async () => {
    const { full, plain } = await fill();
    const lines = (await linesOf(path, { sessionIds: [plain, full] })).map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ format: "checkpoint-sqlite-sessions", version: 1, sessions: 2 });
    expect(lines.filter(({ type }) => type === "session").map(({ id }) => id)).toEqual([full, plain]);
    expect(lines.filter(({ type }) => type === "fact")).toHaveLength(1);
    expect(lines.at(-1)).toEqual({ type: "end", sessions: 2, facts: 0 });
  });

  test("to a workspace, with its facts of no session", async () => {
    const { full, fork } = await fill();
    const lines = (await linesOf(path, { workspaceId: "w" })).map((line) => JSON.parse(line));
    expect(lines.filter(({ type }) => type === "session").map(({ id }) => id)).toEqual([full, fork]);
    expect(lines.at(-1)).toEqual({ type: "end", sessions: 2, facts: 1 });
  });

  test("but not to a session that does not exist", async () => {
    await fill();
    await expect(linesOf(path, { sessionIds: ["unknown"] })).rejects.toThrow(SessionNotFoundError);
  });
});

test("an export shows one state of the file, whatever is written meanwhile", async () => {
  const { full } = await fill();
  const before = await linesOf(path);
  await using store = new SqliteCheckpointStore(path);
  const lines: string[] = [];
  for await (const line of exportSessions(path)) {
    lines.push(line);
    await store.addMessage(full, buildMessage(full));
    if (lines.length === 3) await store.createSession("./new");
  }
  expect(lines).toEqual(before);
});

test("an export that is left half way, or fails, closes its connection", async () => {
  const { full } = await fill();
  for await (const line of exportSessions(path)) if (line.includes('"message"')) break;
  runOn(path, "UPDATE messages SET tool_calls = '[' WHERE tool_calls IS NOT NULL");
  await expect(linesOf(path, { sessionIds: [full] })).rejects.toThrow(CheckpointCorruptionError);
  await expect(linesOf(path)).rejects.toThrow("table messages, id 1, column tool_calls");
  runOn(path, "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE"); // Needs the file for itself.
});

describe("if a session is in the file already", () => {
  test("an import rejects, and names the line", async () => {
    await fill();
    const lines = await linesOf(path);
    await importedFrom(lines);
    const before = await linesOf(other);
    await expect(importedFrom(lines)).rejects.toThrow(
      "lines (line 2) is a session that cannot be imported, because its id",
    );
    expect(await linesOf(other)).toEqual(before);
  });

  test('onConflict "skip" imports the others', async () => {
    const { full, plain } = await fill();
    await importedFrom(await linesOf(path, { sessionIds: [full] }));
    const report = await importedFrom(await linesOf(path), { onConflict: "skip" });
    expect(report).toMatchObject({ sessions: 2, facts: 2, skipped: 1 });
    expect(await linesOf(other, { sessionIds: [plain] })).toEqual(
      await linesOf(path, { sessionIds: [plain] }),
    );
    expect(await importedFrom(await linesOf(path), { onConflict: "skip" })).toMatchObject({
      sessions: 0,
      facts: 0,
      skipped: 5,
    });
  });

  test('onConflict "newIds" imports it again under ids of its own, and what refers to them follows', async () => {
    const { full } = await fill();
    const lines = await linesOf(path);
    await importedFrom(lines);
    const report = await importedFrom(lines, { onConflict: "newIds" });
    expect(report).toMatchObject({
      sessions: 3,
      messages: 5,
      checkpoints: 3,
      entities: 2,
      facts: 3,
      skipped: 0,
    });
    expect(await linesOf(other, { sessionIds: [full] })).toEqual(await linesOf(path, { sessionIds: [full] }));
    await using store = new SqliteCheckpointStore(other);
    const copies = (await store.listSessions()).filter(
      ({ directory, id }) => directory === "./full" && id !== full,
    );
    const copy = copies.find(({ title }) => !title?.startsWith("Fork"));
    const fork = copies.find(
      ({ title, id }) => title?.startsWith("Fork") && !lines.some((line) => line.includes(id)),
    );
    await expectCopy(store, full, copy?.id ?? "");
    const [forked] = await store.listCheckpoints(fork?.id ?? "");
    const origin = await store.getCheckpoint(forked?.parentId ?? "");
    expect(origin?.sessionId).toBe(copy?.id ?? "");
    expect(problemsIn(other)).toEqual([]);
  });

  test.each(["checkpoints", "entities"])(
    "because of an id in its %s, each choice is the same",
    async (table) => {
      const { full, plain } = await fill();
      const lines = await linesOf(path, { sessionIds: [full] });
      await importedFrom(await linesOf(path, { sessionIds: [plain] }));
      const taken = withDatabase(
        path,
        (database) => rowsOf<{ id: string }>(database, `SELECT id FROM ${table} LIMIT 1`)[0]?.id,
      );
      runOn(
        other,
        table === "checkpoints"
          ? `INSERT INTO checkpoints VALUES ('${taken}', '${plain}', '', NULL, 1, 1, NULL, '{}', '[]', NULL, 'loop', 1)`
          : `INSERT INTO entities VALUES ('${taken}', '${plain}', NULL, 'n', 't', '{}', '[]', 1, 1, NULL)`,
      );
      await expect(importedFrom(lines)).rejects.toThrow("is in the file already");
      expect(await importedFrom(lines, { onConflict: "skip" })).toMatchObject({ sessions: 0, skipped: 1 });
      expect(await importedFrom(lines, { onConflict: "newIds" })).toMatchObject({ sessions: 1, skipped: 0 });
    },
  );

  test("a fact that outlived its session is left out, renewed, or refused", async () => {
    const { full } = await fill();
    const lines = await linesOf(path, { sessionIds: [full] });
    await importedFrom(lines);
    await using store = new SqliteCheckpointStore(other);
    await store.deleteSession(full);
    await expect(importedFrom(lines)).rejects.toThrow(/line 2\) brings fact/);
    expect(await importedFrom(lines, { onConflict: "skip" })).toMatchObject({
      sessions: 1,
      facts: 0,
      skipped: 1,
    });
    await store.deleteSession(full);
    expect(await importedFrom(lines, { onConflict: "newIds" })).toMatchObject({
      sessions: 1,
      facts: 1,
      skipped: 0,
    });
    expect((await store.getSession(full))?.id).toBe(full);
    expect(await store.listFacts()).toHaveLength(2);
  });
});

test("messages whose ids are taken by another session get the next ones, in their order", async () => {
  const { full } = await fill();
  await using store = new SqliteCheckpointStore(other);
  const resident = await store.createSession("./resident");
  await store.addMessage(resident.id, buildMessage(resident.id));
  await importedFrom(await linesOf(path, { sessionIds: [full] }));
  expect((await store.getMessages(full)).map(({ id }) => id)).toEqual([2, 3]);
});

describe("a line that is not what it should be is named by its number", () => {
  type Change = (lines: string[]) => string[];
  const parsed = (lines: string[], index: number, change: (value: Record<string, unknown>) => void) =>
    lines.map((line, at) => {
      if (at !== index) return line;
      const value = JSON.parse(line);
      change(value);
      return JSON.stringify(value);
    });

  test.each<[string, Change, string]>([
    [
      "cut within a line",
      (lines) => [...lines.slice(0, 4), (lines[4] ?? "").slice(0, 30)],
      "(line 5) is damaged or cut",
    ],
    ["cut after a row", (lines) => lines.slice(0, 4), "(line 5) is missing: the export is cut"],
    ["cut after a session", (lines) => lines.slice(0, -1), "is missing: the export is cut"],
    ["cut to nothing", () => [], "(line 1) is missing"],
    ["without a header", (lines) => lines.slice(1), "(line 1) must be the header"],
    [
      "of a later version",
      (lines) => parsed(lines, 0, (value) => Object.assign(value, { version: 2 })),
      "upgrade",
    ],
    ["without a row", (lines) => lines.toSpliced(3, 1), '(line 4) must be of type "message"'],
    ["without a session", (lines) => lines.toSpliced(1, 9), "must be of type"],
    [
      "with a row twice",
      (lines) => parsed(lines, 3, (value) => Object.assign(value, JSON.parse(lines[2] ?? ""))),
      "(line 4) repeats the id",
    ],
    [
      "with an unknown member",
      (lines) => parsed(lines, 2, (value) => Object.assign(value, { rolle: "x" })),
      '(line 3) has an unknown member "rolle"',
    ],
    [
      "without a time",
      (lines) =>
        parsed(lines, 2, (value) => {
          delete value.createdAt;
        }),
      "(line 3) has no createdAt",
    ],
    [
      "with a number as an id",
      (lines) => parsed(lines, 1, (value) => Object.assign(value, { id: 5 })),
      "(line 2) id must be a string",
    ],
    [
      "with a value that does not decode",
      (lines) => parsed(lines, 4, (value) => Object.assign(value, { nodeResults: [] })),
      "(line 5) does not decode: table checkpoints",
    ],
    [
      "with half a surrogate",
      (lines) => parsed(lines, 2, (value) => Object.assign(value, { content: "\ud800" })),
      "(line 3) content must be a string",
    ],
    [
      "with too few rows promised",
      (lines) => parsed(lines, 1, (value) => Object.assign(value, { messages: -1 })),
      "(line 2) messages must be",
    ],
    ["continued after its end", (lines) => [...lines, lines[1] ?? ""], "comes after the end"],
    [
      "with another count of sessions at its end",
      (lines) => [...lines.slice(0, -1), '{"type":"end","sessions":4,"facts":2}'],
      "lines are missing",
    ],
  ])("an export %s", async (_, change, message) => {
    await fill();
    const changed = change(await linesOf(path));
    const rejection = importedFrom(changed);
    await expect(rejection).rejects.toThrow(InvalidArgumentError);
    await expect(rejection).rejects.toThrow(message);
    const { sessions = 0 } = countsIn(other);
    const whole = await linesOf(path);
    expect(await linesOf(other)).toEqual([
      JSON.stringify({ ...JSON.parse(whole[0] ?? ""), sessions }),
      ...whole.slice(1, whole.indexOf((await linesOf(other)).at(-2) ?? "") + 1),
      JSON.stringify({ type: "end", sessions, facts: countsOfOthers() }),
    ]);
  });

  function countsOfOthers(): number {
    return withDatabase(
      other,
      (database) =>
        rowsOf<{ n: number }>(database, "SELECT count(*) AS n FROM facts WHERE source_session_id IS NULL")[0]
          ?.n ?? -1,
    );
  }

  test.each([
    ["a text instead of lines", "{}"],
    ["nothing", null],
    ["a number", 5],
  ])("%s is refused", async (_, lines) => {
    await expect(Reflect.apply(importSessions, undefined, [other, lines])).rejects.toThrow(
      "lines must be an iterable of lines",
    );
  });

  test("an unknown choice of onConflict is refused", async () => {
    await expect(
      Reflect.apply(importSessions, undefined, [other, [], { onConflict: "replace" }]),
    ).rejects.toThrow('one of "error", "skip", "newIds"');
  });
});

test("an import that is killed leaves whole sessions, and another one finishes", async () => {
  await fill();
  const lines = await linesOf(path);
  const program = `await importSessions(${JSON.stringify(other)}, ${JSON.stringify(lines)}, { onConflict: "skip" });`;
  const kills = await killRepeatedly(program, () => expect(problemsIn(other)).toEqual([]));
  expect(kills).toBeGreaterThan(0);
  await importedFrom(lines, { onConflict: "skip" });
  expect(await linesOf(other)).toEqual(lines);
});

test("an aborted import keeps the sessions before, and stores write meanwhile", async () => {
  await fill();
  await using store = new SqliteCheckpointStore(other);
  const { id } = await store.createSession("./writer");
  const controller = new AbortController();
  async function* slowly() {
    for await (const line of exportSessions(path)) {
      await store.addMessage(id, buildMessage(id)); // Within the time of busyTimeout, so no lock is held.
      yield line;
    }
  }
  const importing = importSessions(other, slowly(), {
    signal: controller.signal,
    onProgress: ({ done, total, unit }) => {
      expect([total, unit]).toEqual([3, "sessions"]);
      if (done === 2) controller.abort(new Error("enough"));
    },
  });
  await expect(importing).rejects.toThrow("enough");
  expect(countsIn(other)).toMatchObject({ sessions: 3 });
});

test("a line that refers to an output instead of bringing it is refused, named by its number", async () => {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./d");
  await store.saveCheckpoint(buildWave(id, 1, { a: longText(1), small: "here" }));
  const lines = (await linesOf(path)).map((line) => line.replace('"here"', referenceTo(hashOf(longText(1)))));
  await expect(importedFrom(lines)).rejects.toThrow("(line 3)");
  expect(countsIn(other)).toMatchObject({ sessions: 0 });
});

const TABLES = ["sessions", "messages", "checkpoints", "checkpoint_sqlite_outputs", "entities", "facts"];

/** Triggers of another application: one writes rows of its own, the other keeps all but the first few of ours out. */
function keepRowsOut(file: string, table: string): void {
  const first = ["sessions", "checkpoint_sqlite_outputs", "facts"].includes(table) ? 0 : 1;
  runOn(
    file,
    "CREATE TABLE log (n)",
    `CREATE TRIGGER log AFTER INSERT ON ${table} BEGIN INSERT INTO log VALUES (1), (2); END`,
    `CREATE TRIGGER keep_out BEFORE INSERT ON ${table}
     WHEN (SELECT count(*) FROM ${table}) >= ${first} BEGIN SELECT RAISE(IGNORE); END`,
  );
}

test.each(TABLES)(
  "rows that a trigger keeps out of %s are an error, and nothing is imported",
  async (table) => {
    await fill();
    const lines = await linesOf(path);
    keepRowsOut(other, table);
    const importing = importedFrom(lines);
    await expect(importing).rejects.toThrow(StorageError);
    await expect(importing).rejects.toThrow(`table ${table}`);
    expect(countsIn(other)).toMatchObject({
      sessions: 0,
      messages: 0,
      checkpoints: 0,
      entities: 0,
      facts: 0,
    });
    runOn(other, "DROP TRIGGER keep_out");
    await importedFrom(lines);
    expect(await linesOf(other)).toEqual(lines);
  },
);

/** A copy is equal but for its ids, and what refers to an id within the session refers to the copy's. */
async function expectCopy(store: SqliteCheckpointStore, original: string, copy: string): Promise<void> {
  const read = async (id: string) => {
    const [session, messages, checkpoints, entities] = await Promise.all([
      store.getSession(id),
      store.getMessages(id),
      store.listCheckpoints(id),
      store.listEntities({ sessionId: id }),
    ]);
    const names = new Map<string, string>([[id, "session"]]);
    for (const [index, row] of [...checkpoints, ...entities].entries()) names.set(row.id, `row ${index}`);
    const named = (text: string | undefined) => (text === undefined ? undefined : (names.get(text) ?? text));
    return {
      session: { ...session, id: "session" },
      messages: messages.map((message) => ({ ...message, id: 0, sessionId: named(message.sessionId) })),
      checkpoints: checkpoints.map((row) => ({
        ...row,
        id: named(row.id),
        sessionId: named(row.sessionId),
        parentId: named(row.parentId),
      })),
      entities: entities.map((row) => ({
        ...row,
        id: named(row.id),
        sessionId: named(row.sessionId),
        relationships: row.relationships.map((relationship) => ({
          ...relationship,
          targetId: named(relationship.targetId),
        })),
      })),
    };
  };
  expect(await read(copy)).toEqual(await read(original));
  expect(copy).not.toBe(original);
}

describe("copySession", () => {
  test("copies everything in a session under new ids, and leaves the original and the facts alone", async () => {
    const { full } = await fill();
    const before = await linesOf(path);
    const { id } = await copySession(path, full);
    await using store = new SqliteCheckpointStore(path);
    await expectCopy(store, full, id);
    expect(await store.listFacts()).toHaveLength(3);
    expect((await linesOf(path)).slice(1, before.length - 3)).toEqual(before.slice(1, -3));
    await store.deleteSession(id);
    expect(await linesOf(path)).toEqual(before);
  });

  test("rejects for an unknown session, and writes nothing", async () => {
    await fill();
    const before = countsIn(path);
    await expect(copySession(path, "unknown")).rejects.toThrow(SessionNotFoundError);
    expect(countsIn(path)).toEqual(before);
  });

  test.each(TABLES.filter((table) => table !== "facts"))(
    "rejects if a trigger keeps rows out of %s, and writes nothing",
    async (table) => {
      const { full } = await fill();
      const before = await linesOf(path);
      runOn(path, `CREATE TRIGGER keep_out BEFORE INSERT ON ${table} BEGIN SELECT RAISE(IGNORE); END`);
      const copying = copySession(path, full);
      await expect(copying).rejects.toThrow(StorageError);
      await expect(copying).rejects.toThrow(`table ${table}`);
      expect(await linesOf(path)).toEqual(before);
    },
  );

  test("is one transaction: killed at any moment, there is a whole copy or none", async () => {
    const { full } = await fill();
    await killRepeatedly(`await copySession(${JSON.stringify(path)}, ${JSON.stringify(full)});`, () => {
      expect(problemsIn(path)).toEqual([]);
      const { sessions = 0, messages = 0, entities = 0 } = countsIn(path);
      expect([messages, entities]).toEqual([5 + 2 * (sessions - 3), 2 + 2 * (sessions - 3)]);
    });
  });
});
