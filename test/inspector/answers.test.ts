/** What the inspector answers: sessions, runs, checkpoints, values, differences and forks, all bounded. */

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { inspect } from "../../src/inspector/index.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import { type Answer, checkpointOf, Inspected } from "./support/inspected.js";

const done = (output: unknown, startedAt: number, completedAt: number) =>
  ({ status: "completed", output, startedAt, completedAt }) as const;

describe("sessions", () => {
  test("come in pages, the last updated first", async () => {
    await using inspected = await Inspected.open({}, async (store) => {
      for (let number = 0; number < 25; number += 1) {
        await store.createSession("/work", {
          title: `Run ${number}`,
          workspaceId: number % 2 === 0 ? "even" : "odd",
        });
      }
    });
    const { body } = await inspected.ask("sessions", { offset: 10, limit: 3 });
    expect(body.total).toBe(25);
    expect(body.items.map(({ title }: { title: string }) => title)).toEqual(["Run 14", "Run 13", "Run 12"]);
    const odd = await inspected.ask("sessions", { workspace: "odd" });
    expect(odd.body.total).toBe(12);
    const found = await inspected.ask("sessions", { search: "rUN 2", workspace: "even" });
    expect(found.body.items.map(({ title }: { title: string }) => title)).toEqual([
      "Run 24",
      "Run 22",
      "Run 20",
      "Run 2",
    ]);
    expect((await inspected.ask("sessions", { limit: 1_000_000 })).body.items).toHaveLength(25);
  });

  test("are found by letters beyond ASCII as they are written, and by others in either case", async () => {
    await using inspected = await Inspected.open({}, async (store) => {
      await store.createSession("/work", { title: "Élan Vital" });
    });
    for (const [search, total] of Object.entries({ Élan: 1, ÉLAN: 1, élan: 0, vITAL: 1 })) {
      expect([search, (await inspected.ask("sessions", { search })).body.total]).toEqual([search, total]);
    }
  });

  test("whose latest row is too large for a list say so", async () => {
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      const outputs = Object.fromEntries(
        Array.from({ length: 700 }, (_, index) => [`n${index}`, done("x".repeat(900), 1, 2)]),
      );
      await store.saveCheckpoint(checkpointOf(session.id, 1, outputs));
    });
    const [item] = (await inspected.ask("sessions")).body.items;
    expect(item.state).toBe("unread");
    expect(item.unread).toMatch(/row has \d{6} bytes/);
  });

  test("beyond the first thousand are found by their offset", async () => {
    await using inspected = await Inspected.open({}, async (store) => {
      await Promise.all(
        Array.from({ length: 1_100 }, (_, number) => store.createSession("/work", { title: `${number}` })),
      );
    });
    await inspected.ask("sessions");
    const { body } = await inspected.ask("sessions", { offset: 1_099, limit: 10 });
    expect(body.total).toBe(1_100);
    expect(body.items).toHaveLength(1);
    expect(body.items[0].title).toBe("0");
  });

  test("say how their run stands, and are filtered by it", async () => {
    await using inspected = await Inspected.open({}, async (store) => {
      const failed = await store.createSession("/work", { title: "failed" });
      await store.saveCheckpoint(
        checkpointOf(failed.id, 1, { scan: { status: "failed", error: "no route" } }),
      );
      const pending = await store.createSession("/work", { title: "pending" });
      await store.saveCheckpoint(checkpointOf(pending.id, 1, {}, { pendingNodes: ["scan"] }));
      const finished = await store.createSession("/work", { title: "finished" });
      await store.saveCheckpoint(checkpointOf(finished.id, 1, { scan: done(1, 1, 2) }));
      await store.createSession("/work", { title: "empty" });
    });
    const states = async (parameters: Record<string, string>) =>
      (await inspected.ask("sessions", parameters)).body.items.map(
        ({ title, state, nodes }: { title: string; state: string; nodes: string[] }) => [
          title,
          state,
          ...nodes,
        ],
      );
    expect(await states({})).toEqual([
      ["empty", "empty"],
      ["finished", "finished"],
      ["pending", "pending", "scan"],
      ["failed", "failed", "scan"],
    ]);
    expect(await states({ state: "failed" })).toEqual([["failed", "failed", "scan"]]);
    expect(await states({ state: "pending" })).toEqual([["pending", "pending", "scan"]]);
  });
});

