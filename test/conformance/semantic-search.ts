import assert from "node:assert/strict";
import type { Entity, MemoryStore } from "@obsku/checkpoint-sqlite";
import { buildEntity } from "../support/memory-builders.js";
import { type Memory, type MemoryKind, memoryKinds } from "../support/memory-kinds.js";
import { naiveSearch } from "../support/naive-search.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertAbsent, assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

type Context = ConformanceContext<MemoryStore>;

export function describeSemanticSearch(context: Context): void {
  context.describe("semantic search", () => {
    context.testStore("a store with it says so", async (store) => {
      assert.equal(store.hasSemanticSearch, true);
    });
    for (const kind of memoryKinds) {
      context.describe(`of ${kind.name}`, () => {
        describeEmbeddings(context, kind);
        describeThreshold(context, kind);
        describeTopKAndOrder(context, kind);
        describeDimensions(context, kind);
        describeZeroVectors(context, kind);
        describeMagnitudes(context, kind);
        describeWorkspaces(context, kind);
        describeChanges(context, kind);
        describeManyMemories(context, kind);
      });
    }
    describeFiltersOfEntities(context);
    describeUpdatesOfEntities(context);
    describeDeletedSessions(context);
  });
}

function idsOf(memories: readonly Memory[]): string[] {
  return memories.map((memory) => memory.id);
}

/** Numbers that a float32, or a careless number format, would not keep. */
const awkwardEmbeddings: readonly (readonly [string, readonly number[]])[] = [
  ["minus zero", [-0, 0, -0, 1]],
  ["denormals", [Number.MIN_VALUE, -Number.MIN_VALUE, 2.2250738585072009e-308, 1e-320]],
  ["the largest doubles", [1e308, -1e308, Number.MAX_VALUE, -Number.MAX_VALUE]],
  ["the smallest normal doubles", [1e-308, 2.2250738585072014e-308, -1e-308]],
  ["tenths and thirds", [0.1, 0.2, 0.1 + 0.2, 1 / 3, -2 / 3]],
  ["neighbours of 1", [1 - Number.EPSILON / 2, 1 + Number.EPSILON, 1]],
  ["integers at the edge", [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 53, 1e21, 1e22]],
  ["a single number", [7]],
  ["3072 dimensions", Array.from({ length: 3072 }, (_, n) => Math.sin(n) / 7)],
];

function describeEmbeddings({ testStore }: Context, kind: MemoryKind): void {
  for (const [name, numbers] of awkwardEmbeddings) {
    testStore(`an embedding of ${name} is read back bit for bit`, async (store) => {
      const memories = await kind.begin(store);
      const saved = await memories.save({ embedding: [...numbers] });
      const found = await memories.search([...numbers]);
      const all = [saved, await memories.get(saved.id), ...(await memories.list()), ...found];
      for (const memory of all) assertSame(memory?.embedding, [...numbers]);
      assert.equal(all.length, 4);
    });
  }

  testStore("what has no embedding is never found", async (store) => {
    const memories = await kind.begin(store);
    await memories.save({});
    assert.deepEqual(await memories.search([1, 2], { threshold: -1 }), []);
    const saved = await memories.save({ embedding: [-1, -2] });
    assertSame(await memories.search([1, 2], { threshold: -1 }), [saved]);
  });

  testStore("in an empty store a search of any dimensions finds nothing", async (store) => {
    const memories = await kind.begin(store);
    for (const query of [[1], [1, 2, 3], [0, 0]]) assert.deepEqual(await memories.search(query), []);
  });

  testStore("what is found is the whole row, as it reads alone", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.save({ embedding: [1, 2], workspaceId: "ws" });
    const [found] = await memories.search([2, 4]);
    assertSame(found, saved);
    assertSame(found, await memories.get(saved.id));
  });

  testStore("null options, and null for an option, mean that it was not given", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.save({ embedding: [1, 0] });
    await memories.save({ embedding: [-1, 0] });
    const nulls = { sessionId: null, workspaceId: null, threshold: null, topK: null };
    for (const options of [undefined, null, {}, nulls]) {
      assertSame(await callUntyped(store, kind.searchMethod, [[1, 0], options]), [saved]);
    }
  });
}

