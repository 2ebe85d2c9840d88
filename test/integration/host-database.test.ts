/** A store on a Database that a host application opened: a guest, who leaves everything as it was. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import {
  CheckpointNotFoundError,
  HostTransactionError,
  InvalidArgumentError,
  SqliteCheckpointStore,
  StoreOpenError,
  StoreReadonlyError,
} from "@obsku/checkpoint-sqlite";
import {
  buildCheckpoint,
  buildFullCheckpoint,
  buildFullMessage,
  buildMessage,
  readTexts,
} from "../support/builders.js";
import { schemaOf } from "../support/catalogue.js";
import { buildWave, longText } from "../support/large-outputs.js";
import { buildEntity, buildFact, buildFullEntity, buildFullFact } from "../support/memory-builders.js";
import { watchOpening } from "../support/opened-database.js";
import { outcomesOf, rejectionOf, thrownBy } from "../support/outcomes.js";
import { rowsOf, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const SETTINGS = [
  "journal_mode",
  "synchronous",
  "foreign_keys",
  "busy_timeout",
  "trusted_schema",
  "journal_size_limit",
];

let folder: TemporaryFolder;
let path: string;
let host: Database;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "host.db");
  host = openHost();
});

afterEach(async () => {
  host.close();
  await folder.remove();
});

describe("a session's clock", () => {
  test("stands above what the host itself inserts through the same connection", async () => {
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./shared");
    const before = await store.addMessage(id, buildMessage(id));
    const ahead = before.createdAt + 3_600_000;
    rowsOf(host, "INSERT INTO messages (session_id, role, created_at) VALUES (?1, 'user', ?2)", id, ahead);
    expect((await store.addMessage(id, buildMessage(id))).createdAt).toBeGreaterThan(ahead);
    await store.close();
  });
});

describe("the host's settings", () => {
  test("are left as they are, opened, worked with and closed", async () => {
    const before = settingsOf(host);
    const store = new SqliteCheckpointStore(host);
    await useStore(store);
    expect(settingsOf(host)).toEqual(before);
    await store.close();
    expect(settingsOf(host)).toEqual(before);
  });

  test("are refused if foreign keys are off, because rows of deleted sessions would stay", () => {
    host.run("PRAGMA foreign_keys = OFF");
    const error = thrownBy(() => new SqliteCheckpointStore(host));
    expect(error).toBeInstanceOf(StoreOpenError);
    expect(error.message).toContain("PRAGMA foreign_keys = ON");
    expect(rowsOf(host, "SELECT * FROM sqlite_schema")).toEqual([]);
  });

  test.each([{ synchronous: "full" }, { synchronous: "normal" }] as const)(
    "cannot be asked for by option: %j",
    (option) => {
      const error = thrownBy(() => new SqliteCheckpointStore(host, option));
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error.message).toStartWith(`Invalid argument: options.${Object.keys(option).join()} `);
      expect(rowsOf(host, "SELECT * FROM sqlite_schema")).toEqual([]);
    },
  );

  test("may be left to the host by null or undefined", async () => {
    const store: unknown = Reflect.construct(SqliteCheckpointStore, [
      host,
      { readonly: null, synchronous: undefined },
    ]);
    expect(store).toBeInstanceOf(SqliteCheckpointStore);
  });

  test("cannot be asked for by a getter, which is read once", () => {
    let reads = 0;
    const options = {
      get synchronous(): "full" {
        reads += 1;
        return "full";
      },
    };
    const error = thrownBy(() => new SqliteCheckpointStore(host, options));
    expect([error.name, reads]).toEqual(["InvalidArgumentError", 1]);
  });

  test("leave the store's own options in force", async () => {
    const store = new SqliteCheckpointStore(host, {
      versionConflict: "next",
      clock: () => 5_000,
      busyTimeout: 1,
    });
    const { id, createdAt } = await store.createSession("./optional");
    expect(createdAt).toBe(5_000);
    await store.saveCheckpoint(buildFullCheckpoint(id));
    expect((await store.saveCheckpoint(buildFullCheckpoint(id))).version).toBe(8);
    await store.close();
  });
});

describe.each([
  ["a file with SQLite's default settings", () => openHost()],
  ["a file with a write-ahead log", () => openHost("PRAGMA journal_mode = WAL")],
  ["a file with a rollback journal kept as a file", () => openHost("PRAGMA journal_mode = PERSIST")],
  ["a database without strict", () => configured(new Database(path, { readwrite: true, create: true }))],
  [
    "a database with strict",
    () => configured(new Database(path, { strict: true, readwrite: true, create: true })),
  ],
  [
    "a database with safeIntegers",
    () => configured(new Database(path, { safeIntegers: true, readwrite: true, create: true })),
  ],
  ["a database in memory", () => configured(new Database(":memory:"))],
])("on %s, a store", (_, open) => {
  test("does all that it does on a file of its own", async () => {
    host.close(true);
    host = open();
    const store = new SqliteCheckpointStore(host);
    await useStore(store);
    await store.close();
  });
});

describe("the host's own tables", () => {
  test("are neither seen nor touched, while both work in turn", async () => {
    host.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT)");
    host.run("INSERT INTO notes (note) VALUES ('before')");
    const store = new SqliteCheckpointStore(host);
    await useStore(store);
    host.run("INSERT INTO notes (note) VALUES ('between')");
    await useStore(store);
    await store.close();
    host.run("INSERT INTO notes (note) VALUES ('after')");
    expect(rowsOf(host, "SELECT note FROM notes")).toEqual([
      { note: "before" },
      { note: "between" },
      { note: "after" },
    ]);
  });

  test("may refer to ours, and go with a deleted session", async () => {
    const store = new SqliteCheckpointStore(host);
    host.run("CREATE TABLE runs (session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE)");
    const { id } = await store.createSession("./referred-to");
    host.run("INSERT INTO runs VALUES (?)", [id]);
    await store.deleteSession(id);
    expect(rowsOf(host, "SELECT * FROM runs")).toEqual([]);
    await store.close();
  });
});

describe("close", () => {
  test("leaves the host's database open, with every statement of ours finalized", async () => {
    const { result: store, prepared } = watchOpening(path, () => new SqliteCheckpointStore(host));
    await useStore(store);
    await store.close();
    expect(prepared.length).toBeGreaterThan(0);
    for (const statement of prepared) expect(() => statement.all()).toThrow("finalized");
    expect(rowsOf(host, "SELECT count(*) AS count FROM sessions")).toEqual([{ count: 2 }]);
    expect(() => host.close(true)).not.toThrow();
  });

  test("lets another store be opened on the same database", async () => {
    const first = new SqliteCheckpointStore(host);
    const session = await first.createSession("./first");
    await first.close();
    const second = new SqliteCheckpointStore(host);
    expect(await second.getSession(session.id)).toEqual(session);
    await second.close();
  });

  test("leaves no statement behind if the store was refused", () => {
    host.run("CREATE TABLE sessions (other TEXT)");
    expect(thrownBy(() => new SqliteCheckpointStore(host))).toBeInstanceOf(StoreOpenError);
    expect(() => host.close(true)).not.toThrow();
  });

  test("works, every call settles and what is acknowledged is there, if the host closed its database first", async () => {
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./abandoned");
    host.close();
    const outcomes = await outcomesOf([store.addMessage(id, buildMessage(id)), store.getSession(id)]);
    expect(["ok", "StorageError"]).toEqual(expect.arrayContaining(outcomes));
    await store.close();
    const later = new SqliteCheckpointStore(path);
    expect(await later.getMessages(id)).toHaveLength(outcomes[0] === "ok" ? 1 : 0);
    await later.close();
  });
});

test("a checkpoint left over from a session that the host deleted with foreign keys off cannot be forked", async () => {
  const store = new SqliteCheckpointStore(host);
  const { id } = await store.createSession("./deleted");
  await store.addMessage(id, buildMessage(id));
  const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
  host.run("PRAGMA foreign_keys = OFF");
  host.run("DELETE FROM sessions");
  host.run("PRAGMA foreign_keys = ON");
  expect(await rejectionOf(store.fork(checkpoint.id))).toBeInstanceOf(CheckpointNotFoundError);
  expect(rowsOf(host, "SELECT count(*) AS count FROM messages")).toEqual([{ count: 1 }]);
  await store.close();
});

describe("while the host holds a transaction open", () => {
  test("every write rejects, says why and may be tried again; afterwards it works", async () => {
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./waiting");
    host.run("BEGIN");
    const error = await rejectionOf(store.addMessage(id, buildMessage(id, { content: "too early" })));
    expect(error).toBeInstanceOf(HostTransactionError);
    expect(error.retryable).toBe(true);
    expect(
      await outcomesOf([
        store.createSession("./no"),
        store.updateSession(id, { title: "no" }),
        store.deleteSession(id),
      ]),
    ).toEqual(["HostTransactionError", "HostTransactionError", "HostTransactionError"]);
    expect(host.inTransaction).toBe(true);
    host.run("COMMIT");
    await store.addMessage(id, buildMessage(id, { content: "in time" }));
    expect(await readTexts(store, id)).toEqual(["in time"]);
    await store.close();
  });

  test("nothing of the store is taken along when the host rolls back", async () => {
    const store = new SqliteCheckpointStore(host);
    host.run("CREATE TABLE notes (note TEXT)");
    const { id } = await store.createSession("./kept");
    host.run("BEGIN");
    host.run("INSERT INTO notes VALUES ('undone')");
    await rejectionOf(store.addMessage(id, buildMessage(id)));
    host.run("ROLLBACK");
    expect(rowsOf(host, "SELECT * FROM notes")).toEqual([]);
    expect(await store.getMessages(id)).toEqual([]);
    await store.close();
  });

  test("reads work, and see what the host has written", async () => {
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./read");
    host.run("BEGIN");
    host.run("UPDATE sessions SET title = 'by the host' WHERE id = ?", [id]);
    expect((await store.getSession(id))?.title).toBe("by the host");
    expect(await store.getMessages(id)).toEqual([]);
    expect(host.inTransaction).toBe(true);
    host.run("ROLLBACK");
    expect(await store.getSession(id)).not.toHaveProperty("title");
    await store.close();
  });

  test("a store is opened on a schema that is complete", async () => {
    await new SqliteCheckpointStore(host).close();
    host.run("BEGIN");
    const store = new SqliteCheckpointStore(host);
    expect(await store.listSessions()).toEqual([]);
    host.run("COMMIT");
    await store.close();
  });

  test("the store can be closed, and the host keeps working", async () => {
    const store = new SqliteCheckpointStore(host);
    host.run("BEGIN");
    const refused = rejectionOf(store.createSession("./refused"));
    await store.close();
    expect(await refused).toBeInstanceOf(HostTransactionError);
    host.run("INSERT INTO sessions (id, directory, created_at, updated_at) VALUES ('h', './h', 1, 1)");
    host.run("COMMIT");
    expect(rowsOf(host, "SELECT id FROM sessions")).toEqual([{ id: "h" }]);
  });
});

test("a write called inside the host's synchronous transaction is committed after it, on its own", async () => {
  const store = new SqliteCheckpointStore(host);
  host.run("CREATE TABLE notes (note TEXT)");
  const calls: Promise<unknown>[] = [];
  const rollBack = host.transaction(() => {
    host.run("INSERT INTO notes VALUES ('undone')");
    calls.push(store.createSession("./independent"));
    throw new Error("the host changes its mind");
  });
  expect(rollBack).toThrow("the host changes its mind");
  expect(await outcomesOf(calls)).toEqual(["ok"]);
  expect(rowsOf(host, "SELECT * FROM notes")).toEqual([]);
  expect(await store.listSessions()).toHaveLength(1);
  await store.close();
});

test("two stores share one database, and one may be closed before the other", async () => {
  const [one, other] = [new SqliteCheckpointStore(host), new SqliteCheckpointStore(host)];
  const session = await one.createSession("./shared");
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? one : other).addMessage(
        session.id,
        buildMessage(session.id, { content: `${index}` }),
      ),
    ),
  );
  await one.close();
  expect((await readTexts(other, session.id)).toSorted((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: 20 }, (_, index) => `${index}`),
  );
  await other.close();
});

test("a database that the host opened for reading is read, and refuses writes", async () => {
  const filling = new SqliteCheckpointStore(host);
  const session = await filling.createSession("./read-only");
  await filling.close();
  host.close(true);
  host = configured(new Database(path, { readonly: true }));
  const store = new SqliteCheckpointStore(host);
  expect(await store.getSession(session.id)).toEqual(session);
  expect(await rejectionOf(store.deleteSession(session.id))).toBeInstanceOf(StoreReadonlyError);
  await store.close();
});

describe("a file from 0.2.3", () => {
  beforeEach(() => {
    host.close(true);
    copyFileSync(join(import.meta.dir, "..", "fixtures", "published-0.2.3.db"), path);
    host = configured(new Database(path, { readonly: true }));
  });

  test("on a database that the host opened for reading is refused for that reason, naming the option that helps", () => {
    const error = thrownBy(() => new SqliteCheckpointStore(host));
    expect(error).toBeInstanceOf(StoreOpenError);
    expect(error.message).toMatch(/the Database is read-only.*readonly: true/);
    expect(host.inTransaction).toBe(false);
  });

  test("on a database that the host opened for reading is read with readonly", async () => {
    const store = new SqliteCheckpointStore(host, { readonly: true });
    expect(await store.listSessions()).toHaveLength(5);
    expect(await store.searchFactsSemantic([1, 0, 0, 0], { topK: 1 })).toHaveLength(1);
    await store.close();
  });
});

test("with readonly, a store on a database that could be written to rejects writes", async () => {
  const writing = new SqliteCheckpointStore(host, { readonly: false });
  const session = await writing.createSession("./shared");
  const reading = new SqliteCheckpointStore(host, { readonly: true });
  expect(await reading.getSession(session.id)).toEqual(session);
  expect(await outcomesOf([reading.deleteSession(session.id)])).toEqual(["StoreReadonlyError"]);
  await reading.close();
  await writing.close();
});

test("a session is not deleted if the host has switched foreign keys off since, because its rows would stay", async () => {
  const store = new SqliteCheckpointStore(host);
  const { id } = await store.createSession("./kept");
  await store.addMessage(id, buildMessage(id));
  host.run("PRAGMA foreign_keys = OFF");
  const error = await rejectionOf(store.deleteSession(id));
  expect([error.name, error.retryable]).toEqual(["StorageError", false]);
  expect(error.message).toContain("PRAGMA foreign_keys = ON");
  expect(await store.getMessages(id)).toHaveLength(1);
  host.run("PRAGMA foreign_keys = ON");
  await store.deleteSession(id);
  expect(rowsOf(host, "SELECT * FROM messages")).toEqual([]);
  await store.close();
});

describe("temporary tables of the host with the names of ours", () => {
  const NAMES = [
    "sessions",
    "messages",
    "checkpoints",
    "entities",
    "facts",
    "checkpoint_sqlite_migrations",
    "checkpoint_sqlite_vectors",
    "checkpoint_sqlite_vector_deletions",
  ];
  const makeTemporary = () => {
    for (const name of NAMES) rowsOf(host, `CREATE TEMP TABLE ${name} (other TEXT)`);
  };
  const emptyOnes = () => NAMES.flatMap((name) => rowsOf(host, `SELECT * FROM temp.${name}`));

  test("hide neither rows nor writes, made before the store is opened", async () => {
    makeTemporary();
    const store = new SqliteCheckpointStore(host);
    await useStore(store);
    await useMemory(store);
    expect(emptyOnes()).toEqual([]);
    expect(rowsOf(host, "SELECT name FROM temp.sqlite_schema WHERE type IN ('index', 'trigger')")).toEqual(
      [],
    );
    await store.close();
    host.close(true);
    const ofItsOwn = join(folder.path, "own.db");
    await new SqliteCheckpointStore(ofItsOwn).close();
    expect(withDatabase(path, schemaOf)).toEqual(withDatabase(ofItsOwn, schemaOf));
    expect(withDatabase(path, (file) => rowsOf(file, "SELECT count(*) AS count FROM facts"))).toEqual([
      { count: 1 },
    ]);
    host = openHost();
  });

  test("nor made while it is open", async () => {
    const store = new SqliteCheckpointStore(host);
    await useStore(store);
    makeTemporary();
    await useStore(store);
    await useMemory(store);
    expect(emptyOnes()).toEqual([]);
    await store.close();
  });

  test("nor do triggers on a file that is opened again get lost or made twice", async () => {
    await new SqliteCheckpointStore(host).close();
    const before = schemaOf(host);
    makeTemporary();
    await new SqliteCheckpointStore(host).close();
    rowsOf(host, "DROP TRIGGER main.checkpoint_sqlite_fact_inserted");
    const store = new SqliteCheckpointStore(host);
    await useMemory(store);
    await store.close();
    expect(schemaOf(host)).toEqual(before);
  });
});

describe("a trigger of the host that keeps rows out in silence", () => {
  test.each([
    [
      "INSERT ON messages",
      "messages",
      (store: SqliteCheckpointStore, id: string) => store.addMessage(id, buildMessage(id)),
    ],
    [
      "UPDATE ON sessions",
      "sessions",
      (store: SqliteCheckpointStore, id: string) => store.addMessage(id, buildMessage(id)),
    ],
    [
      "UPDATE ON sessions",
      "sessions",
      (store: SqliteCheckpointStore, id: string) => store.updateSession(id, {}),
    ],
    ["INSERT ON sessions", "sessions", (store: SqliteCheckpointStore) => store.createSession("./no")],
    ["DELETE ON sessions", "sessions", (store: SqliteCheckpointStore, id: string) => store.deleteSession(id)],
    [
      "INSERT ON checkpoints",
      "checkpoints",
      (store: SqliteCheckpointStore, id: string) => store.saveCheckpoint(buildCheckpoint(id)),
    ],
    [
      "INSERT ON checkpoint_sqlite_outputs",
      "checkpoint_sqlite_outputs",
      (store: SqliteCheckpointStore, id: string) =>
        store.saveCheckpoint(
          buildCheckpoint(id, { nodeResults: { a: { status: "completed", output: "x".repeat(5_000) } } }),
        ),
    ],
    [
      "INSERT ON entities",
      "entities",
      (store: SqliteCheckpointStore, id: string) => store.saveEntity(buildEntity(id)),
    ],
    ["INSERT ON facts", "facts", (store: SqliteCheckpointStore) => store.saveFact(buildFact())],
    [
      "DELETE ON messages",
      "messages",
      async (store: SqliteCheckpointStore, id: string) =>
        store.deleteMessage((await store.getMessages(id))[0]?.id ?? 0),
    ],
    [
      "DELETE ON checkpoints",
      "checkpoints",
      async (store: SqliteCheckpointStore, id: string) =>
        store.deleteCheckpoint((await store.getLatestCheckpoint(id))?.id ?? ""),
    ],
  ])("makes the write reject, which is undone: BEFORE %s", async (event, table, write) => {
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./before");
    await store.addMessage(id, buildMessage(id));
    await store.saveCheckpoint(buildCheckpoint(id, { version: 99 }));
    host.run(`CREATE TRIGGER theirs BEFORE ${event} BEGIN SELECT RAISE(IGNORE); END`);
    const before = ["sessions", "messages", "checkpoints"].map((name) =>
      rowsOf(host, `SELECT * FROM ${name}`),
    );
    const error = await rejectionOf(write(store, id));
    expect(error.name).toBe("StorageError");
    expect(error.message).toMatch(new RegExp(`table ${table}.*trigger`));
    expect(
      ["sessions", "messages", "checkpoints"].map((name) => rowsOf(host, `SELECT * FROM ${name}`)),
    ).toEqual(before);
    await store.close();
  });

  test("makes a fork reject", async () => {
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./before");
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(id));
    host.run("CREATE TRIGGER theirs BEFORE INSERT ON checkpoints BEGIN SELECT RAISE(IGNORE); END");
    expect(await outcomesOf([store.fork(checkpoint.id)])).toEqual(["StorageError"]);
    host.run("DROP TRIGGER theirs");
    host.run("CREATE TRIGGER theirs BEFORE INSERT ON sessions BEGIN SELECT RAISE(IGNORE); END");
    expect(await outcomesOf([store.fork(checkpoint.id)])).toEqual(["StorageError"]);
    expect(rowsOf(host, "SELECT id FROM sessions")).toEqual([{ id }]);
    await store.close();
  });

  test("makes a fork reject whose outputs it keeps out", async () => {
    const store = new SqliteCheckpointStore(host);
    const { id } = await store.createSession("./before");
    const checkpoint = await store.saveCheckpoint(buildWave(id, 1, { a: longText(1) }));
    host.run(
      "CREATE TRIGGER theirs BEFORE INSERT ON checkpoint_sqlite_outputs BEGIN SELECT RAISE(IGNORE); END",
    );
    expect(await outcomesOf([store.fork(checkpoint.id)])).toEqual(["StorageError"]);
    expect(rowsOf(host, "SELECT id FROM sessions")).toEqual([{ id }]);
    await store.close();
  });
});

test("a table of messages that has given out its last id is not a full disk", async () => {
  const store = new SqliteCheckpointStore(host);
  const { id } = await store.createSession("./last");
  await store.addMessage(id, buildMessage(id));
  const { id: checkpoint } = await store.saveCheckpoint(buildCheckpoint(id));
  host.run("UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'messages'");
  const error = await rejectionOf(store.addMessage(id, buildMessage(id)));
  expect([error.name, error.retryable]).toEqual(["CheckpointCorruptionError", false]);
  expect(error.message).toContain("table sqlite_sequence, name messages, column seq");
  expect(
    await outcomesOf([
      store.addMessage(id, buildMessage(id)),
      store.createSession("./other"),
      store.fork(checkpoint),
    ]),
  ).toEqual(["CheckpointCorruptionError", "ok", "CheckpointCorruptionError"]);
  host.run("UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM messages) WHERE name = 'messages'");
  expect((await store.addMessage(id, buildMessage(id))).id).toBe(2);
  await store.close();
});

describe("another database that the host has attached", () => {
  let attached: Database;
  beforeEach(() => {
    attached = new Database(join(folder.path, "attached.db"));
    rowsOf(attached, "CREATE TABLE host (a)");
    rowsOf(host, "ATTACH ?1 AS attached", join(folder.path, "attached.db"));
  });
  afterEach(() => attached.close(true));

  test("may be locked: a write needs the lock of its own file only", async () => {
    const store = new SqliteCheckpointStore(host, { busyTimeout: 0 });
    const { id } = await store.createSession("./free");
    rowsOf(attached, "BEGIN IMMEDIATE");
    expect(await outcomesOf([store.addMessage(id, buildMessage(id)), store.updateSession(id, {})])).toEqual([
      "ok",
      "ok",
    ]);
    expect(await outcomesOf([store.deleteSession(id)])).toEqual(["ok"]);
    rowsOf(attached, "ROLLBACK");
    await store.close();
  });

  test("changes nothing if the store's own file is locked", async () => {
    const store = new SqliteCheckpointStore(host, { busyTimeout: 0 });
    const other = new Database(path);
    rowsOf(other, "BEGIN IMMEDIATE");
    rowsOf(attached, "BEGIN IMMEDIATE");
    expect(await outcomesOf([store.createSession("./locked")])).toEqual(["StoreBusyError"]);
    expect(host.inTransaction).toBe(false);
    rowsOf(attached, "ROLLBACK");
    expect(await outcomesOf([store.createSession("./locked")])).toEqual(["StoreBusyError"]);
    rowsOf(other, "ROLLBACK");
    await store.createSession("./free");
    other.close(true);
    await store.close();
  });
});

test("a database that is locked by another, with a rollback journal, is waited for", async () => {
  const store = new SqliteCheckpointStore(host);
  const { id } = await store.createSession("./journal");
  const other = new Database(path);
  rowsOf(other, "BEGIN");
  rowsOf(other, "SELECT count(*) FROM sessions"); // A reader is in the way of a commit here.
  const write = store.addMessage(id, buildMessage(id, { content: "after the reader" }));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(Bun.peek.status(write)).toBe("pending");
  rowsOf(other, "COMMIT");
  await write;
  expect(await readTexts(store, id)).toEqual(["after the reader"]);
  other.close(true);
  await store.close();
});

function openHost(...statements: string[]): Database {
  const database = configured(new Database(path));
  for (const statement of statements) rowsOf(database, statement);
  return database;
}

function configured(database: Database): Database {
  rowsOf(database, "PRAGMA foreign_keys = ON");
  return database;
}

function settingsOf(database: Database): unknown[] {
  return SETTINGS.flatMap((name) => rowsOf(database, `PRAGMA ${name}`));
}

/** Every method of memory once. */
async function useMemory(store: SqliteCheckpointStore): Promise<void> {
  const { id } = await store.createSession("./memory");
  const entity = await store.saveEntity(buildFullEntity(id));
  const fact = await store.saveFact(buildFullFact(id));
  await store.updateEntity(entity.id, { name: "renamed" });
  expect((await store.getEntity(entity.id))?.name).toBe("renamed");
  expect(await store.getFact(fact.id)).toEqual(fact);
  expect(await store.listEntities({ sessionId: id })).toHaveLength(1);
  expect(await store.listFacts()).toEqual([fact]);
  expect((await store.searchEntitiesSemantic([0.1, -0.2, 1e-7])).map((found) => found.id)).toEqual([
    entity.id,
  ]);
  expect(await store.searchFactsSemantic([0.1, -0.2, 1e-7])).toEqual([fact]);
  await store.deleteEntity(entity.id);
  expect(await store.searchEntitiesSemantic([0.1, -0.2, 1e-7])).toEqual([]);
}

