/** Rows that the published 0.2.3 wrote without checking them: what it read there, we read, and as it read it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { CheckpointCorruptionError, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import fc from "fast-check";
import { SqliteCheckpointStore as Published } from "published-checkpoint-sqlite";
import { assertSame } from "../support/difference.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { callUntyped } from "../support/untyped-call.js";

/** What both stores have in common, as untyped as callers were free to be. */
type AnyStore = object;
type Fields = Record<string, unknown>;

/** A kind of row: how one is written with odd fields, and the calls that read it. */
interface Kind {
  write(store: AnyStore, sessionId: string, odd: Fields): Promise<unknown>;
  reads(sessionId: string): readonly [method: string, args: readonly unknown[]][];
}

const KINDS = {
  message: {
    write: (store, sessionId, odd) =>
      callUntyped(store, "addMessage", [sessionId, { sessionId, role: "user", ...odd }]),
    reads: (sessionId) => [["getMessages", [sessionId]]],
  },
  checkpoint: {
    write: (store, sessionId, odd) =>
      callUntyped(store, "saveCheckpoint", [
        {
          sessionId,
          namespace: "",
          version: 1,
          step: 0,
          source: "loop",
          nodeResults: {},
          pendingNodes: [],
          ...odd,
        },
      ]),
    reads: (sessionId) => [
      ["listCheckpoints", [sessionId]],
      ["getLatestCheckpoint", [sessionId]],
    ],
  },
  session: {
    write: (store, _, odd) => callUntyped(store, "createSession", ["./odd", odd]),
    reads: () => [["listSessions", []]],
  },
  entity: {
    write: (store, sessionId, odd) =>
      callUntyped(store, "saveEntity", [
        { sessionId, name: "n", type: "t", attributes: {}, relationships: [], ...odd },
      ]),
    reads: (sessionId) => [["listEntities", [{ sessionId }]]],
  },
  fact: {
    write: (store, _, odd) => callUntyped(store, "saveFact", [{ content: "c", confidence: 0.5, ...odd }]),
    reads: () => [["listFacts", [{}]]],
  },
} satisfies Record<string, Kind>;

/** Each was seen to be written and read by 0.2.3. */
const READABLE: Readonly<Record<keyof typeof KINDS, readonly Fields[]>> = {
  message: [
    { role: "developer" },
    { role: 5 },
    { tokensIn: 12.5, tokensOut: -3 },
    { tokensIn: "many" },
    { content: new Uint8Array([104, 105]) },
    { content: 5.5 },
    { content: true },
    { toolCalls: [{ name: "a", toolUseId: "b", input: new Map([["x", 1]]) }] },
    { toolCalls: [{ name: "a", toolUseId: "b", input: new Date(0) }] },
    { toolCalls: 0, toolResults: null },
  ],
  checkpoint: [
    { source: undefined },
    { source: "weird" },
    { nodeResults: { a: { status: "completed", error: { x: 1 } } } },
    { nodeResults: { a: { status: "completed", error: new Error("x") } } },
    { nodeResults: { a: { status: "failed", error: 5 } } },
    { nodeResults: { a: { status: "completed", startedAt: new Date(0), completedAt: "now" } } },
    { nodeResults: { a: { status: "Complete", startedAt: null } } },
    { nodeResults: new Map([["a", { status: "completed" }]]) },
    { cycleState: { backEdge: "a", iteration: "3" } },
    { cycleState: { backEdge: "a", iteration: -1 } },
    { cycleState: { backEdge: "a", iteration: 1.5 } },
    { cycleState: { backEdge: "a", iteration: " 0x10 " } },
    { step: 1.5 },
    { step: "x" },
    { version: 1.5 },
    { pendingNodes: null },
    { parentId: 5, nodeId: "" },
  ],
  session: [
    { metadata: new Map([["a", 1]]) },
    { metadata: new Set([1]) },
    { metadata: new Date(0) },
    { metadata: Buffer.from("a") },
    { metadata: { __type: "Date", value: "Jan 1 2024" } },
    { metadata: { at: { __type: "Date", value: "5" } } },
    { metadata: { __type: "js:Error", value: 1 } },
    { metadata: { __type: "js:undefined" } },
    { metadata: { a: { __type: "js:RegExp", value: ["(", "", 0] } } },
    { title: 5, workspaceId: 1.5 },
    { title: new Uint8Array([104]) },
    { metadata: 0 },
  ],
  entity: [
    { embedding: null },
    { embedding: new Float32Array([1, 2]) },
    { embedding: [Number.NaN, 1] },
    { embedding: [] },
    { embedding: "x" },
    { embedding: ["1"] },
    { attributes: new Map() },
    { attributes: new Date(0) },
    { name: 5, type: 6 },
    { relationships: [{ targetId: "a", type: "b", extra: 1 }] },
  ],
  fact: [
    { confidence: undefined },
    { confidence: Number.NaN },
    { confidence: 5 },
    { confidence: "x" },
    { content: 5 },
    { content: new Uint8Array([104]) },
    { embedding: new Float32Array([1]) },
    { embedding: [Number.POSITIVE_INFINITY] },
  ],
};

let folder: TemporaryFolder;
let path: string;

beforeAll(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "published.db");
});
afterAll(() => folder.remove());

for (const [name, kind] of Object.entries(KINDS)) {
  describe(`a ${name} that 0.2.3 wrote`, () => {
    test.each(READABLE[name as keyof typeof KINDS])("reads as 0.2.3 read it: %p", async (odd) => {
      const { wasWritten, answers } = await readBoth(kind, odd);
      expect([wasWritten, answers.map(({ published }) => published instanceof Error)]).toEqual([
        true,
        answers.map(() => false),
      ]);
      for (const { ours, published } of answers) assertSame(ours, published);
    });
  });
}

