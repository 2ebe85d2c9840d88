/** A file that is deleted, renamed or replaced while a store has it open. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildMessage } from "../support/builders.js";
import { runTogether } from "../support/children.js";
import { assertSame } from "../support/difference.js";
import { outcomesOf, rejectionOf } from "../support/outcomes.js";
import { rowsOf } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;
let path: string;
let other: string;
let store: SqliteCheckpointStore;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  other = join(folder.path, "other.db");
  store = new SqliteCheckpointStore(path);
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

describe("a write", () => {
  test.each([
    ["deleted", /was deleted or renamed/, () => rmSync(path)],
    ["renamed", /was deleted or renamed/, () => renameSync(path, join(folder.path, "archive.db"))],
    ["replaced", /was replaced by another file/, () => renameSync(other, path)],
  ])("to a file that was %s rejects, and says what to do", async (_, happened, move) => {
    await createClosed(other, "./other");
    await store.createSession("./before");
    move();
    const error = await rejectionOf(store.createSession("./after"));
    expect([error.name, error.code, error.retryable]).toEqual([
      "StoreFileMovedError",
      "STORE_FILE_MOVED",
      false,
    ]);
    expect(error.message).toMatch(happened);
    expect(error.message).toContain(path);
    expect(error.message).toContain('"Move or rename the file" in docs/operating.md');
    expect((await store.listSessions()).map(({ directory }) => directory)).toEqual(["./before"]);
  });

  test("of every kind rejects, alone or together with others", async () => {
    const { id } = await store.createSession("./before");
    rmSync(path);
    expect(await outcomesOf([store.deleteSession(id)])).toEqual(["StoreFileMovedError"]);
    const together = [
      store.addMessage(id, buildMessage(id)),
      store.updateSession(id, { title: "no" }),
      store.createSession("./no"),
    ];
    expect(await outcomesOf(together)).toEqual(Array.from(together, () => "StoreFileMovedError"));
  });

  test("works again once the file is back", async () => {
    const { id } = await store.createSession("./before");
    renameSync(path, other);
    expect(await outcomesOf([store.addMessage(id, buildMessage(id))])).toEqual(["StoreFileMovedError"]);
    renameSync(other, path);
    await store.addMessage(id, buildMessage(id));
    await store.close();
    expect(await directoriesIn(path)).toEqual(["./before"]);
  });

  test("through a host's Database rejects too", async () => {
    const database = new Database(other);
    rowsOf(database, "PRAGMA foreign_keys = ON");
    const shared = new SqliteCheckpointStore(database);
    rmSync(other);
    expect(await outcomesOf([shared.createSession("./gone")])).toEqual(["StoreFileMovedError"]);
    await shared.close();
    database.close();
  });

  test.each([":memory:", ""])("to a database without a file, %j, is no such case", async (name) => {
    const database = new Database(name);
    rowsOf(database, "PRAGMA foreign_keys = ON");
    const inMemory = new SqliteCheckpointStore(database);
    await inMemory.createSession("./memory");
    await inMemory.close();
    database.close();
  });
});

describe("closing the store", () => {
  test("leaves the file that was put in its place whole", async () => {
    await createClosed(other, "./other");
    const before = readFileSync(other);
    await store.createSession("./before");
    renameSync(other, path);
    await store.close();
    assertSame(readFileSync(path), before, "the file");
    expect(await directoriesIn(path)).toEqual(["./other"]);
  });

  test("leaves everything acknowledged in the file that was renamed", async () => {
    await store.createSession("./before");
    renameSync(path, other);
    await rejectionOf(store.createSession("./rejected"));
    await store.close();
    expect(await directoriesIn(other)).toEqual(["./before"]);
  });

  test("leaves nothing that would be replayed into a new file of that name", async () => {
    await store.createSession("./before");
    rmSync(path);
    await store.close();
    expect(await directoriesIn(path)).toEqual([]);
  });

  test("keeps what another process has committed to the new file meanwhile, in the log that both share by name", async () => {
    await createClosed(other, "./other");
    renameSync(other, path);
    expect(await runTogether("open-store.ts", [[path, "{}", "write"]])).toEqual([{ sessions: 2 }]);
    await store.close();
    expect(await directoriesIn(path)).toEqual(["./written-by-a-child", "./other"]);
  });
});

async function createClosed(file: string, directory: string): Promise<void> {
  await using closed = new SqliteCheckpointStore(file);
  await closed.createSession(directory);
}

async function directoriesIn(file: string): Promise<string[]> {
  await using reopened = new SqliteCheckpointStore(file);
  return (await reopened.listSessions()).map(({ directory }) => directory);
}
