/**
 * Calls that a fault may hit, and the look afterwards at what came of them: what was acknowledged is there, what was
 * rejected is not, what is unknown is there wholly or not at all, and what was there before is as it was.
 */
import {
  type Checkpoint,
  CheckpointStoreError,
  type Session,
  SqliteCheckpointStore,
  type StoredMessage,
} from "@obsku/checkpoint-sqlite";
import { buildFullCheckpoint, buildFullMessage } from "../../support/builders.js";
import { difference } from "../../support/difference.js";
import { rowsOf, withDatabase } from "../../support/sql.js";

/** What was in the file before: a fork of the checkpoint takes all the messages along. */
export interface Earlier {
  readonly session: Session;
  readonly messages: readonly StoredMessage[];
  readonly checkpoint: Checkpoint;
}

export interface Attempt {
  readonly kind: "message" | "fork";
  /** A message's content, a fork's title. */
  readonly key: string;
  /** `ok`, or the error's name. */
  readonly outcome: string;
}

export interface Aftermath {
  readonly violations: string[];
  /** Of the attempts whose outcome was unknown. */
  readonly unknownThere: number;
  readonly unknownGone: number;
}

const EARLIER_MESSAGES = 20;
const UNKNOWN_OUTCOME = "OutcomeUnknownError";

export async function writeEarlier(store: SqliteCheckpointStore): Promise<Earlier> {
  const { id } = await store.createSession("./earlier", { title: "earlier" });
  const messages = await Promise.all(
    Array.from({ length: EARLIER_MESSAGES }, () => store.addMessage(id, buildFullMessage(id))),
  );
  const checkpoint = await store.saveCheckpoint(buildFullCheckpoint(id));
  const session = await store.getSession(id);
  if (session === null) throw new Error("The session that was just written is not there");
  return { session, messages, checkpoint };
}

/** One call: every fourth a fork, which writes many rows, the others messages of so many characters. */
export async function attempt(
  store: SqliteCheckpointStore,
  { session, checkpoint }: Earlier,
  call: number,
  length: number,
): Promise<Attempt> {
  const kind = call % 4 === 3 ? "fork" : "message";
  const key = kind === "fork" ? `fork ${call}` : `message ${call} `.padEnd(length, "x");
  const work =
    kind === "fork"
      ? store.fork(checkpoint.id, { title: key })
      : store.addMessage(session.id, { sessionId: session.id, role: "user", content: key });
  return { kind, key, outcome: await outcomeOf(work) };
}

/** `ok`, the name of the store's error, or what else was thrown. */
export async function outcomeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "ok",
    (error: unknown) => (error instanceof CheckpointStoreError ? error.name : `not ours: ${String(error)}`),
  );
}

/** Opens the file again and compares. */
export async function inspectAftermath(
  path: string,
  earlier: Earlier,
  attempts: readonly Attempt[],
): Promise<Aftermath> {
  const violations: string[] = [];
  await using store = new SqliteCheckpointStore(path);
  const found = await collect(store, earlier, violations);
  const unknown = { there: 0, gone: 0 };
  for (const { key, outcome } of attempts) {
    const times = found.get(key) ?? 0;
    if (outcome === UNKNOWN_OUTCOME) unknown[times > 0 ? "there" : "gone"] += 1;
    const mayBe = outcome === "ok" ? [1] : outcome === UNKNOWN_OUTCOME ? [0, 1] : [0];
    if (!mayBe.includes(times)) violations.push(`${key.slice(0, 20)}: ${outcome}, but there ${times} times`);
  }
  const next = await outcomeOf(store.addMessage(earlier.session.id, buildFullMessage(earlier.session.id)));
  if (next !== "ok") violations.push(`the next write after reopening: ${next}`);
  withDatabase(path, (database) => {
    const integrity = rowsOf<{ integrity_check: string }>(database, "PRAGMA integrity_check");
    if (integrity[0]?.integrity_check !== "ok")
      violations.push(`integrity_check: ${JSON.stringify(integrity)}`);
    const dangling = rowsOf(database, "PRAGMA foreign_key_check").length;
    if (dangling > 0) violations.push(`foreign_key_check: ${dangling} rows`);
  });
  return { violations, unknownThere: unknown.there, unknownGone: unknown.gone };
}

/** How often each key is in the file, after a look whether anything is half there. */
async function collect(
  store: SqliteCheckpointStore,
  { session, messages, checkpoint }: Earlier,
  violations: string[],
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const count = (key = "") => found.set(key, (found.get(key) ?? 0) + 1);
  const read = await store.getMessages(session.id);
  note(violations, difference(read.slice(0, messages.length), messages, "earlier messages"));
  note(violations, difference(await store.getCheckpoint(checkpoint.id), checkpoint, "earlier checkpoint"));
  for (const message of read.slice(messages.length)) count(message.content);
  const updatedAt = (await store.getSession(session.id))?.updatedAt;
  if (updatedAt !== read.at(-1)?.createdAt) violations.push("a message without the session's updatedAt");
  for (const fork of (await store.listSessions()).filter(({ id }) => id !== session.id)) {
    count(fork.title);
    const copies = (await store.getMessages(fork.id)).length;
    const checkpoints = (await store.listCheckpoints(fork.id)).length;
    if (copies !== messages.length || checkpoints !== 1) {
      violations.push(`${fork.title}: half there, ${copies} messages and ${checkpoints} checkpoints`);
    }
  }
  return found;
}

function note(violations: string[], found: string | undefined): void {
  if (found !== undefined) violations.push(found);
}
