/**
 * The published 0.2.3, as it ships (rollback journal) and with the write-ahead log switched on by hand. Its own
 * connection is at synchronous FULL either way, which nothing outside of it can change.
 */
import { Database } from "bun:sqlite";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import type { StoreSubject } from "./subject.js";

export function openPublished(path: string): StoreSubject {
  return new SqliteCheckpointStore(path);
}

/** The journal mode is kept in the file, so whoever opens it next uses it. */
export function openPublishedWithWal(path: string): StoreSubject {
  const database = new Database(path, { create: true });
  database.run("PRAGMA journal_mode = WAL");
  database.close(true);
  return openPublished(path);
}
