import type { Entity, MemoryStore } from "@obsku/checkpoint-sqlite";
import { exoticValues, nest } from "../support/exotic-values.js";
import { buildEntity, buildFact, buildFullEntity } from "../support/memory-builders.js";
import { callUntyped } from "../support/untyped-call.js";
import type { ConformanceContext } from "./context.js";

type Context = ConformanceContext<MemoryStore>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
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

function describeSaving({ testStore, testStoreWithClock, expect, ...context }: Context): void {
  testStore("a new entity has a UUID and one time for both of its times", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    expect(UUID.test(saved.id)).toBe(true);
    expect(Number.isSafeInteger(saved.createdAt)).toBe(true);
    expect(saved.updatedAt).toBe(saved.createdAt);
  });

  testStore("an entity with every field reads back as it was returned when it was saved", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    const { id: own, createdAt, updatedAt } = saved;
    context.expectSame(saved, { ...buildFullEntity(id), id: own, createdAt, updatedAt });
    context.expectSame(await store.getEntity(saved.id), saved);
    context.expectSame(await store.listEntities({}), [saved]);
    context.expectSame(await store.searchEntitiesSemantic([0.1, -0.2, 1e-7]), [saved]);
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
        context.expectAbsent(entity, OPTIONAL);
      }
    },
  );

  testStore("empty strings, attributes and relationships are values, not absence", async (store) => {
    const { id } = await store.createSession("./d");
    const fields = { name: "", type: "", workspaceId: "", attributes: {}, relationships: [] };
    const saved = await store.saveEntity(buildEntity(id, fields));
    context.expectSame(saved, { ...saved, ...fields });
    context.expectSame(await store.getEntity(saved.id), saved);
    context.expectSame(await store.listEntities({ type: "", workspaceId: "" }), [saved]);
  });

  testStore("the same entity saved twice is two entities", async (store) => {
    const { id } = await store.createSession("./d");
    const [a, b] = [await store.saveEntity(buildEntity(id)), await store.saveEntity(buildEntity(id))];
    expect(a.id === b.id).toBe(false);
    expect((await store.listEntities({})).length).toBe(2);
  });

  testStore("an id and times that are given with a new entity are not taken", async (store) => {
    const { id } = await store.createSession("./d");
    const given = { ...buildEntity(id), id: "mine", createdAt: 1, updatedAt: 2 };
    await callUntyped(store, "saveEntity", [given]);
    const [found] = await store.listEntities({});
    expect(UUID.test(found?.id ?? "")).toBe(true);
    expect(found?.createdAt ?? 0).toBeGreaterThan(2);
    expect(await store.getEntity("mine")).toBe(null);
  });

  testStore("an entity of an unknown or deleted session is SessionNotFoundError", async (store) => {
    const { id } = await store.createSession("./d");
    await store.deleteSession(id);
    for (const unknown of ["no-such-session", "", id]) {
      await context.expectStoreError(store.saveEntity(buildEntity(unknown)), {
        tag: "SessionNotFoundError",
        startsWith: `Session not found: ${unknown}`,
      });
    }
    expect(await store.listEntities({})).toEqual([]);
  });

  testStore("an unknown entity is null", async (store) => {
    const { id } = await store.createSession("./d");
    const fact = await store.saveFact(buildFact());
    for (const unknown of ["no-such-entity", "", id, fact.id]) {
      expect(await store.getEntity(unknown)).toBe(null);
    }
  });

  testStoreWithClock("an entity's times are the clock's", async (store, clock) => {
    const { id } = await store.createSession("./d");
    clock.now += 5000;
    const saved = await store.saveEntity(buildEntity(id));
    expect([saved.createdAt, saved.updatedAt]).toEqual([clock.now, clock.now]);
    clock.now += 5000;
    await store.updateEntity(saved.id, { name: "later" });
    context.expectSame(await store.getEntity(saved.id), { ...saved, name: "later", updatedAt: clock.now });
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

function describeListing({ testStore, expect, ...context }: Context): void {
  testStore("a fresh store has no entities, whatever is asked for", async (store) => {
    for (const filter of [{}, { sessionId: "s" }, { workspaceId: "w" }, { type: "t" }, { limit: 5 }]) {
      expect(await store.listEntities(filter)).toEqual([]);
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
          await expectPages(context, store, { sessionId, workspaceId, type }, expected);
        }
      }
    }
  });

  testStore("null options, and null for a filter, mean that it was not given", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id, { workspaceId: "ws" }));
    const nulls = { sessionId: null, workspaceId: null, type: null, limit: null };
    for (const args of [[], [undefined], [null], [{}], [nulls]]) {
      context.expectSame(await callUntyped(store, "listEntities", args), [saved]);
    }
  });
}

type Filter = Readonly<Record<"sessionId" | "workspaceId" | "type", string | undefined>>;

