import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encode } from "../../src/json-plus/encode.js";
import { hashOf } from "../../src/outputs/pieces.js";
import {
  hashesAnywhereIn,
  hashesIn,
  hashReferredTo,
  REFERENCE_START,
  referenceTo,
} from "../../src/outputs/references.js";

const hash = hashOf("an output");

describe("a reference", () => {
  test("is short, and begins as searches expect", () => {
    const text = JSON.stringify(referenceTo(hash));
    expect(text).toBe(`{"__type":"Map","value":"${hash}"}`);
    expect(text.startsWith(REFERENCE_START)).toBe(true);
    expect(text.length).toBeLessThan(50);
  });

  test("is recognized with its hash", () => {
    expect(hashReferredTo(JSON.parse(JSON.stringify(referenceTo(hash))))).toBe(hash);
  });

  test.each([
    [null],
    [undefined],
    ["text"],
    [hash],
    [5],
    [[]],
    [{}],
    [{ value: hash }],
    [{ __type: "Map" }],
    [{ __type: "Map", value: [] }],
    [{ __type: "Map", value: [["a", 1]] }],
    [{ __type: "Set", value: hash }],
    [{ __type: "js:object", value: { __type: "Map", value: hash } }],
  ])("is none of these: %j", (output) => {
    expect(hashReferredTo(output)).toBeUndefined();
  });

  test("is nothing that a user's value is encoded as", () => {
    const look = fc.record(
      { __type: fc.constantFrom("Map", "js:object"), value: fc.anything() },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.oneof(look, fc.anything({ withMap: true, withSet: true, withDate: true })), (value) => {
        expect(hashReferredTo(encode(value))).toBeUndefined();
      }),
    );
  });
});

describe("the hashes in a row's text", () => {
  const row = (output: unknown) => JSON.stringify({ a: { status: "completed", output } });

  test("are those of its outputs, in order", () => {
    const hashes = ["one", "two", "one"].map(hashOf);
    const nodes = hashes.map((each, index) => [
      `n${index}`,
      { status: "completed", output: referenceTo(each) },
    ]);
    expect(hashesIn(JSON.stringify(Object.fromEntries(nodes)))).toEqual(hashes);
  });

  test("are none in texts, and in objects that are wrapped because they look like references", () => {
    expect(hashesIn(row(JSON.stringify({ output: referenceTo(hash) })))).toEqual([]);
    expect(hashesIn(row(encode(referenceTo(hash))))).toEqual([]);
    expect(hashesIn(row({ inner: referenceTo("short") }))).toEqual([]);
  });

  test("hold every character that a hash can have", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(hashesIn(row(referenceTo(hashOf(text))))).toEqual([hashOf(text)]);
      }),
    );
  });
});

describe("the hashes in a text that may be damaged", () => {
  const hash = hashOf("text");

  test.each([
    ["in a reference", JSON.stringify(referenceTo(hash))],
    ["in a list", JSON.stringify([hash, hash])],
    ["behind a letter", `x${hash}"`],
    ["before a letter", `"${hash}x`],
    ["behind a zero byte, and before the end", `{\0${hash}`],
  ])("are found %s", (_, text) => {
    expect([...hashesAnywhereIn(text)]).toContain(hash);
  });

  test("are none in shorter words", () => {
    expect([...hashesAnywhereIn(`{"${hash.slice(1)}":"${hash.slice(0, 21)}"}`)]).toEqual([]);
  });
});
