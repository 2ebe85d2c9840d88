/** What holds for every value and every text. fast-check prints the seed and the smallest counterexample. */
import { describe, expect, test } from "bun:test";
import { CheckpointCorruptionError } from "@obsku/checkpoint-sqlite";
import fc from "fast-check";
import { encode } from "../../src/json-plus/encode.js";
import { JsonPlusSerializer } from "../../src/json-plus/json-plus-serializer.js";
import { NOT_PLAIN, plain, plainCopy } from "../../src/json-plus/plain.js";
import { toEncodedExoticValue } from "../../src/json-plus/text.js";
import { assertSame } from "../support/difference.js";
import { inOtherRealm } from "../support/other-realm.js";

const serializer = new JsonPlusSerializer();

const KNOWN_TAGS = [
  ...["Date", "Map", "Set", "Buffer", "js:undefined", "js:bigint", "js:number", "js:RegExp", "js:URL"],
  ...["js:Error", "js:ArrayBuffer", "js:DataView", "js:Uint8Array", "js:Float64Array", "js:object"],
];
const VIEWS = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float16Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array],
];
const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
/** `toString` and the like are inherited by every object, so they show whether keys are looked up as own ones. */
const NOTABLE_KEYS = [
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "toJSON", "__type", "value"],
  ...["", "0", "a b", "\u0000", "\ud800"],
];

const strings = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(...NOTABLE_KEYS, ...KNOWN_TAGS, "NaN", "Invalid Date", "2024-01-01T00:00:00.000Z"),
);
const keys = fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom(...NOTABLE_KEYS));
const bytes = fc.uint8Array({ maxLength: 64 });
const numbers = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-0, Number.NaN, Infinity, -Infinity));

const views = fc
  .tuple(fc.constantFrom(...VIEWS), bytes, fc.nat({ max: 3 }))
  .map(([View, content, elementsBefore]) => {
    const size = View.BYTES_PER_ELEMENT;
    const length = Math.floor(content.length / size);
    const buffer = new ArrayBuffer((elementsBefore + length) * size + 1);
    new Uint8Array(buffer).set(content.subarray(0, length * size), elementsBefore * size);
    return new View(buffer, elementsBefore * size, length);
  });

const regExps = fc
  .tuple(
    fc.oneof(
      fc.string().map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")),
      fc.constantFrom("", "/", "a|b", "(?<name>x)+", "[^\\n]\\/"),
    ),
    fc.subarray(["d", "g", "i", "m", "s", "y"]),
    fc.nat(),
  )
  .map(([source, flags, lastIndex]) => Object.assign(new RegExp(source, flags.join("")), { lastIndex }));

const scalars: fc.Arbitrary<unknown> = fc.oneof(
  strings,
  numbers,
  fc.boolean(),
  fc.constantFrom(null, undefined),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  bytes.map((content) => Buffer.from(content)),
  bytes.map((content) => content.slice().buffer),
  views,
  bytes.map((content) => new DataView(content.slice().buffer)),
  regExps,
  fc.webUrl({ withQueryParameters: true, withFragments: true }).map((text) => new URL(text)),
);

/** Any value that the wire format keeps. */
const { values } = fc.letrec<{ values: unknown; [kind: string]: unknown }>((tie) => ({
  values: fc.oneof(
    { maxDepth: 5, depthSize: "small", withCrossShrink: true },
    scalars,
    tie("records"),
    tie("lists"),
    tie("maps"),
    tie("sets"),
    tie("lookalikes"),
    tie("errors"),
  ),
  records: fc.array(fc.tuple(keys, tie("values")), { maxLength: 6 }).map(Object.fromEntries),
  lists: fc.oneof(
    fc.array(tie("values"), { maxLength: 6 }),
    fc.sparseArray(tie("values"), { maxLength: 8, maxNumElements: 4 }),
  ),
  maps: fc.array(fc.tuple(tie("values"), tie("values")), { maxLength: 4 }).map((entries) => new Map(entries)),
  sets: fc.array(tie("values"), { maxLength: 4 }).map((elements) => new Set(elements)),
  lookalikes: fc
    .tuple(fc.oneof(fc.constantFrom<unknown>(...KNOWN_TAGS), tie("values")), tie("values"), tie("records"))
    .map(([__type, value, others]) => withOwn({ __type, value }, Object.entries(Object(others)))),
  errors: fc
    .tuple(
      fc.oneof(
        fc.tuple(fc.constantFrom(...ERRORS), strings).map(([ErrorClass, message]) => new ErrorClass(message)),
        fc
          .tuple(fc.array(tie("values"), { maxLength: 3 }), strings)
          .map(([errors, message]) => new AggregateError(errors, message)),
      ),
      strings,
      fc.option(tie("values")),
      fc.array(fc.tuple(fc.constantFrom("code", "at", "__type", "__proto__", "constructor"), tie("values")), {
        maxLength: 3,
      }),
    )
    .map(([error, stack, cause, fields]) => {
      Object.defineProperty(error, "stack", { value: stack, writable: true });
      if (cause !== null) {
        Object.defineProperty(error, "cause", { value: cause, writable: true });
      }
      return withOwn(error, fields);
    }),
}));

