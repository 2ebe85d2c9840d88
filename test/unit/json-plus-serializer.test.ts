import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointCorruptionError, SerializationError } from "@obsku/checkpoint-sqlite";
import { encode } from "../../src/json-plus/encode.js";
import { JsonPlusSerializer } from "../../src/json-plus/json-plus-serializer.js";
import { assertSame } from "../support/difference.js";
import { thrownAs } from "../support/failures.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const FIXTURES = join(import.meta.dir, "../fixtures");
const SECRET = "hunter2 is the payload";

const serializer = new JsonPlusSerializer();

function roundTrip(value: unknown): unknown {
  return serializer.deserialize(serializer.serialize(value));
}

function corruptionIn(text: string): CheckpointCorruptionError {
  return thrownAs(CheckpointCorruptionError, () => serializer.deserialize(text));
}

function refusalOf(value: unknown): SerializationError {
  return thrownAs(SerializationError, () => serializer.serialize(value));
}

/** Own data under any key, `__proto__` too. */
function own(key: string, value: unknown): object {
  return Object.fromEntries([[key, value]]);
}

/** An error whose text does not depend on where it was made. */
function withStack<E extends Error>(error: E, stack = `${error.name}: ${error.message}\n    at a`): E {
  Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
  return error;
}

function nest(levels: number, wrap: (inner: unknown) => unknown, core: unknown): unknown {
  let value = core;
  for (let level = 0; level < levels; level++) {
    value = wrap(value);
  }
  return value;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    const inner = value instanceof Map ? [...value].flat(1) : value instanceof Set ? [...value] : [];
    for (const part of [...inner, ...Object.values(value)]) {
      deepFreeze(part);
    }
  }
  return value;
}

describe("the wire format", () => {
  const wire: readonly [string, unknown, string][] = [
    ["a Date", new Date(0), '{"__type":"Date","value":"1970-01-01T00:00:00.000Z"}'],
    [
      "a Map",
      new Map<unknown, unknown>([
        ["a", 1],
        [{ k: 1 }, new Date(0)],
      ]),
      '{"__type":"Map","value":[["a",1],[{"k":1},{"__type":"Date","value":"1970-01-01T00:00:00.000Z"}]]}',
    ],
    ["a Set", new Set<unknown>([1, "two", null]), '{"__type":"Set","value":[1,"two",null]}'],
    ["a Buffer", Buffer.from([0, 255, 254]), '{"__type":"Buffer","value":"AP/+"}'],
    ["an empty Map", new Map(), '{"__type":"Map","value":[]}'],
    ["an empty Set", new Set(), '{"__type":"Set","value":[]}'],
    ["an empty Buffer", Buffer.alloc(0), '{"__type":"Buffer","value":""}'],
    [
      "a Date with a six-digit year",
      new Date(8.64e15),
      '{"__type":"Date","value":"+275760-09-13T00:00:00.000Z"}',
    ],
    ["a Date before year 0", new Date(-8.64e15), '{"__type":"Date","value":"-271821-04-20T00:00:00.000Z"}'],
    ["an invalid Date", new Date(Number.NaN), '{"__type":"Date","value":"Invalid Date"}'],
    ["undefined", undefined, '{"__type":"js:undefined","value":null}'],
    ["undefined in an array", [undefined, 1], '[{"__type":"js:undefined","value":null},1]'],
    ["a bigint", 2n ** 64n, '{"__type":"js:bigint","value":"18446744073709551616"}'],
    ["a negative bigint", -7n, '{"__type":"js:bigint","value":"-7"}'],
    ["NaN", Number.NaN, '{"__type":"js:number","value":"NaN"}'],
    ["Infinity", Infinity, '{"__type":"js:number","value":"Infinity"}'],
    ["-Infinity", -Infinity, '{"__type":"js:number","value":"-Infinity"}'],
    ["-0", -0, '{"__type":"js:number","value":"-0"}'],
    [
      "a RegExp",
      Object.assign(/a\/"b"/gi, { lastIndex: 3 }),
      '{"__type":"js:RegExp","value":["a\\\\/\\"b\\"","gi",3]}',
    ],
    [
      "a URL",
      new URL("https://example.com/a b?q=1"),
      '{"__type":"js:URL","value":"https://example.com/a%20b?q=1"}',
    ],
    [
      "an Error",
      withStack(
        Object.assign(new TypeError("it broke", { cause: 7n }), { attempts: 3 }),
        "TypeError: it broke",
      ),
      '{"__type":"js:Error","value":{"name":"TypeError","message":"it broke","stack":"TypeError: it broke",' +
        '"cause":{"__type":"js:bigint","value":"7"},"fields":{"attempts":3}}}',
    ],
    [
      "an Error with nothing but a message",
      withStack(new Error("m"), "s"),
      '{"__type":"js:Error","value":{"name":"Error","message":"m","stack":"s"}}',
    ],
    [
      "an AggregateError",
      withStack(new AggregateError([1n], "m"), "s"),
      '{"__type":"js:Error","value":{"name":"AggregateError","message":"m","stack":"s",' +
        '"errors":[{"__type":"js:bigint","value":"1"}]}}',
    ],
    ["an ArrayBuffer", new Uint8Array([1, 2, 3]).buffer, '{"__type":"js:ArrayBuffer","value":"AQID"}'],
    ["a DataView", new DataView(new Uint8Array([1, 2]).buffer), '{"__type":"js:DataView","value":"AQI="}'],
    ["an Int8Array", new Int8Array([-1]), '{"__type":"js:Int8Array","value":"/w=="}'],
    ["a Uint8Array", new Uint8Array([1]), '{"__type":"js:Uint8Array","value":"AQ=="}'],
    ["a Uint8ClampedArray", new Uint8ClampedArray([300]), '{"__type":"js:Uint8ClampedArray","value":"/w=="}'],
    ["an Int16Array", new Int16Array([-2]), '{"__type":"js:Int16Array","value":"/v8="}'],
    ["a Uint16Array", new Uint16Array([258]), '{"__type":"js:Uint16Array","value":"AgE="}'],
    ["an Int32Array", new Int32Array([-1]), '{"__type":"js:Int32Array","value":"/////w=="}'],
    ["a Uint32Array", new Uint32Array([1]), '{"__type":"js:Uint32Array","value":"AQAAAA=="}'],
    ["a Float16Array", new Float16Array([1.5]), '{"__type":"js:Float16Array","value":"AD4="}'],
    ["a Float32Array", new Float32Array([1.5]), '{"__type":"js:Float32Array","value":"AADAPw=="}'],
    ["a Float64Array", new Float64Array([-0]), '{"__type":"js:Float64Array","value":"AAAAAAAAAIA="}'],
    ["a BigInt64Array", new BigInt64Array([-1n]), '{"__type":"js:BigInt64Array","value":"//////////8="}'],
    ["a BigUint64Array", new BigUint64Array([1n]), '{"__type":"js:BigUint64Array","value":"AQAAAAAAAAA="}'],
    [
      "a user's own object with a __type",
      { __type: "Date", value: "tomorrow" },
      '{"__type":"js:object","value":{"__type":"Date","value":"tomorrow"}}',
    ],
  ];

  test.each(wire)("writes %s as the text that files hold", (_name, value, text) => {
    expect(serializer.serialize(value)).toBe(text);
  });

  test.each(wire)("reads %s back equal", (_name, value, text) => {
    assertSame(serializer.deserialize(text), value);
  });

  test.each(wire)("reads %s back equal inside everything that can hold it", (_name, value) => {
    const holders = [
      [value],
      { at: value },
      new Map([[value, value]]),
      new Set([value]),
      { __type: "x", value },
    ];
    assertSame(roundTrip(holders), holders);
  });

  test("reads Map keys that 0.2.3 left as plain JSON", () => {
    assertSame(
      serializer.deserialize(
        '{"__type":"Map","value":[["1970-01-01T00:00:00.000Z",1],[{"a":1},{"__type":"Set","value":[]}]]}',
      ),
      new Map<unknown, unknown>([
        ["1970-01-01T00:00:00.000Z", 1],
        [{ a: 1 }, new Set()],
      ]),
    );
  });

  test("reads tags in whatever order and spelling a writer of JSON puts them", () => {
    assertSame(serializer.deserialize('{ "value" : "AQ==" , "__type" : "Buffer" }'), Buffer.from([1]));
    assertSame(serializer.deserialize('{"\\u005f\\u005Ftype":"js:bigint","value":"1"}'), 1n);
    assertSame(serializer.deserialize('{"__type":"D\\u0061te","value":"1970-01-01"}'), new Date(0));
  });

  test.each(["1970-01-01", "1970-01-01T00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T02:00:00.000+02:00"])(
    "reads the ISO 8601 date %s",
    (value) => {
      assertSame(serializer.deserialize(JSON.stringify({ __type: "Date", value })), new Date(0));
    },
  );
});

