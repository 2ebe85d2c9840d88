/** The schema bootstrap: what a new file has, what becomes of files that are there, and which are refused. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HostTransactionError, SqliteCheckpointStore, StoreOpenError } from "@obsku/checkpoint-sqlite";
import { buildMessage } from "../support/builders.js";
import { columnsOf, foreignKeysOf, indexesOf, schemaOf, tablesOf } from "../support/catalogue.js";
import { runTogether } from "../support/children.js";
import { assertSame } from "../support/difference.js";
import { thrownBy } from "../support/outcomes.js";
import { rowsOf, runOn, withDatabase } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const PUBLISHED = join(import.meta.dir, "..", "fixtures", "published-0.2.3.db");

/** Section 6 of the contract. */
const TABLES: Readonly<Record<string, { columns: string[]; foreignKeys: string[]; indexes: string[] }>> = {
  sessions: {
    columns: [
      "id TEXT PRIMARY KEY",
      "workspace_id TEXT",
      "title TEXT",
      "directory TEXT NOT NULL",
      "created_at INTEGER NOT NULL",
      "updated_at INTEGER NOT NULL",
      "metadata TEXT",
    ],
    foreignKeys: [],
    indexes: ["idx_sessions_workspace (workspace_id, updated_at DESC)"],
  },
  messages: {
    columns: [
      "id INTEGER PRIMARY KEY",
      "session_id TEXT NOT NULL",
      "role TEXT NOT NULL",
      "content TEXT",
      "tool_calls TEXT",
      "tool_results TEXT",
      "tokens_in INTEGER",
      "tokens_out INTEGER",
      "created_at INTEGER NOT NULL",
    ],
    foreignKeys: ["session_id -> sessions ON DELETE CASCADE"],
    indexes: ["idx_messages_session (session_id, created_at)"],
  },
  checkpoints: {
    columns: [
      "id TEXT PRIMARY KEY",
      "session_id TEXT NOT NULL",
      "namespace TEXT NOT NULL DEFAULT ''",
      "parent_id TEXT",
      "version INTEGER NOT NULL DEFAULT 1",
      "step INTEGER NOT NULL",
      "node_id TEXT",
      "node_results TEXT NOT NULL",
      "pending_nodes TEXT",
      "cycle_state TEXT",
      "source TEXT",
      "created_at INTEGER NOT NULL",
    ],
    foreignKeys: ["session_id -> sessions ON DELETE CASCADE"],
    indexes: [
      "UNIQUE idx_checkpoints_version (session_id, namespace, version)",
      "idx_checkpoints_session (session_id, namespace, step)",
    ],
  },
  entities: {
    columns: [
      "id TEXT PRIMARY KEY",
      "session_id TEXT NOT NULL",
      "workspace_id TEXT",
      "name TEXT NOT NULL",
      "type TEXT NOT NULL",
      "attributes TEXT",
      "relationships TEXT",
      "created_at INTEGER NOT NULL",
      "updated_at INTEGER NOT NULL",
      "embedding BLOB",
    ],
    foreignKeys: ["session_id -> sessions ON DELETE CASCADE"],
    indexes: [
      "idx_entities_session (session_id)",
      "idx_entities_type (type)",
      "idx_entities_workspace (workspace_id)",
    ],
  },
  facts: {
    columns: [
      "id TEXT PRIMARY KEY",
      "workspace_id TEXT",
      "content TEXT NOT NULL",
      "confidence REAL DEFAULT 1.0",
      "source_session_id TEXT",
      "created_at INTEGER NOT NULL",
      "embedding BLOB",
    ],
    foreignKeys: ["source_session_id -> sessions ON DELETE SET NULL"],
    indexes: ["idx_facts_confidence (confidence)", "idx_facts_workspace (workspace_id)"],
  },
};

const NAMES = Object.keys(TABLES);

/** What no migration can put a unique index on. */
const TWO_CHECKPOINTS_OF_ONE_VERSION = [
  "DROP INDEX idx_checkpoints_version",
  ...["twin", "other"].map(
    (name) =>
      `INSERT INTO checkpoints (id, session_id, version, step, node_results, created_at) SELECT '${name}-' || id, id, 9, 0, '{}', 1 FROM sessions`,
  ),
];

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "store.db");
});

