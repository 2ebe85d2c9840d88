/**
 * A process that writes to a file and kills itself before it can close its store: `bun crashed-writer.ts PATH COUNT [BACKUP]`.
 * After the first half of so many messages it makes a backup there, if one is asked for.
 */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildMessage } from "../support/builders.js";
import { runOn } from "../support/sql.js";

const [path = "", count = "", backup] = process.argv.slice(2);

const store = new SqliteCheckpointStore(path, { synchronous: "normal" });
const { id } = await store.createSession("./crashed");
for (let index = 0; index < Number(count); index++) {
  if (backup !== undefined && index === Math.floor(Number(count) / 2)) runOn(path, `VACUUM INTO '${backup}'`);
  await store.addMessage(id, buildMessage(id, { content: `${index} ${"x".repeat(500)}` }));
}
process.kill(process.pid, "SIGKILL");
