import assert from "node:assert/strict";
import type { Entity, MemoryStore } from "@obsku/checkpoint-sqlite";
import { exoticValues, nest } from "../support/exotic-values.js";
import { buildEntity, buildFact, buildFullEntity } from "../support/memory-builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertAbsent, assertGreater, assertSafeInteger, assertSame, assertUuid } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

type Context = ConformanceContext<MemoryStore>;

const OPTIONAL = ["workspaceId", "embedding"];

export function describeEntities(context: Context): void {
  context.describe("entities", () => {
    describeSaving(context);
    describeListing(context);
    describeOrder(context);
    describeUpdating(context);
    describeIgnoredUpdates(context);
    describeDeleting(context);
    describeAttributes(context);
  });
}

function describeSaving({ testStore, testStoreWithClock, assertStoreError }: Context): void {
  testStore("a new entity has a UUID and one time for both of its times", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    assertUuid(saved.id);
    assertSafeInteger(saved.createdAt);
    assert.equal(saved.updatedAt, saved.createdAt);
  });

  testStore("an entity with every field reads back as it was returned when it was saved", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    const { id: own, createdAt, updatedAt } = saved;
    assertSame(saved, { ...buildFullEntity(id), id: own, createdAt, updatedAt });
    assertSame(await store.getEntity(saved.id), saved);
    assertSame(await store.listEntities({}), [saved]);
    assertSame(await store.searchEntitiesSemantic([0.1, -0.2, 1e-7]), [saved]);
  });

  testStore(
    "fields that were not given are absent everywhere, also the session's workspace",
    async (store) => {
      const { id } = await store.createSession("./d", { workspaceId: "of the session" });
      const bare = await store.saveEntity(buildEntity(id));
      const nulls = await callUntyped(store, "saveEntity", [
        { ...buildEntity(id), workspaceId: null, embedding: null },
      ]);
      const undefineds = await callUntyped(store, "saveEntity", [
        { ...buildEntity(id), workspaceId: undefined, embedding: undefined },
      ]);
      const found = await store.getEntity(bare.id);
      for (const entity of [bare, nulls, undefineds, found, ...(await store.listEntities({}))]) {
        assertAbsent(entity, OPTIONAL);
      }
    },
  );

  testStore("empty strings, attributes and relationships are values, not absence", async (store) => {
    const { id } = await store.createSession("./d");
    const fields = { name: "", type: "", workspaceId: "", attributes: {}, relationships: [] };
    const saved = await store.saveEntity(buildEntity(id, fields));
    assertSame(saved, { ...saved, ...fields });
    assertSame(await store.getEntity(saved.id), saved);
    assertSame(await store.listEntities({ type: "", workspaceId: "" }), [saved]);
  });

  testStore("the same entity saved twice is two entities", async (store) => {
    const { id } = await store.createSession("./d");
    const [a, b] = [await store.saveEntity(buildEntity(id)), await store.saveEntity(buildEntity(id))];
    assert.notEqual(a.id, b.id);
    assert.equal((await store.listEntities({})).length, 2);
  });

  testStore("an id and times that are given with a new entity are not taken", async (store) => {
    const { id } = await store.createSession("./d");
    const given = { ...buildEntity(id), id: "mine", createdAt: 1, updatedAt: 2 };
    await callUntyped(store, "saveEntity", [given]);
    const [found] = await store.listEntities({});
    assertUuid(found?.id);
    assertGreater(found?.createdAt ?? 0, 2);
    assert.equal(await store.getEntity("mine"), null);
  });

  testStore("an entity of an unknown or deleted session is SessionNotFoundError", async (store) => {
    const { id } = await store.createSession("./d");
    await store.deleteSession(id);
    for (const unknown of ["no-such-session", "", id]) {
      await assertStoreError(store.saveEntity(buildEntity(unknown)), {
        tag: "SessionNotFoundError",
        startsWith: `Session not found: ${unknown}`,
      });
    }
    assert.deepEqual(await store.listEntities({}), []);
  });

  testStore("an unknown entity is null", async (store) => {
    const { id } = await store.createSession("./d");
    const fact = await store.saveFact(buildFact());
    for (const unknown of ["no-such-entity", "", id, fact.id]) {
      assert.equal(await store.getEntity(unknown), null);
    }
  });

  testStoreWithClock("an entity's times are the clock's", async (store, clock) => {
    const { id } = await store.createSession("./d");
    clock.now += 5000;
    const saved = await store.saveEntity(buildEntity(id));
    assert.deepEqual([saved.createdAt, saved.updatedAt], [clock.now, clock.now]);
    clock.now += 5000;
    await store.updateEntity(saved.id, { name: "later" });
    assertSame(await store.getEntity(saved.id), { ...saved, name: "later", updatedAt: clock.now });
  });
}

