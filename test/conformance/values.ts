import assert from "node:assert/strict";
import type { CheckpointBackend } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { exoticValues, nest } from "../support/exotic-values.js";
import { rejectionWith } from "../support/failures.js";
import { assertSame } from "./assertions.js";
import type { ConformanceContext } from "./context.js";

/** Every place where a caller's own values are kept: each saves the value and reads it back. */
const places: readonly {
  name: string;
  keep(store: CheckpointBackend, value: unknown): Promise<unknown[]>;
}[] = [
  { name: "session metadata", keep: keepInMetadata },
  { name: "a node's output", keep: keepInOutput },
  { name: "a tool call's input", keep: keepInToolInput },
];

export function describeValues(context: ConformanceContext): void {
  context.describe("values", () => {
    describeRoundTrips(context);
    describeJsonRules(context);
    describeRefusals(context);
  });
}

function describeRoundTrips({ testStore }: ConformanceContext): void {
  for (const place of places) {
    for (const { name, make } of exoticValues) {
      testStore(`${name} comes back as it was from ${place.name}`, async (store) => {
        for (const back of await place.keep(store, make())) assertSame(back, make());
      });
    }

    testStore(`hostile keys in ${place.name} touch no prototype`, async (store) => {
      await place.keep(
        store,
        JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
      );
      assert.equal(Reflect.get({}, "polluted"), undefined);
    });

    testStore(`a megabyte comes back from ${place.name}`, async (store) => {
      const make = () => ({ text: "é".repeat(500_000), bytes: Buffer.alloc(1_000_000, 7) });
      for (const back of await place.keep(store, make())) {
        // Compared as texts and bytes: a million entries one by one would take long.
        const [text, bytes]: unknown[] = ["text", "bytes"].map((key) => Reflect.get(Object(back), key));
        assert.ok(text === make().text, "the text changed");
        assert.ok(Buffer.isBuffer(bytes) && bytes.equals(make().bytes), "the bytes changed");
      }
    });
  }

  testStore("a record may itself look like a tagged value or have hostile keys", async (store) => {
    const makeRecords = (): Record<string, unknown>[] => [
      { __type: "Date", value: "2026-01-01T00:00:00.000Z" },
      { __type: "nothing known" },
      JSON.parse('{"__proto__":{"polluted":1},"constructor":1,"prototype":[2]}'),
    ];
    for (const [index, metadata] of makeRecords().entries()) {
      const { id } = await store.createSession("./d", { metadata });
      assertSame((await store.getSession(id))?.metadata, makeRecords()[index]);
      const message = buildMessage(id, { toolCalls: [{ name: "n", toolUseId: "t", input: metadata }] });
      await store.addMessage(id, message);
      assertSame((await store.getMessages(id))[0]?.toolCalls?.[0]?.input, makeRecords()[index]);
    }
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });

  testStore("nodes may be named __proto__, constructor and prototype", async (store) => {
    const { id } = await store.createSession("./d");
    const text =
      '{"__proto__":{"status":"completed"},"constructor":{"status":"failed"},"__type":{"status":"pending"}}';
    const saved = await store.saveCheckpoint(buildCheckpoint(id, { nodeResults: JSON.parse(text) }));
    assertSame(saved.nodeResults, JSON.parse(text));
    assertSame((await store.getCheckpoint(saved.id))?.nodeResults, JSON.parse(text));
  });
}

function describeJsonRules({ testStore }: ConformanceContext): void {
  for (const place of places) {
    testStore(`functions and symbols in ${place.name} are dropped from objects`, async (store) => {
      const value = { kept: 1, method: () => 1, symbol: Symbol("s"), nothing: undefined };
      for (const back of await place.keep(store, value)) assertSame(back, { kept: 1 });
    });

    testStore(`toJSON is honoured in ${place.name}`, async (store) => {
      const value = { money: { cents: 5, toJSON: () => "0.05" } };
      for (const back of await place.keep(store, value)) assertSame(back, { money: "0.05" });
    });

    testStore(`one object twice in ${place.name} is no cycle`, async (store) => {
      const shared = { a: [1] };
      for (const back of await place.keep(store, [shared, shared, { shared }])) {
        assertSame(back, [{ a: [1] }, { a: [1] }, { shared: { a: [1] } }]);
      }
    });
  }
}