afterEach(() => folder.remove());

describe("a new file", () => {
  test.each(NAMES)(
    "has the contract's table %s: its columns in order, its keys and its indexes",
    async (table) => {
      await openAndClose();
      inspect((database) => expectTable(database, table));
    },
  );

  test("counts message ids up without using one again", async () => {
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./counted");
    const deleted = await store.addMessage(id, buildMessage(id));
    prepare("DELETE FROM messages");
    expect((await store.addMessage(id, buildMessage(id))).id).toBe(deleted.id + 1);
  });

  test("has no tables apart from the contract's but those that bear this package's name, and SQLite's own", async () => {
    await openAndClose();
    inspect((database) => {
      const others = tablesOf(database).filter(
        (name) => !NAMES.includes(name) && !name.startsWith("sqlite_"),
      );
      expect(others.toSorted()).toEqual([
        "checkpoint_sqlite_checkpoints",
        "checkpoint_sqlite_migrations",
        "checkpoint_sqlite_outputs",
        "checkpoint_sqlite_vector_deletions",
        "checkpoint_sqlite_vectors",
      ]);
    });
  });

  test("of zero bytes is filled like one that is missing", async () => {
    await Bun.write(path, "");
    await openAndClose();
    inspect(expectAllTables);
  });

  test("records every migration once, in order", async () => {
    await openAndClose();
    const versions = inspect(migrationsOf).map((row) => row.version);
    expect(versions.length).toBeGreaterThan(0);
    expect(versions).toEqual(versions.map((_, index) => index + 1));
  });

  test("opened by sixteen processes at once serves them all, and has the schema once", async () => {
    const answers = await runTogether(
      "open-store.ts",
      Array.from({ length: 16 }, () => [path, '{"busyTimeout":20000}', "write"]),
    );
    for (const answer of answers) expect(answer).toEqual({ sessions: expect.any(Number) });
    inspect((database) => {
      expectAllTables(database);
      const versions = migrationsOf(database).map((row) => row.version);
      expect(versions).toEqual(versions.map((_, index) => index + 1));
      expect(rowsOf(database, "SELECT count(*) AS count FROM sessions")).toEqual([{ count: 16 }]);
    });
  });
});

describe("a file that has the schema already", () => {
  test("is not written to by opening it again", async () => {
    await openAndClose();
    const before = readFileSync(path);
    const migrations = inspect(migrationsOf);
    await openAndClose();
    assertSame(readFileSync(path), before, "the file");
    expect(inspect(migrationsOf)).toEqual(migrations);
  });

  test("is not written to by another store while it is in use", async () => {
    const first = new SqliteCheckpointStore(path);
    const observer = new Database(path);
    try {
      const before = dataVersionOf(observer);
      await openAndClose();
      expect(dataVersionOf(observer)).toEqual(before);
      await first.createSession("./seen-by-the-observer");
      expect(dataVersionOf(observer)).not.toEqual(before);
    } finally {
      observer.close();
      await first.close();
    }
  });
});

test("a file of an earlier schema version gets what came after it", async () => {
  await openAndClose();
  const newest = inspect(schemaOf);
  for (const name of ["root", "named", "namespace"]) prepare(`DROP INDEX idx_checkpoints_saved_${name}`);
  prepare("DROP VIEW checkpoint_sqlite_checkpoints", "DROP TABLE checkpoint_sqlite_outputs");
  prepare("DELETE FROM checkpoint_sqlite_migrations WHERE version > 3");
  await openAndClose();
  expect(inspect(schemaOf)).toEqual(newest);
  expect(inspect(migrationsOf).map((row) => row.version)).toEqual([1, 2, 3, 4, 5]);
});

