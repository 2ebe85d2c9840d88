/** What a caller's own code can do while its arguments are read: getters, Proxies, `toJSON`, and whatever these throw. */
import { describe, expect, test } from "bun:test";
import { CheckpointStoreError, JsonPlusSerializer, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildFullCheckpoint, buildFullMessage } from "../support/builders.js";
import { buildFullEntity, buildFullFact } from "../support/memory-builders.js";
import { rejectionOf } from "../support/outcomes.js";
import { callUntyped } from "../support/untyped-call.js";

type Fields = Record<string, unknown>;

/** Every method that takes an object, with arguments that fill in all of its fields. */
const calls: Readonly<Record<string, (ids: Ids) => unknown[]>> = {
  createSession: () => ["./d", { title: "T", workspaceId: "w", metadata: { a: { b: 1 } } }],
  updateSession: ({ session }) => [
    session,
    { title: "U", workspaceId: "x", directory: "./e", metadata: { a: [1] } },
  ],
  addMessage: ({ session }) => [session, buildFullMessage(session)],
  getMessages: ({ session, message }) => [session, { before: 5e15, beforeId: message, limit: 2 }],
  saveCheckpoint: ({ session }) => [buildFullCheckpoint(session)],
  listCheckpoints: ({ session, checkpoint }) => [
    session,
    { namespace: "graph", limit: 2, beforeId: checkpoint },
  ],
  fork: ({ checkpoint }) => [checkpoint, { title: "T" }],
  saveEntity: ({ session }) => [buildFullEntity(session)],
  updateEntity: ({ session, entity }) => [entity, buildFullEntity(session)],
  listEntities: ({ session }) => [{ sessionId: session, workspaceId: "ws-1", type: "domain", limit: 2 }],
  saveFact: ({ session }) => [buildFullFact(session)],
  listFacts: () => [{ workspaceId: "ws-1", minConfidence: 0.5, limit: 2 }],
  searchEntitiesSemantic: ({ session }) => [
    [1, 2, 3],
    { sessionId: session, workspaceId: "ws-1", threshold: 0.1, topK: 2 },
  ],
  searchFactsSemantic: () => [[1, 2, 3], { workspaceId: "ws-1", threshold: 0.1, topK: 2 }],
};

interface Ids {
  session: string;
  message: number;
  checkpoint: string;
  entity: string;
}

async function fill(store: SqliteCheckpointStore): Promise<Ids> {
  const { id: session } = await store.createSession("./d", { metadata: { a: 1 } });
  const message = await store.addMessage(session, buildFullMessage(session));
  const checkpoint = await store.saveCheckpoint({ ...buildFullCheckpoint(session), version: 1 });
  const entity = await store.saveEntity(buildFullEntity(session));
  await store.saveFact(buildFullFact(session));
  return { session, message: message.id, checkpoint: checkpoint.id, entity: entity.id };
}

async function readEverything(store: SqliteCheckpointStore, { session }: Ids): Promise<unknown[]> {
  return [
    await store.listSessions(),
    await store.getMessages(session),
    await store.listCheckpoints(session),
    await store.listEntities(),
    await store.listFacts(),
    await store.searchEntitiesSemantic([1, 2, 3], { threshold: -1 }),
    await store.searchFactsSemantic([1, 2, 3], { threshold: -1 }),
  ];
}

const serializer = new JsonPlusSerializer();

/** Ids are random; times are not, with a clock of the test. */
function withoutIds(answer: unknown): string {
  return serializer.serialize(answer ?? null).replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID");
}

function openWithTicks(): SqliteCheckpointStore {
  let now = 1_800_000_000_000;
  return new SqliteCheckpointStore(":memory:", { clock: () => ++now });
}

/** Fields of these are the caller's own: JSON's rules hold in them. */
const FREE = ["metadata", "output", "input", "attributes", "embedding"];

type MakeObject = (fields: Fields, onRead: (key: string) => void) => object;

