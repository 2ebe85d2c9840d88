import assert from "node:assert/strict";
import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import { addTexts, buildCheckpoint, buildMessage } from "../support/builders.js";
import { callUntyped } from "../support/untyped-call.js";
import { assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

/** A method, the argument that is bad, the bad values for it, and how the call is made with one of them. */
interface BadArgument {
  readonly method: string;
  readonly argument: string;
  readonly values: readonly unknown[];
  args(value: unknown, known: Known): readonly unknown[];
}

interface Known {
  readonly sessionId: string;
  readonly checkpointId: string;
}

const notStrings: readonly unknown[] = [5, true, {}, ["a"], 1n, Symbol("s"), () => "a"];
const notIds: readonly unknown[] = [undefined, null, ...notStrings];
const notCounts: readonly unknown[] = [-1, 1.5, Number.NaN, Infinity, 2 ** 53, "3", {}, 3n];
const notTimes: readonly unknown[] = [Number.NaN, Infinity, -Infinity, "3", {}, new Date(1)];
const notRecords: readonly unknown[] = ["text", 5, true, [], ["a"]];

function idArguments(argument: string, methods: readonly (readonly [string, ...unknown[]])[]): BadArgument[] {
  return methods.map(([method, ...more]) => ({
    method,
    argument,
    values: notIds,
    args: (value) => [value, ...more],
  }));
}

function messageField(
  argument: string,
  values: readonly unknown[],
  wrap = (value: unknown) => value,
): BadArgument {
  return {
    method: "addMessage",
    argument,
    values,
    args: (value, { sessionId }) => [sessionId, { ...buildMessage(sessionId), [argument]: wrap(value) }],
  };
}

function checkpointField(
  argument: string,
  values: readonly unknown[],
  wrap = (value: unknown) => value,
): BadArgument {
  return {
    method: "saveCheckpoint",
    argument,
    values,
    args: (value, { sessionId }) => [
      { ...buildCheckpoint(sessionId, { version: 77 }), [argument]: wrap(value) },
    ],
  };
}

function sessionFields(method: "createSession" | "updateSession"): BadArgument[] {
  const first = ({ sessionId }: Known) => (method === "createSession" ? "./bad" : sessionId);
  const field = (argument: string, values: readonly unknown[]): BadArgument => ({
    method,
    argument,
    values,
    args: (value, known) => [first(known), { [argument]: value }],
  });
  return [field("title", notStrings), field("workspaceId", notStrings), field("metadata", notRecords)];
}

function optionalObject(method: string, fields: Readonly<Record<string, readonly unknown[]>>): BadArgument[] {
  return Object.entries(fields).map(([argument, values]) => ({
    method,
    argument,
    values,
    args: (value, known) => [method === "fork" ? known.checkpointId : known.sessionId, { [argument]: value }],
  }));
}

const toolCall = { name: "tool", toolUseId: "t1", input: {} };
const toolResult = { toolUseId: "t1", content: "ok" };
const cycleState = { backEdge: "b->a", iteration: 1 };
const completed = { status: "completed" };

/** `base` once for each field and each bad value of it. */
function spoil(base: object, bad: Readonly<Record<string, readonly unknown[]>>): unknown[] {
  return Object.entries(bad).flatMap(([field, values]) =>
    values.map((value) => ({ ...base, [field]: value })),
  );
}

const badArguments: readonly BadArgument[] = [
  { method: "createSession", argument: "directory", values: notIds, args: (value) => [value] },
  { method: "createSession", argument: "options", values: notRecords, args: (value) => ["./bad", value] },
  ...sessionFields("createSession"),
  ...sessionFields("updateSession"),
  {
    method: "updateSession",
    argument: "directory",
    values: notStrings,
    args: (directory, { sessionId }) => [sessionId, { directory }],
  },
  {
    method: "updateSession",
    argument: "updates",
    values: [null, undefined, ...notRecords],
    args: (value, { sessionId }) => [sessionId, value],
  },
  { method: "listSessions", argument: "workspaceId", values: notStrings, args: (value) => [value] },
  ...idArguments("sessionId", [
    ["getSession"],
    ["updateSession", { title: "T" }],
    ["deleteSession"],
    ["addMessage", { role: "user" }],
    ["getMessages"],
    ["getLatestCheckpoint"],
    ["listCheckpoints"],
  ]),
  ...idArguments("checkpointId", [["getCheckpoint"], ["fork"]]),
  ...optionalObject("getMessages", { before: notTimes, limit: notCounts }),
  ...optionalObject("listCheckpoints", { namespace: notStrings, limit: notCounts }),
  ...optionalObject("fork", { title: notStrings }),
  {
    method: "getLatestCheckpoint",
    argument: "namespace",
    values: notStrings,
    args: (value, { sessionId }) => [sessionId, value],
  },
  {
    method: "addMessage",
    argument: "message",
    values: [null, undefined, ...notRecords],
    args: (value, { sessionId }) => [sessionId, value],
  },
  messageField("role", [undefined, null, "", "robot", "User", 5]),
  messageField("content", notStrings),
  messageField("tokensIn", notCounts),
  messageField("tokensOut", notCounts),
  messageField("toolCalls", ["text", 5, {}, [null], ["text"], [[]]]),
  messageField(
    "toolCalls",
    spoil(toolCall, { name: notIds, toolUseId: notIds, input: [undefined, null, ...notRecords] }),
    (value) => [toolCall, value],
  ),
  messageField("toolResults", ["text", 5, {}, [null], ["text"], [[]]]),
  messageField(
    "toolResults",
    spoil(toolResult, { toolUseId: notIds, content: notIds, status: notStrings, fullOutputRef: notStrings }),
    (value) => [toolResult, value],
  ),
  {
    method: "saveCheckpoint",
    argument: "checkpoint",
    values: [null, undefined, ...notRecords],
    args: (value) => [value],
  },
  checkpointField("sessionId", notIds),
  checkpointField("namespace", notStrings),
  checkpointField("version", [undefined, null, ...notCounts]),
  checkpointField("step", [undefined, null, ...notCounts]),
  checkpointField("source", [undefined, null, "", "other", "Loop", 5]),
  checkpointField("nodeId", notStrings),
  checkpointField("parentId", notStrings),
  checkpointField("pendingNodes", ["text", 5, {}, [5], [null], ["a", undefined]]),
  checkpointField("cycleState", [
    ...notRecords,
    {},
    ...spoil(cycleState, {
      backEdge: notIds,
      iteration: [undefined, null, -1, 1.5, Number.NaN, Infinity, "1", {}],
    }),
  ]),
  checkpointField("nodeResults", [undefined, null, ...notRecords]),
  checkpointField("nodeResults", [null, undefined, "text", 5, []], (value) => ({
    good: completed,
    bad: value,
  })),
  checkpointField(
    "nodeResults",
    spoil(completed, {
      status: [undefined, null, "", "done", "COMPLETED", 5],
      error: notStrings,
      startedAt: notTimes,
      completedAt: notTimes,
    }),
    (value) => ({ good: completed, bad: value }),
  ),
];

export function describeArguments({ describe, testStore, ...context }: ConformanceContext): void {
  describe("bad arguments", () => {
    for (const [index, bad] of badArguments.entries()) {
      const { method, argument, values } = bad;
      testStore(
        `${method} refuses a bad ${argument} by name and writes nothing (${index + 1})`,
        async (store) => {
          const known = await fill(store);
          const before = await readEverything(store, known);
          for (const value of values) {
            const call = callUntyped(store, method, bad.args(value, known));
            await assertInvalid(context, call, argument, value);
          }
          assertSame(await readEverything(store, known), before);
        },
      );
    }

    testStore("a bad argument is refused even if the session is unknown", async (store) => {
      const call = callUntyped(store, "addMessage", ["no-such-session", { role: "robot" }]);
      await context.assertStoreError(call, { tag: "InvalidArgumentError", includes: "role" });
    });

    testStore("an argument whose getter throws is refused by name", async (store) => {
      const { sessionId, checkpointId } = await fill(store);
      const throwing = (field: string): object =>
        Object.defineProperty({}, field, {
          enumerable: true,
          get: () => {
            throw new RangeError("not now");
          },
        });
      const calls: readonly [string, readonly unknown[], string][] = [
        ["createSession", ["./d", throwing("title")], "options"],
        ["updateSession", [sessionId, throwing("title")], "updates"],
        ["addMessage", [sessionId, throwing("content")], "message"],
        ["getMessages", [sessionId, throwing("limit")], "options"],
        ["saveCheckpoint", [throwing("nodeResults")], "checkpoint"],
        ["listCheckpoints", [sessionId, throwing("namespace")], "options"],
        ["fork", [checkpointId, throwing("title")], "options"],
      ];
      for (const [method, args, argument] of calls) {
        const expected = { tag: "InvalidArgumentError", includes: argument };
        const { message } = await context.assertStoreError(callUntyped(store, method, args), expected);
        assert.deepEqual([method, message.includes("not now")], [method, true]);
      }
    });

    testStore("the error says what was given and what is allowed", async (store) => {
      const { id } = await store.createSession("./d");
      const call = callUntyped(store, "addMessage", [id, { sessionId: id, role: "robot" }]);
      const { message } = await context.assertStoreError(call, {
        tag: "InvalidArgumentError",
        includes: "robot",
      });
      const named = ["user", "assistant", "system", "tool"].filter((role) => message.includes(role));
      assert.deepEqual(named, ["user", "assistant", "system", "tool"]);
    });
  });
}

/** Says which value it was if the assertion fails. */
async function assertInvalid(
  context: Pick<ConformanceContext, "assertStoreError">,
  call: Promise<unknown>,
  argument: string,
  value: unknown,
): Promise<void> {
  const expected = { tag: "InvalidArgumentError", includes: argument };
  await context.assertStoreError(call, expected).catch((cause: unknown) => {
    throw new Error(`With ${argument} = ${show(value)}: ${String(cause)}`, { cause });
  });
}

function show(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return JSON.stringify(value, (_, inner: unknown) =>
    ["bigint", "symbol", "function", "undefined"].includes(typeof inner) || Number.isNaN(inner)
      ? String(inner)
      : inner,
  );
}

async function fill(store: CheckpointBackend): Promise<Known> {
  const session = await store.createSession("./d", { title: "T", workspaceId: "ws", metadata: { a: 1 } });
  await addTexts(store, session, ["one"]);
  const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
  return { sessionId: session.id, checkpointId: checkpoint.id };
}

async function readEverything(store: CheckpointBackend, { sessionId }: Known): Promise<readonly unknown[]> {
  return [
    await store.listSessions(),
    await store.getMessages(sessionId),
    await store.listCheckpoints(sessionId),
  ];
}