describe("a file of the published 0.2.3", () => {
  test("is taken over with every row as it was", async () => {
    copyFileSync(PUBLISHED, path);
    const before = inspect(rowsOfAllTables);
    await openAndClose();
    expect(inspect(rowsOfAllTables)).toEqual(before);
    expect(before.sessions?.length).toBe(5);
  });

  test("keeps its tables as 0.2.3 made them, and gets our indexes and migrations in addition", async () => {
    copyFileSync(PUBLISHED, path);
    const before = inspect(schemaOf);
    await openAndClose();
    const after = inspect(schemaOf);
    expect(after).toEqual(expect.arrayContaining(before));
    await openAndClose(join(folder.path, "new.db"));
    const ours = new Database(join(folder.path, "new.db"));
    try {
      for (const table of [...NAMES, "checkpoint_sqlite_migrations"]) {
        inspect((theirs) => {
          expect(columnsOf(theirs, table)).toEqual(columnsOf(ours, table));
          expect(foreignKeysOf(theirs, table)).toEqual(foreignKeysOf(ours, table));
          expect(indexesOf(theirs, table)).toEqual(indexesOf(ours, table));
        });
      }
    } finally {
      ours.close();
    }
  });
});

describe("a schema partly in place", () => {
  test("is completed around the rows that are there", async () => {
    prepare(
      "CREATE TABLE sessions (id TEXT PRIMARY KEY, workspace_id TEXT, title TEXT, directory TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, metadata TEXT)",
    );
    prepare("INSERT INTO sessions VALUES ('s1', NULL, 'kept', './kept', 1, 2, NULL)");
    const store = new SqliteCheckpointStore(path);
    const kept = { id: "s1", title: "kept", directory: "./kept", createdAt: 1, updatedAt: 2 };
    expect(await store.getSession("s1")).toStrictEqual(kept); // What is absent is no property at all.
    await store.close();
    inspect(expectAllTables);
  });

  test("is completed if an index is missing", async () => {
    copyFileSync(PUBLISHED, path);
    prepare("DROP INDEX idx_checkpoints_version");
    await openAndClose();
    inspect((database) => expectTable(database, "checkpoints"));
  });

  test("is left as it was, whole, if one statement of a migration fails", () => {
    copyFileSync(PUBLISHED, path);
    prepare("PRAGMA journal_mode = WAL");
    prepare("DROP TABLE facts");
    prepare(...TWO_CHECKPOINTS_OF_ONE_VERSION);
    const before = readFileSync(path);
    const error = thrownBy(() => new SqliteCheckpointStore(path));
    expect(error).toBeInstanceOf(StoreOpenError);
    expect(error.message).toContain(path);
    assertSame(readFileSync(path), before, "the file");
    expect(inspect(tablesOf)).not.toContain("checkpoint_sqlite_migrations");
    expect(inspect(tablesOf)).not.toContain("facts");
  });

  test("of which a recorded table is gone is refused, because data went with it", async () => {
    await openAndClose();
    prepare("DROP TABLE checkpoints");
    const before = readFileSync(path);
    const error = thrownBy(() => new SqliteCheckpointStore(path));
    expect(error).toBeInstanceOf(StoreOpenError);
    expect(error.message).toContain("checkpoints");
    assertSame(readFileSync(path), before, "the file");
  });
});

