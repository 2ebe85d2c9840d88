/** Values that a code interpreter (node:vm) makes have the classes of another realm. */
import { expect, test } from "bun:test";
import { createContext, runInContext } from "node:vm";
import { JsonPlusSerializer, SqliteCheckpointStore } from "../../src/index.js";
import { buildMessage } from "../support/builders.js";
import { rejectionOf } from "../support/outcomes.js";
import { callUntyped } from "../support/untyped-call.js";

const serializer = new JsonPlusSerializer();
const context = createContext({});

test.each([
  "new Map([['a', new Set([1])]])",
  "new Date(5)",
  "new Date(NaN)",
  "/a+/gi",
  "new Uint8Array([1, 2]).buffer",
  "new Float64Array([0.5])",
  "new DataView(new ArrayBuffer(2))",
  "({ plain: [1, { deep: new Date(0) }] })",
  "[new Map()]",
])("%s of another realm is written as its twin of this one", (source) => {
  const theirs: unknown = runInContext(source, context);
  expect(serializer.serialize(theirs)).toBe(serializer.serialize(evaluate(source)));
});

test("an Error of another realm comes back as an Error", () => {
  const back = serializer.deserialize(serializer.serialize(runInContext("new TypeError('x')", context)));
  expect([back instanceof TypeError, back instanceof Error && back.message]).toEqual([true, "x"]);
});

test("what a class computes in getters is stored, and a getter that throws is InvalidArgumentError", async () => {
  await using store = new SqliteCheckpointStore(":memory:");
  const { id } = await store.createSession("./d");
  class Message {
    readonly sessionId = id;
    readonly role = "assistant";
    get content() {
      return "important";
    }
  }
  expect((await store.addMessage(id, new Message())).content).toBe("important");
  const bad = {
    ...buildMessage(id),
    get content(): string {
      throw Object.create(null);
    },
  };
  expect((await rejectionOf(store.addMessage(id, bad))).name).toBe("InvalidArgumentError");
});

test.each([
  [
    "createSession",
    ["./d", { titel: "x" }],
    "options.titel is unknown; valid options: title, workspaceId, metadata",
  ],
  ["getMessages", ["s", { limt: 1 }], "options.limt is unknown; valid options: before, beforeId, limit"],
  ["searchFactsSemantic", [[1], { topk: 1 }], "options.topk is unknown"],
] as const)("%s refuses an unknown option by name", async (method, args, message) => {
  await using store = new SqliteCheckpointStore(":memory:");
  const error = await rejectionOf(callUntyped(store, method, args));
  expect([error.name, error.message.includes(message)]).toEqual(["InvalidArgumentError", true]);
});

/** In this realm. */
function evaluate(source: string): unknown {
  return new Function(`return (${source})`)();
}