describe("a run", () => {
  test("has what each checkpoint changed, and continues after the one that the page has", async () => {
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      await store.saveCheckpoint(checkpointOf(sessionId, 1, { write: done("a", 10, 20) }));
      await store.saveCheckpoint(
        checkpointOf(
          sessionId,
          2,
          { write: done("a", 10, 20), critique: done("no", 20, 30) },
          {
            cycleState: { backEdge: "critique->write", iteration: 1 },
          },
        ),
      );
    });
    const first = (await inspected.ask("run", { session: sessionId })).body;
    const changed = (run: { checkpoints: { changes: { node: string }[] }[] }) =>
      run.checkpoints.map(({ changes }) => changes.map(({ node }) => node).join());
    expect(changed(first)).toEqual(["write", "critique"]);
    expect(first.checkpoints[1].cycle).toEqual({ backEdge: "critique->write", iteration: 1 });

    await inspected.store.saveCheckpoint(
      checkpointOf(sessionId, 3, { write: done("b", 40, 50), critique: done("no", 20, 30) }),
    );
    const next = (await inspected.ask("run", { session: sessionId, after: first.checkpoints[1].id })).body;
    expect(next.isContinued).toBe(true);
    expect(changed(next)).toEqual(["write"]);
    expect(next.checkpoints[0].changes[0].startedAt).toBe(40);
  });

  test("that was killed within a graph of a node stands as that node is pending, not as the inner graph ended", async () => {
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      await store.saveCheckpoint(
        checkpointOf(sessionId, 1, { plan: done(1, 0, 1) }, { namespace: "run", pendingNodes: ["write"] }),
      );
      await store.saveCheckpoint(
        checkpointOf(sessionId, 1, { polish: done(2, 1, 2) }, { namespace: "write" }),
      );
    });
    const { session, latestId, checkpoints } = (await inspected.ask("run", { session: sessionId })).body;
    expect(session).toMatchObject({ state: "pending", nodes: ["write"] });
    expect(latestId).toBe(checkpoints[0].id);
    expect(latestId).toBe((await inspected.store.getLatestCheckpoint(sessionId))?.id);
    const [listed] = (await inspected.ask("sessions")).body.items;
    expect(listed).toMatchObject({ state: "pending", nodes: ["write"] });
  });

  test("is read again as a whole after a checkpoint was deleted", async () => {
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      await store.saveCheckpoint(checkpointOf(sessionId, 1, {}));
      await store.saveCheckpoint(checkpointOf(sessionId, 2, {}));
    });
    const { checkpoints } = (await inspected.ask("run", { session: sessionId })).body;
    await inspected.store.deleteCheckpoint(checkpoints[0].id);
    const next = (await inspected.ask("run", { session: sessionId, after: checkpoints[1].id })).body;
    expect(next.isContinued).toBeUndefined();
    expect(next.checkpoints.map(({ version }: { version: number }) => version)).toEqual([2]);
  });

  test("of more checkpoints than one answer has comes in pages, in the order they were saved", async () => {
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      await Promise.all(
        Array.from({ length: 1_005 }, (_, index) =>
          store.saveCheckpoint(
            checkpointOf(
              sessionId,
              index + 1,
              { same: done(1, 1, 2) },
              { namespace: index % 2 === 0 ? "" : "named" },
            ),
          ),
        ),
      );
    });
    const latest = (await inspected.ask("run", { session: sessionId })).body;
    expect(latest.checkpoints).toHaveLength(1_000);
    expect(latest.checkpoints[0].version).toBe(6);
    // Compared with versions 4 and 5, which are on the page before.
    expect(latest.checkpoints.flatMap(({ changes }: { changes: unknown[] }) => changes)).toEqual([]);
    expect(latest.hasEarlier).toBe(true);
    const earlier = (await inspected.ask("run", { session: sessionId, before: latest.checkpoints[0].id }))
      .body;
    expect(earlier.checkpoints.map(({ version }: { version: number }) => version)).toEqual([1, 2, 3, 4, 5]);
    expect(earlier.hasEarlier).toBe(false);
  });

  test("that loses its oldest checkpoints as new ones come is not read again", async () => {
    let sessionId = "";
    const changed = (run: Answer["body"]) =>
      run.checkpoints.map(({ version, changes }: { version: number; changes: { node: string }[] }) => [
        version,
        ...changes.map(({ node }) => node),
      ]);
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      for (const version of [1, 2, 3]) {
        await store.saveCheckpoint(checkpointOf(sessionId, version, { [`n${version}`]: done(1, 1, 2) }));
      }
    });
    const { checkpoints } = (await inspected.ask("run", { session: sessionId })).body;
    await inspected.store.deleteCheckpoint(checkpoints[0].id);
    // Read again, version 2 could not be parsed.
    runOn(inspected.path, "UPDATE checkpoints SET node_results = '{broken' WHERE version = 2");
    await inspected.store.saveCheckpoint(checkpointOf(sessionId, 4, { n4: done(1, 1, 2) }));
    const next = (await inspected.ask("run", { session: sessionId, after: checkpoints[2].id })).body;
    expect(next.isContinued).toBeUndefined();
    expect(changed(next)).toEqual([
      [2, "n2"],
      [3, "n3"],
      [4, "n4"],
    ]);
  });

  test("with a checkpoint deleted from its middle is read again", async () => {
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      for (const version of [1, 2, 3]) {
        await store.saveCheckpoint(checkpointOf(sessionId, version, {}));
      }
    });
    const { checkpoints } = (await inspected.ask("run", { session: sessionId })).body;
    await inspected.store.deleteCheckpoint(checkpoints[1].id);
    await inspected.store.saveCheckpoint(checkpointOf(sessionId, 4, {}));
    const next = (await inspected.ask("run", { session: sessionId, after: checkpoints[2].id })).body;
    expect(next.checkpoints.map(({ version }: { version: number }) => version)).toEqual([1, 3, 4]);
  });

  test("with metadata and pending nodes of a megabyte is shown without them", async () => {
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work", { metadata: { large: "m".repeat(1_000_000) } })).id;
      await store.saveCheckpoint(checkpointOf(sessionId, 1, {}, { pendingNodes: ["p".repeat(1_000_000)] }));
    });
    const { session, checkpoints } = (await inspected.ask("run", { session: sessionId })).body;
    expect(session.metadata.text).toContain("bytes");
    expect(session).toMatchObject({ state: "pending", nodes: ["…"] });
    expect(checkpoints[0].pending).toEqual(["…"]);
  });

  test("that is not in the file is reported", async () => {
    await using inspected = await Inspected.open();
    expect((await inspected.ask("run", { session: "nobody" })).status).toBe(404);
  });
});