const WORKSPACES = ["ws-1", "ws-10", undefined];
const TYPES = ["person", "domain"];

/** Two of each session, workspace and type, oldest first. */
async function saveGrid(store: MemoryStore, sessionIds: readonly string[]): Promise<Entity[]> {
  const saved: Entity[] = [];
  for (const name of ["first", "second"]) {
    for (const sessionId of sessionIds) {
      for (const workspaceId of WORKSPACES) {
        for (const type of TYPES) {
          const fields = { name, type, ...(workspaceId === undefined ? {} : { workspaceId }) };
          saved.push(await store.saveEntity(buildEntity(sessionId, fields)));
        }
      }
    }
  }
  return saved;
}

function describeListing({ testStore }: Context): void {
  testStore("a fresh store has no entities, whatever is asked for", async (store) => {
    for (const filter of [{}, { sessionId: "s" }, { workspaceId: "w" }, { type: "t" }, { limit: 5 }]) {
      assert.deepEqual(await store.listEntities(filter), []);
    }
  });

  testStore("all filters that are given apply together, in every combination", async (store) => {
    const sessions = [await store.createSession("./a"), await store.createSession("./b")];
    const ids = sessions.map((session) => session.id);
    const newestFirst = (await saveGrid(store, ids)).reverse();
    for (const sessionId of [undefined, ...ids, "no-such-session"]) {
      for (const workspaceId of [undefined, "ws-1", "ws-10", "ws", "no-such-workspace"]) {
        for (const type of [undefined, ...TYPES, "Person", "no-such-type"]) {
          const expected = newestFirst.filter(
            (entity) =>
              (sessionId === undefined || entity.sessionId === sessionId) &&
              (workspaceId === undefined || entity.workspaceId === workspaceId) &&
              (type === undefined || entity.type === type),
          );
          await assertPages(store, { sessionId, workspaceId, type }, expected);
        }
      }
    }
  });

  testStore("null options, and null for a filter, mean that it was not given", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id, { workspaceId: "ws" }));
    const nulls = { sessionId: null, workspaceId: null, type: null, limit: null };
    for (const args of [[], [undefined], [null], [{}], [nulls]]) {
      assertSame(await callUntyped(store, "listEntities", args), [saved]);
    }
  });
}

type Filter = Readonly<Record<"sessionId" | "workspaceId" | "type", string | undefined>>;

async function assertPages(store: MemoryStore, filter: Filter, expected: readonly Entity[]): Promise<void> {
  const limits = [undefined, 0, 1, 2, expected.length, expected.length + 1];
  const pages = await Promise.all(limits.map((limit) => store.listEntities({ ...filter, limit })));
  for (const [index, page] of pages.entries()) {
    assertSame(page, expected.slice(0, limits[index] || expected.length));
  }
}