const kinds: Readonly<Record<string, MakeObject>> = {
  "getters of their class": (fields, onRead) => Object.create(gettersOf(fields, onRead, true)),
  "getters of their own": (fields, onRead) => gettersOf(fields, onRead, true),
  "getters that are not enumerable": (fields, onRead) => gettersOf(fields, onRead, false),
  "a Proxy": (fields, onRead) =>
    new Proxy(fields, {
      get(target, key) {
        if (typeof key === "string" && Object.hasOwn(target, key)) onRead(key);
        return Reflect.get(target, key);
      },
    }),
};

function gettersOf(fields: Fields, onRead: (key: string) => void, enumerable: boolean): object {
  const target: object = {};
  for (const [key, value] of Object.entries(fields)) {
    const get = () => {
      onRead(key);
      return value;
    };
    Object.defineProperty(target, key, { get, enumerable, configurable: true });
  }
  return target;
}

/** Every object in the arguments whose fields the contract names, made again as the given kind. */
function remade(value: unknown, make: MakeObject, onRead: (path: string) => void, path: string): unknown {
  if (Array.isArray(value)) {
    return value.map((element, index) => remade(element, make, onRead, `${path}[${index}]`));
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const fields = Object.entries(value).map(([key, field]): [string, unknown] => [
    key,
    FREE.includes(key) ? field : remade(field, make, onRead, `${path}.${key}`),
  ]);
  const isByNodeId = path.endsWith(".nodeResults");
  const copy: Fields = Object.fromEntries(fields);
  return isByNodeId ? copy : make(copy, (key) => onRead(`${path}.${key}`));
}

describe("fields of arguments", () => {
  for (const [method, argsOf] of Object.entries(calls)) {
    for (const [kind, make] of Object.entries(kinds)) {
      test(`${method} reads those that are ${kind} as the caller sees them, each once`, async () => {
        await using plainStore = openWithTicks();
        const plainIds = await fill(plainStore);
        const expected = await callUntyped(plainStore, method, argsOf(plainIds));

        await using store = openWithTicks();
        const ids = await fill(store);
        const reads = new Map<string, number>();
        const countRead = (path: string) => reads.set(path, (reads.get(path) ?? 0) + 1);
        const args = argsOf(ids).map((arg, index) => remade(arg, make, countRead, `[${index}]`));
        const answer = await callUntyped(store, method, args);

        expect(reads.size).toBeGreaterThan(0);
        expect([...reads].filter(([, count]) => count !== 1)).toEqual([]);
        expect(withoutIds(answer)).toBe(withoutIds(expected));
        const everything = await readEverything(store, ids);
        expect(withoutIds(everything)).toBe(withoutIds(await readEverything(plainStore, plainIds)));
      });
    }
  }
});

/** A Proxy that cannot be asked anything. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const thrown: readonly [string, () => unknown][] = [
  ["an Error", () => new Error("mine")],
  ["an object without a prototype", () => Object.create(null)],
  ["a revoked Proxy", revoked],
  [
    "a Proxy that throws",
    () =>
      new Proxy(
        {},
        {
          getPrototypeOf() {
            throw new Error("never");
          },
        },
      ),
  ],
  ["an Error whose message is a symbol", () => Object.assign(new Error(), { message: Symbol("s") })],
  [
    "an Error whose message throws",
    () =>
      Object.defineProperty(new Error(), "message", {
        get() {
          throw revoked();
        },
      }),
  ],
  ["a symbol", () => Symbol("s")],
  ["undefined", () => undefined],
];

/** Each made for one place, because some of them change from read to read. */
const hostile: Readonly<Record<string, () => unknown>> = {
  ...Object.fromEntries(
    thrown.map(([name, make]) => [
      `a getter that throws ${name}`,
      () => Object.defineProperty({}, "status", { get: () => raise(make()), enumerable: true }),
    ]),
  ),
  "a revoked Proxy": revoked,
  "a revoked Proxy of an array": () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  },
  "a Proxy that shows an array as an object": () => {
    let asked = 0;
    return new Proxy([], {
      getPrototypeOf: () => (asked++ % 2 === 0 ? Object.prototype : Array.prototype),
    });
  },
  "a toJSON that makes an array": () => ({ toJSON: () => ["a"] }),
  "a toJSON that makes a malformed tag": () => ({ toJSON: () => ({ __type: "Date", value: "no date" }) }),
  "an array with a toJSON that makes a string": () => Object.assign(["a"], { toJSON: () => "text" }),
  "an array with a toJSON that makes an array": () => Object.assign(["a"], { toJSON: () => [{ b: 1 }] }),
  "a getter that makes a malformed tag the second time": () => changing({ a: 1 }, 1),
  "a getter that makes a malformed tag the third time": () => changing({ at: new Date(0) }, 2),
  "an array whose element changes": () => Object.defineProperty(["a"], 0, descriptorOfChanging("a", 1)),
  "a Map that calls itself an Object": () =>
    Object.defineProperty(new Map([["status", "completed"]]), Symbol.toStringTag, { value: "Object" }),
  "a Promise": () => Promise.resolve({}),
  "a boxed string": () => Object("completed"),
  "a bigint": () => 5n,
  "a function": () => () => 1,
  "a symbol": () => Symbol("s"),
  NaN: () => Number.NaN,
  "an object with an iterator that throws": () =>
    Object.assign([1, 2, 3], { [Symbol.iterator]: () => raise(revoked()) }),
};