async function expectPages(
  context: Pick<Context, "expectSame">,
  store: MemoryStore,
  filter: Filter,
  expected: readonly Entity[],
): Promise<void> {
  const limits = [undefined, 0, 1, 2, expected.length, expected.length + 1];
  const pages = await Promise.all(limits.map((limit) => store.listEntities({ ...filter, limit })));
  for (const [index, page] of pages.entries()) {
    context.expectSame(page, expected.slice(0, limits[index] || expected.length));
  }
}

function describeOrder({ testStore, testStoreWithClock, expect, ...context }: Context): void {
  testStore("200 entities saved at once are listed newest first, the last call first", async (store) => {
    const { id } = await store.createSession("./d");
    const saves = Array.from({ length: 200 }, (_, n) => store.saveEntity(buildEntity(id, { name: `${n}` })));
    const saved = await Promise.all(saves);
    context.expectSame(await store.listEntities({}), saved.toReversed());
    context.expectSame(await store.listEntities({ sessionId: id, limit: 3 }), saved.toReversed().slice(0, 3));
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
        context.expectSame(await store.listEntities(filter), saved);
        context.expectSame(await store.listEntities({ ...filter, limit: 2 }), saved.slice(0, 2));
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
        expect(places).toEqual(sorted);
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
    expect((await store.listEntities({})).map((entity) => entity.id)).toEqual([newer.id, older.id]);
  });
}

function describeUpdating({ testStore, testStoreWithClock, expect, ...context }: Context): void {
  testStore("every field that may change is set where given", async (store) => {
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
    expect(await store.updateEntity(saved.id, updates)).toBe(undefined);
    const found = await store.getEntity(saved.id);
    context.expectSame(found, { ...saved, ...updates, updatedAt: found?.updatedAt });
    context.expectSame(await store.listEntities({ workspaceId: "ws-2", type: "new type" }), [found]);
    context.expectSame(await store.getEntity(other.id), other);
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
        context.expectSame(found, { ...saved, ...updates, updatedAt: found?.updatedAt });
      }
    });
  }

  testStore("null clears the workspace and the embedding, each alone", async (store) => {
    const { id } = await store.createSession("./d");
    for (const field of OPTIONAL) {
      const saved = await store.saveEntity(buildFullEntity(id));
      await callUntyped(store, "updateEntity", [saved.id, { [field]: null }]);
      const found = await store.getEntity(saved.id);
      context.expectSame(found, { ...saved, [field]: undefined, updatedAt: found?.updatedAt });
      context.expectAbsent(found, [field]);
    }
    expect((await store.listEntities({ workspaceId: "ws-1" })).length).toBe(1);
    expect((await store.searchEntitiesSemantic([0.1, -0.2, 1e-7])).length).toBe(1);
  });

  testStore("null for what cannot be cleared is refused or ignored, never a loss", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    for (const field of ["name", "type", "attributes", "relationships"]) {
      await callUntyped(store, "updateEntity", [saved.id, { [field]: null }]).catch(() => undefined);
      const found = await store.getEntity(saved.id);
      context.expectSame(found, { ...saved, updatedAt: found?.updatedAt });
    }
  });

  testStore("attributes and relationships are replaced whole, not merged", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    const relationships = [{ targetId: "other", type: "knows" }];
    await store.updateEntity(saved.id, { attributes: { deep: { m: 2 } }, relationships });
    const found = await store.getEntity(saved.id);
    context.expectSame([found?.attributes, found?.relationships], [{ deep: { m: 2 } }, relationships]);
    await store.updateEntity(saved.id, { attributes: {}, relationships: [] });
    const emptied = await store.getEntity(saved.id);
    context.expectSame([emptied?.attributes, emptied?.relationships], [{}, []]);
  });

  testStore("an update moves updatedAt forward, also without any field", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    let before = saved.updatedAt;
    for (const updates of [{ name: "a" }, { embedding: [1] }, {}]) {
      await store.updateEntity(saved.id, updates);
      const after = (await store.getEntity(saved.id))?.updatedAt ?? 0;
      expect(after).toBeGreaterThan(before);
      before = after;
    }
  });

  testStoreWithClock("updatedAt moves forward even when the clock is set back", async (store, clock) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    clock.now -= 60_000;
    await store.updateEntity(saved.id, { name: "later" });
    expect((await store.getEntity(saved.id))?.updatedAt ?? 0).toBeGreaterThan(saved.updatedAt);
  });

  testStore("an update of an unknown entity is EntityNotFoundError", async (store) => {
    const { id } = await store.createSession("./d");
    const gone = await store.saveEntity(buildEntity(id));
    await store.deleteEntity(gone.id);
    for (const unknown of ["no-such-entity", "", gone.id, id]) {
      await context.expectStoreError(store.updateEntity(unknown, { name: "new" }), {
        tag: "EntityNotFoundError",
        startsWith: `Entity not found: ${unknown}`,
      });
    }
    await context.expectStoreError(store.updateEntity("no-such-entity", {}), { tag: "EntityNotFoundError" });
    expect(await store.listEntities({})).toEqual([]);
  });
}