describe("what 0.2.3 wrote", () => {
  let folder: TemporaryFolder;
  let database: Database;

  beforeAll(async () => {
    folder = await createTemporaryFolder();
    const path = join(folder.path, "published.db");
    await copyFile(join(FIXTURES, "published-0.2.3.db"), path);
    database = new Database(path);
  });

  afterAll(async () => {
    database.close();
    await folder.remove();
  });

  /** A second reader of the format, so that what is expected does not come from the serializer under test. */
  async function expectedValues(): Promise<Map<string, Record<string, unknown>>> {
    const text = await Bun.file(join(FIXTURES, "published-0.2.3.expected.json")).text();
    const parsed: Record<"sessions" | "messages" | "checkpoints" | "entities" | "facts", object> = JSON.parse(
      text,
      (_key, value) => {
        switch (value?.__type) {
          case "Date":
            return new Date(value.value);
          case "Map":
            return new Map(value.value);
          case "Set":
            return new Set(value.value);
          case "Buffer":
            return Buffer.from(value.value, "base64");
          default:
            return value;
        }
      },
    );
    const tables = {
      sessions: Object.values(parsed.sessions),
      messages: Object.values(parsed.messages).flat(),
      checkpoints: Object.values(parsed.checkpoints).flat(),
      entities: Object.values(parsed.entities),
      facts: Object.values(parsed.facts),
    };
    return new Map(
      Object.entries(tables).flatMap(([table, rows]) =>
        rows.map((row: Record<string, unknown>) => [`${table} ${row.id}`, row] as const),
      ),
    );
  }

  test.each([
    ["sessions", "metadata", "metadata"],
    ["messages", "tool_calls", "toolCalls"],
    ["messages", "tool_results", "toolResults"],
    ["checkpoints", "node_results", "nodeResults"],
    ["checkpoints", "pending_nodes", "pendingNodes"],
    ["checkpoints", "cycle_state", "cycleState"],
    ["entities", "attributes", "attributes"],
    ["entities", "relationships", "relationships"],
    ["entities", "embedding", "embedding"],
    ["facts", "embedding", "embedding"],
  ] as const)("reads back equal: %s.%s", async (table, column, field) => {
    const expected = await expectedValues();
    const rows = database
      .query<{ id: string | number; text: string | null }, []>(`SELECT id, ${column} AS text FROM ${table}`)
      .all();
    const withText = rows.filter((row) => row.text !== null);
    for (const { id, text } of rows) {
      const row = expected.get(`${table} ${id}`);
      expect(row).toBeDefined();
      assertSame(text === null ? undefined : serializer.deserialize(text), row?.[field]);
    }
    expect(withText.length).toBeGreaterThan(0);
  });

  test("is written again as the same text", () => {
    const texts = database
      .query<{ text: string }, []>(
        "SELECT metadata AS text FROM sessions WHERE text IS NOT NULL UNION ALL SELECT node_results FROM checkpoints",
      )
      .all();
    for (const { text } of texts) {
      expect(serializer.serialize(serializer.deserialize(text))).toBe(text);
    }
    expect(texts.length).toBeGreaterThan(0);
  });
});

describe("tags that are not known", () => {
  test.each(["Point", "date", "js:Point", "", "__proto__", "constructor", "toString", "js:", "js:Buffer"])(
    "an object tagged %p is read as the plain object it is",
    (tag) => {
      const text = JSON.stringify({ __type: tag, value: { __type: "Set", value: [1] }, more: true });
      assertSame(serializer.deserialize(text), { __type: tag, value: new Set([1]), more: true });
    },
  );

  test.each(["5", "null", "true", '["Date"]'])(
    "an object whose tag is %s is read as the plain object it is",
    (tag) => {
      assertSame(serializer.deserialize(`{"__type":${tag},"value":"x"}`), {
        __type: JSON.parse(tag),
        value: "x",
      });
    },
  );
});