function raise(error: unknown): never {
  throw error;
}

function changing(value: object, readsBefore: number): object {
  return Object.defineProperty(value, "status", descriptorOfChanging("completed", readsBefore));
}

function descriptorOfChanging(first: unknown, readsBefore: number): PropertyDescriptor {
  let reads = 0;
  const get = () => (reads++ < readsBefore ? first : { __type: "Date", value: "no date" });
  return { get, enumerable: true, configurable: true };
}

/** The value again and again, with one part of it replaced each time. */
function* spoiled(value: unknown, replacement: () => unknown): Generator<unknown> {
  yield replacement();
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) {
    for (const inner of spoiled(Reflect.get(value, key), replacement)) {
      const copy: object = Array.isArray(value) ? [...value] : { ...value };
      Reflect.set(copy, key, inner);
      yield copy;
    }
  }
}

function* spoiledArguments(args: readonly unknown[], replacement: () => unknown): Generator<unknown[]> {
  for (const [index, arg] of args.entries()) {
    for (const bad of spoiled(arg, replacement)) yield args.with(index, bad);
  }
}

describe("a hostile value in any place of any argument is taken or refused by an error of the caller's", () => {
  for (const [name, make] of Object.entries(hostile)) {
    test(name, async () => {
      await using store = new SqliteCheckpointStore(":memory:", { versionConflict: "next" });
      const ids = await fill(store);
      const outcomes = new Set<string>();
      for (const [method, argsOf] of Object.entries(calls)) {
        for (const args of spoiledArguments(argsOf(ids), make)) {
          const outcome = await callUntyped(store, method, args).then(
            () => "taken",
            (error: unknown) => (error instanceof CheckpointStoreError ? error.name : Bun.inspect(error)),
          );
          outcomes.add(outcome);
        }
      }
      const allowed = ["taken", "InvalidArgumentError", "SerializationError"];
      expect([...outcomes].filter((outcome) => !allowed.includes(outcome))).toEqual([]);
      expect([...outcomes]).toContain("InvalidArgumentError");
      await readEverything(store, ids);
    });
  }
});