function describeIgnoredUpdates({ testStore, expect, ...context }: Context): void {
  testStore("id, session and times in an update are ignored", async (store) => {
    const [own, other] = [await store.createSession("./a"), await store.createSession("./b")];
    const saved = await store.saveEntity(buildFullEntity(own.id));
    const ignored = { id: "other", sessionId: other.id, createdAt: 1, updatedAt: 2 };
    await store.updateEntity(saved.id, { ...ignored, name: "new" });
    const found = await store.getEntity(saved.id);
    context.expectSame(found, { ...saved, name: "new", updatedAt: found?.updatedAt });
    expect(found?.updatedAt ?? 0).toBeGreaterThan(saved.updatedAt);
    expect(await store.getEntity("other")).toBe(null);
    expect(await store.listEntities({ sessionId: other.id })).toEqual([]);
  });

  testStore("a session in an update is not even looked for", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildEntity(id));
    await store.updateEntity(saved.id, { sessionId: "no-such-session", name: "new" });
    expect((await store.getEntity(saved.id))?.name).toBe("new");
  });

  testStore("an entity that was read and changed is an update as it is", async (store) => {
    const { id } = await store.createSession("./d");
    const saved = await store.saveEntity(buildFullEntity(id));
    await store.updateEntity(saved.id, { ...saved, name: "new" });
    const found = await store.getEntity(saved.id);
    context.expectSame(found, { ...saved, name: "new", updatedAt: found?.updatedAt });
    context.expectSame(await store.searchEntitiesSemantic(saved.embedding ?? []), [found]);
  });
}

function describeDeleting({ testStore, expect, ...context }: Context): void {
  testStore("a deleted entity is gone from everywhere, and others stay", async (store) => {
    const { id } = await store.createSession("./d");
    const gone = await store.saveEntity(buildFullEntity(id));
    const kept = await store.saveEntity(buildFullEntity(id));
    await store.deleteEntity(gone.id);
    expect(await store.getEntity(gone.id)).toBe(null);
    context.expectSame(await store.listEntities({}), [kept]);
    context.expectSame(await store.listEntities({ sessionId: id, workspaceId: "ws-1" }), [kept]);
    context.expectSame(await store.searchEntitiesSemantic([0.1, -0.2, 1e-7]), [kept]);
  });

  testStore("deleting an unknown entity, or one twice, does nothing", async (store) => {
    const { id } = await store.createSession("./d");
    const [gone, kept] = [await store.saveEntity(buildEntity(id)), await store.saveEntity(buildEntity(id))];
    const fact = await store.saveFact(buildFact());
    await Promise.all([store.deleteEntity(gone.id), store.deleteEntity(gone.id)]);
    for (const unknown of [gone.id, "no-such-entity", "", id, fact.id]) {
      expect(await store.deleteEntity(unknown)).toBe(undefined);
    }
    context.expectSame(await store.listEntities({}), [kept]);
    context.expectSame(await store.listFacts({}), [fact]);
    expect((await store.getSession(id))?.id).toBe(id);
  });

  testStore("a deleted session takes its entities along and no others", async (store) => {
    const [gone, kept] = [await store.createSession("./a"), await store.createSession("./b")];
    const lost = await store.saveEntity(buildFullEntity(gone.id));
    await store.saveEntity(buildEntity(gone.id));
    const other = await store.saveEntity(buildFullEntity(kept.id));
    await store.deleteSession(gone.id);
    expect(await store.getEntity(lost.id)).toBe(null);
    expect(await store.listEntities({ sessionId: gone.id })).toEqual([]);
    context.expectSame(await store.listEntities({}), [other]);
    context.expectSame(await store.searchEntitiesSemantic([0.1, -0.2, 1e-7]), [other]);
    await context.expectStoreError(store.updateEntity(lost.id, { name: "new" }), {
      tag: "EntityNotFoundError",
    });
  });
}

function describeAttributes({ testStore, expect, ...context }: Context): void {
  for (const { name, make } of exoticValues) {
    testStore(`${name} comes back as it was from an entity's attributes`, async (store) => {
      const { id } = await store.createSession("./d");
      const saved = await store.saveEntity(buildEntity(id, { attributes: { value: make() } }));
      const found = await store.getEntity(saved.id);
      const [listed] = await store.listEntities({});
      await store.updateEntity(saved.id, { attributes: { value: [make()] }, embedding: [1] });
      const [updated] = await store.searchEntitiesSemantic([1]);
      for (const entity of [saved, found, listed]) {
        context.expectSame(entity?.attributes, { value: make() });
      }
      context.expectSame(updated?.attributes, { value: [make()] });
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
      context.expectSame((await store.getEntity(saved.id))?.attributes, makeAttributes()[index]);
    }
    expect(Reflect.get({}, "polluted")).toBe(undefined);
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
          const { retryable } = await context.expectStoreError(call, { tag: String(tag), includes: "knot" });
          expect(retryable).toBe(false);
        }
      }
      context.expectSame(await store.listEntities({}), [saved]);
    },
  );
}