function describeOrder({ testStore, testStoreWithClock }: Context): void {
  testStore("200 entities saved at once are listed newest first, the last call first", async (store) => {
    const { id } = await store.createSession("./d");
    const saves = Array.from({ length: 200 }, (_, n) => store.saveEntity(buildEntity(id, { name: `${n}` })));
    const saved = await Promise.all(saves);
    assertSame(await store.listEntities({}), saved.toReversed());
    assertSame(await store.listEntities({ sessionId: id, limit: 3 }), saved.toReversed().slice(0, 3));
  });

  for (const [name, move] of [
    ["goes on", 1000],
    ["stands still", 0],
    ["is set back", -1000],
  ] as const) {
    testStoreWithClock(`entities are listed newest first while the clock ${name}`, async (store, clock) => {
      const { id } = await store.createSession("./d");
      const saved: Entity[] = [];
      for (let n = 0; n < 5; n++) {
        saved.unshift(await store.saveEntity(buildEntity(id, { type: "t", workspaceId: "ws" })));
        clock.now += move;
      }
      const filters = [{}, { sessionId: id }, { workspaceId: "ws" }, { type: "t" }];
      for (const filter of [...filters, { sessionId: id, workspaceId: "ws", type: "t" }]) {
        assertSame(await store.listEntities(filter), saved);
        assertSame(await store.listEntities({ ...filter, limit: 2 }), saved.slice(0, 2));
      }
    });

    testStoreWithClock(
      `createdAt never increases along a list while the clock ${name}`,
      async (store, clock) => {
        const ids = [await store.createSession("./a"), await store.createSession("./b")].map(({ id }) => id);
        for (let n = 0; n < 6; n++) {
          await store.saveEntity(buildEntity(ids[n % 2] ?? "", { name: `${n}` }));
          if (n % 3 === 2) clock.now += move;
        }
        const listed = await store.listEntities({});
        const places = listed.map(({ createdAt, name: n }) => [createdAt, Number(n)] as const);
        const sorted = places.toSorted(([a, m], [b, n]) => b - a || n - m);
        assert.deepEqual(places, sorted);
      },
    );
  }

  testStoreWithClock("an update does not change an entity's place", async (store, clock) => {
    const { id } = await store.createSession("./d");
    const older = await store.saveEntity(buildEntity(id));
    clock.now += 1000;
    const newer = await store.saveEntity(buildEntity(id));
    clock.now += 1000;
    await store.updateEntity(older.id, { name: "touched", embedding: [1] });
    assert.deepEqual(
      (await store.listEntities({})).map((entity) => entity.id),
      [newer.id, older.id],
    );
  });
}