/** Every object and array in a plain value, itself included. */
function containersIn(value: unknown): object[] {
  return typeof value === "object" && value !== null
    ? [value, ...Object.values(value).flatMap(containersIn)]
    : [];
}

/** Through JSON once, because fast-check's contain -0, which JSON itself loses. */
const plainValues = fc
  .jsonValue({ maxDepth: 5, stringUnit: "binary" })
  .map((value): unknown => JSON.parse(JSON.stringify(value)));

/** A valid text with a few characters exchanged, taken out or put in, and perhaps cut off. */
const damagedTexts = fc
  .tuple(
    values,
    fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        removed: fc.nat({ max: 3 }),
        inserted: fc.oneof(
          fc.string({ maxLength: 3 }),
          fc.constantFrom('"', "{", "}", "[", "]", ",", ":", "\\", "null", "1e999", "\\u005f", '"__type"'),
        ),
      }),
      { maxLength: 4 },
    ),
    fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  )
  .map(([value, edits, end]) => {
    let text = serializer.serialize(value);
    for (const { at, removed, inserted } of edits) {
      const position = Math.floor(at * text.length);
      text = text.slice(0, position) + inserted + text.slice(position + removed);
    }
    return end === null ? text : text.slice(0, Math.floor(end * text.length));
  });

/** A valid text in which every tag is replaced by another one, so that tags meet values of other tags. */
const swappedTexts = fc
  .tuple(values, fc.array(fc.constantFrom(...KNOWN_TAGS, "Point"), { minLength: 1, maxLength: 5 }))
  .map(([value, tags]) => {
    let count = 0;
    return serializer
      .serialize(value)
      .replaceAll(/"__type":"[^"\\]*"/g, () => `"__type":${JSON.stringify(tags[count++ % tags.length])}`);
  });

/** Valid JSON in which known tags hold anything at all. */
const { hostileTrees } = fc.letrec<{ hostileTrees: unknown; tagged: unknown }>((tie) => ({
  hostileTrees: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    fc.constantFrom<unknown>(null, true, 0, -1, 1e300, "", "x", "NaN", "AAA=", "A".repeat(16), "-", "12"),
    tie("tagged"),
    fc.array(tie("hostileTrees"), { maxLength: 4 }),
    fc.array(fc.tuple(keys, tie("hostileTrees")), { maxLength: 4 }).map(Object.fromEntries),
    fc.record({ name: tie("hostileTrees"), message: tie("hostileTrees"), fields: tie("hostileTrees") }),
  ),
  tagged: fc
    .tuple(fc.constantFrom(...KNOWN_TAGS), fc.option(tie("hostileTrees")))
    .map(([__type, value]) => (value === null ? { __type } : { __type, value })),
}));