describe("whatever a caller's code throws", () => {
  for (const [name, make] of thrown) {
    test(`is the cause of an InvalidArgumentError that names the argument: ${name}`, async () => {
      await using store = new SqliteCheckpointStore();
      const { session } = await fill(store);
      const error = make();
      const options = Object.defineProperty({}, "limit", { get: () => raise(error) });
      const refused = await rejectionOf(callUntyped(store, "getMessages", [session, options]));
      expect([
        refused.name,
        refused.message.startsWith("Invalid argument: options could not be read: "),
      ]).toEqual(["InvalidArgumentError", true]);
      expect(refused.cause).toBe(error);
    });

    test(`in a metadata's getter is the cause of a SerializationError with the path: ${name}`, async () => {
      await using store = new SqliteCheckpointStore();
      const error = make();
      const metadata = {
        list: [Object.defineProperty({}, "a", { get: () => raise(error), enumerable: true })],
      };
      const refused = await rejectionOf(callUntyped(store, "createSession", ["./d", { metadata }]));
      expect([refused.name, refused.message]).toEqual([
        "SerializationError",
        expect.stringContaining("options.metadata.list[0]"),
      ]);
      expect(refused.cause).toBe(error);
    });

    test(`in the clock is the cause of an InvalidArgumentError, and the store keeps working: ${name}`, async () => {
      const error = make();
      let isBroken = false;
      await using store = new SqliteCheckpointStore(":memory:", {
        clock: () => (isBroken ? raise(error) : 1_800_000_000_000),
      });
      isBroken = true;
      const writes = [store.createSession("./a"), store.saveFact({ content: "c", confidence: 1 })];
      for (const write of writes) {
        const refused = await rejectionOf(write);
        expect([refused.name, refused.message.startsWith("Invalid argument: options.clock threw: ")]).toEqual(
          ["InvalidArgumentError", true],
        );
        expect(refused.cause).toBe(error);
      }
      isBroken = false;
      expect((await store.createSession("./b")).createdAt).toBe(1_800_000_000_000);
      expect((await store.listSessions()).length).toBe(1);
    });
  }
});

describe("options", () => {
  const valid: Readonly<Record<string, string>> = {
    createSession: "title, workspaceId, metadata",
    getMessages: "before, beforeId, limit",
    listCheckpoints: "limit, namespace, beforeId",
    fork: "title",
    listEntities: "sessionId, workspaceId, type, limit",
    listFacts: "workspaceId, minConfidence, limit",
    searchEntitiesSemantic: "sessionId, workspaceId, threshold, topK",
    searchFactsSemantic: "workspaceId, threshold, topK",
  };

  for (const [method, names] of Object.entries(valid)) {
    test(`${method} refuses one that it does not know, by name`, async () => {
      await using store = new SqliteCheckpointStore();
      const ids = await fill(store);
      const args = calls[method]?.(ids) ?? [];
      for (const typo of ["limt", "toString", "__proto__"]) {
        const options = Object.defineProperty({ ...Object(args.at(-1)) }, typo, {
          value: 1,
          enumerable: true,
        });
        const error = await rejectionOf(callUntyped(store, method, [...args.slice(0, -1), options]));
        expect([error.name, error.message]).toEqual([
          "InvalidArgumentError",
          `Invalid argument: options.${typo} is unknown; valid options: ${names}`,
        ]);
      }
    });

    test(`${method} takes an unknown one that is undefined, and options of a class with fields of its own`, async () => {
      await using store = new SqliteCheckpointStore();
      const ids = await fill(store);
      const args = calls[method]?.(ids) ?? [];
      const options = Object.create(
        { inherited: 1, method: () => 1 },
        {
          hidden: { value: 1 },
          limt: { value: undefined, enumerable: true },
        },
      );
      await callUntyped(store, method, [...args.slice(0, -1), options]);
    });
  }

  test.each(["updateSession", "addMessage", "saveCheckpoint", "saveEntity", "updateEntity", "saveFact"])(
    "%s ignores unknown fields: what it takes is a row, not options",
    async (method) => {
      await using store = new SqliteCheckpointStore();
      const args = calls[method]?.(await fill(store)) ?? [];
      await callUntyped(store, method, [...args.slice(0, -1), { ...Object(args.at(-1)), limt: 1 }]);
    },
  );

  test("of the constructor may be getters of a class", async () => {
    class Settings {
      get versionConflict() {
        return "next" as const;
      }
    }
    await using store = new SqliteCheckpointStore(":memory:", new Settings());
    const { session } = await fill(store);
    await store.saveCheckpoint(buildFullCheckpoint(session));
    expect((await store.saveCheckpoint(buildFullCheckpoint(session))).version).toBe(8);
  });
});
