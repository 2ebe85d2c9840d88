/**
 * A process that opens a store, reads from it and, if asked to, writes to it: `bun open-store.ts PATH OPTIONS
 * [write]`. It answers with what came of it.
 */
import { CheckpointStoreError, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";

const [path, options = "{}", task] = process.argv.slice(2);

console.log("ready");
await Bun.stdin.text();
console.log(JSON.stringify(await useStore().catch(failure)));

async function useStore(): Promise<object> {
  await using store = new SqliteCheckpointStore(path ?? "", JSON.parse(options));
  if (task === "write") await store.createSession("./written-by-a-child");
  return { sessions: (await store.listSessions()).length };
}

function failure(error: unknown): object {
  if (error instanceof CheckpointStoreError) return { error: error.name, message: error.message };
  return { error: "another", message: String(error) };
}