describe("forks", () => {
  test("are found from both sides, also new ones, and make a family", async () => {
    await using inspected = await Inspected.open();
    const { store } = inspected;
    const original = await store.createSession("/work", { title: "Original" });
    const first = await store.saveCheckpoint(checkpointOf(original.id, 1, {}, { namespace: "graph" }));
    const fork = await store.fork(first.id);
    await inspected.ask("run", { session: original.id });
    const copied = await store.getLatestCheckpoint(fork.id);
    const again = await store.fork(copied?.id ?? "", { title: "Fork of a fork" });

    const run = (await inspected.ask("run", { session: original.id })).body;
    expect(run.forks.map(({ sessionId }: { sessionId: string }) => sessionId)).toEqual([fork.id]);
    const origin = (await inspected.ask("run", { session: fork.id })).body.origin;
    expect(origin).toEqual({
      sessionId: original.id,
      title: "Original",
      checkpointId: first.id,
      version: 1,
      latestId: first.id,
    });
    const family = (await inspected.ask("family", { session: again.id })).body;
    expect(family.members.map(({ sessionId }: { sessionId: string }) => sessionId)).toEqual([
      original.id,
      fork.id,
      again.id,
    ]);
  });
});

test("a family of more than 300 has the session that was asked for, and says that it is cut", async () => {
  await using inspected = await Inspected.open();
  const { store } = inspected;
  const original = await store.createSession("/work");
  const { id } = await store.saveCheckpoint(checkpointOf(original.id, 1, {}));
  const forks: string[] = [];
  const forkUntil = async (count: number) => {
    while (forks.length < count) {
      forks.push((await store.fork(id)).id);
    }
  };
  const family = async (session: string) => (await inspected.ask("family", { session })).body;
  await forkUntil(299);
  const whole = await family(original.id);
  expect([whole.members.length, whole.isCut]).toEqual([300, false]);
  await forkUntil(310);
  const cut = await family(forks[309] ?? "");
  expect([cut.members.length, cut.isCut]).toEqual([300, true]);
  expect(cut.members[0].sessionId).toBe(original.id);
  expect(cut.members.at(-1).sessionId).toBe(forks[309]);
});