/** Every method once. */
async function useStore(store: SqliteCheckpointStore): Promise<void> {
  const { id, createdAt } = await store.createSession("./project", {
    title: "T",
    workspaceId: "w",
    metadata: { a: 1 },
  });
  expect(createdAt).toBeNumber();
  const message = await store.addMessage(id, buildFullMessage(id));
  const checkpoint = await store.saveCheckpoint(buildFullCheckpoint(id));
  await store.updateSession(id, { title: "U" });
  expect(await store.getSession(id)).toMatchObject({ title: "U", workspaceId: "w", metadata: { a: 1 } });
  expect((await store.listSessions("w")).map((session) => session.id)).toContain(id);
  expect(await store.getMessages(id)).toEqual([message]);
  expect(await store.getMessages(id, { limit: 1, before: message.createdAt + 1 })).toEqual([message]);
  expect(await store.getCheckpoint(checkpoint.id)).toEqual(checkpoint);
  expect(await store.getLatestCheckpoint(id, "graph")).toEqual(checkpoint);
  expect(await store.listCheckpoints(id)).toEqual([checkpoint]);
  const fork = await store.fork(checkpoint.id);
  expect(await store.getMessages(fork.id)).toHaveLength(1);
  const passing = await store.createSession("./passing");
  await store.deleteSession(passing.id);
  expect(await store.getSession(passing.id)).toBeNull();
}
