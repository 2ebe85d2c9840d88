/**
 * A process that writes to sessions of its own as fast as it can, until it is killed: `bun soak-worker.ts PATH WORKSPACE`.
 * What was acknowledged is written to stdout at once, a line each in the wire format. It ends when its input does.
 */
import { writeSync } from "node:fs";
import { JsonPlusSerializer, type Session, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { CALLS_IN_FLIGHT } from "../faults/soak/worker-lines.js";
import { buildFullCheckpoint, buildFullMessage } from "../support/builders.js";

const [path = "", workspaceId = ""] = process.argv.slice(2);
const serializer = new JsonPlusSerializer();

void Bun.stdin.text().then(() => process.exit(0));

const store = new SqliteCheckpointStore(path, { busyTimeout: 60_000, versionConflict: "next" });
const sessions = await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, create));
await Promise.all(sessions.map(writeOn));

async function create(): Promise<Session> {
  const session = await store.createSession("./soak-worker", { workspaceId });
  acknowledge("session", session);
  return session;
}

/** One call in flight a session. */
async function writeOn(session: Session): Promise<never> {
  const { id } = session;
  for (let turn = 1; ; turn++) {
    acknowledge("message", await store.addMessage(id, { ...buildFullMessage(id), content: `${turn}` }));
    if (turn % 3 === 0) {
      const checkpoint = await store.saveCheckpoint({ ...buildFullCheckpoint(id), version: 1 });
      acknowledge("checkpoint", checkpoint);
      if (turn % 300 === 0) acknowledge("fork", await store.fork(checkpoint.id));
    }
  }
}

function acknowledge(kind: string, value: object): void {
  writeSync(1, `${serializer.serialize({ kind, value })}\n`);
}
