/**
 * What the two child processes do. Both are told the file's path and nothing else of each other.
 *
 * A worker reports on its standard output, one event a line; the process that started it does the talking.
 */
import {
  type Checkpoint,
  type CheckpointBackend,
  JsonPlusSerializer,
  type Session,
  SqliteCheckpointStore,
  type StoredMessage,
} from "../../src/index.js";
import { QUESTION, type Style } from "./nodes.js";
import { NAMESPACE, type PipelineEvent, runPipeline, type Visit } from "./pipeline.js";

/**
 * Within the graph that writes the second draft: the loop has been entered, half of the work is done, and the newest
 * checkpoint is the inner graph's.
 */
export const CRASH_POINT: Visit = { node: "write/polish", draft: 2 };

/** With all searches done and nothing written: another style can begin there. */
const FORK_VERSION = 2;

/** All that a file holds of a session. */
export interface StoredSession {
  session: Session;
  messages: StoredMessage[];
  /** Newest saved first. */
  checkpoints: Checkpoint[];
}

export type WorkerEvent =
  | PipelineEvent
  | { type: "session-created"; session: Session }
  | ({ type: "found"; latest: Checkpoint } & StoredSession)
  | { type: "forked"; from: Checkpoint; fork: StoredSession }
  | { type: "finished"; sessions: StoredSession[] };

export const WORKER_ROLES = ["begin", "recover"] as const;

export type WorkerRole = (typeof WORKER_ROLES)[number];

export const eventFormat = new JsonPlusSerializer();

export async function work(role: WorkerRole, path: string): Promise<void> {
  await using store = new SqliteCheckpointStore(path);
  await (role === "begin" ? begin(store) : recover(store));
}

async function begin(store: CheckpointBackend): Promise<void> {
  const session = await store.createSession("./octopus", {
    title: QUESTION,
    metadata: { style: "sober" satisfies Style, askedAt: new Date() },
  });
  emit({ type: "session-created", session });
  await ask(store, session, QUESTION);
  await runPipeline({
    store,
    sessionId: session.id,
    style: styleOf(session),
    emit,
    hangsAt: CRASH_POINT,
  });
}

async function recover(store: CheckpointBackend): Promise<void> {
  const session = present((await store.listSessions())[0], "session");
  const latest = present(await store.getLatestCheckpoint(session.id), "checkpoint");
  emit({ type: "found", latest, ...(await read(store, session.id)) });

  await runPipeline({
    store,
    sessionId: session.id,
    style: styleOf(session),
    emit,
    resumeFrom: latest,
  });

  const fork = await tellAnotherWay(store, session, "bedtime story");
  emit({ type: "finished", sessions: [await read(store, session.id), await read(store, fork.id)] });
}

async function tellAnotherWay(store: CheckpointBackend, original: Session, style: Style): Promise<Session> {
  const checkpoints = await store.listCheckpoints(original.id, { namespace: NAMESPACE });
  const from = present(
    checkpoints.find((checkpoint) => checkpoint.version === FORK_VERSION),
    `version ${FORK_VERSION}`,
  );
  const fork = await store.fork(from.id, { title: `${QUESTION} (a ${style})` });
  await store.updateSession(fork.id, { metadata: { ...fork.metadata, style } });
  emit({ type: "forked", from, fork: await read(store, fork.id) });

  await ask(store, fork, `Tell it as a ${style}.`);
  const resumeFrom = present(await store.getLatestCheckpoint(fork.id), "checkpoint");
  await runPipeline({ store, sessionId: fork.id, style, emit, resumeFrom });
  return fork;
}

async function ask(store: CheckpointBackend, session: Session, content: string): Promise<void> {
  const message = await store.addMessage(session.id, { sessionId: session.id, role: "user", content });
  emit({ type: "message-added", message });
}

async function read(store: CheckpointBackend, sessionId: string): Promise<StoredSession> {
  const [session, messages, checkpoints] = await Promise.all([
    store.getSession(sessionId),
    store.getMessages(sessionId),
    store.listCheckpoints(sessionId),
  ]);
  return { session: present(session, "session"), messages, checkpoints };
}

function styleOf(session: Session): Style {
  return session.metadata?.style === "bedtime story" ? "bedtime story" : "sober";
}

function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) {
    throw new Error(`The file holds no ${what} to go on with.`);
  }
  return value;
}

function emit(event: WorkerEvent): void {
  process.stdout.write(`${eventFormat.serialize(event)}\n`);
}
