/** docs/growing.md: what it says of files holds. What it says of PostgreSQL is tried in test/postgres/. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { rowsOf } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await createTemporaryFolder();
});
afterEach(() => folder.remove());

test("PRAGMA key is ignored, and leaves the file plain", async () => {
  const path = join(folder.path, "runs.db");
  const database = new Database(path, { create: true, readwrite: true });
  expect(rowsOf(database, "PRAGMA key = 'secret'")).toEqual([]);
  rowsOf(database, "PRAGMA foreign_keys = ON");
  const store = new SqliteCheckpointStore(database);
  await store.createSession("./plain", { title: "readable by anyone" });
  await store.close();
  database.close(true);
  expect(readFileSync(path, "utf8")).toStartWith("SQLite format 3\0");
  expect(readFileSync(path, "utf8")).toContain("readable by anyone");
});
