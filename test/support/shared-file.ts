/** A store with one session on a file of its own, and a connection of another program on the same file. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { type SessionOptions, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { rowsOf } from "./sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "./temporary-folder.js";

export class SharedFile {
  private constructor(
    readonly folder: TemporaryFolder,
    readonly path: string,
    readonly store: SqliteCheckpointStore,
    readonly sessionId: string,
    /** Knows nothing of this package. */
    readonly other: Database,
  ) {}

  static async create(options?: SessionOptions): Promise<SharedFile> {
    const folder = await createTemporaryFolder();
    const path = join(folder.path, "store.db");
    const store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./project", options);
    return new SharedFile(folder, path, store, id, openPlainly(path));
  }

  /** Ends a transaction that the other program left open: `close` would wait for its lock. */
  async remove(): Promise<void> {
    if (this.other.inTransaction) rowsOf(this.other, "ROLLBACK");
    this.other.close(true);
    await this.store.close();
    await this.folder.remove();
  }
}

function openPlainly(path: string): Database {
  const database = new Database(path, { readwrite: true, strict: true });
  rowsOf(database, "PRAGMA foreign_keys = ON");
  return database;
}
