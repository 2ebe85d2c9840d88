import { describe, expect, test } from "bun:test";
import { CheckpointStoreError, InvalidArgumentError, SerializationError } from "@obsku/checkpoint-sqlite";
import {
  limit,
  mustBe,
  nonNegativeInteger,
  oneOf,
  optionalNonNegativeInteger,
  optionalObject,
  optionalStructured,
  optionalText,
  optionalTime,
  requiredObject,
  structured,
  text,
} from "../../src/validation/arguments.js";
import {
  cycleState,
  nodeResults,
  pendingNodes,
  record,
  toolCalls,
  toolResults,
} from "../../src/validation/schemas.js";
import { describe as describeValue } from "../../src/values/describe.js";
import { thrownAs } from "../support/failures.js";

/** In the wire format. */
function textOf(argument: string, value: unknown, schema: Parameters<typeof structured>[2]): string {
  return structured(argument, value, schema).text;
}

const LONG = "payload ".repeat(10_000);

function refusalOf(action: () => unknown): InvalidArgumentError {
  return thrownAs(InvalidArgumentError, action);
}

describe("a refusal names the argument, what was given and what is allowed", () => {
  const refusals: readonly [string, () => unknown, string][] = [
    [
      "a number where an id belongs",
      () => text("sessionId", 5),
      "Invalid argument: sessionId must be a string, not the number 5",
    ],
    [
      "no id at all",
      () => text("sessionId", undefined),
      "Invalid argument: sessionId must be a string, not undefined",
    ],
    [
      "null where an id belongs",
      () => text("checkpointId", null),
      "Invalid argument: checkpointId must be a string, not null",
    ],
    [
      "half a character",
      () => text("message.content", "a\ud800b"),
      "Invalid argument: message.content contains a lone surrogate (half of a character), which SQLite cannot store: " +
        "pass it through toWellFormed()",
    ],
    [
      "an object as a title",
      () => optionalText("options.title", { text: "x" }),
      "Invalid argument: options.title must be a string, not an object (Object)",
    ],
    [
      "a role that is not in the list",
      () => oneOf("message.role", "robot", ["user", "assistant"]),
      'Invalid argument: message.role must be one of "user", "assistant", not the string "robot"',
    ],
    [
      "a negative version",
      () => nonNegativeInteger("checkpoint.version", -1),
      "Invalid argument: checkpoint.version must be a non-negative integer, not the number -1",
    ],
    [
      "a limit in a string",
      () => limit("options.limit", "10"),
      'Invalid argument: options.limit must be a non-negative integer, not the string "10"',
    ],
    [
      "a time that is not finite",
      () => optionalTime("options.before", Number.POSITIVE_INFINITY),
      "Invalid argument: options.before must be a finite number of milliseconds, not the number Infinity",
    ],
    [
      "a string for options",
      () => optionalObject("options", "x", ["limit"]),
      'Invalid argument: options must be an object, not the string "x"',
    ],
    [
      "no message",
      () => requiredObject("message", null, ["role"]),
      "Invalid argument: message must be an object, not null",
    ],
    [
      "a Map as metadata",
      () => structured("options.metadata", new Map(), record),
      "Invalid argument: options.metadata must be an object, not an object (Map)",
    ],
    [
      "an unknown status",
      () => structured("checkpoint.nodeResults", { "node a": { status: "done" } }, nodeResults),
      'Invalid argument: checkpoint.nodeResults["node a"].status must be one of "pending", "running", "completed", ' +
        '"failed", "skipped", not the string "done"',
    ],
    [
      "a node result that is no object",
      () => structured("checkpoint.nodeResults", { a: "done" }, nodeResults),
      'Invalid argument: checkpoint.nodeResults["a"] must be an object { status, output?, error?, startedAt?, ' +
        'completedAt? }, not the string "done"',
    ],
    [
      "a number among pending nodes",
      () => structured("checkpoint.pendingNodes", ["a", 2], pendingNodes),
      "Invalid argument: checkpoint.pendingNodes[1] must be a string, not the number 2",
    ],
    [
      "a hole among pending nodes",
      () => structured("checkpoint.pendingNodes", new Array(1), pendingNodes),
      "Invalid argument: checkpoint.pendingNodes[0] must be a string, not undefined",
    ],
    [
      "a tool call without a name",
      () => structured("message.toolCalls", [{ toolUseId: "t", input: {} }], toolCalls),
      "Invalid argument: message.toolCalls[0].name must be a string, not undefined",
    ],
    [
      "a list as a tool call's input",
      () => structured("message.toolCalls", [{ name: "n", toolUseId: "t", input: [] }], toolCalls),
      "Invalid argument: message.toolCalls[0].input must be an object, not an array",
    ],
    [
      "a tool result whose content is no string",
      () => structured("message.toolResults", [{ toolUseId: "t", content: 7n }], toolResults),
      "Invalid argument: message.toolResults[0].content must be a string, not the bigint 7",
    ],
    [
      "a tool result that is not in a list",
      () => structured("message.toolResults", {}, toolResults),
      "Invalid argument: message.toolResults must be an array of tool results, not an object (Object)",
    ],
    [
      "half an iteration",
      () => structured("checkpoint.cycleState", { backEdge: "b->a", iteration: 1.5 }, cycleState),
      "Invalid argument: checkpoint.cycleState.iteration must be a non-negative integer, not the number 1.5",
    ],
  ];

  test.each(refusals)("%s", (_case, action, message) => {
    const error = refusalOf(action);
    expect(error.message).toBe(message);
    expect(message).toStartWith(`Invalid argument: ${error.argument} `);
  });

  test("the argument is a property of its own, with the place within it", () => {
    const calls = [{ name: "n", toolUseId: "t", input: {} }, { name: 5 }];
    expect(refusalOf(() => structured("message.toolCalls", calls, toolCalls)).argument).toBe(
      "message.toolCalls[1].name",
    );
  });

  test("mustBe makes the error and leaves throwing it to the caller", () => {
    expect(mustBe("path", "a string", 5).message).toBe(
      "Invalid argument: path must be a string, not the number 5",
    );
  });
});

