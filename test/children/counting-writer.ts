/** Writes numbered messages to a session until it is killed: `bun counting-writer.ts PATH SESSION`. Prints each number when it is acknowledged. */
import { writeSync } from "node:fs";
import { SqliteCheckpointStore } from "../../src/index.js";

const [path = "", sessionId = ""] = process.argv.slice(2);
const store = new SqliteCheckpointStore(path, { synchronous: "normal" });
for (let number = 0; ; number++) {
  await store.addMessage(sessionId, { sessionId, role: "user", content: String(number) });
  writeSync(1, `${number}\n`);
}