/** Plain assignment to `__proto__` would replace the prototype. */
function withOwn<T extends object>(target: T, entries: readonly [string, unknown][]): T {
  for (const [key, value] of entries) {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return target;
}

describe("every value that the wire format keeps", () => {
  test("comes back equal", () => {
    fc.assert(
      fc.property(values, (value) => {
        assertSame(serializer.deserialize(serializer.serialize(value)), value);
      }),
      { numRuns: 2_000 },
    );
  });

  test("is written as the same text again after it was read", () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = serializer.serialize(value);
        expect(serializer.serialize(serializer.deserialize(text))).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test("is written as the same text if it has the classes of another realm", () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(serializer.serialize(inOtherRealm(value))).toBe(serializer.serialize(value));
      }),
      { numRuns: 1_000 },
    );
  });

  test("is written as JSON, and is read back from any JSON of the same meaning", () => {
    fc.assert(
      fc.property(values, (value) => {
        const respaced = JSON.stringify(JSON.parse(serializer.serialize(value)), null, 1).replaceAll(
          "__type",
          "\\u005f_type",
        );
        assertSame(serializer.deserialize(respaced), value);
      }),
      { numRuns: 1_000 },
    );
  });

  test("is written as the same text twice, because writing changes nothing in it", () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(serializer.serialize(value)).toBe(serializer.serialize(value));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a value that is called plain", () => {
  test("is written by JSON.stringify alone as the encoder would have it written", () => {
    fc.assert(
      fc.property(fc.oneof(values, fc.jsonValue(), fc.object()), (value) => {
        fc.pre(plain(value) !== NOT_PLAIN);
        expect(JSON.stringify(value)).toBe(JSON.stringify(encode(value)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("is copied as its text is read back, down to the last container", () => {
    fc.assert(
      fc.property(fc.oneof(values, fc.jsonValue(), fc.object()), (value) => {
        const copy = plainCopy(value);
        expect(copy === NOT_PLAIN).toBe(plain(value) === NOT_PLAIN);
        fc.pre(copy !== NOT_PLAIN);
        const text = JSON.stringify(value);
        expect(JSON.stringify(copy)).toBe(text);
        assertSame(copy, JSON.parse(text));
        expect(containersIn(value).filter((container) => containersIn(copy).includes(container))).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  test("is nothing that JSON.stringify writes as another text than its fields", () => {
    const rawJSON: unknown = Reflect.get(JSON, "rawJSON");
    const raw: unknown = typeof rawJSON === "function" ? rawJSON("12345678901234567890") : undefined;
    expect(plainCopy({ raw })).toBe(NOT_PLAIN);
    expect(toEncodedExoticValue({ raw }).text).toBe('{"raw":12345678901234567890}');
  });

  test("has no key that would reach a prototype, and inherits none", () => {
    expect(plainCopy(JSON.parse('{"__proto__":{"polluted":true}}'))).toBe(NOT_PLAIN);
    const prototype = Object.prototype as Record<string, unknown>;
    prototype.inherited = "by all";
    try {
      expect(plainCopy({ own: 1 })).toBe(NOT_PLAIN);
      expect(serializer.serialize({ own: 1 })).toBe('{"own":1}');
    } finally {
      delete prototype.inherited;
    }
  });
});

describe("every plain JSON value", () => {
  test("is written exactly as JSON.stringify writes it", () => {
    fc.assert(
      fc.property(plainValues, (value) => {
        expect(serializer.serialize(value)).toBe(JSON.stringify(value));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is read exactly as JSON.parse reads it", () => {
    fc.assert(
      fc.property(plainValues, (value) => {
        const text = JSON.stringify(value);
        assertSame(serializer.deserialize(text), JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("every text is read as a value or refused as corrupt", () => {
  const texts = {
    "whatever it says": strings,
    "when it is a valid text that was damaged": damagedTexts,
    "when its tags were exchanged": swappedTexts,
    "when its tags hold anything": hostileTrees.map((tree) => JSON.stringify(tree)),
  };

  for (const [circumstance, arbitrary] of Object.entries(texts)) {
    test(circumstance, () => {
      const keysBefore = Reflect.ownKeys(Object.prototype);
      fc.assert(
        fc.property(arbitrary, (text) => {
          try {
            serializer.deserialize(text);
          } catch (error) {
            expect(error).toBeInstanceOf(CheckpointCorruptionError);
          }
          expect(Reflect.ownKeys(Object.prototype)).toEqual(keysBefore);
          expect(Object.getPrototypeOf(Object.prototype)).toBeNull();
        }),
        { numRuns: 2_000 },
      );
    });
  }
});
