/**
 * A process that writes to one session of one file, with many calls in flight: `bun writer.ts PATH SESSION NAME
 * ROUNDS CALLS`. Every checkpoint asks for version 1 and takes the next that is free. It answers with what was acknowledged.
 */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";

const [path = "", sessionId = "", name = "", rounds = "", calls = ""] = process.argv.slice(2);

console.log("ready");
await Bun.stdin.text();

const store = new SqliteCheckpointStore(path, { versionConflict: "next", busyTimeout: 25_000 });
const messages: string[] = [];
const checkpoints: string[] = [];
for (let round = 0; round < Number(rounds); round++) {
  await Promise.all(Array.from({ length: Number(calls) }, (_, call) => write(`${name}-${round}-${call}`)));
}
await store.close();
console.log(JSON.stringify({ messages, checkpoints }));

async function write(content: string): Promise<void> {
  const [message, checkpoint] = await Promise.all([
    store.addMessage(sessionId, buildMessage(sessionId, { content })),
    store.saveCheckpoint(buildCheckpoint(sessionId, { nodeId: content })),
  ]);
  messages.push(`${message.id} ${content}`);
  checkpoints.push(`${checkpoint.id} ${checkpoint.version} ${content}`);
}