describe("text", () => {
  test.each(["", "a", "días — 日本語 🚀", "a\u0000b", "\ufffd", "\ufeff"])(
    "keeps the well-formed string %j as it is",
    (value) => {
      expect(text("sessionId", value)).toBe(value);
    },
  );

  test.each(["\ud800", "\udfff", "a\udc00b", "\ud83d", "\ude80\ud83d", "🚀\ud83d"])(
    "refuses the lone surrogate in %j",
    (value) => {
      expect(refusalOf(() => text("namespace", value)).argument).toBe("namespace");
      expect(refusalOf(() => optionalText("namespace", value)).argument).toBe("namespace");
    },
  );

  test("never shows the text that holds a lone surrogate", () => {
    const error = refusalOf(() => text("message.content", `my secret \ud800 ${LONG}`));
    expect(error.message).not.toContain("secret");
    expect(error.message.length).toBeLessThan(200);
  });

  test("refuses a String object, which is no string", () => {
    expect(refusalOf(() => text("sessionId", Object("s"))).message).toBe(
      "Invalid argument: sessionId must be a string, not an object (String)",
    );
  });
});

describe("an optional argument", () => {
  test.each([undefined, null])("is absent when it is %p", (absent) => {
    expect(optionalText("title", absent)).toBeNull();
    expect(optionalNonNegativeInteger("tokensIn", absent)).toBeNull();
    expect(optionalTime("before", absent)).toBeNull();
    expect(optionalStructured("metadata", absent, record)).toBeNull();
    expect(optionalObject("options", absent, ["limit"])).toEqual({ limit: undefined });
    expect(limit("limit", absent)).toBe(-1);
  });

  test("is given when it is empty or zero", () => {
    expect(optionalText("title", "")).toBe("");
    expect(optionalNonNegativeInteger("tokensIn", 0)).toBe(0);
    expect(optionalTime("before", 0)).toBe(0);
    expect(optionalStructured("metadata", {}, record)?.text).toBe("{}");
  });
});