describe("a user's own objects with a __type", () => {
  const lookalikes: readonly [string, unknown][] = [
    ["a value of its own", { __type: "Date", value: "tomorrow" }],
    ["a value that would be valid", { __type: "Date", value: "1970-01-01T00:00:00.000Z" }],
    ["no value", { __type: "Map" }],
    ["an undefined value", { __type: "Set", value: undefined }],
    ["further keys", { __type: "Buffer", value: "AQ==", more: 1, other: [new Date(0)] }],
    ["keys before the __type", { first: new Date(0), __type: "Set", value: [] }],
    ["an unknown tag", { __type: "Point", x: 1 }],
    ["the tag of the escape itself", { __type: "js:object", value: { __type: "Date" } }],
    ["one of our tags", { __type: "js:undefined", value: null }],
    ["a number for a tag", { __type: 5, value: -0 }],
    ["null for a tag", { __type: null }],
    ["an empty tag", { __type: "" }],
    ["a Date for a tag", { __type: new Date(0), value: 1 }],
    ["a lookalike for a tag", { __type: { __type: "Date", value: "x" } }],
    ["a bigint for a tag", { __type: 5n }],
    ["lookalikes within", { __type: "Map", value: [[{ __type: "Set" }, { __type: "Date", value: {} }]] }],
  ];

  test.each(lookalikes)("come back as they were: %s", (_case, value) => {
    assertSame(roundTrip(value), value);
  });

  test.each(lookalikes)("come back as they were from anywhere within a value: %s", (_case, value) => {
    const holders = {
      list: [value],
      map: new Map([[value, value]]),
      set: new Set([value]),
      cause: withStack(new Error("m", { cause: value })),
      fields: withStack(Object.assign(new Error("m"), { value })),
      lookalike: { __type: "Date", value },
    };
    assertSame(roundTrip(holders), holders);
  });

  test("come back when they are escaped ten times over", () => {
    const value = nest(10, (inner) => ({ __type: "js:object", value: inner }), { __type: "Date" });
    assertSame(roundTrip(value), value);
  });

  test("come back from a toJSON that makes one", () => {
    assertSame(roundTrip({ toJSON: () => ({ __type: "Date", value: "x" }) }), {
      __type: "Date",
      value: "x",
    });
  });

  test("a __type that is a function is dropped like any function", () => {
    assertSame(roundTrip({ __type: () => 1, value: 2 }), { value: 2 });
  });

  test("an Error's own __type comes back", () => {
    const error = withStack(Object.assign(new Error("m"), { __type: "Date", value: "x" }));
    assertSame(roundTrip(error), error);
  });
});

describe("one of our tags with a value that we do not write, which 0.2.3 may have kept for a user", () => {
  const lookalikes: readonly [tag: string, ...values: unknown[]][] = [
    ["js:undefined", SECRET, 1, [], {}],
    ["js:bigint", SECRET, "", "1.5", "1n", "0x10", " 1", "1\n", "--1", 1, null, [SECRET]],
    ["js:number", SECRET, "", "1", "nan", "toString", "__proto__", 0, null, ["NaN"]],
    [
      "js:RegExp",
      SECRET,
      null,
      [],
      ["a"],
      ["a", "g"],
      ["(", "", 0],
      [SECRET, "gg", 0],
      ["a", "", "0"],
      [1, "", 0],
      {},
    ],
    ["js:URL", SECRET, "", "/relative", 5, null, ["https://example.com"]],
    ["js:Error", SECRET, null, [], {}, { name: SECRET }, { message: SECRET }, { name: 1, message: SECRET }],
    ["js:ArrayBuffer", SECRET, "A", 5, null, []],
    ["js:DataView", SECRET, "A", 5, null, []],
    ["js:Uint8Array", SECRET, "A", 5, null, [1]],
    ["js:Int16Array", SECRET, "AQ==", null],
    ["js:Float32Array", SECRET, "AQI=", null],
    ["js:BigUint64Array", SECRET, "AQIDBA==", null],
    ["js:object", SECRET, 5, null, [SECRET], true],
  ];
  const cases = lookalikes.flatMap(([tag, ...values]) => values.map((value) => [tag, value] as const));

  for (const [tag, value] of cases) {
    test(`is read as the plain object it is: ${tag} with ${JSON.stringify(value)}`, () => {
      const document = { rows: [{ __type: tag, value, more: true }] };
      assertSame(serializer.deserialize(JSON.stringify(document)), document);
    });
  }

  test.each([{ stack: 5 }, { fields: [1, 2] }, { errors: { 0: "x" } }])(
    "is not taken apart: an Error with %p",
    (part) => {
      const value = { __type: "js:Error", value: { name: "Error", message: "m", ...part } };
      assertSame(serializer.deserialize(JSON.stringify(value)), value);
    },
  );

  test("has what is within it read as usual", () => {
    const text = '{"__type":"js:bigint","value":{"at":{"__type":"Date","value":"1970-01-01T00:00:00.000Z"}}}';
    assertSame(serializer.deserialize(text), { __type: "js:bigint", value: { at: new Date(0) } });
  });
});

describe("a text under the tag Date", () => {
  test.each(["Jan 1 2024", "2024", "5", "2024-01-01", "2024-01-01T00:00:00+02:00"])(
    "is any date that the engine reads, as it was for 0.2.3: %s",
    (value) => {
      assertSame(serializer.deserialize(JSON.stringify({ __type: "Date", value })), new Date(value));
    },
  );
});

describe("a tag from 0.2.3 with a malformed value", () => {
  const malformed: readonly [tag: string, ...values: unknown[]][] = [
    [
      "Date",
      SECRET,
      "",
      "2024-13-01",
      "2024-01-01T25:00:00Z",

      5,
      null,
      [SECRET],
      { SECRET },
    ],
    ["Map", SECRET, 5, null, { [SECRET]: 1 }, [SECRET], [[1]], [[1, 2, 3]], [[1, 2], null], [{ 0: 1, 1: 2 }]],
    ["Set", SECRET, 5, null, { [SECRET]: 1 }, true],
    [
      "Buffer",
      SECRET,
      "A",
      "AQ=",
      "A===",
      "AQ==AQ==",
      "-_8=",
      "AQ==\n",
      5,
      null,
      [1, 2],
      { type: "Buffer", data: [1] },
    ],
  ];
  const cases = malformed.flatMap(([tag, ...values]) => values.map((value) => [tag, value] as const));

  for (const [tag, value] of cases) {
    test(`is corruption at its path: ${tag} with ${JSON.stringify(value)}`, () => {
      const document = { rows: [1, { "odd key": { __type: tag, value } }] };
      const error = corruptionIn(JSON.stringify(document));
      expect(error.message).toStartWith(
        `Checkpoint data is corrupted or invalid: $.rows[1]["odd key"] is tagged ${tag} but its value is not `,
      );
      expect(error.message).not.toContain("hunter2");
    });
  }

  const needingValues = malformed.map(([tag]) => tag);

  test.each(needingValues)("is corruption when the value is absent: %s", (tag) => {
    expect(corruptionIn(JSON.stringify({ __type: tag })).message).toContain(`$ is tagged ${tag} but`);
  });

  test("says what the value should have been", () => {
    expect(corruptionIn('[{"__type":"Date","value":"tomorrow"}]').reason).toBe(
      "$[0] is tagged Date but its value is not a date",
    );
    expect(corruptionIn('{"m":{"__type":"Map","value":[[1,2],[3]]}}').reason).toBe(
      "$.m is tagged Map but its value is not an array of [key, value] pairs (entry 1)",
    );
    expect(corruptionIn('{"b":{"__type":"Buffer","value":"?"}}').reason).toBe(
      "$.b is tagged Buffer but its value is not standard base64",
    );
  });

  const bad = { __type: "Date", value: SECRET };
  const places: readonly [string, unknown, string][] = [
    [
      "in a Map's value",
      {
        m: {
          __type: "Map",
          value: [
            [1, 2],
            ["k", bad],
          ],
        },
      },
      "$.m[1]",
    ],
    ["in a Map's key", { m: { __type: "Map", value: [[bad, 2]] } }, "$.m[0]"],
    ["in a Set", { s: { __type: "Set", value: [0, bad] } }, "$.s[1]"],
    ["in an escaped object", { o: { __type: "js:object", value: { __type: "x", at: bad } } }, "$.o.at"],
    [
      "in an Error's cause",
      { e: { __type: "js:Error", value: { name: "Error", message: "m", cause: bad } } },
      "$.e.cause",
    ],
    [
      "in an Error's field",
      { e: { __type: "js:Error", value: { name: "Error", message: "m", fields: { at: bad } } } },
      "$.e.at",
    ],
    [
      "in an AggregateError's errors",
      { e: { __type: "js:Error", value: { name: "AggregateError", message: "m", errors: [1, bad] } } },
      "$.e.errors[1]",
    ],
    ["under __proto__", own("__proto__", bad), "$.__proto__"],
    ["after a sibling that was deeper", { a: { b: { c: [{ __type: "Set", value: [1] }] } }, d: bad }, "$.d"],
  ];

  test.each(places)("is named by its path %s", (_place, document, path) => {
    const error = corruptionIn(JSON.stringify(document));
    expect(error.reason).toBe(`${path} is tagged Date but its value is not a date`);
  });

  test("does not take a value from under __proto__", () => {
    const text = '{"__type":"Date","__proto__":{"value":"1970-01-01T00:00:00.000Z"}}';
    expect(corruptionIn(text).message).toContain("tagged Date");
  });

  test("is the plain object it is if a bigint has more digits than the engine takes", () => {
    const document = { n: { __type: "js:bigint", value: "9".repeat(400_000) } };
    const back = Reflect.get(Object(serializer.deserialize(JSON.stringify(document))), "n");
    if (typeof back !== "bigint") assertSame(back, document.n);
  });
});

