import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { OutputCache } from "../../src/outputs/output-cache.js";
import { hashOf } from "../../src/outputs/pieces.js";

function add(cache: OutputCache, output: unknown): string {
  const text = JSON.stringify(output);
  const hash = hashOf(text);
  cache.add(hash, text);
  return hash;
}

describe("what is cached", () => {
  test("of a string is the string itself, and its hash is known by it", () => {
    const cache = new OutputCache();
    const hash = add(cache, "a string");
    expect(cache.get(hash)).toEqual({ value: "a string" });
    expect(cache.hashOf("a string")).toBe(hash);
  });

  test("of anything else is its text, so that each reader decodes an object of its own", () => {
    const cache = new OutputCache();
    for (const output of [{ a: 1 }, ["s"], 5, { __type: "Date", value: "1970-01-01T00:00:00.000Z" }]) {
      expect(cache.get(add(cache, output))).toEqual({ text: JSON.stringify(output) });
    }
  });

  test("of a string in another spelling than ours is its text: the string's hash is not that of this text", () => {
    const cache = new OutputCache();
    for (const text of ['"\\u0041"', '"A" ', '"\\/"', '"\ud800"']) {
      expect(cache.add(hashOf(text), text)).toEqual({ text });
      expect(cache.get(hashOf(text))).toEqual({ text });
    }
    expect(["A", "/", "\ud800"].map((output) => cache.hashOf(output))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("of a text that is no JSON is that text: decoding it reports the damage", () => {
    expect(new OutputCache().add("hash", '"damaged')).toEqual({ text: '"damaged' });
  });

  test("is nothing before it was added", () => {
    const cache = new OutputCache();
    expect(cache.get("hash")).toBeUndefined();
    expect(cache.hashOf("output")).toBeUndefined();
  });
});

describe("its room", () => {
  const output = (name: string) => name.repeat(40);

  test("is taken by what was used last: what is used stays, the rest goes", () => {
    const cache = new OutputCache(200);
    const used = add(cache, output("u"));
    const unused = add(cache, output("n"));
    for (const name of "abcdefgh") {
      add(cache, output(name));
      expect(cache.get(used)).toEqual({ value: output("u") });
    }
    expect(cache.get(unused)).toBeUndefined();
    expect(cache.hashOf(output("n"))).toBeUndefined();
  });

  test("is not taken by an output larger than half of it, which is returned all the same", () => {
    const cache = new OutputCache(200);
    const small = add(cache, output("s"));
    const large = "l".repeat(101);
    const text = JSON.stringify(large);
    expect(cache.add(hashOf(text), text)).toEqual({ value: large });
    expect(cache.get(hashOf(text))).toBeUndefined();
    expect(cache.get(small)).toEqual({ value: output("s") });
  });

  test("is bounded, whatever is added and asked for, and what it answers is right", () => {
    const capacity = 1_000;
    const step = fc.record({
      add: fc.boolean(),
      name: fc.nat({ max: 30 }),
      length: fc.integer({ min: 1, max: 600 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const cache = new OutputCache(capacity);
        const hashes = new Map<string, string>();
        for (const { add: isAdded, name, length } of steps) {
          const value = `${name} `.repeat(length).slice(0, length);
          if (isAdded) hashes.set(add(cache, value), value);
          const known = cache.hashOf(value);
          if (known !== undefined) expect(known).toBe(hashOf(JSON.stringify(value)));
        }
        let characters = 0;
        for (const [hash, value] of hashes) {
          if (cache.hashOf(value) === undefined) continue;
          expect(cache.hashOf(value)).toBe(hash);
          characters += value.length;
        }
        expect(characters).toBeLessThanOrEqual(capacity);
      }),
    );
  });
});
