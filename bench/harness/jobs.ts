/**
 * Batches of calls that are timed where the contestant lives: in this process, or under Node. A job is plain JSON, and
 * what it needs (sessions, templates) is made before its time is taken.
 */
import type { Awaitable, Subject } from "../contestants/subject.js";
import { type CheckpointSize, checkpointOf, messageOf } from "./data.js";
import { timed } from "./time.js";

export type Job =
  /** Saves into `atOnce` sessions, one call each at once. */
  | { kind: "save"; calls: number; size: CheckpointSize; atOnce: number }
  | { kind: "message"; calls: number; atOnce: number }
  /** Get the session and its messages, add five messages, save a checkpoint. */
  | { kind: "turn"; calls: number }
  | { kind: "latest"; calls: number; sessionIds: readonly string[]; namespace?: string }
  /** A session of so many messages is deleted; filling it is not timed. */
  | { kind: "delete"; calls: number; sessionIds: readonly string[] };

const TURNS_A_SESSION = 10;
const MESSAGES_A_TURN = 5;

/** Runs a job; how long its calls took together, in milliseconds. */
export function runJob(subject: Subject, job: Job): Promise<number> {
  switch (job.kind) {
    case "save":
      return saves(subject, job.calls, job.size, job.atOnce);
    case "message":
      return messages(subject, job.calls, job.atOnce);
    case "turn":
      return turns(subject, job.calls);
    case "latest":
      return timed(job.calls, (call) =>
        subject.getLatestCheckpoint(pick(job.sessionIds, call), job.namespace),
      );
    case "delete":
      return timed(job.calls, (call) => subject.deleteSession(pick(job.sessionIds, call)));
  }
}

async function saves(subject: Subject, calls: number, size: CheckpointSize, atOnce: number): Promise<number> {
  const sessions = await keptSessions(subject, "saves", atOnce);
  return groupsAtOnce(calls, sessions, (sessionId) =>
    subject.saveCheckpoint(checkpointOf(size, sessionId, ++lastVersion)),
  );
}

async function messages(subject: Subject, calls: number, atOnce: number): Promise<number> {
  const sessions = await keptSessions(subject, "messages", atOnce);
  return groupsAtOnce(calls, sessions, (sessionId, round) =>
    subject.addMessage(sessionId, messageOf(sessionId, round)),
  );
}

/** One call in each session at once, as often as the number of calls asks for; a single session is simply awaited. */
function groupsAtOnce(
  calls: number,
  sessions: readonly string[],
  call: (sessionId: string, round: number) => Awaitable<unknown>,
): Promise<number> {
  const [only] = sessions;
  if (sessions.length === 1 && only !== undefined) {
    return timed(calls, (round) => call(only, round));
  }
  return timed(Math.ceil(calls / sessions.length), (round) =>
    Promise.all(sessions.map((sessionId) => call(sessionId, round))),
  );
}

async function turns(subject: Subject, calls: number): Promise<number> {
  const sessions = await newSessions(subject, Math.ceil(calls / TURNS_A_SESSION));
  return timed(calls, (call) =>
    turn(subject, pick(sessions, Math.floor(call / TURNS_A_SESSION)), call % TURNS_A_SESSION),
  );
}

async function turn(subject: Subject, sessionId: string, number: number): Promise<void> {
  await subject.getSession(sessionId);
  await subject.getMessages(sessionId);
  for (let message = 0; message < MESSAGES_A_TURN; message++) {
    await subject.addMessage(sessionId, messageOf(sessionId, message));
  }
  await subject.saveCheckpoint(checkpointOf("small", sessionId, number + 1));
}

/** Never used twice, whichever session it is for. */
let lastVersion = 0;

const kept = new WeakMap<Subject, Map<string, string[]>>();

/** The sessions of earlier rounds are written to again: making them can take longer than what is measured. */
async function keptSessions(subject: Subject, purpose: string, count: number): Promise<string[]> {
  const ofSubject = kept.get(subject) ?? new Map<string, string[]>();
  kept.set(subject, ofSubject);
  const ids = ofSubject.get(purpose) ?? [];
  ofSubject.set(purpose, ids);
  ids.push(...(await newSessions(subject, count - ids.length)));
  return ids.slice(0, count);
}

async function newSessions(subject: Subject, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const { id } = await subject.createSession("./project");
    ids.push(id);
  }
  return ids;
}

function pick(ids: readonly string[], index: number): string {
  const id = ids[index % ids.length];
  if (id === undefined) {
    throw new Error("There are no sessions to pick from");
  }
  return id;
}
