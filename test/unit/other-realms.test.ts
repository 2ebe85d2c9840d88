/** Values that a code interpreter (node:vm) makes have the classes of another realm. */
import { describe, expect, test } from "bun:test";
import { createContext, runInContext } from "node:vm";
import { JsonPlusSerializer, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint } from "../support/builders.js";
import { assertSame } from "../support/difference.js";
import { exoticValues } from "../support/exotic-values.js";
import { inOtherRealm } from "../support/other-realm.js";
import { rejectionOf } from "../support/outcomes.js";
import { callUntyped } from "../support/untyped-call.js";

const serializer = new JsonPlusSerializer();
const context = createContext({});

describe("what the other realm makes", () => {
  test("is not of the classes of this one", () => {
    expect(runInContext("new Map()", context)).not.toBeInstanceOf(Map);
    for (const value of [new Map(), new Date(0), [], {}, new Uint8Array(1), new TypeError("m")]) {
      const twin = Object(inOtherRealm(value));
      expect([twin instanceof value.constructor, twin.constructor.name]).toEqual([
        false,
        value.constructor.name,
      ]);
    }
  });

  for (const { name, make } of exoticValues) {
    test(`${name} is written as its twin of this realm, alone and deep in another value`, () => {
      for (const value of [make(), { list: [{ deep: make() }] }, new Map([["key", make()]])]) {
        expect(serializer.serialize(inOtherRealm(value))).toBe(serializer.serialize(value));
      }
    });
  }

  test.each([
    "new Map([['a', new Set([1])]])",
    "new (class Registry extends Map {})([[1, 2]])",
    "new Date(5)",
    "new Date(NaN)",
    "/a+/gi",
    "new Uint8Array([1, 2]).buffer",
    "new SharedArrayBuffer(3)",
    "new Uint8Array(new SharedArrayBuffer(3))",
    "new Float64Array([0.5])",
    "new DataView(new ArrayBuffer(2))",
    "[new Number(NaN), new String('ab'), new Boolean(false)]",
    "({ plain: [1, { deep: new Date(0) }] })",
    "Object.create(null, { a: { value: 1, enumerable: true } })",
    "new (class Point { x = 1; get y() { return 2; } })()",
    "({ toJSON: () => new Map([[1, 2]]) })",
    "(function () { return arguments; })(1, 2)",
  ])("%s is written as its twin of this realm", (source) => {
    const theirs: unknown = runInContext(`(${source})`, context);
    expect(serializer.serialize(theirs)).toBe(serializer.serialize(evaluate(source)));
  });

  test.each([
    ["new TypeError('x')", TypeError],
    ["new (class QuotaError extends RangeError {})('x')", RangeError],
    ["new AggregateError([new Error('a')], 'x')", AggregateError],
  ])("%s comes back as an error of this realm", (source, ErrorClass) => {
    const back = serializer.deserialize(serializer.serialize(runInContext(source, context)));
    expect([back instanceof ErrorClass, back instanceof Error && back.message]).toEqual([true, "x"]);
  });

  test("errors of an AggregateError keep their types", () => {
    const theirs: unknown = runInContext("new AggregateError([new TypeError('a'), new Map()], 'm')", context);
    const back = serializer.deserialize(serializer.serialize(theirs));
    expect(back).toBeInstanceOf(AggregateError);
    const [error, map]: unknown[] = Reflect.get(Object(back), "errors");
    expect(error).toBeInstanceOf(TypeError);
    expect(map).toBeInstanceOf(Map);
  });
});

describe("a store that is passed values of another realm", () => {
  test("keeps them as an output, as metadata and as a tool call", async () => {
    await using store = new SqliteCheckpointStore();
    const metadata = { seen: new Map([["a", new Date(0)]]) };
    const session = await callUntyped(store, "createSession", [
      "./d",
      inOtherRealm({ title: "T", metadata }),
    ]);
    const id = String(Reflect.get(Object(session), "id"));
    assertSame((await store.getSession(id))?.metadata, metadata);

    const checkpoint = buildCheckpoint(id, {
      nodeResults: { node: { status: "completed", output: metadata } },
    });
    await callUntyped(store, "saveCheckpoint", [inOtherRealm(checkpoint)]);
    const latest = await store.getLatestCheckpoint(id);
    assertSame(latest?.nodeResults, checkpoint.nodeResults);

    const toolCalls = [{ name: "n", toolUseId: "t", input: metadata }];
    await callUntyped(store, "addMessage", [id, inOtherRealm({ role: "assistant", toolCalls })]);
    assertSame((await store.getMessages(id))[0]?.toolCalls, toolCalls);
    const embedding = [1, 2];
    await callUntyped(store, "saveFact", [inOtherRealm({ content: "c", confidence: 1, embedding })]);
    expect((await store.listFacts())[0]?.embedding).toEqual(embedding);
  });

  test.each([
    ...["new Map()", "new Set()", "new Date(0)", "/a/", "new Error('m')", "[]", "new Uint8Array(1)"],
    ...["new ArrayBuffer(1)", "new String('a')", "Promise.resolve({})", "new WeakMap()"],
    "Object.defineProperty(new Map(), Symbol.toStringTag, { value: 'Object' })",
    "(function* () {})()",
  ])("refuses %s as metadata, of whichever realm", async (source) => {
    await using store = new SqliteCheckpointStore();
    for (const metadata of [runInContext(`(${source})`, context), evaluate(source)]) {
      const error = await rejectionOf(callUntyped(store, "createSession", ["./d", { metadata }]));
      expect(error.message).toContain("Invalid argument: options.metadata must be an object");
    }
  });

  test("takes an instance as metadata that gives itself a tag of its own", async () => {
    await using store = new SqliteCheckpointStore();
    const metadata = Object.assign(Object.create({ [Symbol.toStringTag]: "Settings" }), { a: 1 });
    expect((await store.createSession("./d", { metadata })).metadata).toEqual({ a: 1 });
  });
});

/** In this realm. */
function evaluate(source: string): unknown {
  return new Function(`return (${source})`)();
}
