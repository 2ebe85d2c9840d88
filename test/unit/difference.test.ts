import { describe, expect, test } from "bun:test";
import { assertSame, difference } from "../support/difference.js";

const bytes = [1, 2, 3, 4, 5, 6, 7, 8];

function errorWith(fields: object, options?: ErrorOptions): Error {
  return Object.assign(new Error("it broke", options), { stack: "" }, fields);
}

/** Built by every call: the two sides share nothing. */
const samples: readonly [string, () => unknown][] = [
  ["a string", () => "text"],
  ["NaN", () => Number.NaN],
  ["a bigint", () => 12n],
  ["null", () => null],
  ["undefined", () => undefined],
  ["nested records and arrays", () => ({ a: [{ b: null }, []], c: {} })],
  ["a Date", () => new Date(5)],
  ["an invalid Date", () => new Date(Number.NaN)],
  ["a Map with objects as keys", () => new Map([[{ a: 1 }, new Set([1])]])],
  ["a Set of Maps", () => new Set([new Map([[1, 2]])])],
  ["a Buffer", () => Buffer.from(bytes)],
  ["an ArrayBuffer", () => new Uint8Array(bytes).buffer],
  ["a Float64Array with NaN in it", () => new Float64Array([Number.NaN, -0])],
  ["a DataView", () => new DataView(new Uint8Array(bytes).buffer, 2, 3)],
  ["a RegExp", () => /a/gi],
  ["a URL", () => new URL("https://example.com/")],
  ["an Error with a cause and fields", () => errorWith({ code: 7 }, { cause: { at: new Date(1) } })],
  ["an AggregateError", () => Object.assign(new AggregateError([new Map()], "m"), { stack: "" })],
  ["own data named __proto__", () => JSON.parse('{"__proto__":{"a":1}}')],
];

/** Each pair differs in one thing that the equality of test runners may overlook. */
const pairs: readonly [string, unknown, unknown][] = [
  ["-0 and 0", -0, 0],
  ["-0 and 0 within arrays", [-0], [0]],
  ["null and undefined", null, undefined],
  ["null and an absent property", { a: null }, {}],
  ["null and undefined within arrays", [null], [undefined]],
  ["a number and its bigint", 1, 1n],
  ["an array and a longer one", [1], [1, undefined]],
  ["an array and an object of its elements", [1], { 0: 1 }],
  ["a Buffer and a Uint8Array", Buffer.from(bytes), new Uint8Array(bytes)],
  ["an Int8Array and a Uint8Array", new Int8Array(bytes), new Uint8Array(bytes)],
  ["a Uint8Array and its ArrayBuffer", new Uint8Array(bytes), new Uint8Array(bytes).buffer],
  ["bytes and other bytes", new Uint8Array([1]), new Uint8Array([2])],
  ["bytes and fewer bytes", new Uint8Array(2), new Uint8Array(1)],
  ["-0 and 0 within a Float32Array", new Float32Array([-0]), new Float32Array([0])],
  ["a Date and its number", new Date(5), 5],
  ["a Date and another", new Date(5), new Date(6)],
  ["a Date and an invalid one", new Date(5), new Date(Number.NaN)],
  ["a Map and its entries", new Map([[1, 2]]), [[1, 2]]],
  ["Maps with other values", new Map([[1, 2]]), new Map([[1, 3]])],
  [
    "Maps in another order",
    new Map([
      [1, 1],
      [2, 2],
    ]),
    new Map([
      [2, 2],
      [1, 1],
    ]),
  ],
  ["Sets in another order", new Set([1, 2]), new Set([2, 1])],
  ["a Set and a Map", new Set([1]), new Map([[1, 1]])],
  ["a RegExp with other flags", /a/g, /a/i],
  ["a RegExp at another place", Object.assign(/a/g, { lastIndex: 1 }), /a/g],
  ["a URL and its text", new URL("https://example.com/"), "https://example.com/"],
  ["URLs that differ", new URL("https://example.com/"), new URL("https://example.com/#")],
  ["errors of other classes", new TypeError("m"), new RangeError("m")],
  ["errors with other messages", errorWith({ message: "a" }), errorWith({ message: "b" })],
  ["errors with other names", errorWith({ name: "A" }), errorWith({ name: "B" })],
  ["errors with other stacks", errorWith({ stack: "a" }), errorWith({ stack: "b" })],
  ["errors with other causes", errorWith({}, { cause: 1 }), errorWith({}, { cause: 2 })],
  ["errors with other fields", errorWith({ code: 1 }), errorWith({ code: 2 })],
  [
    "aggregates of other errors",
    Object.assign(new AggregateError([1]), { stack: "" }),
    Object.assign(new AggregateError([2]), { stack: "" }),
  ],
  ["own data named __proto__ and none", JSON.parse('{"__proto__":{}}'), {}],
  ["own data named constructor and the inherited one", { constructor: Object }, {}],
  ["a record and one without a prototype", {}, Object.create(null)],
  ["an instance of a class and a record", new (class Point {})(), {}],
];

describe("difference", () => {
  test.each(samples)("is undefined for %s and a second one like it", (_name, make) => {
    assertSame(make(), make());
    assertSame({ in: [make()] }, { in: [make()] });
  });

  test.each(pairs)("tells %s apart, in either order", (_name, left, right) => {
    expect(difference(left, right)).toBeString();
    expect(difference(right, left)).toBeString();
    expect(difference(new Map([[0, left]]), new Map([[0, right]]))).toBeString();
  });

  test("tells each sample apart from every other", () => {
    for (const [name, make] of samples) {
      const alike = samples.filter(([, makeOther]) => difference(make(), makeOther()) === undefined);
      expect(alike.map(([other]) => other)).toEqual([name]);
    }
  });

  test("ignores the order of keys", () => {
    assertSame({ a: 1, b: 2 }, { b: 2, a: 1 });
  });

  test("treats an absent property as an undefined one, on either side", () => {
    assertSame({ a: 1, b: undefined }, { a: 1 });
    assertSame({ a: 1 }, { a: 1, b: undefined });
    assertSame(errorWith({ code: undefined }), errorWith({}));
    assertSame(new Array(2), [undefined, undefined]);
  });

  test("compares only the part of a buffer that a view shows", () => {
    assertSame(new Uint8Array(new Uint8Array(bytes).buffer, 2, 2), new Uint8Array([3, 4]));
  });

  test.each<[string, unknown, unknown]>([
    ["$.rows.length: is 1, not 2", { rows: [1] }, { rows: [1, 2] }],
    [
      "$.rows.1.at.getTime(): is 6, not 5",
      { rows: [0, { at: new Date(6) }] },
      { rows: [0, { at: new Date(5) }] },
    ],
    ['$.a: is "x", not undefined', { a: "x" }, {}],
    ["$: is a Buffer, not a Uint8Array", Buffer.from(bytes), new Uint8Array(bytes)],
    ["$.bytes.1: is 9, not 2", new Uint8Array([1, 9]), new Uint8Array([1, 2])],
    ["$.entries().0: is 1n, not 1", new Map([[1n, 0]]), new Map([[1, 0]])],
    ["$: is a Point, not a Point of the same realm", new (class Point {})(), new (class Point {})()],
  ])("names the first place: %s", (message, actual, expected) => {
    expect(difference(actual, expected)).toBe(message);
    expect(() => assertSame(actual, expected)).toThrow(message);
  });
});
