/** `copyToPostgres` and `copyFromPostgres` on a real server: every column compared, and what does not fit. */
import { beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import {
  type CheckpointBackend,
  InvalidArgumentError,
  type MemoryStore,
  SessionNotFoundError,
  SqliteCheckpointStore,
  StorageError,
} from "@obsku/checkpoint-sqlite";
import {
  copyFromPostgres,
  copyToPostgres,
  DoesNotFitError,
  type Progress,
} from "@obsku/checkpoint-sqlite/postgres";
import { PostgresCheckpointStore } from "published-checkpoint-postgres";
import { lineOf } from "../../src/postgres/copy-text.js";
import { LONGEST_KEY } from "../../src/postgres/misfits.js";
import type { Value } from "../../src/postgres/tables.js";
import { buildCheckpoint, buildFullCheckpoint, buildFullMessage, buildMessage } from "../support/builders.js";
import { difference } from "../support/difference.js";
import { rejectionWith } from "../support/failures.js";
import { buildFact, buildFullEntity, buildFullFact } from "../support/memory-builders.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { describeWithServer, onServer, useServer } from "./support/cluster.js";
import { FILES, fill } from "./support/files.js";
import { catalogueOf, kindsIn, rowsOfFile, rowsOfServer } from "./support/rows.js";

describeWithServer("a copy to PostgreSQL", () => {
  const server = useServer();
  let folder: TemporaryFolder;
  let path: string;
  let url: string;

  beforeEach(async () => {
    ({ folder, path, url } = await server.newPlace());
  });

  async function setUp(): Promise<void> {
    const store = new PostgresCheckpointStore(url);
    await store.setup();
    await store.close();
  }

  async function tablesThere(): Promise<unknown[]> {
    return onServer(url, async (sql) => [
      ...(await sql.unsafe("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")),
    ]);
  }

  async function rejection(options = {}): Promise<DoesNotFitError> {
    const before = await tablesThere();
    const error = await rejectionWith(DoesNotFitError, copyToPostgres(path, url, options));
    expect(await tablesThere()).toEqual(before);
    return error;
  }

  describe.each(Object.entries(FILES))("of a file %s", (_, create) => {
    test("has every column of every row, and so has the copy back", async () => {
      await create(path);
      const rows = rowsOfFile(path);
      const { problems, rows: counts } = await copyToPostgres(path, url);
      expect(problems).toEqual([]);
      expect(difference(await rowsOfServer(url), rows)).toBeUndefined();
      expect(Object.entries(counts)).toEqual(
        Object.entries(rows).map(([table, { length }]) => [table, length]),
      );
      const back = join(folder.path, "back.db");
      expect((await copyFromPostgres(url, back)).rows).toEqual(counts);
      expect(difference(rowsOfFile(back), rows)).toBeUndefined();
      expect(difference(kindsIn(back), kindsIn(path))).toBeUndefined();
      expect(withDatabase(back, (database) => rowsOf(database, "PRAGMA integrity_check"))).toEqual([
        { integrity_check: "ok" },
      ]);
    });

    test("gives the next message the same id on both sides, and in the copy back", async () => {
      await create(path);
      await copyToPostgres(path, url);
      const back = join(folder.path, "back.db");
      await copyFromPostgres(url, back);
      const ids = [];
      for (const file of [path, back]) {
        await using store = new SqliteCheckpointStore(file);
        const { id } = await store.createSession("./next");
        ids.push((await store.addMessage(id, buildMessage(id))).id);
      }
      const there = new PostgresCheckpointStore(url);
      const { id } = await there.createSession("./next");
      ids.push((await there.addMessage(id, buildMessage(id))).id);
      await there.close();
      expect(new Set(ids).size).toBe(1);
    });
  });

  test("creates the very tables that setup() of @obsku/checkpoint-postgres creates", async () => {
    await FILES["that is new"]?.(path);
    await copyToPostgres(path, url);
    const created = await catalogueOf(url);
    url = await server.cluster.createDatabase();
    await setUp();
    expect(created).toEqual(await catalogueOf(url));
  });

  test("goes into tables that setup() has created", async () => {
    await setUp();
    await fill(path, true);
    await copyToPostgres(path, url);
    expect(difference(await rowsOfServer(url), rowsOfFile(path))).toBeUndefined();
  });

  test("does not depend on the settings of the database", async () => {
    await setUp();
    await onServer(url, async (sql) => {
      for (const setting of [
        "bytea_output = 'escape'",
        "extra_float_digits = -15",
        "statement_timeout = '1h'",
        "idle_in_transaction_session_timeout = '1h'",
      ]) {
        await sql.unsafe(`ALTER DATABASE ${url.match(/test\d+/)} SET ${setting}`);
      }
      await sql.unsafe(`
        CREATE FUNCTION check_limits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          ASSERT current_setting('statement_timeout') = '0';
          ASSERT current_setting('idle_in_transaction_session_timeout') = '0';
          RETURN NEW;
        END $$;
        CREATE TRIGGER limits BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION check_limits()`);
    });
    await FILES["with odd texts"]?.(path);
    await fill(path, true);
    const rows = rowsOfFile(path);
    await copyToPostgres(path, url);
    await copyFromPostgres(url, join(folder.path, "back.db"));
    expect(difference(rowsOfFile(join(folder.path, "back.db")), rows)).toBeUndefined();
  });

  test("reports its progress, first of the check, then of the copy", async () => {
    await fill(path, true);
    const seen: Progress[] = [];
    await copyToPostgres(path, url, { onProgress: (progress) => seen.push(progress) });
    expect([...new Set(seen.map(({ unit }) => unit))]).toEqual(["rows checked", "rows copied"]);
    expect(seen.at(-1)?.done).toBe(seen.at(-1)?.total as number);
  });

  test("leaves the file as it is", async () => {
    await fill(path, true);
    const before = await Bun.file(path).bytes();
    await copyToPostgres(path, url);
    expect(await Bun.file(path).bytes()).toEqual(before);
  });

  describe("of a part", () => {
    test("takes the sessions that are named, with what is in them and the facts that were learned there", async () => {
      await fill(path, true);
      const all = rowsOfFile(path);
      const [first] = withDatabase(path, (database) =>
        rowsOf<{ id: string }>(database, "SELECT id FROM sessions WHERE title = 'Scan'"),
      );
      const id = first?.id ?? "";
      await copyToPostgres(path, url, { sessionIds: [id] });
      const isOf = (row: Record<string, unknown>) => [row.session_id, row.source_session_id].includes(id);
      expect(await rowsOfServer(url)).toEqual({
        sessions: all.sessions?.filter((row) => row.id === id) ?? [],
        messages: all.messages?.filter(isOf) ?? [],
        checkpoints: all.checkpoints?.filter(isOf) ?? [],
        entities: all.entities?.filter(isOf) ?? [],
        facts: all.facts?.filter(isOf) ?? [],
      });
    });

    test("takes a workspace, with its facts of no session", async () => {
      await fill(path, true);
      await using store = new SqliteCheckpointStore(path);
      await store.saveFact(buildFact({ workspaceId: "ws-1", content: "of the workspace" }));
      await store.saveFact(buildFact({ workspaceId: "ws-2" }));
      await copyToPostgres(path, url, { workspaceId: "ws-1" });
      const { sessions = [], facts = [] } = await rowsOfServer(url);
      expect(sessions.map((row) => row.workspace_id)).toEqual(["ws-1"]);
      expect(facts.map((row) => row.content).toSorted()).toEqual([
        "example.com is owned by Jo",
        "of the workspace",
      ]);
    });

    test("rejects the id of a session that does not exist", async () => {
      await fill(path, true);
      await rejectionWith(SessionNotFoundError, copyToPostgres(path, url, { sessionIds: ["nobody"] }));
    });
  });

  describe("into a database in use", () => {
    test("rejects sessions and facts that are there, naming them", async () => {
      await fill(path, true);
      await copyToPostgres(path, url);
      const { problems } = await rejection();
      const { sessions = [], facts = [] } = rowsOfFile(path);
      const named = (table: string) => problems.filter((one) => one.table === table).map(({ id }) => id);
      expect(named("sessions").toSorted()).toEqual(sessions.map(({ id }) => id as string));
      expect(named("facts").toSorted()).toEqual(facts.map(({ id }) => id as string));
    });

    test("skips what is there, and adds what is new", async () => {
      await fill(path, true);
      await copyToPostgres(path, url);
      await using store = new SqliteCheckpointStore(path);
      const { id } = await store.createSession("./new");
      await store.addMessage(id, buildMessage(id));
      const { rows, skipped } = await copyToPostgres(path, url, { onConflict: "skip" });
      expect(rows).toEqual({ sessions: 1, messages: 1, checkpoints: 0, entities: 0, facts: 0 });
      expect(skipped).toEqual({ sessions: 3, messages: 13, checkpoints: 14, entities: 2, facts: 2 });
      expect(difference(await rowsOfServer(url), rowsOfFile(path))).toBeUndefined();
    });

    test("gives the messages of a second file the next ids, in the same order", async () => {
      await fill(path, true);
      await copyToPostgres(path, url);
      const other = join(folder.path, "other.db");
      await fill(other, false);
      const first = rowsOfFile(path);
      const second = rowsOfFile(other);
      path = other;
      expect((await rejection()).problems.map(({ table }) => table)).toContain("messages");
      await copyToPostgres(other, url, { renumberMessages: true });
      const { messages = [] } = await rowsOfServer(url);
      const withoutIds = ({ id: _, ...row }: Record<string, unknown>) => row;
      expect(messages.slice(first.messages?.length).map(withoutIds)).toEqual(
        second.messages?.toSorted((one, two) => Number(one.id) - Number(two.id)).map(withoutIds) ?? [],
      );
      const there = new PostgresCheckpointStore(url);
      const { id } = await there.createSession("./next");
      const next = await there.addMessage(id, buildMessage(id));
      await there.close();
      expect(next.id).toBe(Math.max(...messages.map((row) => Number(row.id))) + 1);
    });

    test("leaves the next id there as it is if that is above all that were copied", async () => {
      await setUp();
      await onServer(url, (sql) => sql.unsafe("SELECT setval('messages_id_seq', 1000)"));
      await fill(path, true);
      await copyToPostgres(path, url);
      const there = new PostgresCheckpointStore(url);
      const { id } = await there.createSession("./next");
      expect((await there.addMessage(id, buildMessage(id))).id).toBe(1001);
      await there.close();
    });

    test("rejects a table of another shape", async () => {
      await fill(path, true);
      await onServer(url, (sql) => sql.unsafe("CREATE TABLE sessions (id INTEGER PRIMARY KEY)"));
      const { message } = await rejectionWith(StorageError, copyToPostgres(path, url));
      expect(message).toContain(
        "column id of table sessions in the PostgreSQL database is integer, expected text",
      );
    });

    test("rejects a database that is not UTF-8", async () => {
      await fill(path, true);
      url = await server.cluster.createDatabase("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
      const { message } = await rejectionWith(StorageError, copyToPostgres(path, url));
      expect(message).toContain("LATIN1");
    });
  });

  describe("of what does not fit", () => {
    const LARGE = 2 ** 31;

    /** What is wrong, how it is made, what is named, and the value after `fix`; absent if nothing can be fixed. */
    const MISFITS: readonly {
      what: string;
      statement: string;
      table: string;
      column: string;
      fixed?: string;
    }[] = [
      {
        what: "a NUL in a message",
        statement: "UPDATE messages SET content = 'a' || char(0) || 'b'",
        table: "messages",
        column: "content",
        fixed: "a\uFFFDb",
      },
      {
        what: "a NUL in a title",
        statement: "UPDATE sessions SET title = char(0)",
        table: "sessions",
        column: "title",
        fixed: "\uFFFD",
      },
      {
        what: "a NUL in a workspace",
        statement: "UPDATE sessions SET workspace_id = 'w' || char(0)",
        table: "sessions",
        column: "workspace_id",
      },
      {
        what: "a message's id",
        statement: `UPDATE messages SET id = ${LARGE}`,
        table: "messages",
        column: "id",
      },
      {
        what: "a version",
        statement: `UPDATE checkpoints SET version = ${LARGE}`,
        table: "checkpoints",
        column: "version",
      },
      {
        what: "a step",
        statement: `UPDATE checkpoints SET step = ${LARGE}`,
        table: "checkpoints",
        column: "step",
      },
      {
        what: "tokens",
        statement: `UPDATE messages SET tokens_in = ${LARGE}`,
        table: "messages",
        column: "tokens_in",
        fixed: "2147483647",
      },
      {
        what: "tokens far below 0",
        statement: `UPDATE messages SET tokens_out = -${LARGE} - 1`,
        table: "messages",
        column: "tokens_out",
        fixed: "-2147483648",
      },
      {
        what: "a source that is NULL",
        statement: "UPDATE checkpoints SET source = NULL",
        table: "checkpoints",
        column: "source",
        fixed: "loop",
      },
      {
        what: "a time that is no integer",
        statement: "UPDATE messages SET created_at = 12.75",
        table: "messages",
        column: "created_at",
        fixed: "12",
      },
      {
        what: "a time that is text",
        statement: "UPDATE messages SET created_at = 'today'",
        table: "messages",
        column: "created_at",
      },
      {
        what: "a confidence that overflows",
        statement: "UPDATE facts SET confidence = 1e300",
        table: "facts",
        column: "confidence",
        fixed: "3.4028235e+38",
      },
      {
        what: "a confidence that underflows",
        statement: "UPDATE facts SET confidence = 1e-300",
        table: "facts",
        column: "confidence",
        fixed: "0",
      },
      {
        what: "a BLOB in place of text",
        statement: "UPDATE messages SET content = x'00ff'",
        table: "messages",
        column: "content",
      },
    ];

    beforeEach(async () => {
      await using store = new SqliteCheckpointStore(path);
      const { id } = await store.createSession("./odd");
      await store.addMessage(id, buildMessage(id));
      await store.saveCheckpoint(buildCheckpoint(id));
      await store.saveFact(buildFact());
    });

    test.each(MISFITS)("finds $what before anything is written", async ({ statement, table, column }) => {
      runOn(path, statement);
      const [problem, ...others] = (await rejection()).problems;
      expect(others).toEqual([]);
      expect(problem).toMatchObject({ table, column, id: String(rowsOfFile(path)[table]?.[0]?.id) });
      const { problems, rows } = await copyToPostgres(path, url, { dryRun: true });
      expect(problems).toEqual([{ ...problem }] as typeof problems);
      expect(rows.sessions).toBe(1);
      expect(await tablesThere()).toEqual([]);
    });

    // It would take a BLOB as the text of its bytes.
    test.each(MISFITS.filter(({ what }) => !what.includes("BLOB")))(
      "is right that PostgreSQL refuses $what",
      async ({ statement, table }) => {
        runOn(path, statement);
        await setUp();
        const [row = {}] = withDatabase(path, (database) =>
          rowsOf<Record<string, Value>>(database, `SELECT * FROM ${table}`),
        );
        const insert = onServer(url, async (sql) => {
          await sql.unsafe("SET session_replication_role = replica");
          const writer = sql
            .unsafe(`COPY ${table} (${Object.keys(row).join(", ")}) FROM STDIN`)
            .writable()
            .getWriter();
          await writer.write(lineOf(Object.values(row)));
          await writer.close();
        });
        expect(await Promise.allSettled([insert])).toMatchObject([{ status: "rejected" }]);
      },
    );

    test.each(MISFITS)(
      "replaces $what with fix if it can, and lists that",
      async ({ statement, table, column, fixed }) => {
        runOn(path, statement);
        if (fixed === undefined) {
          expect((await rejection({ fix: true })).problems).toMatchObject([{ table, column }]);
          return;
        }
        const { problems } = await copyToPostgres(path, url, { fix: true });
        expect(problems).toMatchObject([{ table, column }]);
        expect(problems[0]?.fix).toBeDefined();
        expect(String((await rowsOfServer(url))[table]?.[0]?.[column])).toBe(fixed);
      },
    );

    test("leaves out rows of sessions that do not exist, and clears such a fact's session, with fix", async () => {
      runOn(
        path,
        "PRAGMA foreign_keys = OFF",
        "UPDATE messages SET session_id = 'gone'",
        "UPDATE checkpoints SET session_id = 'gone'",
        "UPDATE facts SET source_session_id = 'gone'",
      );
      const { problems } = await rejection();
      expect(problems.map(({ table, column }) => `${table}.${column}`)).toEqual([
        "messages.session_id",
        "checkpoints.session_id",
        "facts.source_session_id",
      ]);
      const fixed = await copyToPostgres(path, url, { fix: true });
      expect(fixed.problems.map(({ fix }) => fix)).toEqual(["left out", "left out", "NULL"]);
      expect(await rowsOfServer(url)).toMatchObject({
        messages: [],
        checkpoints: [],
        facts: [{ source_session_id: null }],
      });
    });

    test("finds keys that are too long for an index, and copies the longest that is not", async () => {
      // Random, so that PostgreSQL cannot compress it.
      const key = (bytes: number) =>
        Buffer.from(crypto.getRandomValues(new Uint8Array(bytes)))
          .toString("hex")
          .slice(0, bytes);
      const [row] = rowsOfFile(path).checkpoints ?? [];
      const rest = LONGEST_KEY - String(row?.session_id).length;
      runOn(path, `UPDATE checkpoints SET namespace = '${key(rest + 1)}'`);
      expect((await rejection({ fix: true })).problems).toMatchObject([{ column: "session_id, namespace" }]);
      runOn(path, `UPDATE checkpoints SET namespace = '${key(rest)}', id = '${key(LONGEST_KEY)}'`);
      await copyToPostgres(path, url);
      expect(difference(await rowsOfServer(url), rowsOfFile(path))).toBeUndefined();
    });

    test("takes NUL characters in structured values, which both stores read", async () => {
      await using here = new SqliteCheckpointStore(path);
      const { id } = await here.createSession("./nul", { metadata: { "a\0": "b\0" } });
      expect((await copyToPostgres(path, url)).problems).toEqual([]);
      const there = new PostgresCheckpointStore(url);
      expect((await there.getSession(id))?.metadata).toEqual({ "a\0": "b\0" });
      await there.close();
    });

    test("takes structured values that are not JSON as they are", async () => {
      runOn(path, `UPDATE sessions SET metadata = '{"__type":"Map","value":[['`);
      await copyToPostgres(path, url);
      expect(difference(await rowsOfServer(url), rowsOfFile(path))).toBeUndefined();
    });

    test("solves a message's large id with renumberMessages, and a large step with renumberSteps", async () => {
      runOn(
        path,
        `UPDATE messages SET id = ${LARGE}`,
        `UPDATE sqlite_sequence SET seq = ${LARGE} WHERE name = 'messages'`,
        `UPDATE checkpoints SET step = ${LARGE}`,
      );
      const options = { renumberMessages: true, renumberSteps: true };
      const { problems, differences } = await copyToPostgres(path, url, options);
      expect(problems).toEqual([]);
      expect(differences).toMatchObject([{ table: "sessions", column: "checkpoints.step" }]);
      expect(await rowsOfServer(url)).toMatchObject({
        messages: [{ id: "1" }],
        checkpoints: [{ step: "0" }],
      });
    });

    test("takes large numbers if the columns there were made for them", async () => {
      await setUp();
      await onServer(url, (sql) =>
        sql.unsafe(
          "ALTER TABLE messages ALTER id TYPE bigint, ALTER tokens_in TYPE bigint; ALTER SEQUENCE messages_id_seq AS bigint; ALTER TABLE checkpoints ALTER version TYPE bigint",
        ),
      );
      runOn(
        path,
        `UPDATE messages SET id = ${LARGE}, tokens_in = 9007199254740993`,
        `UPDATE checkpoints SET version = ${LARGE}`,
      );
      await copyToPostgres(path, url);
      expect(difference(await rowsOfServer(url), rowsOfFile(path))).toBeUndefined();
      const back = join(folder.path, "back.db");
      await copyFromPostgres(url, back);
      expect(difference(rowsOfFile(back), rowsOfFile(path))).toBeUndefined();
    });

    test("finds an output that is missing in the file", async () => {
      await using store = new SqliteCheckpointStore(path);
      const { id } = await store.createSession("./large");
      await store.saveCheckpoint(
        buildCheckpoint(id, { nodeResults: { scan: { status: "completed", output: "x".repeat(5_000) } } }),
      );
      runOn(path, "DELETE FROM checkpoint_sqlite_outputs");
      const { problems } = await rejection({ fix: true });
      expect(problems).toMatchObject([{ table: "checkpoints", column: "node_results" }]);
    });
  });

  describe("tells what will be different:", () => {
    test("a confidence that is rounded", async () => {
      await using store = new SqliteCheckpointStore(path);
      const { id } = await store.saveFact(buildFact({ confidence: 0.123456789012 }));
      await store.saveFact(buildFact({ confidence: 0.9 }));
      const { differences } = await copyToPostgres(path, url);
      expect(differences).toMatchObject([{ table: "facts", id, column: "confidence" }]);
      const { facts = [] } = await rowsOfServer(url);
      expect(differences[0]?.difference).toContain(
        `will be ${facts.find((row) => row.id === id)?.confidence}:`,
      );
    });

    test("every checkpoint that the published store answers differently, and no other", async () => {
      await FILES["with odd texts"]?.(path);
      const { differences } = await copyToPostgres(path, url);
      await using here = new SqliteCheckpointStore(path);
      const there = new PostgresCheckpointStore(url);
      const ids = (rowsOfFile(path).checkpoints ?? []).map(({ id }) => String(id));
      const different: string[] = [];
      for (const id of ids) {
        const answers = await Promise.allSettled(
          [here, there].map(async (store) => (await store.getCheckpoint(id))?.nodeResults),
        );
        // As text: two Maps with a Map as a key are never equal.
        const [ours, theirs] = answers.map((answer) => Bun.inspect(answer, { depth: 200 }));
        if (ours !== theirs) different.push(id);
      }
      await there.close();
      expect(different.length).toBeGreaterThan(15);
      expect(different.length).toBeLessThan(ids.length);
      const named = differences.filter(({ table }) => table === "checkpoints").map(({ id }) => id);
      expect(named.toSorted()).toEqual(different.toSorted());
    });

    test("types that only this package reads", async () => {
      await using store = new SqliteCheckpointStore(path);
      const { id } = await store.createSession("./odd", { metadata: { big: 1n } });
      const { differences } = await copyToPostgres(path, url);
      expect(differences).toMatchObject([{ table: "sessions", id, column: "metadata" }]);
      const there = new PostgresCheckpointStore(url);
      expect((await there.getSession(id))?.metadata).toEqual({ big: { __type: "js:bigint", value: "1" } });
      await there.close();
    });

    test("an invalid Date, which the published store throws on", async () => {
      await using store = new SqliteCheckpointStore(path);
      const { id } = await store.createSession("./odd", { metadata: { at: new Date(Number.NaN) } });
      const { differences } = await copyToPostgres(path, url);
      expect(differences).toMatchObject([{ table: "sessions", id, column: "metadata" }]);
      const there = new PostgresCheckpointStore(url);
      expect(await Promise.allSettled([there.getSession(id)])).toMatchObject([{ status: "rejected" }]);
      await there.close();
    });
  });

  describe("back", () => {
    test("replaces a file only if it may", async () => {
      await fill(path, true);
      await copyToPostgres(path, url);
      const before = await Bun.file(path).bytes();
      await rejectionWith(InvalidArgumentError, copyFromPostgres(url, path));
      expect(await Bun.file(path).bytes()).toEqual(before);
      const rows = rowsOfFile(path);
      await copyFromPostgres(url, path, { overwrite: true });
      expect(difference(rowsOfFile(path), rows)).toBeUndefined();
    });

    test("has what the published store wrote, and both answer the same", async () => {
      const there = new PostgresCheckpointStore(url);
      await there.setup();
      const { id } = await there.createSession("./there", { title: "there", metadata: { at: new Date(5) } });
      await there.addMessage(id, buildFullMessage(id));
      const checkpoint = await there.saveCheckpoint(buildFullCheckpoint(id));
      await there.saveEntity(buildFullEntity(id));
      await there.saveFact(buildFullFact(id));
      await there.fork(checkpoint.id, { title: "fork" });
      await copyFromPostgres(url, path);
      await using here = new SqliteCheckpointStore(path);
      const answersOf = async (store: CheckpointBackend & MemoryStore) => ({
        sessions: (await store.listSessions()).toSorted((one, other) => (one.id < other.id ? -1 : 1)),
        messages: await store.getMessages(id),
        checkpoints: await store.listCheckpoints(id),
        entities: await store.listEntities({ sessionId: id }),
        facts: await store.listFacts({}),
      });
      const answers = await answersOf(here);
      expect(answers).toEqual(await answersOf(there));
      expect(answers.entities[0]?.embedding).toEqual(buildFullEntity(id).embedding);
      await there.close();
    });

    test("rejects a database without the tables, and leaves no file", async () => {
      const { message } = await rejectionWith(StorageError, copyFromPostgres(url, path));
      expect(message).toContain("no table sessions, messages, checkpoints, entities, facts");
      expect(existsSync(path)).toBe(false);
      expect(readdirSync(folder.path)).toEqual([]);
    });
  });

  describe("rejects", () => {
    test.each(["", "runs.db", "mysql://user@host/db", 5, undefined])(
      "%p as a URL, without repeating it",
      async (bad) => {
        await fill(path, true);
        const error = await rejectionWith(
          InvalidArgumentError,
          Reflect.apply(copyToPostgres, undefined, [path, bad]),
        );
        expect(error.argument).toBe("url");
        expect(error.message).not.toContain("mysql");
      },
    );

    test.each([
      "postgres://agent:secret@localhost:port/agents",
      "postgres://agent:se#cret@localhost/agents",
      "postgres://agent:sec%ret@localhost/agents",
      "postgres://agent:secret@localhost/agents?sslmode=secret",
    ])("%p as a URL, and repeats no password, in either direction", async (bad) => {
      await fill(path, true);
      for (const copy of [
        () => copyToPostgres(path, bad),
        () => copyFromPostgres(bad, join(folder.path, "new.db")),
      ]) {
        const { argument, message, cause } = await rejectionWith(InvalidArgumentError, copy());
        expect({ argument, cause }).toEqual({ argument: "url", cause: undefined });
        expect(message).not.toMatch(/sec|cret/);
      }
    });

    test("an unknown option by its name", async () => {
      const call = Reflect.apply(copyToPostgres, undefined, [path, url, { onconflict: "skip" }]);
      expect((await rejectionWith(InvalidArgumentError, call)).argument).toBe("options.onconflict");
    });

    test("a server that does not answer, and a database that does not exist", async () => {
      await fill(path, true);
      for (const wrong of [
        url.replace(/host=[^&]*/, `host=${folder.path}`),
        url.replace(/test\d+/, "nobody"),
      ]) {
        await rejectionWith(StorageError, copyToPostgres(path, wrong));
      }
    });
  });
});