describe.each(["wal", "delete"])(
  "in journal mode %s, a file is refused and not changed in any byte",
  (mode) => {
    test("if its schema is newer, naming both versions", async () => {
      await openAndClose();
      const current = Math.max(...inspect(migrationsOf).map((row) => row.version));
      prepare("INSERT INTO checkpoint_sqlite_migrations VALUES (999, 'from the future', 1)");
      const { message } = expectRefusal(mode);
      expect(message).toContain("999");
      expect(message).toContain(`newer than the ${current}`);
    });

    test.each(NAMES)("if its table %s has other columns", (table) => {
      prepare(`CREATE TABLE ${table} (id TEXT PRIMARY KEY, something_else TEXT)`);
      const { message } = expectRefusal(mode);
      expect(message).toContain(`table ${table}`);
      expect(message).toContain("something_else");
    });

    test("if a table of ours has the columns in another case of the name and another order", () => {
      prepare(
        "CREATE TABLE Sessions (workspace_id TEXT, id TEXT PRIMARY KEY, title TEXT, directory TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, metadata TEXT)",
      );
      expect(expectRefusal(mode).message).toContain("sessions");
    });

    test("if messages could get the ids of messages that were deleted", () => {
      copyFileSync(PUBLISHED, path);
      prepare("PRAGMA foreign_keys = OFF");
      prepare("CREATE TABLE old AS SELECT * FROM messages");
      prepare("DROP TABLE messages");
      prepare(
        "CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT, tool_calls TEXT, tool_results TEXT, tokens_in INTEGER, tokens_out INTEGER, created_at INTEGER NOT NULL, FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE)",
      );
      const { message } = expectRefusal(mode);
      expect(message).toContain("found (id INTEGER PRIMARY KEY, ");
      expect(message).toContain("expected (id INTEGER PRIMARY KEY AUTOINCREMENT, ");
    });

    test("if a view has the name of a table of ours", () => {
      prepare("CREATE VIEW facts AS SELECT 1 AS id");
      expect(expectRefusal(mode).message).toContain("facts has a different definition: found (a view)");
    });

    test("if another table's index has the name of an index of ours", () => {
      prepare("CREATE TABLE host_sessions (workspace_id TEXT)");
      prepare("CREATE INDEX idx_sessions_workspace ON host_sessions (workspace_id)");
      expect(expectRefusal(mode).message).toContain("idx_sessions_workspace");
    });

    test("if a table has the name of an index of ours", () => {
      prepare("CREATE TABLE idx_messages_session (a TEXT)");
      expect(expectRefusal(mode).message).toContain("idx_messages_session");
    });

    test("if a table of our record's name is another's", () => {
      prepare("CREATE TABLE checkpoint_sqlite_migrations (something_else TEXT)");
      expectRefusal(mode);
    });

    test("if our index on our table is not the one we need: checkpoints would be saved under one version twice", () => {
      copyFileSync(PUBLISHED, path);
      prepare("DROP INDEX idx_checkpoints_version");
      prepare("CREATE INDEX idx_checkpoints_version ON checkpoints (session_id, namespace, version)");
      expect(expectRefusal(mode).message).toContain("idx_checkpoints_version");
    });

    test("if our index is on all rows instead of those we need", () => {
      copyFileSync(PUBLISHED, path);
      prepare("CREATE INDEX idx_checkpoints_saved_root ON checkpoints (session_id, created_at)");
      expect(expectRefusal(mode).message).toContain(
        "found (session_id, created_at), expected (session_id, created_at WHERE …)",
      );
    });
  },
);

test.each([
  "checkpoint_sqlite_entity_inserted AFTER INSERT ON entities BEGIN DELETE FROM messages; END",
  "checkpoint_sqlite_fact_deleted AFTER DELETE ON facts BEGIN SELECT 1; END",
  "checkpoint_sqlite_vector_deleted AFTER DELETE ON sessions BEGIN SELECT 1; END",
])("a trigger of our name that does something else is made again as ours: %s", async (other) => {
  await openAndClose();
  const ours = inspect(schemaOf);
  const name = other.slice(0, other.indexOf(" "));
  prepare(`DROP TRIGGER ${name}`);
  prepare(`CREATE TRIGGER ${other}`);
  expect(inspect(schemaOf)).not.toEqual(ours);
  await openAndClose();
  expect(inspect(schemaOf)).toEqual(ours);
});

describe("a host application's file", () => {
  test("keeps its tables, user_version and application_id", async () => {
    prepare("CREATE TABLE host (id INTEGER PRIMARY KEY, note TEXT)");
    prepare("CREATE INDEX host_note ON host (note)");
    prepare("INSERT INTO host (note) VALUES ('mine')");
    prepare("PRAGMA user_version = 7");
    prepare("PRAGMA application_id = 4242");
    const before = inspect(schemaOf);
    const store = new SqliteCheckpointStore(path);
    await store.createSession("./beside-the-host");
    await store.close();
    inspect((database) => {
      expect(schemaOf(database)).toEqual(expect.arrayContaining(before));
      expect(rowsOf(database, "SELECT * FROM host")).toEqual([{ id: 1, note: "mine" }]);
      expect(rowsOf(database, "PRAGMA user_version")).toEqual([{ user_version: 7 }]);
      expect(rowsOf(database, "PRAGMA application_id")).toEqual([{ application_id: 4242 }]);
      expectAllTables(database);
    });
  });

  test("is served if triggers of the host have names of ours, which are no tables", async () => {
    prepare("CREATE TABLE host (note TEXT)");
    prepare("CREATE TRIGGER aaa AFTER INSERT ON host BEGIN DELETE FROM host WHERE note = ''; END");
    prepare("CREATE TRIGGER sessions AFTER DELETE ON host BEGIN SELECT 1; END");
    await openAndClose();
    inspect(expectAllTables);
  });
});