describe("numbers and their bounds", () => {
  test.each([0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER])("%p is a non-negative integer", (value) => {
    expect(nonNegativeInteger("step", value)).toBe(value);
  });

  test.each([
    -1,
    0.5,
    Number.NaN,
    Infinity,
    -Infinity,
    Number.MAX_SAFE_INTEGER + 1,
    1n,
    "1",
    true,
    new Date(1),
  ])("%p is none", (value) => {
    expect(refusalOf(() => nonNegativeInteger("step", value)).message).toStartWith(
      "Invalid argument: step must be a non-negative integer, not ",
    );
  });

  test("-0 is taken as 0, which is what SQLite returns for it", () => {
    expect(nonNegativeInteger("step", -0)).toBe(0);
  });

  test("a list of one allowed value is not that value", () => {
    expect(refusalOf(() => nonNegativeInteger("step", [1])).argument).toBe("step");
    expect(refusalOf(() => oneOf("source", ["loop"], ["loop"])).argument).toBe("source");
  });

  test("a limit of 0 means all, any other is the limit", () => {
    expect([limit("limit", 0), limit("limit", -0), limit("limit", 1), limit("limit", 1000)]).toEqual([
      -1, -1, 1, 1000,
    ]);
  });

  test.each([-1, 1.5, "5", Number.NaN, Infinity])("a limit of %p is refused", (value) => {
    expect(refusalOf(() => limit("options.limit", value)).argument).toBe("options.limit");
  });

  test.each([0, -1, 1.5, 1e300])("a time may be %p", (value) => {
    expect(optionalTime("before", value)).toBe(value);
  });

  test.each([Number.NaN, Infinity, -Infinity, "1", 1n, new Date(1)])("a time cannot be %p", (value) => {
    expect(refusalOf(() => optionalTime("before", value)).argument).toBe("before");
  });
});

describe("oneOf", () => {
  test("returns the allowed value that was given", () => {
    expect(oneOf("source", "loop", ["input", "loop"])).toBe("loop");
  });

  test.each(["Loop", "loop ", "", "toString", "__proto__", 0, null, undefined])("refuses %p", (value) => {
    expect(refusalOf(() => oneOf("source", value, ["input", "loop"])).argument).toBe("source");
  });
});