describe("text that is not JSON", () => {
  const valid = serializer.serialize({
    list: [1, "two", new Date(0)],
    map: new Map([["k", Buffer.from("x")]]),
  });

  test("is corruption, wherever a valid text was cut off", () => {
    for (let end = 0; end < valid.length; end++) {
      expect(corruptionIn(valid.slice(0, end)).message).toStartWith(
        "Checkpoint data is corrupted or invalid: text is not JSON",
      );
    }
  });

  test.each(["", " ", "undefined", "NaN", "{'a':1}", "[1,]", '{"a":1}x', "\u0000", '"\n"', "01", "\ufeff1"])(
    "is corruption: %j",
    (text) => {
      expect(corruptionIn(text).reason).toBe("text is not JSON");
    },
  );

  test("is not shown at length in the message", () => {
    for (const text of [SECRET.repeat(1000), `{"a":"${SECRET.repeat(1000)}`, "x".repeat(100_000)]) {
      expect(corruptionIn(text).message.length).toBeLessThan(250);
    }
  });

  test("keeps the parser's error as the cause", () => {
    expect(corruptionIn("{").cause).toBeInstanceOf(SyntaxError);
  });
});

describe("as JSON does it", () => {
  class Point {
    readonly label = "p";
    readonly #secret = 1;
    constructor(readonly x: number) {}
    get doubled() {
      return this.x * 2 + this.#secret;
    }
  }

  const plain: readonly [string, unknown][] = [
    ["scalars", [null, true, false, 0, 1.5, -1e-7, 1e21, "", "text"]],
    ["strings that need escaping", ['"\\/\b\f\n\r\t', "\u0000\u001f\u007f\u2028\u2029", "é 日本 🚀"]],
    ["lone surrogates", { "\ud800": "a\udfffb" }],
    ["records within records", { a: { b: [{ c: [] }, {}] }, "": 0, "odd key": 1, 7: 2, 3: 4 }],
    ["undefined in a record", { a: undefined, b: 1 }],
    ["functions in a record", { a: () => 1, b: 1, c() {} }],
    ["symbols in a record", { a: Symbol("s"), [Symbol("k")]: 1, b: 1 }],
    ["functions and symbols in an array", [() => 1, Symbol("s"), 1]],
    ["an instance of a class", new Point(2)],
    ["a record without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["a getter", Object.defineProperty({}, "a", { get: () => 1, enumerable: true })],
    ["properties that are not enumerable", Object.defineProperty({ a: 1 }, "b", { value: 2 })],
    ["inherited properties", Object.create({ inherited: 1 })],
    ["boxed strings and booleans", [Object("s"), Object(true), Object(5)]],
    ["a boxed symbol", [Object(Symbol("s"))]],
    ["a toJSON that makes an object with a toJSON", { toJSON: () => ({ a: 1, toJSON: () => "again" }) }],
    ["a function with a toJSON", [Object.assign(() => 1, { toJSON: () => "made" })]],
    ["keys that records inherit", { toString: 1, valueOf: 2, hasOwnProperty: 3, constructor: 4 }],
    ["a toJSON that is no function", { toJSON: 5 }],
    ["a toJSON that makes a string", { at: { toJSON: () => "text" } }],
    ["a toJSON that makes a record", [{ toJSON: () => ({ a: 1 }) }]],
    [
      "a toJSON of the prototype",
      new (class {
        x = 1;
        toJSON() {
          return { made: this.x };
        }
      })(),
    ],
    ["a toJSON that makes a function", { a: { toJSON: () => () => 1 }, b: [{ toJSON: () => () => 1 }] }],
    [
      "a toJSON that takes the key",
      { a: { toJSON: (key: string) => key }, b: [{ toJSON: (key: string) => key }] },
    ],
    ["a toJSON at the root, which is given no key", { toJSON: (key: string) => `<${key}>` }],
    ["a toJSON that makes nothing", { a: { toJSON: () => undefined }, b: 1 }],
    [
      "a toJSON that returns its own object",
      {
        a: {
          x: 1,
          toJSON() {
            return this;
          },
        },
      },
    ],
    [
      "a toJSON that copies its own object",
      {
        x: 1,
        toJSON() {
          return { ...this };
        },
      },
    ],
    ["an array with a toJSON", { a: Object.assign([1], { toJSON: () => ({ made: true }) }) }],
    ["a shared part", ((part) => [part, part])({ a: [1] })],
  ];

  test.each(plain)("writes %s exactly as JSON.stringify", (_name, value) => {
    expect(serializer.serialize(value)).toBe(JSON.stringify(value));
  });

  test.each(plain)("reads %s exactly as JSON.parse", (_name, value) => {
    const text = JSON.stringify(value);
    assertSame(serializer.deserialize(text), JSON.parse(text));
  });

  test("an instance of a class becomes a record of its own fields, special ones kept", () => {
    class Visit {
      at = new Date(0);
      readonly seen = new Set([1]);
      go = () => 1;
    }
    assertSame(roundTrip([new Visit()]), [{ at: new Date(0), seen: new Set([1]) }]);
  });

  test("a record without a prototype becomes a plain one", () => {
    assertSame(roundTrip(Object.assign(Object.create(null), { at: new Date(0) })), { at: new Date(0) });
  });

  test("what a toJSON makes is kept with its types", () => {
    const value = { toJSON: () => ({ at: new Date(0), list: [undefined, 1n] }) };
    assertSame(roundTrip({ a: value }), { a: { at: new Date(0), list: [undefined, 1n] } });
  });

  test("what an array's toJSON makes is kept with its types", () => {
    const value = Object.assign([1], { toJSON: () => new Map([["a", 1]]) });
    assertSame(roundTrip([value]), [new Map([["a", 1]])]);
  });

  test("a toJSON of a subclass of Map, Set or Error is honoured", () => {
    class Registry extends Map<unknown, unknown> {
      toJSON() {
        return { size: this.size };
      }
    }
    class Tags extends Set<unknown> {
      toJSON() {
        return [...this].join();
      }
    }
    class Failure extends Error {
      toJSON() {
        return { failed: this.message };
      }
    }
    assertSame(roundTrip([new Registry([[1, 2]]), new Tags(["a", "b"]), new Failure("m")]), [
      { size: 1 },
      "a,b",
      { failed: "m" },
    ]);
  });

  test("Dates, URLs and Buffers keep their type, although they have a toJSON", () => {
    const value = [new Date(0), new URL("https://example.com/"), Buffer.from("x")];
    assertSame(roundTrip(value), value);
  });

  test("an object that a toJSON makes is not asked for its own, as in JSON, and keeps its types", () => {
    const made = { at: new Date(0), toJSON: () => "again" };
    assertSame(roundTrip({ toJSON: () => made }), { at: new Date(0) });
  });

  test("boxed numbers and bigints come back as what they hold", () => {
    const value = [Object(Number.NaN), Object(-0), Object(5n), new Map([["a", Object("s")]])];
    assertSame(roundTrip(value), [Number.NaN, -0, 5n, new Map([["a", "s"]])]);
  });

  test("the bytes of a SharedArrayBuffer come back as an ArrayBuffer", () => {
    const shared = new SharedArrayBuffer(2);
    new Uint8Array(shared).set([1, 2]);
    assertSame(roundTrip([shared, new Uint8Array(shared)]), [
      new Uint8Array([1, 2]).buffer,
      new Uint8Array([1, 2]),
    ]);
  });

  test("what an instance of a built-in class says of itself does not change what is written", () => {
    const bytes = Object.assign(Buffer.from("x"), { toString: () => "no base64" });
    const list = Object.defineProperty(new Uint8Array([1]), Symbol.toStringTag, { value: "Date" });
    const map = Object.defineProperty(new Map([[1, 2]]), Symbol.toStringTag, { value: "Object" });
    const date = Object.assign(new Date(0), { toISOString: () => "never" });
    assertSame(roundTrip([bytes, list, map, date]), [
      Buffer.from("x"),
      new Uint8Array([1]),
      new Map([[1, 2]]),
      new Date(0),
    ]);
  });

  test("an encoded value is a copy, so that no getter writes something else than was walked", () => {
    let reads = 0;
    const value = {
      get changing(): unknown {
        reads += 1;
        return reads === 1 ? 1 : { __type: "Date", value: "no date" };
      },
    };
    expect(JSON.stringify(encode([value, 1n]))).toBe('[{"changing":1},{"__type":"js:bigint","value":"1"}]');
    expect(reads).toBe(1);
  });

  test.each([
    ["Map", new Map([[1, 2]])],
    ["Set", new Set([1])],
    ["RegExp", /a/],
    ["ArrayBuffer", new ArrayBuffer(1)],
    ["Date", new Date(0)],
  ])("a Proxy of a %s is refused with its path, not written as an empty object", (_kind, target) => {
    expect(refusalOf({ a: [new Proxy(target, {})] }).path).toBe("$.a[0]");
  });

  test("a Proxy of a record or an array is written as what it shows", () => {
    assertSame(roundTrip([new Proxy({ a: new Date(0) }, {}), new Proxy([1n], {})]), [
      { a: new Date(0) },
      [1n],
    ]);
  });

  test("subclasses of built-in classes come back as instances of the built-in class", () => {
    class MyDate extends Date {}
    class MyMap extends Map<unknown, unknown> {}
    class MySet extends Set<unknown> {}
    class MyBytes extends Uint8Array {}
    assertSame(roundTrip([new MyDate(0), new MyMap([[1, 2]]), new MySet([1]), new MyBytes([1])]), [
      new Date(0),
      new Map([[1, 2]]),
      new Set([1]),
      new Uint8Array([1]),
    ]);
  });

  test.each([[() => 1], [Symbol("s")], [{ toJSON: () => () => 1 }]])(
    "a function or symbol alone has no wire format (%#)",
    (value) => {
      expect(refusalOf(value).path).toBe("$");
    },
  );
});

describe("a value that contains itself", () => {
  const list: unknown[] = [];
  list.push(list);
  const record: Record<string, unknown> = {};
  record.self = record;
  const inMapValue = new Map<unknown, unknown>();
  inMapValue.set("self", inMapValue);
  const inMapKey = new Map<unknown, unknown>();
  inMapKey.set(inMapKey, 1);
  const set = new Set<unknown>();
  set.add(set);
  const cause = new Error("m");
  cause.cause = cause;
  const field = new Error("m");
  Object.assign(field, { field });
  const aggregate = new AggregateError([], "m");
  aggregate.errors.push(aggregate);
  const lookalike: Record<string, unknown> = { __type: "Date" };
  lookalike.value = lookalike;
  const afterSpecial: unknown[] = [new Date(0), undefined];
  afterSpecial.push({ afterSpecial });
  const bare: Record<string, unknown> = Object.create(null);
  bare.self = [bare];
  const instance = new (class Node {
    parent: unknown = this;
  })();
  const wide: unknown[] = Array.from({ length: 1000 }, () => ({}));
  wide.push([wide]);
  const deep: unknown[] = [];
  deep.push(nest(40, (inner) => ({ inner }), deep));
  const made = {
    toJSON: (): unknown => ({ made }),
  };

  const cycles: readonly [string, unknown, string][] = [
    ["an array", list, "$[0]"],
    ["a record", record, "$.self"],
    ["a record under special data", { at: new Date(0), record }, "$.record.self"],
    ["a Map by a value", inMapValue, "$[0]"],
    ["a Map by a key", inMapKey, "$[0]"],
    ["a Set", set, "$[0]"],
    ["an Error by its cause", cause, "$.cause"],
    ["an Error by a field", field, "$.field"],
    ["an AggregateError", aggregate, "$.errors[0]"],
    ["an object with a __type", lookalike, "$.value"],
    ["an array with special values before", afterSpecial, "$[2].afterSpecial"],
    ["a record without a prototype", bare, "$.self[0]"],
    ["an instance of a class", instance, "$.parent"],
    ["a wide array", wide, "$[1000][0]"],
    ["an array forty levels up", deep, `$[0]${".inner".repeat(40)}`],
    ["an object by what its toJSON makes", made, '$["toJSON()"].made'],
    ["a cycle that begins below plain data", { a: [{ list }] }, "$.a[0].list[0]"],
    ["a cycle that begins eighty levels down", nest(80, (inner) => [inner], list), `$${"[0]".repeat(81)}`],
  ];

  test.each(cycles)("is refused, and its way named once: %s", (_kind, value, path) => {
    const error = refusalOf(value);
    expect(error.message).toMatch(/^Value cannot be serialized: \$.+ contains itself$/s);
    expect(error.path).toBe(path);
  });

  test("is named by the way that leads into it", () => {
    const root: Record<string, unknown> = { before: { deep: [1] } };
    root.nodes = [0, { parent: root }];
    expect(refusalOf(root).path).toBe("$.nodes[1].parent");
  });

  test("is named by the ends of its path if that is long", () => {
    const far: unknown[] = [];
    far.push(nest(200, (inner) => ({ inner }), far));
    const { path } = refusalOf(far);
    expect(path).toStartWith("$[0].inner.inner");
    expect(path).toEndWith(".inner.inner");
    expect(path).toContain(" … ");
    expect(path.length).toBeLessThan(400);
  });

  test("is not confused with a part that is met twice", () => {
    const part = { at: new Date(0) };
    const shared = [part, { part }, new Map([[part, part]]), [[part]]];
    assertSame(roundTrip(shared), shared);
  });

  test("is not confused with a part that is met again far below", () => {
    const part = [new Date(0)];
    const value = [part, nest(300, (inner) => [inner], part)];
    assertSame(roundTrip(value), value);
  });
});

describe("a value that is nested deeply", () => {
  const LIMIT = 2_000;
  const inArray = (inner: unknown): unknown => [inner];
  const inRecord = (inner: unknown): unknown => ({ inner });

  test.each([
    ["arrays", inArray],
    ["records", inRecord],
  ])("is written down to 2,000 levels of %s", (_kind, wrap) => {
    const text = serializer.serialize(nest(LIMIT, wrap, -0));
    let level = serializer.deserialize(text);
    let count = 0;
    while (typeof level === "object" && level !== null) {
      level = Object.values(level)[0];
      count++;
    }
    expect(count).toBe(LIMIT);
    expect(level).toBe(-0);
  });

  test.each([
    ["arrays", inArray],
    ["records", inRecord],
    ["Maps", (inner: unknown) => new Map([["k", inner]])],
    ["Sets", (inner: unknown) => new Set([inner])],
    ["causes", (inner: unknown) => new Error("m", { cause: inner })],
    ["objects that a toJSON makes", (inner: unknown) => ({ toJSON: () => ({ inner }) })],
  ])("is refused beyond 2,000 levels of %s", (_kind, wrap) => {
    const error = refusalOf(nest(LIMIT + 1, wrap, null));
    expect(error.message).toEndWith("is nested deeper than 2000 levels");
    expect(error.path).toStartWith("$");
    expect(error.path.length).toBeLessThan(400);
  });

  test("is refused at a hundred times that, and if a toJSON never ends", () => {
    const endless = (): unknown => ({ toJSON: () => ({ next: endless() }) });
    expect(refusalOf(nest(100 * LIMIT, inArray, null)).message).toContain("nested deeper");
    expect(refusalOf(endless()).message).toContain("nested deeper");
  });

  test.each([
    ["Maps by their values", (inner: unknown) => new Map([["k", inner]])],
    ["Maps by their keys", (inner: unknown) => new Map([[inner, 1]])],
    ["Sets", (inner: unknown) => new Set([inner])],
    ["causes", (inner: unknown) => withStack(new Error("m", { cause: inner }), "s")],
    ["lookalikes", (inner: unknown) => ({ __type: "x", inner })],
  ])("is never written so that it cannot be read: %s", (_kind, wrap) => {
    for (const levels of [500, 1_999]) {
      const value = nest(levels, wrap, new Date(0));
      let text: string;
      try {
        text = serializer.serialize(value);
      } catch (error) {
        expect(error).toBeInstanceOf(SerializationError);
        continue;
      }
      expect(serializer.serialize(serializer.deserialize(text))).toBe(text);
    }
  });

  test("is a value or corruption when a text is deeper than the stack", () => {
    const levels = 200_000;
    const text = `${"[".repeat(levels)}{"__type":"Date","value":"1970-01-01"}${"]".repeat(levels)}`;
    try {
      serializer.deserialize(text);
    } catch (error) {
      expect(error).toBeInstanceOf(CheckpointCorruptionError);
    }
  });
});

describe("a value that is large", () => {
  test.each([
    ["arrays", (part: unknown) => [part, part]],
    ["records", (part: unknown) => ({ left: part, right: part })],
  ])("is refused when shared %s make it 2^40 parts, instead of being written without end", (_kind, wrap) => {
    expect(refusalOf(nest(40, wrap, "leaf")).message).toEndWith(
      "has more than 10000000 objects and arrays; a shared one counts each time it occurs",
    );
  });

  test("comes back when it shares parts that make a million", () => {
    expect(serializer.serialize(nest(17, (part) => [part, part], 1)).length).toBeGreaterThan(400_000);
  });

  test.each([
    ["a Buffer", (size: number) => Buffer.alloc(size, 7)],
    ["a Uint8Array", (size: number) => new Uint8Array(size).fill(7)],
    ["an ArrayBuffer", (size: number) => new ArrayBuffer(size)],
  ])("comes back when it is %s of 16 MiB", (_kind, make) => {
    const value = make(16 * 1024 * 1024);
    assertSame(roundTrip(value), value);
  });

  test("comes back when it is a string of 16 MiB that looks like base64 and holds a tag's name", () => {
    const value = { text: `__type${"A".repeat(16 * 1024 * 1024)}` };
    assertSame(roundTrip(value), value);
  });
});

describe("a value that cannot be read", () => {
  const failure = new Error("not now");
  const fail = (): never => {
    throw failure;
  };
  const getter = (key: string): object => Object.defineProperty({}, key, { get: fail, enumerable: true });

  const unreadable: readonly [string, unknown, readonly string[]][] = [
    ["a getter", { a: getter("b") }, ["$.a", "$.a.b"]],
    ["a getter after a sibling", { first: { deep: [1] }, second: getter("b") }, ["$.second", "$.second.b"]],
    [
      "a getter after a sibling within the same record",
      Object.defineProperty({ first: { deep: 1 } }, "b", { get: fail, enumerable: true }),
      ["$", "$.b"],
    ],
    ["a toJSON", { a: [{ toJSON: fail }] }, ["$.a[0]"]],
    ["a toJSON after a sibling that is deeper", [{ deep: {} }, { toJSON: fail }], ["$[1]"]],
    ["a toJSON of an array", { a: Object.assign([], { toJSON: fail }) }, ["$.a"]],
    ["a toJSON within a Map", { m: new Map([["k", { toJSON: fail }]]) }, ["$.m[0]"]],
    [
      "a name of an Error",
      { e: Object.defineProperty(new Error("m"), "name", { get: fail }) },
      ["$.e", "$.e.name"],
    ],
    ["a proxy that refuses", { p: new Proxy({}, { ownKeys: fail }) }, ["$.p"]],
  ];

  test.each(unreadable)("is refused with its path and its cause: %s", (_kind, value, paths) => {
    const error = refusalOf(value);
    expect(paths).toContain(error.path);
    expect(error.message).toContain("not now");
    expect(error.cause).toBe(failure);
  });

  test("is refused when what it throws is no Error", () => {
    const value = {
      toJSON() {
        throw "a string";
      },
    };
    expect(refusalOf(value).cause).toBe("a string");
  });

  test("is refused when it is a typed array whose buffer was given away", () => {
    const bytes = new Uint8Array(8);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    const outcome = (() => {
      try {
        return roundTrip([bytes]);
      } catch (error) {
        return error;
      }
    })();
    if (!(outcome instanceof SerializationError)) {
      assertSame(outcome, [new Uint8Array(0)]);
    }
  });

  test("leaves the serializer as good as new", () => {
    refusalOf([[[{ toJSON: fail }]]]);
    assertSame(roundTrip({ at: new Date(0) }), { at: new Date(0) });
    corruptionIn('[{"a":{"__type":"Date"}}]');
    expect(corruptionIn('{"__type":"Date"}').reason).toStartWith("$ is tagged Date");
  });
});

describe("keys that name parts of a prototype", () => {
  const keys = ["__proto__", "constructor", "prototype"];
  const contents: readonly [string, unknown][] = [
    ["plain data", { polluted: true, list: [1] }],
    ["special data", { polluted: new Date(0), more: new Map([["k", 1n]]) }],
    ["a special value", new Set([1])],
    ["a scalar", -0],
    ["a lookalike", { __type: "Date", value: "x" }],
  ];

  for (const key of keys) {
    test.each(contents)(`are own data: ${key} with %s`, (_kind, content) => {
      const values = [
        own(key, content),
        own(key, own(key, own(key, content))),
        { before: new Date(0), ...own("after", own(key, content)) },
        Object.fromEntries([
          ["before", 1n],
          [key, content],
          ["after", undefined],
        ]),
        [own(key, content)],
        new Map([[own(key, content), own(key, content)]]),
        Object.fromEntries([
          ["__type", "Date"],
          [key, content],
        ]),
      ];
      for (const value of values) {
        assertSame(roundTrip(value), value);
      }
      const back = Object(roundTrip(own(key, content)));
      expect(Object.keys(back)).toContain(key);
      expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    });

    test(`are an Error's own data: ${key}`, () => {
      const error = withStack(new Error("m"));
      Object.defineProperty(error, key, {
        value: { polluted: new Date(0) },
        enumerable: true,
        writable: true,
        configurable: true,
      });
      const back = Object(roundTrip(error));
      assertSame(back, error);
      expect(Object.getPrototypeOf(back)).toBe(Error.prototype);
    });
  }

  test("never touch a prototype, in whatever tag they come", () => {
    const keysBefore = [Object, Array, Map, Error, Date].map((Class) => Reflect.ownKeys(Class.prototype));
    const hostile =
      '{"__proto__":{"polluted":{"__type":"Set","value":[]}},"constructor":{"prototype":{"polluted":1}}}';
    const texts = [
      hostile,
      `[{"__type":"js:object","value":${hostile}}]`,
      `{"__type":"js:Error","value":{"name":"Error","message":"m","fields":${hostile},"__proto__":${hostile}}}`,
      `{"__type":"js:Error","value":{"name":"__proto__","message":"constructor","cause":${hostile}}}`,
      `{"__type":"Map","value":[["__proto__",${hostile}],[${hostile},1]],"__proto__":{"polluted":1}}`,
      `{"__proto__":{"__type":"Map","value":[["a",${hostile}]]}}`,
      `{"__type":"__proto__","value":${hostile}}`,
    ];
    for (const text of texts) {
      serializer.serialize(serializer.deserialize(text));
    }
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect([Object, Array, Map, Error, Date].map((Class) => Reflect.ownKeys(Class.prototype))).toEqual(
      keysBefore,
    );
  });
});

describe("special values", () => {
  const values: readonly [string, () => unknown][] = [
    ["-0 beside 0", () => ({ a: -0, b: 0, list: [0, -0] })],
    ["numbers at the edges", () => [Number.MAX_VALUE, Number.MIN_VALUE, Number.EPSILON, 2 ** 53, -(2 ** 53)]],
    [
      "special numbers as keys of a Map",
      () =>
        new Map([
          [Number.NaN, 1],
          [Infinity, 2],
          [0, 3],
        ]),
    ],
    ["undefined in a Map and a Set", () => [new Map([[undefined, undefined]]), new Set([undefined, null])]],
    ["a Map and a Set inside each other", () => new Map([[new Set([new Map([[1, new Set()]])]), new Map()]])],
    ["a Set of equal objects", () => new Set([{ a: 1 }, { a: 1 }])],
    ["bigints of many digits", () => [0n, -1n, 10n ** 500n, -(2n ** 64n)]],
    [
      "strings that look like wire text",
      () => ["__type", '{"__type":"Date"}', "NaN", "js:undefined", "\\u005f_type"],
    ],
    ["NUL and lone surrogates", () => ({ "\u0000\ud800": ["\udfff\u0000", "a\u0000b"], at: new Date(0) })],
    [
      "lone surrogates in Errors, Sets and Maps",
      () => [new Set(["\ud800"]), new Map([["\udfff", "\ud83d"]])],
    ],
    ["a RegExp of every flag", () => [/a/dgimsuy, /[a--b]/v, /(?:)/, /\//, /[/]\n/, /\n\u2028/]],
    ["a sticky RegExp half way", () => Object.assign(/a/y, { lastIndex: 2 ** 31 })],
    [
      "URLs of many kinds",
      () => ["data:,x", "file:///a%20b", "http://u:p@h:1/?a=1#b", "urn:x:y"].map((text) => new URL(text)),
    ],
    [
      "typed arrays of no length",
      () => [
        new Uint8Array(0),
        new Float16Array(0),
        new BigInt64Array(0),
        new ArrayBuffer(0),
        new DataView(new ArrayBuffer(0)),
      ],
    ],
    [
      "a part of a larger buffer",
      () => [
        new Uint8Array(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2),
        new Int16Array(new Uint8Array([1, 2, 3, 4, 5, 6]).buffer, 2, 1),
        new Float64Array(new ArrayBuffer(32), 8, 2).fill(-0),
        new BigUint64Array(new ArrayBuffer(32), 8, 1).fill(2n ** 64n - 1n),
        new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2),
        Buffer.from("abcdef").subarray(2, 4),
      ],
    ],
    [
      "the edges of every kind of typed array",
      () => [
        new Int8Array([-128, 127]),
        new Uint8Array([0, 255]),
        new Uint8ClampedArray([-1, 256]),
        new Int16Array([-32_768, 32_767]),
        new Uint16Array([0, 65_535]),
        new Int32Array([-(2 ** 31), 2 ** 31 - 1]),
        new Uint32Array([0, 2 ** 32 - 1]),
        new Float16Array([-0, 65_504, Number.NaN, -Infinity]),
        new Float32Array([-0, 1.5, Number.NaN, Infinity]),
        new Float64Array([-0, 5e-324, Number.NaN, -Infinity]),
        new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]),
        new BigUint64Array([0n, 2n ** 64n - 1n]),
      ],
    ],
  ];

  test.each(values)("come back as they were: %s", (_name, make) => {
    assertSame(roundTrip(make()), make());
  });

  test.each(values)("are left as they were: %s", (_name, make) => {
    const value = deepFreeze(make());
    const text = serializer.serialize(value);
    assertSame(value, make());
    expect(serializer.serialize(value)).toBe(text);
  });

  test("a view comes back with a buffer of its own, no larger than itself", () => {
    const back = Object(roundTrip(new Uint8Array(new ArrayBuffer(1000), 10, 3)));
    expect({ offset: back.byteOffset, size: back.buffer.byteLength }).toEqual({ offset: 0, size: 3 });
  });

  test("holes of an array come back as undefined", () => {
    const sparse = [1];
    sparse[3] = 4;
    expect(roundTrip(sparse)).toEqual([1, undefined, undefined, 4]);
    expect(roundTrip(new Array(3))).toEqual([undefined, undefined, undefined]);
  });

  test("an undefined property is left out, as JSON does", () => {
    expect(serializer.serialize({ a: undefined, at: new Date(0), b: undefined })).toBe(
      '{"at":{"__type":"Date","value":"1970-01-01T00:00:00.000Z"}}',
    );
  });

  test("parts that were shared come back equal, each on its own", () => {
    const part = { at: new Date(0) };
    const back = Object(roundTrip([part, part]));
    assertSame(back, [part, part]);
    expect(back[0]).not.toBe(back[1]);
  });

  test("a RegExp whose lastIndex JSON cannot say is never written so that it cannot be read", () => {
    for (const lastIndex of [Infinity, Number.NaN]) {
      const regExp = Object.assign(/a/g, { lastIndex });
      assertSame(roundTrip(regExp), regExp);
    }
  });

  test("nothing in the input is changed, and nothing of it is handed out again", () => {
    const make = () => ({
      plain: { list: [1, { a: null }] },
      map: new Map([["k", [undefined]]]),
      date: new Date(0),
    });
    const value = deepFreeze(make());
    const back = Object(roundTrip(value));
    back.plain.list.push("changed");
    back.date.setTime(5);
    assertSame(value, make());
  });
});