function describeRefusals({ testStore, ...context }: ConformanceContext): void {
  const cycles: readonly [string, () => unknown][] = [
    ["object", () => tie((value) => ({ knot: { value } }))],
    ["array", () => tie((value) => ({ knot: [1, [value]] }))],
    ["Map", () => tie((value) => ({ knot: new Map([["k", value]]) }))],
    ["Set", () => tie((value) => ({ knot: new Set([value]) }))],
  ];
  for (const place of places) {
    for (const [kind, make] of cycles) {
      testStore(`a cycle through a ${kind} in ${place.name} is an error with its path`, async (store) => {
        const error = await rejectionWith(Error, place.keep(store, make()));
        await assertRefused(context, error, "knot");
      });
    }

    testStore(`nesting too deep to walk in ${place.name} is an error with its path`, async (store) => {
      const error = await rejectionWith(Error, place.keep(store, nest(200_000, 1)));
      await assertRefused(context, error, "inner");
    });
  }

  testStore("a value that cannot be kept leaves nothing behind, and the store usable", async (store) => {
    const session = await store.createSession("./d", { metadata: { fine: true } });
    const { id } = session;
    const input = { cyclic: tie((value) => ({ value })) };
    const bad = [
      store.createSession("./bad", { metadata: input }),
      store.updateSession(id, { title: "not set", metadata: input }),
      store.addMessage(id, buildMessage(id, { toolCalls: [{ name: "n", toolUseId: "t", input }] })),
      store.saveCheckpoint(
        buildCheckpoint(id, { nodeResults: { a: { status: "completed", output: input } } }),
      ),
    ];
    const outcomes = await Promise.allSettled(bad);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      Array(4).fill("rejected"),
    );
    assertSame(await store.listSessions(), [session]);
    assert.deepEqual([await store.getMessages(id), await store.listCheckpoints(id)], [[], []]);
    await store.saveCheckpoint(buildCheckpoint(id));
  });
}

/** Makes an object and puts it into itself. */
function tie(make: (self: object) => object): object {
  const self: object = {};
  return Object.assign(self, make(self));
}

async function assertRefused(
  context: Pick<ConformanceContext, "assertStoreError">,
  error: Error,
  pathPart: string,
): Promise<void> {
  const refused = await context.assertStoreError(Promise.reject(error), {
    tag: error.name,
    includes: pathPart,
  });
  assert.equal(refused.retryable, false);
  assert.ok(
    error.name !== "Error" && !(error instanceof RangeError),
    `Not an error of its own: ${error.name}`,
  );
}

async function keepInMetadata(store: CheckpointBackend, value: unknown): Promise<unknown[]> {
  const metadata = { value };
  const created = await store.createSession("./d", { metadata });
  const found = await store.getSession(created.id);
  const [listed] = await store.listSessions();
  await store.updateSession(created.id, { metadata: { again: value } });
  const updated = await store.getSession(created.id);
  return [found?.metadata?.value, listed?.metadata?.value, updated?.metadata?.again, created.metadata?.value];
}

async function keepInOutput(store: CheckpointBackend, value: unknown): Promise<unknown[]> {
  const { id } = await store.createSession("./d");
  const nodeResults = { node: { status: "completed", output: value } } as const;
  const saved = await store.saveCheckpoint(buildCheckpoint(id, { nodeResults }));
  const found = await store.getCheckpoint(saved.id);
  const [listed] = await store.listCheckpoints(id);
  const fork = await store.fork(saved.id);
  const copied = await store.getLatestCheckpoint(fork.id);
  return [found, listed, copied, saved].map((checkpoint) => checkpoint?.nodeResults.node?.output);
}

async function keepInToolInput(store: CheckpointBackend, value: unknown): Promise<unknown[]> {
  const { id } = await store.createSession("./d");
  const toolCalls = [{ name: "tool", toolUseId: "t1", input: { value } }];
  const stored = await store.addMessage(id, buildMessage(id, { toolCalls }));
  const found = await store.getMessages(id);
  const fork = await store.fork((await store.saveCheckpoint(buildCheckpoint(id))).id);
  const copied = await store.getMessages(fork.id);
  return [found[0], copied[0], stored].map((message) => message?.toolCalls?.[0]?.input.value);
}
