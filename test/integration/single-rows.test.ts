/** Single messages and checkpoints: paging by id, reading around one that does not decode, and deleting it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { addTexts, buildCheckpoint, buildMessage, readTexts } from "../support/builders.js";
import { rejectionOf } from "../support/outcomes.js";
import { SharedFile } from "../support/shared-file.js";
import { runOn } from "../support/sql.js";
import { callUntyped } from "../support/untyped-call.js";

let file: SharedFile;
let path: string;
let store: SqliteCheckpointStore;
let sessionId: string;

beforeEach(async () => {
  file = await SharedFile.create();
  ({ path, store, sessionId } = file);
});

afterEach(() => file.remove());

describe("paging by id", () => {
  test("messages that share a millisecond, as in a file from 0.2.3, are all found", async () => {
    for (let index = 0; index < 40; index++) {
      runOn(
        path,
        `INSERT INTO messages (session_id, role, content, created_at) VALUES ('${sessionId}', 'user', 'm${index}', ${1_000 + Math.floor(index / 5)})`,
      );
    }
    const found: (string | undefined)[] = [];
    let page = await store.getMessages(sessionId, { limit: 7 });
    while (page.length > 0) {
      found.unshift(...page.map((message) => message.content));
      page = await store.getMessages(sessionId, { limit: 7, beforeId: page[0]?.id });
    }
    expect(found).toEqual(Array.from({ length: 40 }, (_, index) => `m${index}`));
  });

  test("before and beforeId both apply", async () => {
    const session = { id: sessionId, directory: "./d", createdAt: 0, updatedAt: 0 };
    const [first, second, third, fourth] = await addTexts(store, session, ["1", "2", "3", "4"]);
    const texts = async (options: { before?: number; beforeId?: number }) =>
      (await store.getMessages(sessionId, options)).map((message) => message.content);
    expect(await texts({ before: third?.createdAt ?? 0, beforeId: fourth?.id ?? 0 })).toEqual(["1", "2"]);
    expect(await texts({ before: fourth?.createdAt ?? 0, beforeId: second?.id ?? 0 })).toEqual(["1"]);
    expect(await texts({ beforeId: first?.id ?? 0 })).toEqual([]);
  });

  test("checkpoints that share a millisecond, in any namespace, in one and in the root, are all found", async () => {
    for (let version = 1; version <= 20; version++) {
      runOn(
        path,
        `INSERT INTO checkpoints (id, session_id, namespace, version, step, source, node_results, created_at)
         VALUES ('c${version}', '${sessionId}', '${version % 2 ? "" : "graph"}', ${version}, 0, 'loop', '{}', ${1_000 + Math.floor(version / 6)})`,
      );
    }
    for (const namespace of [undefined, "", "graph"]) {
      const whole = await store.listCheckpoints(sessionId, { namespace });
      const found: string[] = [];
      let page = await store.listCheckpoints(sessionId, { namespace, limit: 3 });
      while (page.length > 0) {
        found.push(...page.map(({ id }) => id));
        page = await store.listCheckpoints(sessionId, { namespace, limit: 3, beforeId: found.at(-1) });
      }
      expect(found).toEqual(whole.map(({ id }) => id));
    }
  });

  test("an id that is not in the session is rejected, not answered with an empty page", async () => {
    const other = await store.createSession("./other");
    const message = await store.addMessage(other.id, buildMessage(other.id));
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(other.id));
    for (const beforeId of [message.id, 999]) {
      const error = await rejectionOf(store.getMessages(sessionId, { beforeId }));
      expect(error.message).toBe(
        `Invalid argument: options.beforeId must be the id of a message of session ${sessionId}, not the number ${beforeId}`,
      );
    }
    for (const beforeId of [checkpoint.id, "nobody"]) {
      const error = await rejectionOf(store.listCheckpoints(sessionId, { beforeId }));
      expect(error.message).toContain(
        `options.beforeId must be the id of a checkpoint of session ${sessionId}`,
      );
    }
  });
});

describe("a row that does not decode", () => {
  test("fails the list of messages, can be paged past by its id, and deleted", async () => {
    for (const content of ["1", "2", "3"])
      await store.addMessage(sessionId, buildMessage(sessionId, { content }));
    const [, second, third] = await store.getMessages(sessionId);
    runOn(path, `UPDATE messages SET tool_calls = 'no JSON' WHERE id = ${second?.id}`);
    const error = await rejectionOf(store.getMessages(sessionId));
    expect(error.message).toContain(`table messages, id ${second?.id}, column tool_calls`);
    const newer = await store.getMessages(sessionId, { limit: 1 });
    const older = await store.getMessages(sessionId, { beforeId: second?.id });
    expect([older, newer].flat().map((message) => message.content)).toEqual(["1", "3"]);
    await store.deleteMessage(second?.id ?? 0);
    expect(await readTexts(store, sessionId)).toEqual(["1", "3"]);
    expect(third?.content).toBe("3");
  });

  test("fails the list of checkpoints and the latest, can be paged past by its id, and deleted", async () => {
    const saved = [];
    for (const version of [1, 2, 3])
      saved.push(await store.saveCheckpoint(buildCheckpoint(sessionId, { version })));
    const [first, second, third] = saved;
    runOn(path, `UPDATE checkpoints SET node_results = '{' WHERE id = '${third?.id}'`);
    for (const call of [store.listCheckpoints(sessionId), store.getLatestCheckpoint(sessionId)]) {
      expect((await rejectionOf(call)).message).toContain(
        `table checkpoints, id ${third?.id}, column node_results`,
      );
    }
    const older = await store.listCheckpoints(sessionId, { beforeId: third?.id });
    expect(older.map(({ id }) => id)).toEqual([second?.id, first?.id] as string[]);
    await store.deleteCheckpoint(third?.id ?? "");
    expect((await store.getLatestCheckpoint(sessionId))?.id).toBe(second?.id as string);
  });

  test("names no nodes, and so hides no other namespace's latest checkpoint", async () => {
    const broken = await store.saveCheckpoint(
      buildCheckpoint(sessionId, { namespace: "a", pendingNodes: ["b"] }),
    );
    const whole = await store.saveCheckpoint(buildCheckpoint(sessionId, { namespace: "b" }));
    runOn(path, `UPDATE checkpoints SET node_results = '{', pending_nodes = '[' WHERE id = '${broken.id}'`);
    expect((await store.getLatestCheckpoint(sessionId))?.id).toBe(whole.id);
  });
});

describe("deleting a message or a checkpoint", () => {
  test("leaves everything else, and the session's updatedAt, as it was", async () => {
    const message = await store.addMessage(sessionId, buildMessage(sessionId, { content: "gone" }));
    await store.addMessage(sessionId, buildMessage(sessionId, { content: "stays" }));
    const parent = await store.saveCheckpoint(buildCheckpoint(sessionId));
    const child = await store.saveCheckpoint(buildCheckpoint(sessionId, { version: 2, parentId: parent.id }));
    const before = await store.getSession(sessionId);
    await store.deleteMessage(message.id);
    await store.deleteCheckpoint(parent.id);
    expect(await store.getSession(sessionId)).toEqual(before);
    expect(await readTexts(store, sessionId)).toEqual(["stays"]);
    expect(await store.listCheckpoints(sessionId)).toEqual([child]);
  });

  test("with an unknown id changes nothing and is no error", async () => {
    await store.addMessage(sessionId, buildMessage(sessionId));
    await store.saveCheckpoint(buildCheckpoint(sessionId));
    await store.deleteMessage(12_345);
    await store.deleteCheckpoint(sessionId);
    await store.deleteCheckpoint("");
    expect(await store.getMessages(sessionId)).toHaveLength(1);
    expect(await store.listCheckpoints(sessionId)).toHaveLength(1);
  });

  test.each([undefined, null, "1", -1, 1.5, Number.NaN, {}])("refuses %p as a message's id", async (id) => {
    await store.addMessage(sessionId, buildMessage(sessionId));
    const error = await rejectionOf(callUntyped(store, "deleteMessage", [id]));
    expect([error.name, error.message.includes("messageId")]).toEqual(["InvalidArgumentError", true]);
    expect(await store.getMessages(sessionId)).toHaveLength(1);
  });

  test.each([undefined, null, 1, {}])("refuses %p as a checkpoint's id", async (id) => {
    const error = await rejectionOf(callUntyped(store, "deleteCheckpoint", [id]));
    expect([error.name, error.message.includes("checkpointId")]).toEqual(["InvalidArgumentError", true]);
  });

  test("keeps the order of times: what is added later sorts after the checkpoints that are there", async () => {
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(sessionId));
    const newest = await store.addMessage(sessionId, buildMessage(sessionId));
    await store.deleteMessage(newest.id);
    await store.close();
    await using reopened = new SqliteCheckpointStore(path, { clock: () => 1_000 });
    const later = await reopened.addMessage(sessionId, buildMessage(sessionId));
    expect(later.createdAt).toBeGreaterThan(checkpoint.createdAt);
    expect(later.id).toBeGreaterThan(newest.id);
  });

  test("is refused after close, and in a store that was opened with readonly", async () => {
    const reader = new SqliteCheckpointStore(path, { readonly: true });
    expect((await rejectionOf(reader.deleteMessage(1))).name).toBe("StoreReadonlyError");
    expect((await rejectionOf(reader.deleteCheckpoint("c"))).name).toBe("StoreReadonlyError");
    await reader.close();
    expect((await rejectionOf(reader.deleteMessage(1))).name).toBe("StoreClosedError");
    expect((await rejectionOf(reader.deleteCheckpoint("c"))).name).toBe("StoreClosedError");
  });
});
