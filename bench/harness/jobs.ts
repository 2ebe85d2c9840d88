/**
 * Batches of calls that are timed where the contestant lives: in this process, or under Node. A job is plain JSON, and
 * what it needs (sessions, templates) is made before its time is taken.
 */
import type { Awaitable, Subject } from "../contestants/subject.js";
import { type CheckpointSize, checkpointOf, messageOf, newNodeResultsOf } from "./data.js";
import { timed } from "./time.js";
import {
  changedStates,
  checkpointOfState,
  type NodeResults,
  type RunShape,
  type State,
  stateOf,
  statesOfRun,
} from "./waves.js";

export type Job =
  /** Saves into `atOnce` sessions, one call each at once. */
  | { kind: "save"; calls: number; size: CheckpointSize; atOnce: number }
  | { kind: "message"; calls: number; atOnce: number }
  /** Get the session and its messages, add five messages, save a checkpoint. */
  | { kind: "turn"; calls: number }
  | { kind: "latest"; calls: number; sessionIds: readonly string[]; namespace?: string }
  /** A session of so many messages is deleted; filling it is not timed. */
  | { kind: "delete"; calls: number; sessionIds: readonly string[] }
  /** Saves a state in which so many outputs have changed; `isReadFirst`: the call that the framework makes before it. */
  | { kind: "wave"; calls: number; state: State; changed: number; isReadFirst: boolean }
  /** Gets the newest checkpoint of that state. */
  | { kind: "newest"; calls: number; state: State };

/** All waves of a run, in a file that is opened for it and then closed. */
export interface WholeRun {
  shape: RunShape;
  waves: number;
}

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
    case "wave":
      return waves(subject, job);
    case "newest":
      return newest(subject, job);
  }
}

async function saves(subject: Subject, calls: number, size: CheckpointSize, atOnce: number): Promise<number> {
  const sessions = await keptSessions(subject, "saves", atOnce);
  // Only large outputs are kept once.
  const states = size === "large" ? Array.from({ length: calls }, () => newNodeResultsOf(size)) : [];
  return groupsAtOnce(calls, sessions, (sessionId, round) =>
    subject.saveCheckpoint(checkpointOf(size, sessionId, ++lastVersion, states[round])),
  );
}

async function waves(
  subject: Subject,
  { calls, state, changed, isReadFirst }: Extract<Job, { kind: "wave" }>,
): Promise<number> {
  const { sessionId, latest } = await keptState(subject, state);
  const states = changedStates(latest, state, changed, calls);
  const took = await timed(calls, async (call) => {
    if (isReadFirst) {
      await subject.listCheckpoints(sessionId, { namespace: "", limit: 1 });
    }
    await subject.saveCheckpoint(checkpointOfState(states[call] ?? latest, sessionId, ++lastVersion));
  });
  keptStates.get(subject)?.set(nameOfState(state), { sessionId, latest: states.at(-1) ?? latest });
  return took;
}

async function newest(subject: Subject, { calls, state }: Extract<Job, { kind: "newest" }>): Promise<number> {
  const { sessionId } = await keptState(subject, state);
  return timed(calls, () => subject.getLatestCheckpoint(sessionId, ""));
}

interface KeptState {
  sessionId: string;
  latest: NodeResults;
}

const keptStates = new WeakMap<Subject, Map<string, KeptState>>();

/** A session whose newest checkpoint is such a state: the next round continues in it. */
async function keptState(subject: Subject, state: State): Promise<KeptState> {
  const ofSubject = keptStates.get(subject) ?? new Map<string, KeptState>();
  keptStates.set(subject, ofSubject);
  const known = ofSubject.get(nameOfState(state));
  if (known !== undefined) {
    return known;
  }
  const { id: sessionId } = await subject.createSession("./project");
  const latest = stateOf(state);
  await subject.saveCheckpoint(checkpointOfState(latest, sessionId, ++lastVersion));
  const kept = { sessionId, latest };
  ofSubject.set(nameOfState(state), kept);
  return kept;
}

function nameOfState({ nodes, characters, form }: State): string {
  return `${nodes} × ${characters} ${form}`;
}

/** How long the whole run takes, from opening the file to closing it, in milliseconds. */
export async function playWholeRun(
  open: () => Awaitable<Subject>,
  { shape, waves: count }: WholeRun,
): Promise<number> {
  const states = statesOfRun(shape, count);
  return timed(1, async () => {
    const subject = await open();
    const { id } = await subject.createSession("./project");
    for (const [wave, state] of states.entries()) {
      await subject.listCheckpoints(id, { namespace: "", limit: 1 });
      await subject.saveCheckpoint(checkpointOfState(state, id, wave + 1));
    }
    await subject.close();
  });
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