function describeThreshold({ testStore }: Context, kind: MemoryKind): void {
  testStore(
    "without a threshold what is at a right angle is found and what is beyond is not",
    async (store) => {
      const memories = await kind.begin(store);
      const [opposite, beyond, right, near, same] = idsOf(
        await memories.saveAll([
          [-1, 0],
          [-1e-9, 1],
          [0, 1],
          [1, 1],
          [2, 0],
        ]),
      );
      assert.deepEqual(idsOf(await memories.search([1, 0])), [same, near, right].map(String));
      assert.deepEqual(
        idsOf(await memories.search([1, 0], { threshold: 0 })),
        [same, near, right].map(String),
      );
      const all = [same, near, right, beyond, opposite].map(String);
      assert.deepEqual(idsOf(await memories.search([1, 0], { threshold: -1 })), all);
      assert.deepEqual(idsOf(await memories.search([1, 0], { threshold: -0.5 })), all.slice(0, 4));
    },
  );

  testStore("a similarity equal to the threshold is kept, the next number above it is not", async (store) => {
    const memories = await kind.begin(store);
    // The cosine of 3:4 and 1:0 is 3 / (5 * 1), which is the float64 nearest to 0.6; that of itself is 25 / (5 * 5).
    await memories.saveAll([
      [3, 4],
      [-3, 4],
    ]);
    for (const [threshold, count] of [
      [0.6, 1],
      [0.6 + Number.EPSILON / 2, 0],
      [-0.6, 2],
      [-0.6 + Number.EPSILON / 2, 1],
    ] as const) {
      assert.equal((await memories.search([1, 0], { threshold })).length, count);
    }
    assert.equal((await memories.search([3, 4], { threshold: 1 })).length, 1);
    assert.equal((await memories.search([3, 4], { threshold: 1 + Number.EPSILON })).length, 0);
  });

  testStore("a threshold that nothing can reach finds nothing, one below all finds all", async (store) => {
    const memories = await kind.begin(store);
    await memories.saveAll([[1], [-1], [0]]);
    assert.equal((await memories.search([1], { threshold: 1.5 })).length, 0);
    assert.equal((await memories.search([1], { threshold: 1e308 })).length, 0);
    assert.equal((await memories.search([1], { threshold: -1e308 })).length, 3);
  });
}

/** On a quarter circle, `steps` of them between the two axes. */
function fan(steps: number): number[][] {
  return Array.from({ length: steps + 1 }, (_, n) => {
    const angle = (n / steps) * (Math.PI / 2);
    return [Math.cos(angle), Math.sin(angle)];
  });
}

function describeTopKAndOrder({ testStore }: Context, kind: MemoryKind): void {
  testStore("the best come first, ten of them if topK is not given", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.saveAll(fan(12));
    assertSame(await memories.search([1, 0]), saved.slice(0, 10));
    const worstFirst = saved.toReversed();
    assertSame(await memories.search([0, 5]), worstFirst.slice(0, 10));
    assertSame(await memories.search([1, 0], { topK: 1 }), saved.slice(0, 1));
    assertSame(await memories.search([1, 0], { topK: 11 }), saved.slice(0, 11));
    const eleven = saved.filter((memory) => (memory.embedding?.[0] ?? 0) >= 0.2);
    assertSame(await memories.search([1, 0], { topK: 1000, threshold: 0.2 }), eleven);
  });

  testStore("among equals the newest come first, also if topK cuts through them", async (store) => {
    const memories = await kind.begin(store);
    const equals = await memories.saveAll([
      [1, 1],
      [2, 2],
      [0.5, 0.5],
      [1, 1],
    ]);
    const best = await memories.save({ embedding: [1, 0] });
    const ranked = [best, ...equals.reverse()];
    assertSame(await memories.search([1, 0]), ranked);
    for (const topK of [1, 2, 3, 4]) {
      assertSame(await memories.search([1, 0], { topK }), ranked.slice(0, topK));
    }
  });

  testStore(
    "similarities that differ only in the last bits of a float64 are distinguished",
    async (store) => {
      const memories = await kind.begin(store);
      const steps = [3, -2, 0, 5, -4, 1, 2, -1];
      const saved = await memories.saveAll(steps.map((step) => [0.6 + step * 1e-14, 0.8, 0.1]));
      const { found } = naiveSearch(saved.toReversed(), { embedding: [1, 0.01, 0.02] });
      assert.deepEqual(
        found.map((memory) => memory.embedding?.[0]),
        [...steps].sort((a, b) => b - a).map((step) => 0.6 + step * 1e-14),
      );
      assertSame(await memories.search([1, 0.01, 0.02]), found);
      assertSame(await memories.search([1, 0.01, 0.02], { topK: 3 }), found.slice(0, 3));
    },
  );

  testStore("topK 0 finds nothing", async (store) => {
    const memories = await kind.begin(store);
    await memories.save({ embedding: [1] });
    assert.deepEqual(await memories.search([1], { topK: 0 }), []);
  });
}

