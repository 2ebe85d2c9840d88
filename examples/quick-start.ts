/** The shortest way round: a session, its messages, a checkpoint, and all of it read back. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
// In a project of your own: import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { SqliteCheckpointStore } from "../src/index.js";

const folder = await mkdtemp(join(tmpdir(), "checkpoint-sqlite-quick-start-"));
const store = new SqliteCheckpointStore(join(folder, "runs.db"));
try {
  const session = await store.createSession("./my-project", { title: "Security scan" });
  const sessionId = session.id;

  await store.addMessage(sessionId, { sessionId, role: "user", content: "Scan the login form" });
  await store.addMessage(sessionId, { sessionId, role: "assistant", content: "Two findings." });

  await store.saveCheckpoint({
    sessionId,
    namespace: "scan",
    version: 1,
    step: 0,
    source: "loop",
    nodeResults: {
      scan: { status: "completed", output: { at: new Date(), found: new Set(["CSRF", "open redirect"]) } },
    },
    pendingNodes: ["report"],
  });

  const latest = await store.getLatestCheckpoint(sessionId, "scan");
  console.log(
    "messages:  ",
    (await store.getMessages(sessionId)).map((message) => message.content),
  );
  console.log("scan found:", latest?.nodeResults.scan?.output);
  console.log("to do next:", latest?.pendingNodes);
} finally {
  await store.close();
  await rm(folder, { recursive: true });
}
