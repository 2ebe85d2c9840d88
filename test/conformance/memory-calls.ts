/** What holds for every call of the memory: what it refuses, when it is answered, and what outlives the store. */
import assert from "node:assert/strict";
import type { MemoryStore } from "@obsku/checkpoint-sqlite";
import { buildEntity, buildFact, buildFullEntity, buildFullFact } from "../support/memory-builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

type Context = ConformanceContext<MemoryStore>;

interface Known {
  readonly sessionId: string;
  readonly entityId: string;
  readonly factId: string;
}

/** A method, the argument that is bad, the bad values for it, and how the call is made with one of them. */
interface BadArgument {
  readonly method: string;
  readonly argument: string;
  readonly values: readonly unknown[];
  args(value: unknown, known: Known): readonly unknown[];
}

const notStrings: readonly unknown[] = [5, true, {}, ["a"], 1n, Symbol("s"), () => "a"];
const notIds: readonly unknown[] = [undefined, null, ...notStrings];
const notCounts: readonly unknown[] = [-1, 1.5, Number.NaN, Infinity, 2 ** 53, "3", {}, 3n];
const notRecords: readonly unknown[] = ["text", 5, true, [], ["a"]];
const notNumbers: readonly unknown[] = [Number.NaN, Infinity, -Infinity, "0.5", true, {}, [0.5], 1n];
const notShares: readonly unknown[] = [...notNumbers, -0.001, -1, 1.001, 2];
const notEmbeddings: readonly unknown[] = [
  ...[[], "text", 5, true, {}, { length: 1, 0: 1 }, new Map(), new Set([1])],
  ...[...notNumbers, null, undefined].flatMap((value) => [[value], [1, value], [1, 2, [value]]]),
];
const notRelationships: readonly unknown[] = [
  ...["text", 5, true, {}, [null], [undefined], ["text"], [5], [[]]],
  ...notIds.flatMap((value) => [
    [{ targetId: value, type: "t" }],
    [
      { targetId: "a", type: "t" },
      { targetId: "a", type: value },
    ],
  ]),
];

function fieldsOf(
  method: string,
  base: (known: Known) => object,
  fields: Readonly<Record<string, readonly unknown[]>>,
  before: (known: Known) => readonly unknown[] = () => [],
): BadArgument[] {
  return Object.entries(fields).map(([argument, values]) => ({
    method,
    argument,
    values,
    args: (value, known) => [...before(known), { ...base(known), [argument]: value }],
  }));
}

function only(
  method: string,
  argument: string,
  values: readonly unknown[],
  args: (value: unknown, known: Known) => readonly unknown[] = (value) => [value],
): BadArgument {
  return { method, argument, values, args };
}

const search = { workspaceId: notStrings, threshold: notNumbers, topK: notCounts };

const badArguments: readonly BadArgument[] = [
  only("saveEntity", "entity", [undefined, null, ...notRecords]),
  ...fieldsOf("saveEntity", ({ sessionId }) => buildEntity(sessionId), {
    sessionId: notIds,
    name: notIds,
    type: notIds,
    attributes: notRecords,
    relationships: notRelationships,
    workspaceId: notStrings,
    embedding: notEmbeddings,
  }),
  only("getEntity", "entityId", notIds),
  only("deleteEntity", "entityId", notIds),
  only("updateEntity", "entityId", notIds, (value) => [value, { name: "not set" }]),
  only("updateEntity", "updates", [undefined, null, ...notRecords], (value, { entityId }) => [
    entityId,
    value,
  ]),
  ...fieldsOf(
    "updateEntity",
    () => ({ name: "not set", attributes: { not: "set" } }),
    {
      name: notStrings,
      type: notStrings,
      attributes: notRecords,
      relationships: notRelationships,
      workspaceId: notStrings,
      embedding: notEmbeddings,
    },
    ({ entityId }) => [entityId],
  ),
  only("listEntities", "options", notRecords),
  ...fieldsOf("listEntities", () => ({}), {
    sessionId: notStrings,
    workspaceId: notStrings,
    type: notStrings,
    limit: notCounts,
  }),
  only("saveFact", "fact", [undefined, null, ...notRecords]),
  ...fieldsOf("saveFact", () => buildFact(), {
    content: notIds,
    confidence: [undefined, null, ...notShares],
    workspaceId: notStrings,
    sourceSessionId: notStrings,
    embedding: notEmbeddings,
  }),
  only("getFact", "factId", notIds),
  only("deleteFact", "factId", notIds),
  only("listFacts", "options", notRecords),
  ...fieldsOf("listFacts", () => ({}), {
    workspaceId: notStrings,
    minConfidence: notNumbers,
    limit: notCounts,
  }),
  ...["searchEntitiesSemantic", "searchFactsSemantic"].flatMap((method) => [
    only(method, "embedding", [undefined, null, ...notEmbeddings]),
    only(method, "options", notRecords, (value) => [[1, 0], value]),
    ...fieldsOf(
      method,
      () => ({}),
      method === "searchFactsSemantic" ? search : { sessionId: notStrings, ...search },
      () => [[1, 0]],
    ),
  ]),
];