describe("a checkpoint", () => {
  const outputs = {
    date: new Date(0),
    map: new Map<unknown, unknown>([[{ a: 1 }, "x"]]),
    set: new Set([1]),
    buffer: Buffer.from("bytes"),
    bigint: 12n,
    missing: [undefined],
    error: new TypeError("bad"),
    text: "t".repeat(5_000),
    list: Array.from({ length: 250 }, (_, index) => index),
  };

  test("shows types, and the parts that are asked for", async () => {
    let id = "";
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      const saved = await store.saveCheckpoint(checkpointOf(session.id, 1, { all: done(outputs, 1, 2) }));
      id = saved.id;
    });
    const { nodes } = (await inspected.ask("checkpoint", { id })).body;
    const parts = nodes[0].output.parts as {
      key: string;
      value: { type: string; size?: number; text?: string };
    }[];
    expect(parts.map(({ key, value }) => `${key}: ${value.type}`)).toEqual([
      "date: Date",
      "map: Map",
      "set: Set",
      "buffer: Buffer",
      "bigint: bigint",
      "missing: array",
      "error: Error",
      "text: string",
      "list: array",
    ]);
    expect(parts[3]?.value).toEqual({ type: "Buffer", text: Buffer.from("bytes").toString("hex"), size: 5 });
    expect(JSON.stringify(parts[5])).toContain('"type":"undefined"');
    expect(parts[7]?.value.text).toHaveLength(2_000);
    expect(parts[7]?.value.size).toBe(5_000);

    const whole = await inspected.ask("value", { checkpoint: id, node: "all", path: "7" });
    expect(whole.body.text).toHaveLength(5_000);
    const end = await inspected.ask("value", { checkpoint: id, node: "all", path: "8", offset: 200 });
    expect(end.body.parts).toHaveLength(50);
    expect(end.body.parts[0].value.text).toBe("200");
    const inMap = await inspected.ask("value", { checkpoint: id, node: "all", path: "1" });
    expect(inMap.body.parts[0].mapKey.parts[0].key).toBe("a");
    const { json } = (await inspected.ask("json", { checkpoint: id, node: "all" })).body;
    expect(JSON.parse(json).bigint).toEqual({ __type: "js:bigint", value: "12" });
  });

  test("has failed nodes first", async () => {
    let id = "";
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      const results = { first: done(1, 1, 2), second: { status: "failed", error: "cause" } } as const;
      id = (await store.saveCheckpoint(checkpointOf(session.id, 1, results))).id;
    });
    const { nodes } = (await inspected.ask("checkpoint", { id })).body;
    expect(nodes.map(({ node }: { node: string }) => node)).toEqual(["second", "first"]);
    expect(nodes[0].error.text).toBe("cause");
  });

  test("of an earlier version with values that no store of today writes is shown as far as it can be", async () => {
    let id = "";
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      id = (await store.saveCheckpoint(checkpointOf(sessionId, 1, {}))).id;
    });
    const results = `{"a":{"status":"FAILED","error":{"code":7},"startedAt":1e999},"é":{"status":"completed","output":"é"}}`;
    runOn(
      inspected.path,
      `UPDATE checkpoints SET cycle_state = '{"backEdge":"b->a"}', node_results = '${results}'`,
    );
    const { nodes, cycle } = (await inspected.ask("checkpoint", { id })).body;
    expect(cycle).toBeUndefined();
    expect(nodes[0].error.text).toBe('{"code":7}');
    expect(nodes[0]).not.toHaveProperty("startedAt");
    const [checkpoint] = (await inspected.ask("run", { session: sessionId })).body.checkpoints;
    expect(checkpoint.changes[1].outputBytes).toBe(nodes[1].outputBytes);
    expect(nodes[1].outputBytes).toBe(4);
  });

  test("with an output of 40 MB says so instead of sending it", async () => {
    let id = "";
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      const results = { huge: done("x".repeat(40_000_000), 1, 2), small: done("here", 1, 2) };
      id = (await store.saveCheckpoint(checkpointOf(session.id, 1, results))).id;
    });
    const { body } = await inspected.ask("checkpoint", { id });
    expect(JSON.stringify(body).length).toBeLessThan(10_000);
    const value = await inspected.ask("value", { checkpoint: id, node: "huge" });
    expect(value.status).toBe(422);
    expect(value.body.error).toContain("40000002 bytes");
    const { json } = (await inspected.ask("json", { checkpoint: id, node: "small" })).body;
    expect(json).toBe('"here"');
  });

  test.each([
    ["text that is not JSON", "UPDATE checkpoints SET node_results = '{broken'"],
    ["another type", "UPDATE checkpoints SET node_results = 12"],
    ["no object", "UPDATE checkpoints SET node_results = '[1]'"],
  ])("whose row holds %s is shown with the reason", async (_, sql) => {
    let id = "";
    let sessionId = "";
    await using inspected = await Inspected.open({}, async (store) => {
      sessionId = (await store.createSession("/work")).id;
      id = (await store.saveCheckpoint(checkpointOf(sessionId, 1, {}))).id;
    });
    runOn(inspected.path, sql);
    expect((await inspected.ask("checkpoint", { id })).body.unread).toContain("node_results");
    expect((await inspected.ask("run", { session: sessionId })).body.checkpoints[0].unread).toContain(
      "node_results",
    );
    expect((await inspected.ask("sessions")).body.items[0].state).toBe("unread");
  });

  test("whose shared output was damaged is shown with the reason", async () => {
    let id = "";
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      id = (await store.saveCheckpoint(checkpointOf(session.id, 1, { big: done("y".repeat(1_500), 1, 2) })))
        .id;
    });
    runOn(inspected.path, "UPDATE checkpoint_sqlite_outputs SET text = replace(text, 'yy', 'yz')");
    expect((await inspected.ask("checkpoint", { id })).body.nodes[0].unread).toContain("damaged");
  });
});

