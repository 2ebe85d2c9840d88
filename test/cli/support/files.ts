/** Files to run commands on: recorded runs, a file from 0.2.3, an empty one, a damaged one, one with many sessions. */
import { Database } from "bun:sqlite";
import { copyFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { exportSessions, importSessions } from "@obsku/checkpoint-sqlite/maintenance";
import { rowsOf, withDatabase } from "../../support/sql.js";
import { readTrace, replayTrace } from "../../support/trace.js";

const FIXTURES = resolve(import.meta.dir, "../../fixtures");
const TRACES = join(FIXTURES, "framework-traces");

/** All recorded runs of the framework, each replayed into a file of its own, as it was recorded. */
export async function createRecordedRuns(path: string): Promise<void> {
  await createEmpty(path);
  for (const file of [...new Bun.Glob("*.jsonl").scanSync(TRACES)].sort()) {
    const recording = `${path}-${file}.db`;
    const store = new SqliteCheckpointStore(recording);
    await replayTrace(readTrace(join(TRACES, file)), { store });
    await store.close();
    await importSessions(path, exportSessions(recording), { onConflict: "newIds" });
    rmSync(recording);
  }
}

export function copyPublished(path: string): void {
  copyFileSync(join(FIXTURES, "published-0.2.3.db"), path);
}

export async function createEmpty(path: string): Promise<void> {
  await new SqliteCheckpointStore(path).close();
}

/** One message that does not decode, and one checkpoint. */
export async function createDamaged(path: string): Promise<{ session: string }> {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./damaged", { title: "Damaged" });
  await store.addMessage(id, { sessionId: id, role: "user", content: "readable" });
  await store.addMessage(id, {
    sessionId: id,
    role: "assistant",
    toolCalls: [{ name: "scan", toolUseId: "1", input: {} }],
  });
  await store.close();
  withDatabase(path, (database) => {
    rowsOf(database, "UPDATE messages SET tool_calls = '{' WHERE tool_calls IS NOT NULL");
  });
  return { session: id };
}

export async function createManySessions(path: string, count: number): Promise<void> {
  await createEmpty(path);
  const database = new Database(path, { readwrite: true });
  const insert = database.prepare(
    "INSERT INTO sessions (id, title, directory, created_at, updated_at) VALUES (?1, ?2, './many', ?3, ?3)",
  );
  database.transaction(() => {
    for (let number = 0; number < count; number += 1) {
      insert.run(crypto.randomUUID(), `Session ${number}`, number);
    }
  })();
  insert.finalize();
  database.close(true);
}
