/** A second ending for a run: a fork begins at an earlier checkpoint, and the original stays as it is. */
// In a project of your own: import { type Checkpoint, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { type Checkpoint, SqliteCheckpointStore } from "../src/index.js";

await using store = new SqliteCheckpointStore(":memory:");

async function saveAnswer(sessionId: string, answer: string): Promise<Checkpoint> {
  await store.addMessage(sessionId, { sessionId, role: "assistant", content: answer });
  const [newest] = await store.listCheckpoints(sessionId, { namespace: "chat", limit: 1 });
  return store.saveCheckpoint({
    sessionId,
    namespace: "chat",
    version: (newest?.version ?? 0) + 1,
    step: 0,
    source: "loop",
    nodeResults: { answer: { status: "completed", output: answer } },
    pendingNodes: [],
  });
}

async function print(label: string, sessionId: string): Promise<void> {
  const messages = await store.getMessages(sessionId);
  const checkpoints = await store.listCheckpoints(sessionId);
  const versions = checkpoints.map(({ version, source }) => `v${version} ${source}`).reverse();
  console.log(`${label}: ${messages.map((message) => message.content).join(" ")}  [${versions.join(", ")}]`);
}

const original = await store.createSession("./trip", { title: "Weekend trip" });
const outline = await saveAnswer(original.id, "We leave on Friday.");
await saveAnswer(original.id, "We take the train.");
await print("original before the fork", original.id);

const fork = await store.fork(outline.id, { title: "Weekend trip, by boat" });
await saveAnswer(fork.id, "We take the boat.");
await print("fork                    ", fork.id);
await print("original after the fork ", original.id);
