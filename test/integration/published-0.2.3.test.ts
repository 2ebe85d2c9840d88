/** Files shared with the published 0.2.3: one that it wrote, and one of ours that it reads and writes. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Checkpoint,
  CheckpointVersionConflictError,
  JsonPlusSerializer,
  type Session,
  SqliteCheckpointStore,
  type StoredMessage,
} from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildFullCheckpoint, buildFullMessage, buildMessage } from "../support/builders.js";
import { rejectionOf } from "../support/outcomes.js";
import { rowsOf } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const FIXTURES = join(import.meta.dir, "..", "fixtures");

let folder: TemporaryFolder;
let path: string;
let store: SqliteCheckpointStore;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "store.db");
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

describe("a file that 0.2.3 wrote", () => {
  const expected = readExpected();
  const ids = [...expected.sessions.keys()];

  beforeEach(() => {
    copyFileSync(join(FIXTURES, "published-0.2.3.db"), path);
    store = new SqliteCheckpointStore(path);
  });

  test("is one worth the test: sessions, messages and checkpoints are in it", () => {
    expect(ids).toHaveLength(5);
    expect([...expected.messages.values()].flat()).toHaveLength(39);
    expect([...expected.checkpoints.values()].flat()).toHaveLength(8);
  });

  test("reads back with equal sessions, each and as lists newest updated first", async () => {
    for (const [id, session] of expected.sessions) expect(await store.getSession(id)).toStrictEqual(session);
    const newestFirst = [...expected.sessions.values()].sort((a, b) => b.updatedAt - a.updatedAt);
    expect(await store.listSessions()).toStrictEqual(newestFirst);
    expect(await store.listSessions("ws-1")).toStrictEqual(
      newestFirst.filter((session) => session.workspaceId === "ws-1"),
    );
  });

  test("reads back with equal messages, oldest first", async () => {
    for (const id of ids) expect(await store.getMessages(id)).toStrictEqual(expected.messages.get(id) ?? []);
  });

  test("reads back with equal checkpoints, each and as lists newest saved first", async () => {
    for (const id of ids) {
      const checkpoints = expected.checkpoints.get(id) ?? [];
      for (const one of checkpoints) expect(await store.getCheckpoint(one.id)).toStrictEqual(one);
      const listed = await store.listCheckpoints(id);
      expect(sortedById(listed)).toStrictEqual(sortedById(checkpoints));
      const times = listed.map((one) => one.createdAt);
      expect(times).toEqual([...times].sort((a, b) => b - a));
      expect(await store.getLatestCheckpoint(id)).toStrictEqual(listed[0] ?? null);
    }
  });

  test("is written on: what is added continues it, and what was there stays equal after reopening", async () => {
    const [id = ""] = ids.filter((one) => (expected.checkpoints.get(one)?.length ?? 0) > 1);
    const before = expected.messages.get(id) ?? [];
    const message = await store.addMessage(id, buildFullMessage(id));
    expect(message.id).toBeGreaterThan(
      Math.max(...[...expected.messages.values()].flat().map((one) => one.id)),
    );
    const checkpoint = await store.saveCheckpoint({ ...buildFullCheckpoint(id), version: 100 });
    await store.updateSession(id, { title: "written on" });
    await reopen();
    expect(await store.getMessages(id)).toStrictEqual([...before, message]);
    expect(await store.getLatestCheckpoint(id)).toStrictEqual(checkpoint);
    expect(await store.listCheckpoints(id)).toHaveLength((expected.checkpoints.get(id)?.length ?? 0) + 1);
    expect(await store.getSession(id)).toStrictEqual({
      ...sessionOf(id),
      title: "written on",
      updatedAt: expect.any(Number),
    });
  });

  test("keeps its clock above messages whose session 0.2.3 did not come to, or set back", async () => {
    const [session] = ids;
    const ahead = Date.now() + 60_000;
    const sql =
      "INSERT INTO messages (session_id, role, content, created_at) VALUES (?1, 'user', 'ahead', ?2)";
    const database = new Database(path);
    rowsOf(database, sql, session ?? "", ahead);
    database.close();
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(session ?? "", { version: 100 }));
    const after = await store.addMessage(session ?? "", buildMessage(session ?? "", { content: "after" }));
    expect(checkpoint.createdAt).toBeGreaterThanOrEqual(ahead);
    expect(after.createdAt).toBeGreaterThan(checkpoint.createdAt);
    const fork = await store.fork(checkpoint.id);
    const contents = (await store.getMessages(fork.id)).map((message) => message.content);
    expect(contents).toContain("ahead");
    expect(contents).not.toContain("after");
  });

  test("keeps versions unique against the checkpoints that 0.2.3 saved", async () => {
    const [taken] = [...expected.checkpoints.values()].flat();
    const twin = buildCheckpoint(taken?.sessionId ?? "", {
      namespace: taken?.namespace ?? "",
      version: taken?.version ?? 0,
    });
    expect(await rejectionOf(store.saveCheckpoint(twin))).toBeInstanceOf(CheckpointVersionConflictError);
  });

  test("is forked from any of its checkpoints, with the messages before it", async () => {
    for (const original of [...expected.checkpoints.values()].flat()) {
      const fork = await store.fork(original.id);
      const source = sessionOf(original.sessionId);
      expect(fork.title).toBe(`Fork of ${source.title ?? original.id}`);
      expect(fork.metadata).toEqual(source.metadata);
      const taken = (expected.messages.get(original.sessionId) ?? []).filter(
        (message) => message.createdAt <= original.createdAt,
      );
      expect((await store.getMessages(fork.id)).map(withoutPlace)).toEqual(taken.map(withoutPlace));
      const [copy] = await store.listCheckpoints(fork.id);
      expect(copy).toEqual({
        ...original,
        id: copy?.id ?? "",
        sessionId: fork.id,
        source: "fork",
        parentId: original.id,
        createdAt: expect.any(Number),
      });
    }
  });

  test("loses a deleted session's rows and nothing else, and its facts only forget the session", async () => {
    const [id = ""] = ids.filter((one) => (expected.checkpoints.get(one)?.length ?? 0) > 1);
    await store.deleteSession(id);
    await reopen();
    expect(await store.getSession(id)).toBeNull();
    for (const other of ids.filter((one) => one !== id)) {
      expect(await store.getMessages(other)).toStrictEqual(expected.messages.get(other) ?? []);
    }
    withReader((reader) => {
      for (const table of ["messages", "checkpoints", "entities"]) {
        const sql = `SELECT count(*) AS count FROM ${table} WHERE session_id = ?`;
        expect(rowsOf(reader, sql, id)).toEqual([{ count: 0 }]);
      }
      expect(rowsOf(reader, "SELECT count(*) AS count FROM entities")).toEqual([{ count: 1 }]);
      expect(rowsOf(reader, "SELECT source_session_id FROM facts")).toEqual([
        { source_session_id: null },
        { source_session_id: null },
      ]);
      expect(rowsOf(reader, "PRAGMA foreign_key_check")).toEqual([]);
      expect(rowsOf(reader, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
    });
  });

  function sessionOf(id: string): Session {
    const session = expected.sessions.get(id);
    if (session === undefined) throw new Error(`The fixture has no session ${id}`);
    return session;
  }
});

describe.each(["open", "closed"])(
  "in a file of ours, while the store is %s, a reader from 0.2.3",
  (state) => {
    beforeEach(() => {
      store = new SqliteCheckpointStore(path);
    });

    test("finds sessions, in the order it asks for", async () => {
      const metadata = { at: new Date(0), tags: new Set(["a"]), plain: [1, "two", null] };
      const older = await store.createSession("./older", { title: "Older", workspaceId: "w", metadata });
      const newer = await store.createSession("./newer");
      await store.updateSession(newer.id, { title: "Newer" });
      await whileStoreIs(state);
      const sql =
        "SELECT id, workspace_id, title, directory, created_at, updated_at, metadata FROM sessions ORDER BY updated_at DESC, rowid DESC";
      const [first, second] = readAs023(sql);
      expect(first).toMatchObject({ id: newer.id, workspace_id: null, title: "Newer", metadata: null });
      expect(second).toEqual({
        id: older.id,
        workspace_id: "w",
        title: "Older",
        directory: "./older",
        created_at: older.createdAt,
        updated_at: older.updatedAt,
        metadata: expect.any(String),
      });
      expect(JSON.parse(String(second?.metadata))).toEqual({
        at: { __type: "Date", value: "1970-01-01T00:00:00.000Z" },
        tags: { __type: "Set", value: ["a"] },
        plain: [1, "two", null],
      });
    });

    test("finds messages by time, their tool calls and results as plain JSON", async () => {
      const { id } = await store.createSession("./project");
      const plain = await store.addMessage(id, buildMessage(id, { content: "hello" }));
      const full = await store.addMessage(id, buildFullMessage(id));
      await whileStoreIs(state);
      const sql =
        "SELECT id, session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at FROM messages WHERE session_id = ? ORDER BY created_at ASC";
      const [first, second] = readAs023(sql, id);
      expect(first).toEqual({
        id: plain.id,
        session_id: id,
        role: "user",
        content: "hello",
        tool_calls: null,
        tool_results: null,
        tokens_in: null,
        tokens_out: null,
        created_at: plain.createdAt,
      });
      expect(second).toMatchObject({ id: full.id, role: "assistant", tokens_in: 12, tokens_out: 34 });
      expect(JSON.parse(String(second?.tool_calls))).toEqual(full.toolCalls);
      expect(JSON.parse(String(second?.tool_results))).toEqual(full.toolResults);
    });

    test("finds checkpoints by step and by version, their parts as plain JSON", async () => {
      const { id } = await store.createSession("./project");
      await store.saveCheckpoint(buildCheckpoint(id, { version: 1, step: 0 }));
      const saved = await store.saveCheckpoint(buildFullCheckpoint(id));
      await whileStoreIs(state);
      const columns =
        "id, session_id, namespace, parent_id, version, step, node_id, node_results, pending_nodes, cycle_state, source, created_at";
      for (const order of ["step", "version", "created_at"]) {
        const sql = `SELECT ${columns} FROM checkpoints WHERE session_id = ? AND namespace = ? ORDER BY ${order} DESC, rowid DESC LIMIT 1`;
        const [row] = readAs023(sql, id, "graph");
        expect(row).toEqual({
          id: saved.id,
          session_id: id,
          namespace: "graph",
          parent_id: "the-checkpoint-before",
          version: 7,
          step: 3,
          node_id: "busy",
          node_results: expect.any(String),
          pending_nodes: '["waiting","busy"]',
          cycle_state: '{"backEdge":"busy->done","iteration":2}',
          source: "interrupt",
          created_at: saved.createdAt,
        });
        expect(JSON.parse(String(row?.node_results))).toEqual(saved.nodeResults);
      }
    });

    test("finds values stored in the types it would store", async () => {
      const { id } = await store.createSession("./project", { metadata: { a: 1 } });
      await store.addMessage(id, buildFullMessage(id));
      await store.saveCheckpoint(buildFullCheckpoint(id));
      await whileStoreIs(state);
      expect(
        readAs023(
          "SELECT typeof(created_at) AS c, typeof(updated_at) AS u, typeof(metadata) AS m FROM sessions",
        ),
      ).toEqual([{ c: "integer", u: "integer", m: "text" }]);
      expect(
        readAs023(
          "SELECT typeof(id) AS i, typeof(tool_calls) AS t, typeof(tokens_in) AS n, typeof(created_at) AS c FROM messages",
        ),
      ).toEqual([{ i: "integer", t: "text", n: "integer", c: "integer" }]);
      expect(
        readAs023(
          "SELECT typeof(version) AS v, typeof(step) AS s, typeof(node_results) AS r, typeof(pending_nodes) AS p, typeof(cycle_state) AS y FROM checkpoints",
        ),
      ).toEqual([{ v: "integer", s: "integer", r: "text", p: "text", y: "text" }]);
    });

    test("inserts a session, messages and checkpoints that the store reads", async () => {
      const ours = await store.createSession("./ours");
      const last = await store.addMessage(ours.id, buildMessage(ours.id, { content: "ours" }));
      await whileStoreIs(state);
      const now = Date.now() + 1000;
      withReader((reader) => {
        rowsOf(
          reader,
          "INSERT INTO sessions (id, workspace_id, title, directory, created_at, updated_at, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
          ...[
            "theirs",
            "w",
            "Theirs",
            "./theirs",
            now,
            now,
            '{"at":{"__type":"Date","value":"1970-01-01T00:00:00.000Z"}}',
          ],
        );
        for (const session of ["theirs", ours.id]) {
          rowsOf(
            reader,
            "INSERT INTO messages (session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ...[
              session,
              "tool",
              null,
              null,
              '[{"toolUseId":"t","content":"42","status":"success"}]',
              1,
              null,
              now,
            ],
          );
          rowsOf(
            reader,
            "INSERT INTO checkpoints (id, session_id, namespace, parent_id, version, step, node_id, node_results, pending_nodes, cycle_state, source, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ...[
              `${session}-1`,
              session,
              "",
              null,
              1,
              0,
              null,
              '{"n":{"status":"completed","output":{"__type":"Set","value":[1]}}}',
            ],
            ...['["next"]', null, "loop", now],
          );
        }
      });
      await reopen();
      expect(await store.getSession("theirs")).toStrictEqual({
        id: "theirs",
        workspaceId: "w",
        title: "Theirs",
        directory: "./theirs",
        createdAt: now,
        updatedAt: now,
        metadata: { at: new Date(0) },
      });
      for (const sessionId of ["theirs", ours.id]) {
        const message = (await store.getMessages(sessionId)).at(-1);
        expect(message).toStrictEqual({
          id: expect.any(Number),
          sessionId,
          role: "tool",
          createdAt: now,
          toolResults: [{ toolUseId: "t", content: "42", status: "success" }],
          tokensIn: 1,
        });
        expect(message?.id).toBeGreaterThan(last.id);
        expect(await store.getLatestCheckpoint(sessionId)).toStrictEqual({
          id: `${sessionId}-1`,
          sessionId,
          namespace: "",
          version: 1,
          step: 0,
          source: "loop",
          createdAt: now,
          nodeResults: { n: { status: "completed", output: new Set([1]) } },
          pendingNodes: ["next"],
        });
        const next = await store.addMessage(sessionId, buildMessage(sessionId));
        expect(next.createdAt).toBeGreaterThan(now);
      }
    });

    test("keeps entities and facts there, which go and stay with a session that the store deletes", async () => {
      const { id } = await store.createSession("./project");
      await whileStoreIs(state);
      withReader((reader) => {
        rowsOf(
          reader,
          "INSERT INTO entities (id, session_id, workspace_id, name, type, attributes, relationships, created_at, updated_at, embedding) VALUES ('e', ?, NULL, 'n', 't', '{}', '[]', 1, 1, '[0.5]')",
          id,
        );
        rowsOf(
          reader,
          "INSERT INTO facts (id, workspace_id, content, confidence, source_session_id, created_at, embedding) VALUES ('f', NULL, 'c', 0.5, ?, 1, '[0.5]')",
          id,
        );
      });
      await reopen();
      await store.deleteSession(id);
      expect(readAs023("SELECT id FROM entities")).toEqual([]);
      expect(readAs023("SELECT id, source_session_id, embedding FROM facts")).toEqual([
        { id: "f", source_session_id: null, embedding: "[0.5]" },
      ]);
    });

    test("deletes a session with all that the store wrote into it", async () => {
      const { id } = await store.createSession("./project");
      await store.addMessage(id, buildMessage(id));
      await store.saveCheckpoint(buildCheckpoint(id));
      await whileStoreIs(state);
      withReader((reader) => rowsOf(reader, "DELETE FROM sessions WHERE id = ?", id));
      expect(readAs023("SELECT id FROM messages")).toEqual([]);
      expect(readAs023("SELECT id FROM checkpoints")).toEqual([]);
    });

    test("gets a UNIQUE error if it saves a version that the store saved", async () => {
      const { id } = await store.createSession("./project");
      await store.saveCheckpoint(buildCheckpoint(id, { namespace: "", version: 1 }));
      await whileStoreIs(state);
      const insert = () =>
        readAs023(
          "INSERT INTO checkpoints (id, session_id, step, node_results, created_at) VALUES ('x', ?, 0, '{}', 1)",
          id,
        );
      expect(insert).toThrow("UNIQUE constraint failed");
    });
  },
);

interface Expected {
  readonly sessions: ReadonlyMap<string, Session>;
  readonly messages: ReadonlyMap<string, StoredMessage[]>;
  readonly checkpoints: ReadonlyMap<string, Checkpoint[]>;
}

function readExpected(): Expected {
  const text = readFileSync(join(FIXTURES, "published-0.2.3.expected.json"), "utf8");
  const value: unknown = new JsonPlusSerializer().deserialize(text);
  return {
    sessions: new Map(Object.entries(fieldOf<Session>(value, "sessions"))),
    messages: new Map(Object.entries(fieldOf<StoredMessage[]>(value, "messages"))),
    checkpoints: new Map(Object.entries(fieldOf<Checkpoint[]>(value, "checkpoints"))),
  };
}

function fieldOf<T>(value: unknown, name: string): Record<string, T> {
  const field: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof field !== "object" || field === null) throw new Error(`The fixture's answers have no ${name}`);
  return Object.fromEntries(Object.entries(field));
}

function sortedById(checkpoints: readonly Checkpoint[]): Checkpoint[] {
  return checkpoints.toSorted((a, b) => a.id.localeCompare(b.id));
}

function withoutPlace({ id: _id, sessionId: _sessionId, ...rest }: StoredMessage): object {
  return rest;
}

async function reopen(): Promise<void> {
  await store.close();
  store = new SqliteCheckpointStore(path);
}

async function whileStoreIs(state: string): Promise<void> {
  if (state === "closed") await store.close();
}

/** As 0.2.3 opens a file: foreign keys on, and no patience with locks. */
function withReader<T>(work: (reader: Database) => T): T {
  const reader = new Database(path);
  try {
    rowsOf(reader, "PRAGMA foreign_keys = ON");
    rowsOf(reader, "PRAGMA busy_timeout = 0");
    return work(reader);
  } finally {
    reader.close(true);
  }
}

function readAs023(sql: string, ...parameters: string[]): Record<string, unknown>[] {
  return withReader((reader) => rowsOf(reader, sql, ...parameters));
}
