import assert from "node:assert/strict";
import type { Fact, MemoryStore } from "@obsku/checkpoint-sqlite";
import { buildEntity, buildFact, buildFullFact } from "../support/memory-builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertAbsent, assertGreater, assertSafeInteger, assertSame, assertUuid } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

type Context = ConformanceContext<MemoryStore>;

const OPTIONAL = ["workspaceId", "sourceSessionId", "embedding"];

export function describeFacts(context: Context): void {
  context.describe("facts", () => {
    describeSaving(context);
    describeConfidence(context);
    describeListing(context);
    describeOrder(context);
    describeDeleting(context);
  });
}

function describeSaving({ testStore, testStoreWithClock, assertStoreError }: Context): void {
  testStore("a new fact has a UUID and the time it was saved", async (store) => {
    const saved = await store.saveFact(buildFact());
    assertUuid(saved.id);
    assertSafeInteger(saved.createdAt);
  });

  testStore("a fact with every field reads back as it was returned when it was saved", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveFact(buildFullFact(id));
    assertSame(saved, { ...buildFullFact(id), id: saved.id, createdAt: saved.createdAt });
    assertSame(await store.getFact(saved.id), saved);
    assertSame(await store.listFacts({}), [saved]);
    assertSame(await store.searchFactsSemantic([0.1, -0.2, 1e-7]), [saved]);
  });

  testStore("fields that were not given are absent everywhere", async (store) => {
    const bare = await store.saveFact(buildFact());
    const [nulls, undefineds] = [null, undefined].map((nothing) => {
      const fields = Object.fromEntries(OPTIONAL.map((key) => [key, nothing]));
      return callUntyped(store, "saveFact", [{ ...buildFact(), ...fields }]);
    });
    const found = await store.getFact(bare.id);
    for (const fact of [bare, await nulls, await undefineds, found, ...(await store.listFacts({}))]) {
      assertAbsent(fact, OPTIONAL);
    }
  });

  testStore("empty strings are values, not absence", async (store) => {
    const saved = await store.saveFact(buildFact({ content: "", workspaceId: "" }));
    assertSame([saved.content, saved.workspaceId], ["", ""]);
    assertSame(await store.listFacts({ workspaceId: "" }), [saved]);
  });

  testStore("the same fact saved twice is two facts", async (store) => {
    const [a, b] = [await store.saveFact(buildFact()), await store.saveFact(buildFact())];
    assert.notEqual(a.id, b.id);
    assertSame(await store.listFacts({}), [b, a]);
  });

  testStore("an id and a time that are given with a new fact are not taken", async (store) => {
    await callUntyped(store, "saveFact", [{ ...buildFact(), id: "mine", createdAt: 1 }]);
    const [found] = await store.listFacts({});
    assertUuid(found?.id);
    assertGreater(found?.createdAt ?? 0, 1);
  });

  testStore("a fact from an unknown or deleted session is SessionNotFoundError", async (store) => {
    const { id } = await store.createSession("./d");
    await store.deleteSession(id);
    for (const sourceSessionId of ["no-such-session", "", id]) {
      await assertStoreError(store.saveFact(buildFact({ sourceSessionId })), {
        tag: "SessionNotFoundError",
        startsWith: `Session not found: ${sourceSessionId}`,
      });
    }
    assert.deepEqual(await store.listFacts({}), []);
  });

  testStore("an unknown fact is null", async (store) => {
    const { id } = await store.createSession("./d");
    const entity = await store.saveEntity(buildEntity(id));
    for (const unknown of ["no-such-fact", "", id, entity.id]) {
      assert.equal(await store.getFact(unknown), null);
    }
  });

  testStore("awkward texts are kept as content and workspace", async (store) => {
    for (const text of ["'; DROP TABLE facts; --", "a\u0000b", "días — 日本語 🚀", " \n\t", "null", "%"]) {
      const saved = await store.saveFact(buildFact({ content: text, workspaceId: text }));
      assertSame([saved.content, saved.workspaceId], [text, text]);
      assertSame(await store.listFacts({ workspaceId: text }), [saved]);
    }
  });

  testStoreWithClock("a fact's time is the clock's", async (store, clock) => {
    clock.now += 5000;
    assert.equal((await store.saveFact(buildFact())).createdAt, clock.now);
  });
}

function describeConfidence({ testStore }: Context): void {
  testStore("every confidence from 0 to 1 is kept bit for bit", async (store) => {
    const least = Number.MIN_VALUE;
    for (const confidence of [0, least, 0.1, 1 / 3, 0.30000000000000004, 1 - Number.EPSILON / 2, 1]) {
      const saved = await store.saveFact(buildFact({ confidence }));
      assertSame(saved.confidence, confidence);
      assertSame((await store.getFact(saved.id))?.confidence, confidence);
    }
  });

  testStore("minConfidence keeps what is equal or above", async (store) => {
    const confidences = [0, 0.1, 0.3, 0.30000000000000004, 0.9, 1];
    for (const confidence of confidences) await store.saveFact(buildFact({ confidence }));
    for (const minConfidence of [...confidences, Number.MIN_VALUE, 0.2, 0.95]) {
      const listed = await store.listFacts({ minConfidence });
      const expected = confidences.filter((confidence) => confidence >= minConfidence).reverse();
      assert.deepEqual(
        listed.map((fact) => fact.confidence),
        expected,
      );
    }
  });
}