export function describeMemoryCalls(context: Context): void {
  context.describe("calls of the memory", () => {
    describeBadArguments(context);
    describeLoneSurrogates(context);
    describeClosing(context);
    describePersistence(context);
    describeFailingAlone(context);
  });
}

function describeBadArguments({ testStore, assertStoreError }: Context): void {
  for (const { method, argument, values, args } of badArguments) {
    testStore(`${method} refuses a bad ${argument} by name and writes nothing`, async (store) => {
      const known = await fill(store);
      const before = await readEverything(store);
      for (const [index, value] of values.entries()) {
        const call = callUntyped(store, method, args(value, known));
        const expected = { tag: "InvalidArgumentError", includes: argument };
        await assertStoreError(call, expected).catch((cause: unknown) => {
          throw new Error(`With bad ${argument} number ${index}: ${String(cause)}`, { cause });
        });
      }
      assertSame(await readEverything(store), before);
    });
  }

  testStore("bad input is refused even if the session or entity is unknown", async (store) => {
    const calls = [
      callUntyped(store, "saveEntity", [buildEntity("none", { embedding: [] })]),
      callUntyped(store, "saveFact", [buildFact({ sourceSessionId: "none", embedding: [] })]),
      callUntyped(store, "updateEntity", ["none", { embedding: [] }]),
      callUntyped(store, "searchEntitiesSemantic", [[], { sessionId: "none" }]),
    ];
    for (const call of calls) {
      await assertStoreError(call, { tag: "InvalidArgumentError", includes: "embedding" });
    }
  });
}

function describeLoneSurrogates({ testStore, assertStoreError }: Context): void {
  const lone = "a\ud800";
  const keeps: readonly [string, (store: MemoryStore, known: Known) => Promise<unknown>][] = [
    ["name", (store, { sessionId }) => store.saveEntity(buildEntity(sessionId, { name: lone }))],
    ["type", (store, { sessionId }) => store.saveEntity(buildEntity(sessionId, { type: lone }))],
    [
      "workspaceId",
      (store, { sessionId }) => store.saveEntity(buildEntity(sessionId, { workspaceId: lone })),
    ],
    ["content", (store) => store.saveFact(buildFact({ content: lone }))],
    ["workspaceId", (store) => store.saveFact(buildFact({ workspaceId: lone }))],
  ];
  for (const [index, [field, keep]] of keeps.entries()) {
    const isProse = field === "name" || field === "content";
    testStore(
      `a lone surrogate in ${field} is ${isProse ? "written as U+FFFD" : "refused"} (${index + 1})`,
      async (store) => {
        const call = keep(store, await fill(store));
        if (!isProse) {
          await assertStoreError(call, { tag: "InvalidArgumentError", includes: field });
          return;
        }
        const saved = await call;
        const read = [...(await store.listEntities({})), ...(await store.listFacts({}))];
        const stored = read.find((memory) => Reflect.get(memory, field) === lone.toWellFormed());
        assertSame(stored, saved);
      },
    );
  }
}

/** A method, good arguments for it, and the names of those that a refusal may name. */
const calls: readonly [string, (known: Known) => readonly unknown[], ...string[]][] = [
  ["saveEntity", ({ sessionId }) => [buildFullEntity(sessionId)], "entity"],
  ["getEntity", ({ entityId }) => [entityId], "entityId"],
  ["listEntities", () => [{}], "options"],
  ["updateEntity", ({ entityId }) => [entityId, { name: "new" }], "entityId", "updates"],
  ["deleteEntity", ({ entityId }) => [entityId], "entityId"],
  ["saveFact", ({ sessionId }) => [buildFullFact(sessionId)], "fact"],
  ["getFact", ({ factId }) => [factId], "factId"],
  ["listFacts", () => [{}], "options"],
  ["deleteFact", ({ factId }) => [factId], "factId"],
  ["searchEntitiesSemantic", () => [[1, 0, 0]], "embedding", "options"],
  ["searchFactsSemantic", () => [[1, 0, 0]], "embedding", "options"],
];