describe("structured values", () => {
  const statuses = ["pending", "running", "completed", "failed", "skipped", "Complete", "Failed", "Skipped"];

  test.each(statuses)("a node may be %p", (status) => {
    expect(textOf("nodeResults", { a: { status } }, nodeResults)).toBe(`{"a":{"status":"${status}"}}`);
  });

  test("are handed on in the wire format, with fields the contract does not name", () => {
    const value = [{ name: "n", toolUseId: "t", input: { at: new Date(0) }, model: "m" }];
    expect(textOf("toolCalls", value, toolCalls)).toBe(
      '[{"name":"n","toolUseId":"t","input":{"at":{"__type":"Date","value":"1970-01-01T00:00:00.000Z"}},"model":"m"}]',
    );
  });

  test("are handed on as a read would return them, apart from what was passed", () => {
    const input = { at: new Date(0), dropped: undefined, list: [1, { deep: "x" }] };
    const { text, value } = structured("metadata", { input }, record);
    input.list.push(2);
    expect(text).toContain('"list":[1,{"deep":"x"}]');
    expect(value).toEqual({ input: { at: new Date(0), list: [1, { deep: "x" }] } });
  });

  test("may have null if a field is optional", () => {
    const result = { status: "completed", error: null, startedAt: null, completedAt: undefined };
    expect(textOf("nodeResults", { a: result }, nodeResults)).toContain('"status":"completed"');
    expect(textOf("toolResults", [{ toolUseId: "t", content: "c", status: null }], toolResults)).toContain(
      '"content":"c"',
    );
  });

  test("may hold lone surrogates, which the wire format keeps", () => {
    expect(textOf("pendingNodes", ["\ud800"], pendingNodes)).toBe('["\\ud800"]');
  });

  const noRecords: readonly [string, unknown][] = [
    ["an array", []],
    ["a Map", new Map()],
    ["a Set", new Set()],
    ["a Date", new Date(0)],
    ["an Error", new Error("e")],
    ["a RegExp", /r/],
    ["a Buffer", Buffer.alloc(1)],
    ["a string", "x"],
    ["a number", 5],
    ["null", null],
    ["a function", () => 1],
  ];

  test.each(noRecords)("metadata cannot be %s", (_kind, value) => {
    expect(refusalOf(() => textOf("metadata", value, record)).argument).toBe("metadata");
  });

  test("a value that is no record once it is written is refused", () => {
    const value = { toJSON: () => "text" };
    expect(refusalOf(() => textOf("metadata", value, record)).argument).toBe("metadata");
  });

  test("a node named __proto__ is checked like any other", () => {
    const results: unknown = JSON.parse('{"__proto__":{"status":"done"}}');
    expect(refusalOf(() => textOf("nodeResults", results, nodeResults)).argument).toBe(
      'nodeResults["__proto__"].status',
    );
  });

  test("a cycle is a SerializationError, not an overflow", () => {
    const metadata: Record<string, unknown> = {};
    metadata.self = metadata;
    thrownAs(SerializationError, () => textOf("metadata", metadata, record));
  });

  test("a getter that throws, met by a check, is an error of this package", () => {
    const result = {
      get status() {
        throw new Error("not now");
      },
    };
    thrownAs(CheckpointStoreError, () => textOf("nodeResults", { a: result }, nodeResults));
  });
});

describe("a value is shown by its kind and a little of it", () => {
  const shown: readonly [unknown, string][] = [
    ["text", 'the string "text"'],
    ['"\n', 'the string "\\"\\n"'],
    ["", 'the string ""'],
    [5, "the number 5"],
    [Number.NaN, "the number NaN"],
    [7n, "the bigint 7"],
    [true, "the boolean true"],
    [null, "null"],
    [undefined, "undefined"],
    [() => "secret", "a function"],
    [Symbol("secret"), "a symbol"],
    [["secret"], "an array"],
    [{ key: "secret" }, "an object (Object)"],
    [new Map([["secret", 1]]), "an object (Map)"],
    [new Date(0), "an object (Date)"],
    [Object.create(null), "an object (Object)"],
  ];

  for (const [value, text] of shown) {
    test(`as ${JSON.stringify(text)}`, () => {
      expect(describeValue(value)).toBe(text);
    });
  }

  test("a string of 60 characters is shown whole, a longer one cut off", () => {
    expect(describeValue("x".repeat(60))).toBe(`the string "${"x".repeat(60)}"`);
    expect(describeValue("x".repeat(61))).toBe(`the string "${"x".repeat(60)}…"`);
  });

  const long: readonly [string, unknown][] = [
    ["string", LONG],
    ["string of control characters", "\u0000".repeat(10_000)],
    ["array", [LONG]],
    ["record", { [LONG]: LONG }],
    ["Error", new Error(LONG)],
    ["Buffer", Buffer.from(LONG)],
    ["function", Object.defineProperty(() => LONG, "name", { value: LONG })],
    ["symbol", Symbol(LONG)],
    ["bigint", 10n ** 10_000n],
    ["object that names its own class", { [Symbol.toStringTag]: LONG }],
  ];

  test.each(long)("a long %s is not shown at length", (_kind, value) => {
    expect(describeValue(value).length).toBeLessThan(500);
  });
});