describe("in memory", () => {
  test("a store has its schema too", async () => {
    const database = new Database(":memory:");
    database.run("PRAGMA foreign_keys = ON");
    const store = new SqliteCheckpointStore(database);
    expectAllTables(database);
    await store.close();
    database.close(true);
  });

  test("every store is a database of its own", async () => {
    const [one, other] = [new SqliteCheckpointStore(":memory:"), new SqliteCheckpointStore()];
    await one.createSession("./one");
    expect(await one.listSessions()).toHaveLength(1);
    expect(await other.listSessions()).toEqual([]);
    await Promise.all([one.close(), other.close()]);
  });
});

test("a schema is not put into the host's open transaction, which the host may roll back", async () => {
  const database = new Database(path);
  database.run("PRAGMA foreign_keys = ON");
  database.run("BEGIN");
  expect(thrownBy(() => new SqliteCheckpointStore(database))).toBeInstanceOf(HostTransactionError);
  expect(database.inTransaction).toBe(true);
  database.run("COMMIT");
  expect(tablesOf(database)).toEqual([]);
  await new SqliteCheckpointStore(database).close();
  expectAllTables(database);
  database.close(true);
});

test("a host's Database is in no transaction after a migration that failed", () => {
  copyFileSync(PUBLISHED, path);
  prepare(...TWO_CHECKPOINTS_OF_ONE_VERSION);
  const host = new Database(path);
  host.run("PRAGMA foreign_keys = ON");
  expect(thrownBy(() => new SqliteCheckpointStore(host))).toBeInstanceOf(StoreOpenError);
  expect(host.inTransaction).toBe(false);
  expect(tablesOf(host)).not.toContain("checkpoint_sqlite_migrations");
  host.close(true);
});

async function openAndClose(file = path): Promise<void> {
  await new SqliteCheckpointStore(file).close();
}

/** The file must be closed when this is called: its bytes are read. */
function expectRefusal(mode: string): StoreOpenError {
  prepare(`PRAGMA journal_mode = ${mode}`);
  const before = readFileSync(path);
  const error = thrownBy(() => new SqliteCheckpointStore(path));
  if (!(error instanceof StoreOpenError)) throw error;
  expect(error.path).toBe(path);
  expect(readdirSync(folder.path)).toEqual(["store.db"]);
  assertSame(readFileSync(path), before, "the file");
  return error;
}

function prepare(...statements: string[]): void {
  runOn(path, ...statements);
}

function inspect<T>(look: (database: Database) => T): T {
  return withDatabase(path, look);
}

function expectAllTables(database: Database): void {
  for (const table of NAMES) expectTable(database, table);
}

/** The contract's columns and keys exactly, and at least its indexes. */
function expectTable(database: Database, table: string): void {
  expect(columnsOf(database, table)).toEqual(TABLES[table]?.columns ?? []);
  expect(foreignKeysOf(database, table)).toEqual(TABLES[table]?.foreignKeys ?? []);
  expect(indexesOf(database, table)).toEqual(expect.arrayContaining(TABLES[table]?.indexes ?? []));
}

function migrationsOf(database: Database): { version: number; name: string }[] {
  return rowsOf(
    database,
    "SELECT version, name, applied_at FROM checkpoint_sqlite_migrations ORDER BY rowid",
  );
}

function dataVersionOf(database: Database): unknown {
  return rowsOf(database, "PRAGMA data_version");
}

function rowsOfAllTables(database: Database): Record<string, unknown[]> {
  return Object.fromEntries(
    NAMES.map((table) => [table, rowsOf(database, `SELECT rowid, * FROM ${table} ORDER BY rowid`)]),
  );
}