function describeClosing({ testStore, assertStoreError, assertArgumentNamed }: Context): void {
  for (const [method, args, ...names] of calls) {
    testStore(`after close ${method} is StoreClosedError`, async (store) => {
      const known = await fill(store);
      await store.close();
      await assertStoreError(callUntyped(store, method, args(known)), { tag: "StoreClosedError" });
    });

    testStore(`${method} rejects bad arguments and never throws`, async (store) => {
      for (const bad of [[Symbol("s")], [5, 5], [true, "text"], [Number.NaN, "x"]]) {
        await assertArgumentNamed(callUntyped(store, method, bad), names);
      }
    });
  }

  testStore("a search that was called before close is answered or StoreClosedError", async (store) => {
    await fill(store);
    const searching = store.searchEntitiesSemantic([1, 0, 0]);
    const closing = store.close();
    const found = await searching.catch((error: unknown) => error);
    if (found instanceof Error) {
      await assertStoreError(Promise.reject(found), { tag: "StoreClosedError" });
    } else {
      assert.ok(Array.isArray(found), `Not a list: ${String(found)}`);
    }
    await closing;
  });
}

function describePersistence({ testPersistentStore }: Context): void {
  testPersistentStore("entities, facts and what is found by search outlive the store", async (subject) => {
    const first = subject.open();
    const { sessionId, entityId } = await fill(first);
    await first.saveEntity(buildEntity(sessionId, { embedding: [1, 0, 0] }));
    await first.updateEntity(entityId, { embedding: [0, 0, 1], name: "updated" });
    const lost = await first.saveFact(buildFullFact(sessionId));
    await first.deleteFact(lost.id);
    const before = await readEverything(first);
    await first.close();
    const second = subject.open();
    const after = await readEverything(second);
    await second.close();
    assertSame(after, before);
  });

  testPersistentStore("order and ties continue where they stopped", async (subject) => {
    const saved: string[] = [];
    for (let round = 0; round < 3; round++) {
      const store = subject.open();
      const { id } = await store.createSession("./d");
      saved.unshift((await store.saveEntity(buildEntity(id, { embedding: [1] }))).id);
      assert.deepEqual(
        (await store.listEntities({})).map((entity) => entity.id),
        saved,
      );
      assert.deepEqual(
        (await store.searchEntitiesSemantic([2])).map((entity) => entity.id),
        saved,
      );
      await store.close();
    }
  });
}

function describeFailingAlone({ testStore }: Context): void {
  testStore("of many calls at once only the bad ones fail", async (store) => {
    const { sessionId, entityId, factId } = await fill(store);
    const outcomes = await Promise.allSettled([
      store.saveEntity(buildEntity(sessionId, { embedding: [1, 0, 0] })),
      store.saveEntity(buildEntity("none")),
      store.updateEntity("none", { name: "new" }),
      store.updateEntity(entityId, { name: "new" }),
      store.saveFact(buildFact({ sourceSessionId: "none" })),
      store.saveFact(buildFact({ confidence: 2 })),
      store.searchEntitiesSemantic([1, 0]),
      store.deleteFact(factId),
      store.saveFact(buildFact()),
    ]);
    const tags = outcomes.map((outcome) =>
      outcome.status === "rejected" ? Reflect.get(Object(outcome.reason), "_tag") : "ok",
    );
    const lost = "SessionNotFoundError";
    const [entity, vector] = ["EntityNotFoundError", "VectorDimensionError"];
    assert.deepEqual(tags, ["ok", lost, entity, "ok", lost, "InvalidArgumentError", vector, "ok", "ok"]);
    assert.deepEqual([(await store.listEntities({})).length, (await store.listFacts({})).length], [2, 1]);
  });
}

/** One entity and one fact, with every field. */
async function fill(store: MemoryStore): Promise<Known> {
  const { id: sessionId } = await store.createSession("./d");
  const entity = await store.saveEntity(buildFullEntity(sessionId));
  const fact = await store.saveFact(buildFullFact(sessionId));
  return { sessionId, entityId: entity.id, factId: fact.id };
}

async function readEverything(store: MemoryStore): Promise<readonly unknown[]> {
  const options = { threshold: -1, topK: 100 };
  return [
    await store.listSessions(),
    await store.listEntities({}),
    await store.listFacts({}),
    await store.searchEntitiesSemantic([1, 2, 3], options),
    await store.searchFactsSemantic([1, 2, 3], options),
  ];
}