describe("errors", () => {
  const made: readonly [string, Error][] = [
    ["every built-in class: Error", new Error("m")],
    ["every built-in class: EvalError", new EvalError("m")],
    ["every built-in class: RangeError", new RangeError("m")],
    ["every built-in class: ReferenceError", new ReferenceError("m")],
    ["every built-in class: SyntaxError", new SyntaxError("m")],
    ["every built-in class: TypeError", new TypeError("m")],
    ["every built-in class: URIError", new URIError("m")],
    [
      "a cause that is an Error",
      new Error("m", { cause: withStack(new TypeError("because", { cause: 1n })) }),
    ],
    ["a cause that is data", new Error("m", { cause: { at: new Date(0) } })],
    ["a cause that is undefined", new Error("m", { cause: undefined })],
    ["an AggregateError", new AggregateError([withStack(new RangeError("a")), { b: new Set() }], "m")],
    ["an AggregateError of none", new AggregateError([], "m")],
    [
      "custom fields",
      Object.assign(new Error("m"), { code: "E_X", at: new Date(0), deep: { list: [undefined] } }),
    ],
    ["a field that is undefined", Object.assign(new Error("m"), { code: undefined })],
    [
      "a field named errors, as validation libraries have it",
      Object.assign(new Error("m"), { errors: [{ path: "a" }] }),
    ],
    ["a name of its own", Object.assign(new Error("m"), { name: "ValidationError" })],
    ["an empty message", new Error("")],
    ["NUL and lone surrogates in the message", new Error("a\u0000\ud800b")],
  ];

  test.each(made)("come back with %s", (_what, error) => {
    const value = withStack(error);
    assertSame(roundTrip(value), value);
  });

  test.each(made)("are written as the same text again after they were read, with %s", (_what, error) => {
    const text = serializer.serialize(withStack(error));
    expect(serializer.serialize(serializer.deserialize(text))).toBe(text);
  });

  test("keep the stack of where they were made", () => {
    const error = new Error("m");
    const back = roundTrip(error);
    expect(back).toBeInstanceOf(Error);
    expect(Reflect.get(Object(back), "stack")).toBe(error.stack);
  });

  test("have no stack if there was none, not that of the reader", () => {
    const error = new Error("m");
    Reflect.deleteProperty(error, "stack");
    expect(Reflect.get(Object(roundTrip(error)), "stack")).toBeUndefined();
  });

  test("of a user's class come back as an Error of that name, with their fields", () => {
    class QuotaError extends RangeError {
      override readonly name = "QuotaError";
      constructor(readonly limit: bigint) {
        super("quota exceeded", { cause: new Date(0) });
      }
    }
    const error = withStack(new QuotaError(5n));
    const back = Object(roundTrip(error));
    expect(back).toBeInstanceOf(Error);
    expect({ name: back.name, message: back.message, stack: back.stack, limit: back.limit }).toEqual({
      name: "QuotaError",
      message: "quota exceeded",
      stack: error.stack,
      limit: 5n,
    });
    assertSame(back.cause, new Date(0));
  });

  test("of a subclass of AggregateError keep their errors", () => {
    class AllFailed extends AggregateError {
      override readonly name = "AllFailed";
    }
    const back = Object(roundTrip(new AllFailed([1n], "m")));
    expect(back).toBeInstanceOf(AggregateError);
    expect({ name: back.name, errors: back.errors }).toEqual({ name: "AllFailed", errors: [1n] });
  });

  test("list name, message, stack and cause no more than the engine does", () => {
    const error = Object.assign(new Error("m", { cause: 1 }), { code: 1 });
    expect(Object.keys(Object(roundTrip(error)))).toEqual(["code"]);
  });

  test("that have no cause come back without one", () => {
    expect(Object.getOwnPropertyNames(roundTrip(new Error("m")))).not.toContain("cause");
    expect(Object.getOwnPropertyNames(roundTrip(new Error("m", { cause: undefined })))).toContain("cause");
  });

  test("drop functions among their fields", () => {
    expect(
      Object.keys(Object(roundTrip(Object.assign(new Error("m"), { retry: () => 1, code: 1 })))),
    ).toEqual(["code"]);
  });
});