function describeDimensions({ testStore, assertStoreError }: Context, kind: MemoryKind): void {
  testStore("what has other dimensions is left out while anything comparable is there", async (store) => {
    const memories = await kind.begin(store);
    const [, two] = await memories.saveAll([[1], [1, 0], [1, 0, 0], [1, 0, 0, 0]]);
    assertSame(await memories.search([1, 0]), [two]);
    assert.deepEqual(await memories.search([1, 0], { threshold: 2 }), []);
    assert.deepEqual(await memories.search([-1, 0]), []);
  });

  testStore("if nothing is comparable the query is refused with both dimensions", async (store) => {
    const memories = await kind.begin(store);
    await memories.save({});
    await memories.save({ embedding: [1, 2, 3] });
    for (const [query, startsWith] of [
      [[1, 2], "Vector dimensions must match: 2 vs 3"],
      [[1, 2, 3, 4], "Vector dimensions must match: 4 vs 3"],
      [[0], "Vector dimensions must match: 1 vs 3"],
    ] as const) {
      const { retryable } = await assertStoreError(memories.search([...query]), {
        tag: "VectorDimensionError",
        startsWith,
      });
      assert.equal(retryable, false);
    }
  });

  testStore("the last comparable one makes the difference between an answer and an error", async (store) => {
    const memories = await kind.begin(store);
    const [two] = await memories.saveAll([
      [1, 0],
      [1, 2, 3],
    ]);
    assertSame(await memories.search([1, 0]), [two]);
    await memories.delete(two?.id ?? "");
    await assertStoreError(memories.search([1, 0]), { tag: "VectorDimensionError" });
    const again = await memories.save({ embedding: [0, 1] });
    assertSame(await memories.search([1, 0]), [again]);
    await memories.delete(again.id);
    for (const { id } of await memories.list()) await memories.delete(id);
    assert.deepEqual(await memories.search([1, 0]), []);
  });

  testStore("what a filter leaves out is neither comparable nor incomparable", async (store) => {
    const memories = await kind.begin(store);
    const two = await memories.save({ embedding: [1, 0], workspaceId: "two" });
    await memories.save({ embedding: [1, 2, 3], workspaceId: "three" });
    assertSame(await memories.search([1, 0], { workspaceId: "two" }), [two]);
    assert.deepEqual(await memories.search([1, 0], { workspaceId: "none" }), []);
    await assertStoreError(memories.search([1, 0], { workspaceId: "three" }), {
      tag: "VectorDimensionError",
      startsWith: "Vector dimensions must match: 2 vs 3",
    });
  });

  testStore("entities and facts do not count for each other", async (store) => {
    for (const other of memoryKinds.filter((each) => each !== kind)) {
      await (await other.begin(store)).save({ embedding: [1, 2, 3] });
    }
    const memories = await kind.begin(store);
    assert.deepEqual(await memories.search([1, 2, 3]), []);
    assert.deepEqual(await memories.search([1, 2]), []);
    const saved = await memories.save({ embedding: [1, 2] });
    assertSame(await memories.search([1, 2]), [saved]);
    await assertStoreError(memories.search([1, 2, 3]), { tag: "VectorDimensionError" });
  });
}

