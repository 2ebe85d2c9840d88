/** How files are opened, with which options and settings, and how they are left. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import {
  InvalidArgumentError,
  SqliteCheckpointStore,
  StoreBusyError,
  StoreClosedError,
  StoreOpenError,
  StoreReadonlyError,
} from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { canRunAsNobody, runAsNobody } from "../support/children.js";
import { assertSame } from "../support/difference.js";
import { watchOpening } from "../support/opened-database.js";
import { rejectionOf, thrownBy } from "../support/outcomes.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const PUBLISHED = join(import.meta.dir, "..", "fixtures", "published-0.2.3.db");

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "store.db");
});

afterEach(() => folder.remove());

describe("a new file", () => {
  test("can be read by its owner only, and so can its log and shared memory", async () => {
    const store = new SqliteCheckpointStore(path);
    await store.createSession("./private");
    const modes = readdirSync(folder.path).map((name) => `${name} ${modeOf(join(folder.path, name))}`);
    expect(modes.sort()).toEqual(["store.db 600", "store.db-shm 600", "store.db-wal 600"]);
    await store.close();
    expect(modeOf(path)).toBe("600");
  });

  test("can be read by its owner only, also through a symbolic link to nothing", async () => {
    const target = join(folder.path, "target.db");
    symlinkSync(target, path);
    const store = new SqliteCheckpointStore(path);
    await store.createSession("./private");
    expect(modeOf(target)).toBe("600");
    await store.close();
  });

  test("is made with the folders it needs, private as well", async () => {
    const deep = join(folder.path, "a", "b", "store.db");
    await new SqliteCheckpointStore(deep).close();
    expect(existsSync(deep)).toBe(true);
    expect(modeOf(join(folder.path, "a"))).toBe("700");
    expect(modeOf(join(folder.path, "a", "b"))).toBe("700");
  });

  test("is found by a path relative to the working directory", async () => {
    const store = new SqliteCheckpointStore(relative(process.cwd(), path));
    await store.createSession("./relative");
    await store.close();
    expect(existsSync(path)).toBe(true);
  });

  test.each([
    "sp ace.db",
    "日本.db",
    "per%20cent.db",
    "question?mode=memory#.db",
    "quo'te\".db",
    "line\nbreak.db",
  ])("bears exactly the name it was given: %j", async (name) => {
    const store = new SqliteCheckpointStore(join(folder.path, name));
    await store.createSession("./named");
    await store.close();
    expect(readdirSync(folder.path)).toEqual([name]);
  });

  test.each([" leading.db", "trailing.db ", "\ttab.db", " "])(
    "with blanks at the ends of its path is that file and private, or refused by name: %j",
    async (name) => {
      const before = process.cwd();
      process.chdir(folder.path);
      try {
        await openOrRefuse(name);
      } finally {
        process.chdir(before);
      }
      const made = readdirSync(folder.path);
      expect(made.filter((file) => file !== name)).toEqual([]);
      for (const file of made) expect(modeOf(join(folder.path, file))).toBe("600");
    },
  );
});

describe("an existing file", () => {
  test.each([0o644, 0o640, 0o600])("keeps its mode %o, which its log takes over", async (mode) => {
    copyFileSync(PUBLISHED, path);
    chmodSync(path, mode);
    const store = new SqliteCheckpointStore(path);
    await store.createSession("./as-it-was");
    expect(modeOf(path)).toBe(mode.toString(8));
    expect(modeOf(`${path}-wal`)).toBe(mode.toString(8));
    await store.close();
    expect(modeOf(path)).toBe(mode.toString(8));
  });

  test("is found through a symbolic link", async () => {
    await createStoreWithSession(path);
    const link = join(folder.path, "link.db");
    symlinkSync(path, link);
    const store = new SqliteCheckpointStore(link);
    expect(await store.listSessions()).toHaveLength(1);
    await store.close();
  });
});

describe("what cannot be opened is refused with a reason", () => {
  test("a directory", () => {
    expectRefusal(folder.path, /directory/);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("a FIFO, without waiting for its other end", () => {
    expect(Bun.spawnSync(["mkfifo", path]).success).toBe(true);
    expectRefusal(path, /not a regular file/);
  });

  test("a path below a file", () => {
    writeFileSync(path, "a file");
    expectRefusal(join(path, "store.db"), /not a directory|ENOTDIR/);
    expect(readFileSync(path, "utf8")).toBe("a file");
  });

  test.each([{ readonly: false }, { readonly: true }])("a file with two names: %j", async (options) => {
    await createStoreWithSession(path);
    const link = join(folder.path, "link.db");
    linkSync(path, link);
    for (const name of [path, link])
      expectRefusal(name, /hard link.*mount the folder, not the file/, options);
    unlinkSync(link);
    await new SqliteCheckpointStore(path, options).close();
  });

  test("a path longer than SQLite takes, without leaving an empty file there", async () => {
    const longest = pathOfLength(504);
    const store = new SqliteCheckpointStore(longest);
    await store.createSession("./long");
    await store.close();
    expectRefusal(pathOfLength(505), /has 505 bytes, and SQLite takes at most 504/);
    expect(readdirSync(dirname(longest))).toEqual([basename(longest)]);
  });

  test.each(["ulimit -n 40", "ulimit -n 60"])("a file for which no file handles are left, of %s", (limit) => {
    const script = `
      const { SqliteCheckpointStore } = await import(${JSON.stringify(import.meta.resolve("@obsku/checkpoint-sqlite"))});
      const stores = [];
      try {
        for (;;) stores.push(new SqliteCheckpointStore("store-" + stores.length + ".db"));
      } catch (error) {
        console.log(error.name + ": " + error.message);
      }
      process.exit();`;
    const command = `${limit} && exec "$0" -e "$1"`;
    const child = Bun.spawnSync(["sh", "-c", command, process.execPath, script], { cwd: folder.path });
    expect(child.stdout.toString()).toMatch(/^StoreOpenError: .*out of file handles/);
  });

  test("a file that is no database", () => {
    const content = Buffer.from("A letter, not a database. ".repeat(200));
    writeFileSync(path, content);
    expectRefusal(path, /not a SQLite database/);
    assertSame(readFileSync(path), content, "the file");
    expect(readdirSync(folder.path)).toEqual(["store.db"]);
  });

  test("a file of one byte, which SQLite takes for an empty database", () => {
    writeFileSync(path, "x");
    expectRefusal(path, /not a SQLite database/);
    expect(readFileSync(path, "utf8")).toBe("x");
    expect(readdirSync(folder.path)).toEqual(["store.db"]);
  });

  test("a database cut off in its middle", () => {
    const content = readFileSync(PUBLISHED).subarray(0, 6000);
    writeFileSync(path, content);
    expectRefusal(path, /damaged/);
    assertSame(readFileSync(path), content, "the file");
  });

  test("a missing file when it must not be made", () => {
    expectRefusal(path, /does not exist/, { readonly: true });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("a dangling symbolic link when it must not be made", () => {
    symlinkSync(join(folder.path, "nowhere.db"), path);
    expectRefusal(path, /does not exist/, { readonly: true });
  });

  test("a database that is no store, when it is only read", () => {
    runOn(path, "CREATE TABLE host (a TEXT)");
    const before = readFileSync(path);
    expectRefusal(path, /missing tables.*sessions/, { readonly: true });
    assertSame(readFileSync(path), before, "the file");
  });

  test("a file locked past busyTimeout, as a busy store that may be tried again", async () => {
    await createStoreWithSession(path);
    await withLock(path, "EXCLUSIVE", () => {
      const error = thrownBy(
        () => new SqliteCheckpointStore(join(folder.path, "store.db"), { busyTimeout: 0 }),
      );
      expect(error).toBeInstanceOf(StoreBusyError);
      expect(error.retryable).toBe(true);
    });
    await new SqliteCheckpointStore(path).close();
  });

  test("memory that may only be read, in which nothing can ever be", () => {
    const error = thrownBy(() => new SqliteCheckpointStore(":memory:", { readonly: true }));
    expect([InvalidArgumentError.name, StoreOpenError.name]).toContain(error.name);
    expect(error.message).toContain("readonly");
  });
});

describe("a path that is none is refused by name", () => {
  test.each([
    ["an empty one", "", /empty/],
    ["a URL", "file:///tmp/store.db", /URL/],
    ["a relative URL", "file:store.db", /URL/],
    ["a URL with a query", "file:store.db?mode=memory", /URL/],
    ["one with a NUL character", "store\0.db", /NUL/],
    ["a number", 42, /a file's path, ":memory:" for a store that is gone on close, or an open Database/],
    ["an object", { path: "store.db" }, /open Database/],
    ["a URL object", new URL("file:///tmp/store.db"), /open Database/],
    ["null", null, /open Database/],
    ["an environment variable that is not set", process.env.NO_SUCH_VARIABLE, /a file's path, ":memory:"/],
    ["a revoked Proxy", revokedProxy(), /open Database/],
  ])("%s", (_, given, reason) => {
    const error = thrownBy(() => construct(given));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toStartWith("Invalid argument: path ");
    expect(error.message).toMatch(reason);
  });
});

describe("options", () => {
  test.each(["busyTimeOut", "timeout", "readOnly", "toString", "constructor"])(
    "of the unknown name %s are refused, and the known ones named",
    (name) => {
      const error = thrownBy(() => construct(path, { [name]: 1 }));
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error.message).toStartWith(`Invalid argument: options.${name} `);
      expect(error.message).toContain(
        "busyTimeout, synchronous, readonly, versionConflict, shareOutputs, vectorMemory, keepCheckpoints, clock",
      );
      expect(existsSync(path)).toBe(false);
    },
  );

  test.each([
    ["busyTimeout", -1],
    ["busyTimeout", 1.5],
    ["busyTimeout", "5000"],
    ["busyTimeout", Number.NaN],
    ["busyTimeout", Number.POSITIVE_INFINITY],
    ["busyTimeout", 2 ** 31],
    ["synchronous", "off"],
    ["synchronous", 1],
    ["readonly", "yes"],
    ["readonly", 1],
    ["versionConflict", "ignore"],
    ["clock", 1_700_000_000_000],
  ])("of a value that is not allowed are refused by name: %s %p", (name, value) => {
    const error = thrownBy(() => construct(path, { [name]: value }));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toStartWith(`Invalid argument: options.${name} `);
    expect(existsSync(path)).toBe(false);
  });

  test.each([[[]], ["full"], [5000]])("that are no object are refused: %p", (options) => {
    const error = thrownBy(() => construct(path, options));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toContain("options");
  });

  test("that cannot be read are refused, before a file is made", () => {
    const options = {
      get busyTimeout(): number {
        throw new RangeError("not now");
      },
    };
    const error = thrownBy(() => construct(path, options));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toContain("options");
    expect(error.message).toContain("not now");
    expect(existsSync(path)).toBe(false);
  });

  test("that are null or undefined, whole or one by one, are as if not given", async () => {
    const nothing = {
      busyTimeout: null,
      synchronous: undefined,
      readonly: null,
      versionConflict: null,
      clock: null,
    };
    for (const options of [null, undefined, {}, nothing]) {
      const store = construct(path, options);
      expect(await store.listSessions()).toEqual([]);
      await store.close();
    }
  });

  test("are read once, also if they are getters of a class", async () => {
    let reads = 0;
    class Settings {
      get readonly(): boolean {
        reads += 1;
        return reads > 1;
      }
    }
    const store = construct(path, new Settings());
    await store.createSession("./d");
    await store.close();
    expect(reads).toBe(1);
  });

  test("of a clock that gives no time make the write reject by its name", async () => {
    let now = 1_700_000_000_000;
    const store = new SqliteCheckpointStore(path, { clock: () => now });
    now = Number.NaN;
    const error = await rejectionOf(store.createSession("./timeless"));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).toContain("options.clock");
    await store.close();
  });
});

describe("in force on the connection of a store are", () => {
  test.each([
    ["by default, full synchronisation", undefined, 2],
    ["full synchronisation where it is asked for", { synchronous: "full" } as const, 2],
    ["normal synchronisation where it is asked for", { synchronous: "normal" } as const, 1],
  ])("%s", async (_, options, synchronous) => {
    const { result: store, database } = watchOpening(path, () => new SqliteCheckpointStore(path, options));
    expect(rowsOf(database, "PRAGMA synchronous")).toEqual([{ synchronous }]);
    await store.close();
  });

  test("a write-ahead log, foreign keys, a bounded log, distrust of the file's schema, and a busy timeout too short to hold up the event loop", async () => {
    const opened = watchOpening(path, () => new SqliteCheckpointStore(path, { busyTimeout: 60_000 }));
    // Exactly: SQLite's own defaults are within any bounds that one would ask for.
    const expected = [
      { journal_mode: "wal" },
      { foreign_keys: 1 },
      { trusted_schema: 0 },
      { wal_autocheckpoint: 2000 },
      { journal_size_limit: 16 * 1024 * 1024 },
    ];
    const names = expected.flatMap((pragma) => Object.keys(pragma));
    expect(names.flatMap((name) => rowsOf(opened.database, `PRAGMA ${name}`))).toEqual(expected);
    expect(rowsOf(opened.database, "PRAGMA busy_timeout")).toEqual([{ timeout: 5 }]);
    await opened.result.close();
    withDatabase(path, (other) =>
      expect(rowsOf(other, "PRAGMA journal_mode")).toEqual([{ journal_mode: "wal" }]),
    );
  });
});

describe("a store opened with readonly", () => {
  test.each([
    ["a file of ours", () => createStoreWithSession(path)],
    ["a file of 0.2.3", async () => copyFileSync(PUBLISHED, path)],
  ])("reads %s, rejects every write and changes no byte of it", async (_, make) => {
    await make();
    const before = readFileSync(path);
    const store = new SqliteCheckpointStore(path, { readonly: true });
    const [session] = await store.listSessions();
    const id = session?.id ?? "";
    expect(await store.getSession(id)).toEqual(session ?? null);
    expect(await store.getMessages(id)).not.toEqual([]);
    const checkpoint = await store.getLatestCheckpoint(id);
    expect(await store.listCheckpoints(id)).toContainEqual(checkpoint ?? expect.anything());
    expect(await store.getCheckpoint(checkpoint?.id ?? "")).toEqual(checkpoint);
    const writes = [
      store.createSession("./no"),
      store.updateSession(id, { title: "no" }),
      store.deleteSession(id),
      store.addMessage(id, buildMessage(id)),
      store.saveCheckpoint(buildCheckpoint(id, { version: 99 })),
      store.fork(checkpoint?.id ?? ""),
    ];
    for (const write of writes) {
      const error = await rejectionOf(write);
      expect(error).toBeInstanceOf(StoreReadonlyError);
      expect(error.message).toContain("readonly: true");
    }
    expect(await store.getSession(id)).toEqual(session ?? null);
    await store.close();
    assertSame(readFileSync(path), before, "the file");
  });

  test("keeps a file from 0.2.3 alone in its folder, without a log", async () => {
    copyFileSync(PUBLISHED, path);
    const store = new SqliteCheckpointStore(path, { readonly: true });
    expect(await store.listSessions()).toHaveLength(5);
    await store.close();
    expect(readdirSync(folder.path)).toEqual(["store.db"]);
  });

  test("sees what another store commits meanwhile", async () => {
    const writer = new SqliteCheckpointStore(path);
    const reader = new SqliteCheckpointStore(path, { readonly: true });
    expect(await reader.listSessions()).toEqual([]);
    const session = await writer.createSession("./meanwhile");
    expect(await reader.listSessions()).toEqual([session]);
    await reader.close();
    await writer.close();
  });

  test("refuses a file of a newer schema too", async () => {
    await createStoreWithSession(path);
    runOn(path, "INSERT INTO checkpoint_sqlite_migrations VALUES (999, 'from the future', 1)");
    expectRefusal(path, /999/, { readonly: true });
  });
});

describe("closing", () => {
  test("leaves the file alone in its folder, everything in it", async () => {
    const session = await createStoreWithSession(path);
    expect(readdirSync(folder.path)).toEqual(["store.db"]);
    withDatabase(path, (database) =>
      expect(rowsOf(database, "SELECT id FROM sessions")).toEqual([{ id: session }]),
    );
  });

  test("happens at the end of a block with await using", async () => {
    let outside: SqliteCheckpointStore;
    {
      await using store = new SqliteCheckpointStore(path);
      outside = store;
      await store.createSession("./block");
    }
    expect(await rejectionOf(outside.listSessions())).toBeInstanceOf(StoreClosedError);
    expect(readdirSync(folder.path)).toEqual(["store.db"]);
  });

  test("a store that could not be opened leaves no handle on the file", async () => {
    await createStoreWithSession(path);
    runOn(path, "INSERT INTO checkpoint_sqlite_migrations VALUES (999, 'from the future', 1)");
    expectRefusal(path, /newer/);
    withDatabase(path, (database) => {
      const answer = rowsOf(database, "PRAGMA journal_mode = DELETE"); // Only the last connection can.
      expect(answer).toEqual([{ journal_mode: "delete" }]);
    });
  });
});

const asNobody = describe.skipIf(!canRunAsNobody());

asNobody("a user without rights (needs root and setpriv; skipped otherwise)", () => {
  beforeEach(() => chmodSync(folder.path, 0o755));

  test("gets an error that says it may not read the file", async () => {
    await createStoreWithSession(path);
    const before = readFileSync(path);
    expect(await runAsNobody("open-store.ts", [path])).toEqual({
      error: "StoreOpenError",
      message: expect.stringContaining("no permission"),
    });
    assertSame(readFileSync(path), before, "the file");
  });

  test("gets an error that suggests readonly if the file may only be read", async () => {
    copyFileSync(PUBLISHED, path);
    chmodSync(path, 0o644);
    const before = readFileSync(path);
    expect(await runAsNobody("open-store.ts", [path])).toEqual({
      error: "StoreOpenError",
      message: expect.stringContaining("readonly: true"),
    });
    expect(await runAsNobody("open-store.ts", [path, '{"readonly":true}'])).toEqual({ sessions: 5 });
    assertSame(readFileSync(path), before, "the file");
    expect(readdirSync(folder.path)).toEqual(["store.db"]);
  });

  test("gets an error that names the folder if it is not writable and the file has a write-ahead log", async () => {
    await createStoreWithSession(path);
    chmodSync(path, 0o644);
    expect(await runAsNobody("open-store.ts", [path, '{"readonly":true}'])).toEqual({
      error: "StoreOpenError",
      message: expect.stringContaining("folder"),
    });
  });

  test("gets an error that names the folder if the file is writable and its folder is not", async () => {
    copyFileSync(PUBLISHED, path);
    chmodSync(path, 0o666);
    const before = readFileSync(path);
    expect(await runAsNobody("open-store.ts", [path])).toEqual({
      error: "StoreOpenError",
      message: expect.stringContaining("folder"),
    });
    assertSame(readFileSync(path), before, "the file");
  });

  test("gets an error that says no file can be created", async () => {
    expect(await runAsNobody("open-store.ts", [path])).toEqual({
      error: "StoreOpenError",
      message: expect.stringContaining("cannot be created"),
    });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("works if the folder is theirs", async () => {
    const theirs = join(folder.path, "theirs");
    mkdirSync(theirs);
    chmodSync(theirs, 0o777);
    const file = join(theirs, "store.db");
    expect(await runAsNobody("open-store.ts", [file, "{}", "write"])).toEqual({ sessions: 1 });
    expect(modeOf(file)).toBe("600");
  });
});

/** In folders that exist, of names that are not too long. */
function pathOfLength(bytes: number): string {
  const deep = join(folder.path, "d".repeat(200), "d".repeat(480 - 202 - folder.path.length));
  mkdirSync(deep, { recursive: true });
  return join(deep, "f".repeat(bytes - deep.length - 1));
}