function describeListing({ testStore }: Context): void {
  testStore("a fresh store has no facts, whatever is asked for", async (store) => {
    for (const filter of [{}, { workspaceId: "w" }, { minConfidence: 0.5 }, { limit: 5 }]) {
      assert.deepEqual(await store.listFacts(filter), []);
    }
  });

  testStore("all filters that are given apply together, in every combination", async (store) => {
    const newestFirst: Fact[] = [];
    for (const confidence of [0.9, 0, 0.5, 1, 0.5]) {
      for (const fields of [{ workspaceId: "ws-1" }, { workspaceId: "ws-10" }, {}]) {
        newestFirst.unshift(await store.saveFact(buildFact({ confidence, ...fields })));
      }
    }
    for (const workspaceId of [undefined, "ws-1", "ws-10", "ws", "WS-1", "no-such-workspace"]) {
      for (const minConfidence of [undefined, 0, 0.5, 0.51, 1]) {
        const expected = newestFirst.filter(
          (fact) =>
            (workspaceId === undefined || fact.workspaceId === workspaceId) &&
            (minConfidence === undefined || fact.confidence >= minConfidence),
        );
        for (const limit of [undefined, 0, 1, 2, expected.length, 100]) {
          const listed = await store.listFacts({ workspaceId, minConfidence, limit });
          assertSame(listed, expected.slice(0, limit || expected.length));
        }
      }
    }
  });

  testStore("null options, and null for a filter, mean that it was not given", async (store) => {
    const saved = await store.saveFact(buildFact({ workspaceId: "ws", confidence: 0 }));
    const nulls = { workspaceId: null, minConfidence: null, limit: null };
    for (const args of [[], [undefined], [null], [{}], [nulls]]) {
      assertSame(await callUntyped(store, "listFacts", args), [saved]);
    }
  });
}

function describeOrder({ testStore, testStoreWithClock }: Context): void {
  testStore("200 facts saved at once are listed newest first, the last call first", async (store) => {
    const saves = Array.from({ length: 200 }, (_, n) => store.saveFact(buildFact({ content: `${n}` })));
    const saved = await Promise.all(saves);
    assertSame(await store.listFacts({}), saved.toReversed());
    assertSame(await store.listFacts({ limit: 3 }), saved.toReversed().slice(0, 3));
  });

  for (const [name, move] of [
    ["goes on", 1000],
    ["stands still", 0],
    ["is set back", -1000],
  ] as const) {
    testStoreWithClock(
      `facts of one session are listed newest first while the clock ${name}`,
      async (store, clock) => {
        const { id: sourceSessionId } = await store.createSession("./d");
        const saved: Fact[] = [];
        for (let n = 0; n < 5; n++) {
          saved.unshift(await store.saveFact(buildFact({ sourceSessionId, workspaceId: "ws" })));
          clock.now += move;
        }
        for (const filter of [{}, { workspaceId: "ws" }, { minConfidence: 0.5 }]) {
          assertSame(await store.listFacts(filter), saved);
          assertSame(await store.listFacts({ ...filter, limit: 2 }), saved.slice(0, 2));
        }
      },
    );

    testStoreWithClock(
      `createdAt never increases along a list while the clock ${name}`,
      async (store, clock) => {
        for (let n = 0; n < 6; n++) {
          await store.saveFact(buildFact({ content: `${n}` }));
          if (n % 3 === 2) clock.now += move;
        }
        const places = (await store.listFacts({})).map(
          (fact) => [fact.createdAt, Number(fact.content)] as const,
        );
        assert.deepEqual(
          places,
          places.toSorted(([a, m], [b, n]) => b - a || n - m),
        );
      },
    );
  }
}

function describeDeleting({ testStore }: Context): void {
  testStore("a deleted fact is gone from everywhere, and others stay", async (store) => {
    const { id } = await store.createSession("./d");
    const gone = await store.saveFact(buildFullFact(id));
    const kept = await store.saveFact(buildFullFact(id));
    await store.deleteFact(gone.id);
    assert.equal(await store.getFact(gone.id), null);
    assertSame(await store.listFacts({}), [kept]);
    assertSame(await store.listFacts({ workspaceId: "ws-1", minConfidence: 0.5 }), [kept]);
    assertSame(await store.searchFactsSemantic([0.1, -0.2, 1e-7]), [kept]);
  });

  testStore("deleting an unknown fact, or one twice, does nothing", async (store) => {
    const { id } = await store.createSession("./d");
    const entity = await store.saveEntity(buildEntity(id));
    const [gone, kept] = [await store.saveFact(buildFact()), await store.saveFact(buildFact())];
    await Promise.all([store.deleteFact(gone.id), store.deleteFact(gone.id)]);
    for (const unknown of [gone.id, "no-such-fact", "", id, entity.id]) {
      assert.equal(await store.deleteFact(unknown), undefined);
    }
    assertSame(await store.listFacts({}), [kept]);
    assertSame(await store.listEntities({}), [entity]);
  });

  testStore("a deleted session's facts stay without their source, and all else of them", async (store) => {
    const [gone, kept] = [await store.createSession("./a"), await store.createSession("./b")];
    const [orphan, other] = [
      await store.saveFact(buildFullFact(gone.id)),
      await store.saveFact(buildFullFact(kept.id)),
    ];
    const sourceless = await store.saveFact(buildFact());
    await store.deleteSession(gone.id);
    const { sourceSessionId: _, ...rest } = orphan;
    const found = await store.getFact(orphan.id);
    assertSame(found, rest);
    assertAbsent(found, ["sourceSessionId"]);
    assertSame(await store.listFacts({}), [sourceless, other, rest]);
    assertSame(await store.searchFactsSemantic([0.1, -0.2, 1e-7]), [other, rest]);
  });
}
