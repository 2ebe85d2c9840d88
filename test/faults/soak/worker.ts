/** A second process on the soak's file: started, killed, and what it acknowledged compared with what is there. */
import {
  type Checkpoint,
  JsonPlusSerializer,
  type Session,
  type StoredMessage,
} from "@obsku/checkpoint-sqlite";
import { commandOf } from "../../support/children.js";
import { type Soak, WORKER_WORKSPACE } from "./context.js";
import { CALLS_IN_FLIGHT } from "./worker-lines.js";

interface Acknowledged {
  readonly sessions: Session[];
  readonly messages: StoredMessage[];
  readonly checkpoints: Checkpoint[];
}

export interface KillCount {
  acknowledged: number;
  unacknowledged: number;
}

export class Worker {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #output: Promise<string>;

  constructor(path: string) {
    this.#process = Bun.spawn(commandOf("soak-worker.ts", [path, WORKER_WORKSPACE]), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#output = new Response(this.#process.stdout).text();
  }

  /** SIGKILL, whatever it is doing. */
  async kill(): Promise<Acknowledged> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    return parse(await this.#output);
  }
}

/** Compares, and deletes the worker's sessions. */
export async function compareWorker(soak: Soak, acknowledged: Acknowledged): Promise<KillCount> {
  const present = await soak.store.listSessions(WORKER_WORKSPACE);
  const known = new Set(acknowledged.sessions.map(({ id }) => id));
  let unacknowledged = present.filter(({ id }) => !known.has(id)).length;
  for (const { id, updatedAt } of present) {
    const messages = await soak.store.getMessages(id);
    const checkpoints = await soak.store.listCheckpoints(id);
    soak.compare(
      "worker: turns",
      messages.map(({ content }) => content),
      oneTo(messages.length),
    );
    const isUntouched = messages.length === 0 || checkpoints.at(-1)?.source === "fork";
    soak.expect(
      isUntouched || messages.at(-1)?.createdAt === updatedAt,
      "worker: a message without the session's updatedAt",
    );
    const own = acknowledged.messages.filter(({ sessionId }) => sessionId === id);
    const saved = acknowledged.checkpoints.filter(({ sessionId }) => sessionId === id).toReversed();
    if (checkpoints.at(-1)?.source === "fork") {
      await compareFork(soak, messages, checkpoints.at(-1));
    } else {
      unacknowledged += messages.length - own.length + checkpoints.length - saved.length;
      soak.compare("worker: messages", messages.slice(0, own.length), own);
      soak.compare("worker: checkpoints", checkpoints.slice(checkpoints.length - saved.length), saved);
    }
    known.delete(id);
  }
  soak.expect(known.size === 0, `worker: ${known.size} acknowledged sessions are gone`);
  soak.expect(unacknowledged <= CALLS_IN_FLIGHT, `worker: ${unacknowledged} writes more than were in flight`);
  for (const { id } of present) await soak.store.deleteSession(id);
  const { sessions, messages, checkpoints } = acknowledged;
  return { acknowledged: sessions.length + messages.length + checkpoints.length, unacknowledged };
}

async function compareFork(soak: Soak, copies: StoredMessage[], copy: Checkpoint | undefined): Promise<void> {
  const origin = await soak.store.getCheckpoint(copy?.parentId ?? "");
  const originals = origin === null ? [] : await soak.store.getMessages(origin.sessionId);
  const expected = originals.filter(({ createdAt }) => createdAt <= (origin?.createdAt ?? 0));
  soak.compare(
    "worker: a fork's messages",
    copies.map(({ content, createdAt }) => ({ content, createdAt })),
    expected.map(({ content, createdAt }) => ({ content, createdAt })),
  );
}

function oneTo(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index + 1}`);
}

/** The last line may be cut off: then nothing was acknowledged. */
function parse(output: string): Acknowledged {
  const serializer = new JsonPlusSerializer();
  const acknowledged: Acknowledged = { sessions: [], messages: [], checkpoints: [] };
  for (const line of output.split("\n").slice(0, -1)) {
    const { kind, value } = serializer.deserialize(line) as { kind: string; value: unknown };
    if (kind === "message") acknowledged.messages.push(value as StoredMessage);
    else if (kind === "checkpoint") acknowledged.checkpoints.push(value as Checkpoint);
    else acknowledged.sessions.push(value as Session);
  }
  return acknowledged;
}