describe("differences", () => {
  async function compare(before: unknown, after: unknown) {
    let ids: string[] = [];
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      const old = await store.saveCheckpoint(
        checkpointOf(session.id, 1, { node: done(before, 1, 2), same: done(1, 1, 2) }),
      );
      const now = await store.saveCheckpoint(
        checkpointOf(session.id, 2, { node: done(after, 3, 4), same: done(1, 1, 2), added: done(2, 3, 4) }),
      );
      ids = [old.id, now.id];
    });
    return (await inspected.ask("compare", { before: ids[0] ?? "", after: ids[1] ?? "" })).body;
  }

  test("are by node: changed, finished and the same", async () => {
    const { nodes } = await compare({ a: 1 }, { a: 2 });
    expect(nodes.map(({ node, kind }: { node: string; kind: string }) => [node, kind])).toEqual([
      ["node", "changed"],
      ["added", "finished"],
      ["same", "same"],
    ]);
  });

  test.each<[string, unknown, unknown, string[]]>([
    ["a member", { a: 1, b: 2 }, { a: 1, b: 3 }, ["changed $.b"]],
    ["an item put in front", [1, 2, 3], [0, 1, 2, 3], ["added $[0]"]],
    ["an item taken from the middle", [1, 2, 3], [1, 3], ["removed $[1]"]],
    ["a Set's member", new Set(["a", "b"]), new Set(["b", "c"]), ["removed $.a", "added $.c"]],
    ["a Map's value", new Map([["k", 1]]), new Map([["k", 2]]), ["changed $.k"]],
    [
      "Map keys that read alike",
      new Map<unknown, string>([
        [1, "a"],
        ["1", "b"],
      ]),
      new Map<unknown, string>([
        [1, "x"],
        ["1", "b"],
      ]),
      ["changed $[1]"],
    ],
    [
      "a Date in a Set that becomes its text",
      new Set([new Date(0)]),
      new Set(["1970-01-01T00:00:00.000Z"]),
      ['removed $["1970-01-01T00:00:00.000Z"]', 'added $["1970-01-01T00:00:00.000Z"]'],
    ],
    ["a type", { a: new Date(0) }, { a: "1970" }, ["changed $.a"]],
    ["nothing but the time", { a: 1 }, { a: 1 }, []],
  ])("of %s are found where they are", async (_, before, after, expected) => {
    const { nodes } = await compare(before, after);
    const { differences } = nodes[0];
    expect(differences.map(({ kind, path }: { kind: string; path: string }) => `${kind} ${path}`)).toEqual(
      expected,
    );
  });

  async function compareRows(nodes: Record<string, unknown>[], sql?: string) {
    const ids: string[] = [];
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      for (const [index, outputs] of nodes.entries()) {
        const results = Object.fromEntries(
          Object.entries(outputs).map(([node, output]) => [node, done(output, 1, 2)]),
        );
        ids.push((await store.saveCheckpoint(checkpointOf(session.id, index + 1, results))).id);
      }
    });
    if (sql !== undefined) {
      runOn(inspected.path, sql);
    }
    return await inspected.ask("compare", { before: ids[0] ?? "", after: ids[1] ?? "" });
  }

  test("of a node whose output is damaged say so at that node, and the others are compared", async () => {
    const { status, body } = await compareRows(
      [
        { big: "y".repeat(1_500), small: 1 },
        { big: "z".repeat(1_500), small: 2 },
      ],
      "UPDATE checkpoint_sqlite_outputs SET text = replace(text, 'yy', 'yx')",
    );
    expect(status).toBe(200);
    expect(body.nodes[0].kind).toBe("changed");
    expect(body.nodes[0].before.unread).toContain("damaged");
    expect(body.nodes[0].after.unread).toBeUndefined();
    expect(body.nodes[1].differences).toHaveLength(1);
  });

  test("read 64 MiB of outputs, and say of the rest that it was not compared", async () => {
    const outputs = (letter: string) =>
      Object.fromEntries(["a", "b", "c"].map((node) => [node, `${node}${letter.repeat(12_000_000)}`]));
    const { body } = await compareRows([outputs("y"), outputs("z")]);
    const [a, b, c] = body.nodes;
    expect([a.differences.length, b.differences.length]).toEqual([1, 1]);
    expect(c.kind).toBe("changed");
    expect(c.after.unread).toContain("67108864 bytes");
  });

  test("of more places than one answer has are cut, and say so", async () => {
    const { nodes } = await compare(
      Array.from({ length: 500 }, () => 0),
      Array.from({ length: 500 }, () => 1),
    );
    expect(nodes[0].differences).toHaveLength(200);
    expect(nodes[0].isCut).toBe(true);
  });
});