function describeZeroVectors({ testStore }: Context, kind: MemoryKind): void {
  testStore("a zero vector has similarity 0 to everything, stored or asked for", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.saveAll([
      [1, 0],
      [0, 0],
      [-1, 0],
      [-0, -0],
    ]);
    const newestFirst = saved.toReversed();
    for (const zero of [
      [0, 0],
      [-0, 0],
    ]) {
      assertSame(await memories.search(zero), newestFirst);
      assert.deepEqual(await memories.search(zero, { threshold: Number.MIN_VALUE }), []);
    }
    const [one, , , negative] = saved;
    assertSame(
      idsOf(await memories.search([1, 0])),
      idsOf([one, negative, saved[1]].flatMap((m) => m ?? [])),
    );
    assertSame(await memories.search([1, 0], { threshold: 1e-300 }), [one]);
  });

  testStore("a zero vector is comparable like any other", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.save({ embedding: [0, 0] });
    await memories.save({ embedding: [1, 2, 3] });
    assertSame(await memories.search([1, 0]), [saved]);
    assert.deepEqual(await memories.search([1, 0], { threshold: 0.5 }), []);
  });
}

function describeMagnitudes({ testStore }: Context, kind: MemoryKind): void {
  const scales = [Number.MIN_VALUE, 1e-320, 1e-308, 1e-200, 1e-20, 1, 1e20, 1e200, 1e307, 1e308];

  testStore("a vector's length does not matter, however large or small", async (store) => {
    const memories = await kind.begin(store);
    const along = await memories.saveAll(scales.map((scale) => [scale, 0, scale]));
    await memories.saveAll(scales.map((scale) => [0, scale, 0]));
    await memories.saveAll(scales.map((scale) => [-scale, 0, -scale]));
    for (const scale of scales) {
      const found = await memories.search([scale, 0, scale], { threshold: 1 - 1e-9, topK: 100 });
      assert.deepEqual(idsOf(found).sort(), idsOf(along).sort());
      const others = await memories.search([scale, 0, scale], { threshold: -0.5, topK: 100 });
      assert.equal(others.length, 2 * scales.length);
    }
  });

  testStore("components of very different size keep their part", async (store) => {
    const memories = await kind.begin(store);
    const [large, small] = idsOf(
      await memories.saveAll([
        [1e308, 1e300],
        [1e-300, 1e-308],
        [1e300, 1e308],
        [1e-308, 1e-300],
      ]),
    );
    const found = idsOf(await memories.search([1, 0], { threshold: 0.5 }));
    assert.deepEqual(found.sort(), [large, small].map(String).sort());
  });
}

function describeWorkspaces({ testStore }: Context, kind: MemoryKind): void {
  testStore("the workspace is looked at before anything is scored", async (store) => {
    const memories = await kind.begin(store);
    for (let n = 0; n < 15; n++) {
      await memories.save({ embedding: [1, 0], workspaceId: n % 2 === 0 ? "ws-10" : "WS-1" });
      await memories.save({ embedding: [1, 0] });
    }
    const first = await memories.save({ embedding: [1, 3], workspaceId: "ws-1" });
    const second = await memories.save({ embedding: [1, 2], workspaceId: "ws-1" });
    assertSame(await memories.search([1, 0], { workspaceId: "ws-1" }), [second, first]);
    assertSame(await memories.search([1, 0], { workspaceId: "ws-1", topK: 1 }), [second]);
    for (const workspaceId of ["ws", "", "no-such-workspace", "ws-1 "]) {
      assert.deepEqual(await memories.search([1, 0], { workspaceId }), []);
    }
  });

  testStore("an empty workspace id is a workspace like any other", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.save({ embedding: [1], workspaceId: "" });
    await memories.save({ embedding: [1] });
    assertSame(await memories.search([1], { workspaceId: "" }), [saved]);
  });
}

