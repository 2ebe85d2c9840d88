/** A copy that is killed, aborted or cut off leaves nothing, on either side, and then works. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { OutcomeUnknownError, SqliteCheckpointStore, StorageError } from "@obsku/checkpoint-sqlite";
import { copyFromPostgres, copyToPostgres, type LongRunningOptions } from "@obsku/checkpoint-sqlite/postgres";
import { PostgresServer } from "../../src/postgres/server.js";
import { buildMessage } from "../support/builders.js";
import { commandOf } from "../support/children.js";
import { difference } from "../support/difference.js";
import { rejectionWith } from "../support/failures.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { Cluster, describeWithServer, onServer } from "./support/cluster.js";
import { CuttingProxy } from "./support/cutting-proxy.js";
import { type AllRows, rowsOfFile, rowsOfServer } from "./support/rows.js";

/** So many messages make several steps of each kind. */
const MESSAGES = 6_000;

/** At these reports of progress: while it checks, between checking and writing, and while it writes. */
const MOMENTS = [1, 4, 8, 11, 13];

/** How often a process is killed at a time that nobody chose. */
const KILLS = 6;

class Stopped extends Error {}

describeWithServer("a copy that is interrupted", () => {
  let cluster: Cluster;
  let folder: TemporaryFolder;
  let path: string;
  let url: string;
  let rows: AllRows;

  beforeAll(async () => {
    cluster = await Cluster.start();
    folder = await createTemporaryFolder();
    path = join(folder.path, "runs.db");
    await using store = new SqliteCheckpointStore(path, { synchronous: "normal" });
    const { id } = await store.createSession("./long");
    await Promise.all(
      Array.from({ length: MESSAGES }, (_, index) =>
        store.addMessage(id, buildMessage(id, { content: `${index} ${"x".repeat(300)}` })),
      ),
    );
    rows = rowsOfFile(path);
  });
  afterAll(async () => {
    await cluster?.stop();
    await folder?.remove();
  });
  beforeEach(async () => {
    url = await cluster.createDatabase();
  });

  /** Once no connection is left there that still has to notice. */
  async function expectNothingThere(): Promise<void> {
    await onServer(url, async (sql) => {
      let others = 1;
      while (others > 0) {
        const [row] = await sql.unsafe(
          `SELECT count(*)::int AS others FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        );
        others = row.others;
      }
    });
    expect(await tablesThere()).toEqual([]);
  }

  async function tablesThere(): Promise<unknown[]> {
    return onServer(url, async (sql) => [
      ...(await sql.unsafe("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")),
    ]);
  }

  async function expectWorksNow(): Promise<void> {
    await copyToPostgres(path, url);
    expect(difference(await rowsOfServer(url), rows)).toBeUndefined();
  }

  async function killAt(report: number, direction: "to" | "back", file: string): Promise<unknown> {
    const child = Bun.spawn(commandOf("postgres-copier.ts", [direction, file, url, String(report)]), {
      stdout: "ignore",
      stderr: "inherit",
    });
    await child.exited;
    return child.signalCode;
  }

  /** Ends when the copy does, or when it is killed after a delay in milliseconds; 0: never. */
  async function exitOf(direction: "to" | "back", file: string, delay: number): Promise<void> {
    const child = Bun.spawn(commandOf("postgres-copier.ts", [direction, file, url]), {
      stdout: "ignore",
      stderr: "inherit",
      killSignal: "SIGKILL",
      ...(delay === 0 ? {} : { timeout: Math.ceil(delay) }),
    });
    await child.exited;
  }

  /** Holds this process until the server has ended its connections: a copy cannot be done before. */
  function terminateBackends(): void {
    const { exitCode } = Bun.spawnSync(commandOf("postgres-terminator.ts", [url]), { stderr: "inherit" });
    expect(exitCode).toBe(0);
  }

  /** Transactions that others would have to wait for. */
  async function transactionsThere(): Promise<unknown> {
    return onServer(url, async (sql) => {
      const [row] = await sql.unsafe(
        `SELECT count(xact_start)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      return row.count;
    });
  }

  /** Options that do something at a report, and go on after it. */
  function at(report: number, act: () => void): LongRunningOptions {
    let left = report;
    return {
      onProgress: () => {
        left -= 1;
        if (left === 0) act();
      },
    };
  }

  test.each(MOMENTS)(
    "leaves nothing there if its process is killed at report %i of its progress",
    async (report) => {
      expect(await killAt(report, "to", path)).toBe("SIGKILL");
      await expectNothingThere();
      await expectWorksNow();
    },
  );

  test.each(MOMENTS)(
    "rejects with the signal's reason if it is aborted at report %i, and leaves nothing there",
    async (report) => {
      const controller = new AbortController();
      const options = at(report, () => controller.abort(new Stopped()));
      await rejectionWith(Stopped, copyToPostgres(path, url, { ...options, signal: controller.signal }));
      await expectNothingThere();
      await expectWorksNow();
    },
  );

  test.each(MOMENTS)(
    "rejects if the server ends its connection at report %i, and leaves nothing there",
    async (report) => {
      await rejectionWith(StorageError, copyToPostgres(path, url, at(report, terminateBackends)));
      await expectNothingThere();
      await expectWorksNow();
    },
  );

  test.each(MOMENTS)(
    "rejects if the server crashes at report %i, and leaves nothing there",
    async (report) => {
      await rejectionWith(
        StorageError,
        copyToPostgres(
          path,
          url,
          at(report, () => cluster.crash()),
        ),
      );
      await cluster.restart();
      await expectNothingThere();
      await expectWorksNow();
    },
  );

  test("is there as a whole or not at all if its process is killed at any time", async () => {
    const start = performance.now();
    await exitOf("to", path, 0);
    const duration = performance.now() - start;
    expect(difference(await rowsOfServer(url), rows)).toBeUndefined();
    for (let killed = 0; killed < KILLS; killed++) {
      url = await cluster.createDatabase();
      const delay = Math.random() * duration;
      await exitOf("to", path, delay);
      const isThere = (await tablesThere()).length > 0;
      expect({ delay, rows: isThere ? difference(await rowsOfServer(url), rows) : undefined }).toEqual({
        delay,
        rows: undefined,
      });
      expect(difference(rowsOfFile(path), rows)).toBeUndefined();
    }
  });

  test.each([
    ["before COMMIT arrives", false],
    ["before the answer to COMMIT", true],
  ] as const)(
    "says that the outcome is unknown if the connection is cut %s, and can be repeated",
    async (moment, isThere) => {
      await using proxy = await CuttingProxy.start(cluster.socket, moment);
      const copy = copyToPostgres(path, proxy.through(url));
      const { message } = await rejectionWith(OutcomeUnknownError, copy);
      expect(message).toContain('Call again with onConflict: "skip"');
      expect(message).not.toContain("secret");
      const { rows: copied, skipped } = await copyToPostgres(path, url, { onConflict: "skip" });
      expect([copied.messages, skipped.messages]).toEqual(isThere ? [0, MESSAGES] : [MESSAGES, 0]);
      expect(difference(await rowsOfServer(url), rows)).toBeUndefined();
    },
  );

  test("says that nothing was written if the server refuses to commit", async () => {
    await copyToPostgres(path, url);
    await onServer(url, (sql) =>
      sql.unsafe(`
        TRUNCATE sessions CASCADE;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON messages
          DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`),
    );
    const { message } = await rejectionWith(StorageError, copyToPostgres(path, url));
    expect(message).toContain("PostgreSQL: refused, P0001. Nothing was written there.");
    expect((await rowsOfServer(url)).sessions).toEqual([]);
  });

  test("rejects if the server rolls back in place of committing", async () => {
    const work = async (server: PostgresServer) => {
      await Promise.allSettled([server.query("SELECT 1 / 0")]);
      return { result: undefined, commit: true };
    };
    const purpose = { begin: "BEGIN", ifFailed: "Nothing was written there." };
    await rejectionWith(StorageError, PostgresServer.transaction(url, purpose, undefined, work));
  });

  test("rejects with what onProgress throws, and leaves nothing there", async () => {
    const options = at(12, () => {
      throw new Stopped();
    });
    await rejectionWith(Stopped, copyToPostgres(path, url, options));
    expect(await transactionsThere()).toBe(0);
    await expectNothingThere();
  });

  test("rejects with what onProgress throws on the way back, and leaves no file", async () => {
    await copyToPostgres(path, url);
    await using own = await createTemporaryFolder();
    const options = at(3, () => {
      throw new Stopped();
    });
    await rejectionWith(Stopped, copyFromPostgres(url, join(own.path, "back.db"), options));
    expect(await transactionsThere()).toBe(0);
    expect(readdirSync(own.path)).toEqual([]);
  });

  test("rejects with the server's error if that comes in the middle of the rows", async () => {
    await copyToPostgres(path, url);
    await onServer(url, (sql) =>
      sql.unsafe(`
        TRUNCATE sessions CASCADE;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN IF NEW.id = 3000 THEN RAISE 'refused'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER early BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION refuse()`),
    );
    const { message } = await rejectionWith(StorageError, copyToPostgres(path, url));
    expect(message).toContain("PostgreSQL: refused, P0001. Nothing was written there.");
    expect(await transactionsThere()).toBe(0);
    expect((await rowsOfServer(url)).sessions).toEqual([]);
  });

  test("can be aborted while it waits for a lock there", async () => {
    await copyToPostgres(path, url);
    const controller = new AbortController();
    await onServer(url, async (sql) => {
      await sql.unsafe("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE");
      const copy = rejectionWith(Stopped, copyToPostgres(path, url, { signal: controller.signal }));
      for (let waiting = 0; waiting === 0; ) {
        const [row] = await sql.unsafe("SELECT count(*)::int AS waiting FROM pg_locks WHERE NOT granted");
        waiting = row.waiting;
      }
      controller.abort(new Stopped());
      await copy;
      await sql.unsafe("ROLLBACK");
    });
  });

  test.each([1, 3, 6])(
    "leaves no file under its name if it is killed on the way back at report %i",
    async (report) => {
      await copyToPostgres(path, url);
      await using own = await createTemporaryFolder();
      const back = join(own.path, "back.db");
      expect(await killAt(report, "back", back)).toBe("SIGKILL");
      expect(existsSync(back)).toBe(false);
      await copyFromPostgres(url, back);
      expect(difference(rowsOfFile(back), rows)).toBeUndefined();
    },
  );

  test.each(["aborted", "cut off by the server"])(
    "leaves no file at all if it is %s on the way back",
    async (how) => {
      await copyToPostgres(path, url);
      await using own = await createTemporaryFolder();
      const controller = new AbortController();
      const options = at(3, () => {
        if (how === "aborted") controller.abort(new Stopped());
        else terminateBackends();
      });
      const copy = copyFromPostgres(url, join(own.path, "back.db"), {
        ...options,
        signal: controller.signal,
      });
      await rejectionWith(how === "aborted" ? Stopped : StorageError, copy);
      expect(readdirSync(own.path)).toEqual([]);
    },
  );
});