function describeUpdating({ testStore, testStoreWithClock, assertStoreError }: Context): void {
  testStore("every field that may change is set if given", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    const other = await store.saveEntity(buildFullEntity(id));
    const updates = {
      name: "new name",
      type: "new type",
      attributes: { fresh: new Date(7) },
      relationships: [{ targetId: "t", type: "knows" }],
      workspaceId: "ws-2",
      embedding: [5, 6],
    };
    assert.equal(await store.updateEntity(saved.id, updates), undefined);
    const found = await store.getEntity(saved.id);
    assertSame(found, { ...saved, ...updates, updatedAt: found?.updatedAt });
    assertSame(await store.listEntities({ workspaceId: "ws-2", type: "new type" }), [found]);
    assertSame(await store.getEntity(other.id), other);
  });

  const single: readonly Partial<Entity>[] = [
    { name: "new" },
    { type: "new" },
    { attributes: { fresh: 1 } },
    { relationships: [] },
    { workspaceId: "new" },
    { embedding: [9] },
  ];
  for (const updates of single) {
    const [field = ""] = Object.keys(updates);
    testStore(`an update of ${field} keeps the rest, absent or undefined`, async (store) => {
      const { id } = await store.createSession("./d");
      const saved = await store.saveEntity(buildFullEntity(id));
      const nothing = Object.fromEntries(Object.keys(buildFullEntity(id)).map((key) => [key, undefined]));
      for (const form of [updates, { ...nothing, ...updates }]) {
        await callUntyped(store, "updateEntity", [saved.id, form]);
        const found = await store.getEntity(saved.id);
        assertSame(found, { ...saved, ...updates, updatedAt: found?.updatedAt });
      }
    });
  }

  testStore("null clears the workspace and the embedding, each alone", async (store) => {
    const { id } = await store.createSession("./d");
    for (const field of OPTIONAL) {
      const saved = await store.saveEntity(buildFullEntity(id));
      await callUntyped(store, "updateEntity", [saved.id, { [field]: null }]);
      const found = await store.getEntity(saved.id);
      assertSame(found, { ...saved, [field]: undefined, updatedAt: found?.updatedAt });
      assertAbsent(found, [field]);
    }
    assert.equal((await store.listEntities({ workspaceId: "ws-1" })).length, 1);
    assert.equal((await store.searchEntitiesSemantic([0.1, -0.2, 1e-7])).length, 1);
  });

  testStore("null for what cannot be cleared is refused or ignored, never a loss", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    for (const field of ["name", "type", "attributes", "relationships"]) {
      await callUntyped(store, "updateEntity", [saved.id, { [field]: null }]).catch(() => undefined);
      const found = await store.getEntity(saved.id);
      assertSame(found, { ...saved, updatedAt: found?.updatedAt });
    }
  });

  testStore("attributes and relationships are replaced whole, not merged", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    const relationships = [{ targetId: "other", type: "knows" }];
    await store.updateEntity(saved.id, { attributes: { deep: { m: 2 } }, relationships });
    const found = await store.getEntity(saved.id);
    assertSame([found?.attributes, found?.relationships], [{ deep: { m: 2 } }, relationships]);
    await store.updateEntity(saved.id, { attributes: {}, relationships: [] });
    const emptied = await store.getEntity(saved.id);
    assertSame([emptied?.attributes, emptied?.relationships], [{}, []]);
  });

  testStore("an update moves updatedAt forward, also without any field", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    let before = saved.updatedAt;
    for (const updates of [{ name: "a" }, { embedding: [1] }, {}]) {
      await store.updateEntity(saved.id, updates);
      const after = (await store.getEntity(saved.id))?.updatedAt ?? 0;
      assertGreater(after, before);
      before = after;
    }
  });

  testStoreWithClock("updatedAt moves forward even when the clock is set back", async (store, clock) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    clock.now -= 60_000;
    await store.updateEntity(saved.id, { name: "later" });
    assertGreater((await store.getEntity(saved.id))?.updatedAt ?? 0, saved.updatedAt);
  });

  testStore("an update of an unknown entity is EntityNotFoundError", async (store) => {
    const { id } = await store.createSession("./d");
    const gone = await store.saveEntity(buildEntity(id));
    await store.deleteEntity(gone.id);
    for (const unknown of ["no-such-entity", "", gone.id, id]) {
      await assertStoreError(store.updateEntity(unknown, { name: "new" }), {
        tag: "EntityNotFoundError",
        startsWith: `Entity not found: ${unknown}`,
      });
    }
    await assertStoreError(store.updateEntity("no-such-entity", {}), { tag: "EntityNotFoundError" });
    assert.deepEqual(await store.listEntities({}), []);
  });
}

function describeIgnoredUpdates({ testStore }: Context): void {
  testStore("id, session and times in an update are ignored", async (store) => {
    const [own, other] = [await store.createSession("./a"), await store.createSession("./b")];
    const saved = await store.saveEntity(buildFullEntity(own.id));
    const ignored = { id: "other", sessionId: other.id, createdAt: 1, updatedAt: 2 };
    await store.updateEntity(saved.id, { ...ignored, name: "new" });
    const found = await store.getEntity(saved.id);
    assertSame(found, { ...saved, name: "new", updatedAt: found?.updatedAt });
    assertGreater(found?.updatedAt ?? 0, saved.updatedAt);
    assert.equal(await store.getEntity("other"), null);
    assert.deepEqual(await store.listEntities({ sessionId: other.id }), []);
  });

  testStore("a session in an update is not even looked for", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    await store.updateEntity(saved.id, { sessionId: "no-such-session", name: "new" });
    assert.equal((await store.getEntity(saved.id))?.name, "new");
  });

  testStore("an entity that was read and changed is an update as it is", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    await store.updateEntity(saved.id, { ...saved, name: "new" });
    const found = await store.getEntity(saved.id);
    assertSame(found, { ...saved, name: "new", updatedAt: found?.updatedAt });
    assertSame(await store.searchEntitiesSemantic(saved.embedding ?? []), [found]);
  });
}