function describeChanges({ testStore, assertStoreError }: Context, kind: MemoryKind): void {
  testStore("a search sees every save and deletion that was called before it", async (store) => {
    const memories = await kind.begin(store);
    const gone = await memories.save({ embedding: [1, 0] });
    const saving = memories.save({ embedding: [1, 0] });
    const deleting = memories.delete(gone.id);
    const [found, saved] = await Promise.all([memories.search([1, 0]), saving, deleting]);
    assertSame(found, [saved]);
  });

  testStore("a search sees a save that was called before it also between other searches", async (store) => {
    const memories = await kind.begin(store);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        const saving = memories.save({ embedding: [n + 1, 1] });
        const searching = memories.search([1, 0], { topK: 100 });
        return Promise.all([saving, searching]);
      }),
    );
    const saved = answers.map(([memory]) => memory.id);
    for (const [index, [, found]] of answers.entries()) {
      const seen = idsOf(found).filter((id) => saved.slice(0, index + 1).includes(id));
      assert.deepEqual(seen, saved.slice(0, index + 1).reverse());
    }
  });

  testStore("a save that fails is not found", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.save({ embedding: [1] });
    const lost = { ...memories.build({ embedding: [1] }), sessionId: "none", sourceSessionId: "none" };
    const failing = callUntyped(store, kind.saveMethod, [lost]);
    const found = memories.search([1]);
    await assertStoreError(failing, { tag: "SessionNotFoundError" });
    assertSame(await found, [saved]);
  });

  testStore("what is changed in an embedding after the call does not matter", async (store) => {
    const memories = await kind.begin(store);
    const embedding = [1, 0];
    const saving = memories.save({ embedding });
    embedding.fill(-7);
    const query = [1, 0];
    const options = { threshold: 0.9, topK: 5, workspaceId: undefined };
    const searching = memories.search(query, options);
    query.fill(-7);
    Object.assign(options, { threshold: 2, topK: 0, workspaceId: "none" });
    const saved = await saving;
    assertSame(saved.embedding, [1, 0]);
    assertSame(await searching, [saved]);
  });

  testStore("what is changed in an answer does not change the store", async (store) => {
    const memories = await kind.begin(store);
    const saved = await memories.save({ embedding: [1, 0] });
    const kept = structuredClone(saved);
    saved.embedding?.fill(-1);
    for (let round = 0; round < 2; round++) {
      const [found] = await memories.search([1, 0]);
      assertSame(found, kept);
      found?.embedding?.fill(-1);
    }
  });
}