function construct(given?: unknown, options?: unknown): SqliteCheckpointStore {
  const store: unknown = Reflect.construct(SqliteCheckpointStore, [given, options]);
  if (!(store instanceof SqliteCheckpointStore)) throw new TypeError("Not a store");
  return store;
}

function expectRefusal(file: string, reason: RegExp, options?: { readonly?: boolean }): void {
  const error = thrownBy(() => new SqliteCheckpointStore(file, options));
  expect(error).toBeInstanceOf(StoreOpenError);
  expect(error.message).toStartWith(`Cannot open the store at ${JSON.stringify(file)}: `);
  expect(error.message).toMatch(reason);
}

async function openOrRefuse(file: string): Promise<void> {
  let store: SqliteCheckpointStore;
  try {
    store = new SqliteCheckpointStore(file);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    return;
  }
  await store.createSession("./blanks");
  await store.close();
}

/** A closed file with a session, a message and a checkpoint; returns the session's id. */
async function createStoreWithSession(file: string): Promise<string> {
  const store = new SqliteCheckpointStore(file);
  const { id } = await store.createSession("./made-before", { workspaceId: "w" });
  await store.addMessage(id, buildMessage(id, { content: "hello" }));
  await store.saveCheckpoint(buildCheckpoint(id));
  await store.close();
  return id;
}

async function withLock(file: string, kind: "IMMEDIATE" | "EXCLUSIVE", work: () => void): Promise<void> {
  const holder = new Database(file);
  try {
    rowsOf(holder, "PRAGMA locking_mode = EXCLUSIVE");
    rowsOf(holder, `BEGIN ${kind}`);
    rowsOf(holder, "SELECT count(*) FROM sessions");
    work();
    rowsOf(holder, "ROLLBACK");
  } finally {
    holder.close(true);
  }
}

function modeOf(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