describe("an entity whose embedding 0.2.3 cleared with null", () => {
  test("is listed, and left out of searches", async () => {
    removeFile();
    const published = await openPublished();
    const session: Fields = Object(await callUntyped(published, "createSession", ["./d"]));
    const entity: Fields = Object(
      await KINDS.entity.write(published, String(session.id), { embedding: [1, 0] }),
    );
    await callUntyped(published, "updateEntity", [entity.id, { embedding: null }]);
    await callUntyped(published, "close", []);
    await using store = new SqliteCheckpointStore(path);
    const [listed] = await store.listEntities({});
    expect([listed?.id, listed?.embedding]).toEqual([entity.id as string, undefined]);
    expect(await store.searchEntitiesSemantic([1, 0])).toEqual([]);
  });
});

/** Values of all kinds that 0.2.3's types let through at run time. */
const anything = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    "",
    "x",
    "3",
    true,
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ),
  fc.anything({ maxDepth: 2, withDate: true, withMap: true, withSet: true, withNullPrototype: false }),
  fc.record({
    __type: fc.constantFrom("Date", "Map", "Set", "Buffer", "js:Error", "js:bigint", "js:URL", "js:number"),
    value: fc.oneof(fc.json(), fc.constantFrom<unknown>("2024", "NaN", [], [["a", 1]], {}, "YQ==")),
  }),
);
const status = fc.constantFrom<unknown>("completed", "failed", "Complete", "done", 5);
const odd = {
  message: fc.record(
    {
      content: anything,
      role: fc.constantFrom<unknown>("user", "developer", 5),
      tokensIn: anything,
      toolCalls: fc.array(fc.record({ name: fc.string(), toolUseId: fc.string(), input: anything }), {
        maxLength: 2,
      }),
    },
    { requiredKeys: [] },
  ),
  checkpoint: fc.record(
    {
      source: anything,
      nodeResults: fc.dictionary(
        fc.string({ maxLength: 3 }),
        fc.record(
          { status, output: anything, error: anything, startedAt: anything },
          { requiredKeys: ["status"] },
        ),
        { maxKeys: 3, noNullPrototype: true },
      ),
      cycleState: fc.record({ backEdge: fc.constantFrom<unknown>("a", 5), iteration: anything }),
      step: fc.constantFrom<unknown>(0, 1.5, "2", "x"),
    },
    { requiredKeys: [] },
  ),
  session: fc.record({ title: fc.string(), metadata: anything }, { requiredKeys: [] }),
  entity: fc.record({ embedding: anything, attributes: anything, name: fc.string() }, { requiredKeys: [] }),
  fact: fc.record({ confidence: anything, embedding: anything }, { requiredKeys: [] }),
} satisfies Record<keyof typeof KINDS, fc.Arbitrary<Fields>>;

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])("any %s that 0.2.3 wrote", (name) => {
  test("is read as 0.2.3 read it, if it read it", async () => {
    await fc.assert(
      fc.asyncProperty(odd[name], async (fields) => {
        fc.pre(isWithoutWhatIsOurs(fields));
        const { answers } = await readBoth(KINDS[name], fields);
        for (const { ours, published } of answers) {
          if (published instanceof Error) continue;
          assertSame(ours, published);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("the next version after one that is no integer is the next integer", async () => {
  removeFile();
  const published = await openPublished();
  const session: Fields = Object(await callUntyped(published, "createSession", ["./d"]));
  const sessionId = String(session.id);
  for (const version of [1, 2.5]) await KINDS.checkpoint.write(published, sessionId, { version });
  await callUntyped(published, "close", []);
  await using store = new SqliteCheckpointStore(path, { versionConflict: "next" });
  const saved: Fields = Object(await KINDS.checkpoint.write(store, sessionId, { version: 1 }));
  expect(saved.version).toBe(3);
});

/** A value under a tag of ours that is well formed cannot be distinguished from one of ours. */
function isWithoutWhatIsOurs(fields: Fields): boolean {
  const text =
    JSON.stringify(fields, (_, value) => (typeof value === "bigint" ? String(value) : value)) ?? "";
  return !/js:(?:number|URL|bigint|Error)/.test(text) || !/"value":(?:"|\{)/.test(text);
}

async function readBoth(kind: Kind, fields: Fields) {
  removeFile();
  const published = await openPublished();
  const session: Fields = Object(await callUntyped(published, "createSession", ["./d"]));
  const sessionId = String(session.id);
  const wasWritten = await kind.write(published, sessionId, fields).then(
    () => true,
    () => false,
  );
  const reads = wasWritten ? kind.reads(sessionId) : [];
  const theirs = await answersOf(published, reads);
  await callUntyped(published, "close", []);
  const store = new SqliteCheckpointStore(path);
  const ours = await answersOf(store, reads);
  await store.close();
  for (const answer of ours)
    if (answer instanceof Error) expect(answer).toBeInstanceOf(CheckpointCorruptionError);
  return { wasWritten, answers: theirs.map((answer, index) => ({ published: answer, ours: ours[index] })) };
}

/** Answers, or what the calls rejected with. Sessions of one millisecond have no order. */
function answersOf(store: AnyStore, reads: ReturnType<Kind["reads"]>): Promise<unknown[]> {
  return Promise.all(
    reads.map(([method, args]) =>
      callUntyped(store, method, args).then(
        (answer) => (method === "listSessions" ? sortedById(answer) : answer),
        (error: unknown) => error,
      ),
    ),
  );
}

function sortedById(rows: unknown): unknown {
  return Array.isArray(rows) ? rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)) : rows;
}

async function openPublished(): Promise<AnyStore> {
  const published = new Published(path);
  await published.setup?.();
  return published;
}

function removeFile(): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