function describeDeleting({ testStore, assertStoreError }: Context): void {
  testStore("a deleted entity is gone from everywhere, and others stay", async (store) => {
    const { id } = await store.createSession("./d");
    const gone = await store.saveEntity(buildFullEntity(id));
    const kept = await store.saveEntity(buildFullEntity(id));
    await store.deleteEntity(gone.id);
    assert.equal(await store.getEntity(gone.id), null);
    assertSame(await store.listEntities({}), [kept]);
    assertSame(await store.listEntities({ sessionId: id, workspaceId: "ws-1" }), [kept]);
    assertSame(await store.searchEntitiesSemantic([0.1, -0.2, 1e-7]), [kept]);
  });

  testStore("deleting an unknown entity, or one twice, does nothing", async (store) => {
    const { id } = await store.createSession("./d");
    const [gone, kept] = [await store.saveEntity(buildEntity(id)), await store.saveEntity(buildEntity(id))];
    const fact = await store.saveFact(buildFact());
    await Promise.all([store.deleteEntity(gone.id), store.deleteEntity(gone.id)]);
    for (const unknown of [gone.id, "no-such-entity", "", id, fact.id]) {
      assert.equal(await store.deleteEntity(unknown), undefined);
    }
    assertSame(await store.listEntities({}), [kept]);
    assertSame(await store.listFacts({}), [fact]);
    assert.equal((await store.getSession(id))?.id, id);
  });

  testStore("a deleted session takes its entities along and no others", async (store) => {
    const [gone, kept] = [await store.createSession("./a"), await store.createSession("./b")];
    const lost = await store.saveEntity(buildFullEntity(gone.id));
    await store.saveEntity(buildEntity(gone.id));
    const other = await store.saveEntity(buildFullEntity(kept.id));
    await store.deleteSession(gone.id);
    assert.equal(await store.getEntity(lost.id), null);
    assert.deepEqual(await store.listEntities({ sessionId: gone.id }), []);
    assertSame(await store.listEntities({}), [other]);
    assertSame(await store.searchEntitiesSemantic([0.1, -0.2, 1e-7]), [other]);
    await assertStoreError(store.updateEntity(lost.id, { name: "new" }), {
      tag: "EntityNotFoundError",
    });
  });
}

function describeAttributes({ testStore, assertStoreError }: Context): void {
  for (const { name, make } of exoticValues) {
    testStore(`${name} comes back as it was from an entity's attributes`, async (store) => {
      const { id } = await store.createSession("./d");
      const saved = await store.saveEntity(buildEntity(id, { attributes: { value: make() } }));
      const found = await store.getEntity(saved.id);
      const [listed] = await store.listEntities({});
      await store.updateEntity(saved.id, { attributes: { value: [make()] }, embedding: [1] });
      const [updated] = await store.searchEntitiesSemantic([1]);
      for (const entity of [saved, found, listed]) {
        assertSame(entity?.attributes, { value: make() });
      }
      assertSame(updated?.attributes, { value: [make()] });
    });
  }

  testStore("attributes may have hostile keys or look like a tagged value", async (store) => {
    const { id } = await store.createSession("./d");
    const makeAttributes = (): Record<string, unknown>[] => [
      { __type: "Date", value: "2026-01-01T00:00:00.000Z" },
      JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
    ];
    for (const [index, attributes] of makeAttributes().entries()) {
      const saved = await store.saveEntity(buildEntity(id, { attributes }));
      assertSame((await store.getEntity(saved.id))?.attributes, makeAttributes()[index]);
    }
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });

  testStore(
    "attributes that cannot be kept are refused with their path and leave all as it was",
    async (store) => {
      const { id } = await store.createSession("./d");
      const saved = await store.saveEntity(buildFullEntity(id));
      const knot: Record<string, unknown> = {};
      knot.itself = { knot };
      for (const attributes of [{ knot }, { knot: nest(200_000, 1) }]) {
        const calls = [
          store.saveEntity(buildEntity(id, { attributes })),
          store.updateEntity(saved.id, { name: "not set", attributes }),
        ];
        for (const call of calls) {
          const tag = await call.catch((error: unknown) => String(Reflect.get(Object(error), "_tag")));
          const { retryable } = await assertStoreError(call, { tag: String(tag), includes: "knot" });
          assert.equal(retryable, false);
        }
      }
      assertSame(await store.listEntities({}), [saved]);
    },
  );
}
