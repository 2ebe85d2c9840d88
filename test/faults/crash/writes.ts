/**
 * What a recorded child process says on its output, a line of JSON each: every write before it is called, and every write
 * after its promise resolved, with what it resolved to.
 */
import type {
  Checkpoint,
  Entity,
  Fact,
  NewCheckpoint,
  NewEntity,
  NewFact,
  NewMessage,
  Session,
  StoredMessage,
} from "@obsku/checkpoint-sqlite";

/** A write as it is called. Each that adds something bears a mark that no other has: see {@link markOf}. */
export type Write =
  | { kind: "session"; title: string }
  | { kind: "message"; message: NewMessage }
  | { kind: "checkpoint"; checkpoint: NewCheckpoint }
  | { kind: "fork"; checkpointId: string; title: string }
  | { kind: "entity"; entity: NewEntity }
  | { kind: "fact"; fact: NewFact }
  | { kind: "deleteSession"; sessionId: string }
  | { kind: "deleteEntity"; entityId: string };

/** A write with what it resolved to. */
export type Effect =
  | { kind: "session"; session: Session }
  | { kind: "message"; message: StoredMessage }
  | { kind: "checkpoint"; checkpoint: Checkpoint }
  | { kind: "fork"; checkpointId: string; session: Session }
  | { kind: "entity"; entity: Entity }
  | { kind: "fact"; fact: Fact }
  | { kind: "deleteSession"; sessionId: string }
  | { kind: "deleteEntity"; entityId: string };

/** Writes of one batch are called in one turn of the event loop, and so are committed together. */
export interface CallLine {
  call: number;
  batch: number;
  write: Write;
}

export interface AcknowledgementLine {
  call: number;
  effect: Effect;
}

export interface FailureLine {
  call: number;
  failed: string;
}

export type Line = CallLine | AcknowledgementLine | FailureLine;

/** Where the child kills itself. */
export const KILL_POINTS = [
  "before the schema's COMMIT",
  "before BEGIN",
  "between two statements",
  "before COMMIT",
  "after COMMIT",
] as const;

export type KillPoint = (typeof KILL_POINTS)[number];

/** The settings that a recorded child gets, as JSON. */
export interface WriterSettings {
  path: string;
  seed: number;
  synchronous: "full" | "normal";
  /** Then it closes the store and ends; absent: it writes until it is killed. */
  calls?: number;
  kill?: { point: KillPoint; transaction: number; statement: number };
}