/** The same numbers at every run, between -1 and 1. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 1_073_741_824 - 1;
  };
}

function describeManyMemories({ testStore }: Context, kind: MemoryKind): void {
  testStore("among 1500 with 24 dimensions exactly the best are found, in order", async (store) => {
    const memories = await kind.begin(store);
    const next = numbersFrom(7);
    const vector = () => Array.from({ length: 24 }, next);
    const saves = Array.from({ length: 1500 }, (_, n) =>
      memories.save({ embedding: vector(), workspaceId: `ws-${n % 3}` }),
    );
    const newestFirst = (await Promise.all(saves)).reverse();
    for (const workspaceId of [undefined, "ws-1"]) {
      const filtered = newestFirst.filter((one) => (workspaceId ?? one.workspaceId) === one.workspaceId);
      for (const query of [
        { embedding: vector(), topK: 25 },
        { embedding: vector(), threshold: 0.3, topK: 1000 },
        { embedding: vector(), threshold: -1, topK: 2000 },
      ]) {
        const expected = idsOf(naiveSearch(filtered, query).found);
        const { embedding, ...options } = query;
        assert.deepEqual(idsOf(await memories.search(embedding, { workspaceId, ...options })), expected);
      }
    }
  });

  testStore(
    "of 700 equals the newest are found, and the newest left when those are deleted",
    async (store) => {
      const memories = await kind.begin(store);
      const saves = Array.from({ length: 700 }, () => memories.save({ embedding: [1, 2] }));
      const ids = idsOf((await Promise.all(saves)).reverse());
      assert.deepEqual(idsOf(await memories.search([1, 2], { topK: 3 })), ids.slice(0, 3));
      await Promise.all(ids.slice(0, 650).map((id) => memories.delete(id)));
      assert.deepEqual(idsOf(await memories.search([1, 2], { topK: 3 })), ids.slice(650, 653));
      const added = await memories.save({ embedding: [1, 2] });
      const left = await memories.search([1, 2], { topK: 100 });
      assert.deepEqual(idsOf(left), [added.id, ...ids.slice(650)]);
      assertSame(left[0], added);
    },
  );
}

function describeFiltersOfEntities({ testStore, assertStoreError }: Context): void {
  testStore(
    "a search of entities applies session and workspace together, in every combination",
    async (store) => {
      const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
      const newestFirst: Entity[] = [];
      for (const embedding of [
        [1, 0],
        [3, 4],
        [1, 0],
        [0, 1, 0],
      ]) {
        for (const sessionId of [a.id, b.id]) {
          for (const fields of [{ workspaceId: "ws-1" }, { workspaceId: "ws-2" }, {}]) {
            newestFirst.unshift(await store.saveEntity(buildEntity(sessionId, { embedding, ...fields })));
          }
        }
      }
      for (const sessionId of [undefined, a.id, b.id, "no-such-session"]) {
        for (const workspaceId of [undefined, "ws-1", "ws-2", "no-such-workspace"]) {
          for (const topK of [undefined, 1, 3]) {
            const filtered = newestFirst.filter(
              (one) =>
                one.sessionId === (sessionId ?? one.sessionId) &&
                one.workspaceId === (workspaceId ?? one.workspaceId),
            );
            const { found } = naiveSearch(filtered, { embedding: [1, 0], topK });
            const options = { sessionId, workspaceId, topK };
            assertSame(await store.searchEntitiesSemantic([1, 0], options), found);
          }
        }
      }
      assert.equal((await store.searchEntitiesSemantic([1, 0, 0], { topK: 100 })).length, 6);
    },
  );

  testStore("a session filter decides what is comparable", async (store) => {
    const [a, b] = [await store.createSession("./a"), await store.createSession("./b")];
    const two = await store.saveEntity(buildEntity(a.id, { embedding: [1, 0], workspaceId: "ws" }));
    await store.saveEntity(buildEntity(b.id, { embedding: [1, 0, 0], workspaceId: "ws" }));
    const search = (sessionId: string) =>
      store.searchEntitiesSemantic([1, 0], { sessionId, workspaceId: "ws" });
    assertSame(await search(a.id), [two]);
    await assertStoreError(search(b.id), {
      tag: "VectorDimensionError",
      startsWith: "Vector dimensions must match: 2 vs 3",
    });
    assert.deepEqual(await search("no-such-session"), []);
  });
}

function describeUpdatesOfEntities({ testStore }: Context): void {
  testStore("a search sees every update that was called before it", async (store) => {
    const { id } = await store.createSession("./d");
    const entity = await store.saveEntity(buildEntity(id, { embedding: [1, 0] }));
    const find = (embedding: number[]) => store.searchEntitiesSemantic(embedding, { threshold: 0.9 });
    for (const [updates, here, elsewhere] of [
      [{ embedding: [0, 1] }, [0, 1], [1, 0]],
      [{ name: "new" }, [0, 1], [1, 0]],
      [{ embedding: [1, 0, 0] }, [1, 0, 0], [0, 0, 1]],
    ] as const) {
      const updating = callUntyped(store, "updateEntity", [entity.id, updates]);
      const [found, missed] = await Promise.all([find([...here]), find([...elsewhere]), updating]);
      assert.deepEqual([idsOf(found), idsOf(missed)], [[entity.id], []]);
    }
    const clearing = callUntyped(store, "updateEntity", [entity.id, { embedding: null }]);
    assert.deepEqual(await find([1, 0]), []);
    await clearing;
  });

  testStore("an embedding that is set late, changed and set back is found as it is", async (store) => {
    const { id } = await store.createSession("./d");
    const { id: entityId } = await store.saveEntity(buildEntity(id));
    assert.deepEqual(await store.searchEntitiesSemantic([1, 0]), []);
    for (const embedding of [
      [1, 0],
      [0, 1],
      [1, 0],
      [5, 5, 5],
      [1, 0],
    ]) {
      await store.updateEntity(entityId, { embedding });
      const [found] = await store.searchEntitiesSemantic(embedding, { threshold: 1 - 1e-9 });
      assertSame(found, await store.getEntity(entityId));
      assertSame(found?.embedding, embedding);
    }
  });

  testStore("a new workspace moves an entity from one search to the other", async (store) => {
    const { id } = await store.createSession("./d");
    const { id: entityId } = await store.saveEntity(buildEntity(id, { embedding: [1], workspaceId: "old" }));
    await store.searchEntitiesSemantic([1], { workspaceId: "old" });
    for (const [workspaceId, before] of [
      ["new", "old"],
      [null, "new"],
      ["old", "new"],
    ] as const) {
      await callUntyped(store, "updateEntity", [entityId, { workspaceId }]);
      assert.deepEqual(await store.searchEntitiesSemantic([1], { workspaceId: before }), []);
      const options = { sessionId: id, workspaceId: workspaceId ?? undefined };
      assertSame(await store.searchEntitiesSemantic([1], options), [await store.getEntity(entityId)]);
    }
  });

  testStore("an updated entity keeps its place among equals", async (store) => {
    const { id } = await store.createSession("./d");
    const older = await store.saveEntity(buildEntity(id, { embedding: [1, 0] }));
    const newer = await store.saveEntity(buildEntity(id, { embedding: [1, 0] }));
    await store.updateEntity(older.id, { embedding: [2, 0], workspaceId: "ws", name: "touched" });
    assert.deepEqual(idsOf(await store.searchEntitiesSemantic([1, 0])), [newer.id, older.id]);
  });

  testStore("what is changed in an update after the call does not matter", async (store) => {
    const { id } = await store.createSession("./d");
    const entity = await store.saveEntity(buildEntity(id));
    const updates = {
      name: "new",
      embedding: [1, 0],
      attributes: { list: [1] },
      relationships: [{ targetId: "t", type: "knows" }],
    };
    const expected = structuredClone(updates);
    const updating = store.updateEntity(entity.id, updates);
    updates.embedding.fill(-1);
    updates.attributes.list.push(2);
    for (const relationship of updates.relationships) relationship.type = "changed";
    updates.relationships.length = 0;
    updates.name = "changed";
    const [found] = await store.searchEntitiesSemantic([1, 0]);
    await updating;
    assertSame(found, { ...entity, ...expected, updatedAt: found?.updatedAt });
  });
}

function describeDeletedSessions({ testStore }: Context): void {
  testStore(
    "a search sees a deleted session's entities gone and its facts left, not awaited",
    async (store) => {
      const [entities, facts] = await Promise.all(memoryKinds.map((kind) => kind.begin(store)));
      if (entities === undefined || facts === undefined) throw new Error("There are two kinds of memories");
      const kept = await entities.save({ embedding: [1, 0] });
      await facts.save({ embedding: [1, 0] });
      const { id } = await store.createSession("./gone");
      await store.saveEntity(buildEntity(id, { embedding: [1, 0] }));
      const deleting = Promise.all([store.deleteSession(id), store.deleteSession(facts.sessionId)]);
      const [found, left] = await Promise.all([entities.search([1, 0]), facts.search([1, 0])]);
      await deleting;
      assertSame(found, [kept]);
      assertSame(left, await facts.list());
      assertAbsent(left[0], ["sourceSessionId"]);
    },
  );
}