describe("the file", () => {
  test("is not changed by any answer", async () => {
    let ids: Record<string, string> = {};
    await using inspected = await Inspected.open({}, async (store) => {
      const session = await store.createSession("/work");
      const { id } = await store.saveCheckpoint(checkpointOf(session.id, 1, { a: done(1, 1, 2) }));
      ids = { session: session.id, id, before: id, after: id, checkpoint: id, node: "a" };
    });
    await inspected.store.close();
    const bytes = readFileSync(inspected.path);
    for (const path of [
      "file",
      "sessions",
      "run",
      "conversation",
      "checkpoint",
      "value",
      "json",
      "compare",
      "family",
      "growth",
    ]) {
      const { before: _, ...parameters } = ids;
      const answer = await inspected.ask(path, path === "compare" ? ids : parameters);
      expect([path, answer.status]).toEqual([path, 200]);
    }
    expect(readFileSync(inspected.path).equals(bytes)).toBe(true);
  });

  test("that was deleted is reported by every answer", async () => {
    await using inspected = await Inspected.open();
    rmSync(inspected.path);
    const { status, body } = await inspected.ask("sessions");
    expect(status).toBe(410);
    expect(body.code).toBe("FILE_GONE");
  });

  test("that was replaced by another is reported too", async () => {
    await using inspected = await Inspected.open();
    await inspected.store.close();
    const copy = readFileSync(inspected.path);
    rmSync(inspected.path);
    writeFileSync(inspected.path, copy);
    expect((await inspected.ask("sessions")).status).toBe(410);
  });

  test("of 0.2.3 is shown as it is, without an upgrade", async () => {
    await using folder = await createTemporaryFolder();
    await using inspected = await Inspected.open();
    const path = join(folder.path, "old.db");
    copyFileSync(resolve(import.meta.dir, "../fixtures/published-0.2.3.db"), path);
    await using inspector = await inspect(path, { port: 0 });
    const cookie = ((await fetch(inspector.url)).headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    const get = async (what: string): Promise<Answer["body"]> =>
      (await fetch(new URL(`/api/${what}`, inspector.url), { headers: { cookie } })).json();
    const { items } = await get("sessions");
    expect(items.length).toBeGreaterThan(0);
    for (const { id } of items) {
      expect(await get(`run?session=${encodeURIComponent(id)}`)).not.toHaveProperty("error");
    }
    expect(inspected.path).not.toBe(path);
    expect(
      readFileSync(path).equals(readFileSync(resolve(import.meta.dir, "../fixtures/published-0.2.3.db"))),
    ).toBe(true);
  });
});

test("a lock on a file with a rollback journal is waited for while other answers go on", async () => {
  await using folder = await createTemporaryFolder();
  const path = join(folder.path, "old.db");
  copyFileSync(resolve(import.meta.dir, "../fixtures/published-0.2.3.db"), path);
  using writer = new Database(path);
  writer.run("PRAGMA journal_mode = DELETE");
  await using inspector = await inspect(path, { port: 0 });
  const cookie = ((await fetch(inspector.url)).headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  writer.run("BEGIN EXCLUSIVE");
  const answer = fetch(new URL("/api/sessions", inspector.url), { headers: { cookie } });
  expect((await fetch(inspector.url)).status).toBe(200);
  writer.run("COMMIT");
  expect((await answer).status).toBe(200);
});

test("a fork in a file of 0.2.3 upgrades it, and gives it a write-ahead log", async () => {
  await using folder = await createTemporaryFolder();
  const path = join(folder.path, "old.db");
  copyFileSync(resolve(import.meta.dir, "../fixtures/published-0.2.3.db"), path);
  await using inspector = await inspect(path, { port: 0, allowFork: true });
  const cookie = ((await fetch(inspector.url)).headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const get = async (what: string): Promise<Answer["body"]> =>
    (await fetch(new URL(`/api/${what}`, inspector.url), { headers: { cookie } })).json();
  const { forkToken } = await get("file");
  const { items } = await get("sessions");
  const { id } = items.find(({ checkpoints }: { checkpoints: { value: number } }) => checkpoints.value > 0);
  const { latestId } = await get(`run?session=${encodeURIComponent(id)}`);
  const forked = await fetch(new URL(`/api/fork?id=${latestId}`, inspector.url), {
    method: "POST",
    headers: { cookie, "x-fork-token": forkToken },
  });
  expect(forked.status).toBe(200);
  using database = new Database(path, { readonly: true });
  expect(database.query("PRAGMA journal_mode").values()).toEqual([["wal"]]);
  expect(database.query("SELECT count(*) FROM checkpoint_sqlite_outputs").values()).toEqual([[0]]);
  expect((await get("sessions")).total).toBe(items.length + 1);
});

describe("live events", () => {
  test("say that the file changed after another connection has committed", async () => {
    await using inspected = await Inspected.open();
    const response = await fetch(new URL("/api/live", inspected.origin), {
      headers: { cookie: await inspected.cookie() },
    });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const events = eventsIn(response);
    expect((await events.next()).value).toBe("hello");
    await inspected.store.createSession("/work");
    expect((await events.next()).value).toBe("change");
    rmSync(inspected.path);
    expect((await events.next()).value).toBe("gone");
    await events.return(undefined);
  });
});

async function* eventsIn(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    for (const [, event = ""] of decoder.decode(chunk).matchAll(/^event: (\w+)$/gm)) {
      yield event;
    }
  }
}
