/**
 * Everything that the store acknowledged, written down outside the process that is killed; and the comparison of it
 * with what the file holds. A list of complaints comes back, empty where nothing is missing.
 */
import type { Checkpoint, Session, StoredMessage } from "../../src/index.js";
import { NAMESPACE, type Visit } from "./pipeline.js";
import type { StoredSession, WorkerEvent } from "./worker.js";

export class Ledger {
  readonly messages: StoredMessage[] = [];
  readonly checkpoints: Checkpoint[] = [];
  #session: Session | undefined;
  #finishedVisits: string[] = [];
  #savedVisits = new Set<string>();
  readonly #repeatedVisits: string[] = [];

  note(event: WorkerEvent): void {
    switch (event.type) {
      case "session-created":
        this.#session = event.session;
        break;
      case "message-added":
        this.messages.push(event.message);
        break;
      case "node-started":
        this.#noteStart(event);
        break;
      case "node-finished":
        this.#finishedVisits.push(nameOf(event));
        break;
      case "checkpoint-saved":
        this.checkpoints.push(event.checkpoint);
        this.#noteSaved(event.checkpoint);
        break;
      case "found":
        this.#finishedVisits = [];
        break;
      case "forked":
        this.#noteFork(event.fork, event.from);
        break;
    }
  }

  /** What was acknowledged and is not in the file, or is not what it was. */
  missingFrom(found: readonly StoredSession[]): string[] {
    const session = found.find((stored) => stored.session.id === this.#session?.id)?.session;
    return [
      ...(this.#isAsCreated(session) ? [] : [`session ${this.#session?.id}`]),
      ...messageNames(absent(this.messages, messagesOf(found))),
      ...checkpointNames(absent(this.checkpoints, checkpointsOf(found))),
    ];
  }

  /** What is in the file and was never acknowledged: nothing, once every writer has ended by itself. */
  unknownIn(found: readonly StoredSession[]): string[] {
    return [
      ...messageNames(absent(messagesOf(found), this.messages)),
      ...checkpointNames(absent(checkpointsOf(found), this.checkpoints)),
    ];
  }

  /** Nodes that ran once more although a checkpoint held what they had done. */
  get repeatedVisits(): readonly string[] {
    return this.#repeatedVisits;
  }

  /** What a graph within a node has saved does not save that node: it is run again as a whole. */
  #noteSaved({ namespace }: Checkpoint): void {
    if (namespace === NAMESPACE) {
      this.#savedVisits = new Set([...this.#savedVisits, ...this.#finishedVisits]);
      this.#finishedVisits = [];
    }
  }

  #noteStart(visit: Visit): void {
    if (this.#savedVisits.has(nameOf(visit))) {
      this.#repeatedVisits.push(nameOf(visit));
    }
  }

  #noteFork(fork: StoredSession, from: Checkpoint): void {
    this.messages.push(...fork.messages);
    this.checkpoints.push(...fork.checkpoints);
    this.#savedVisits = new Set(Object.keys(from.nodeResults).map((node) => nameOf({ node, draft: 1 })));
  }

  /** But for `updatedAt`, which moves on with every message. */
  #isAsCreated(found: Session | undefined): boolean {
    return (
      found !== undefined && Bun.deepEquals({ ...found, updatedAt: 0 }, { ...this.#session, updatedAt: 0 })
    );
  }
}

function nameOf({ node, draft }: Visit): string {
  return `${node} (draft ${draft})`;
}

function messageNames(messages: readonly StoredMessage[]): string[] {
  return messages.map(({ id }) => `message ${id}`);
}

function checkpointNames(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints.map(({ version, id }) => `checkpoint v${version} (${id})`);
}

function messagesOf(found: readonly StoredSession[]): StoredMessage[] {
  return found.flatMap(({ messages }) => messages);
}

function checkpointsOf(found: readonly StoredSession[]): Checkpoint[] {
  return found.flatMap(({ checkpoints }) => checkpoints);
}

/** Those that `among` does not have, or has with another content. */
function absent<T extends { id: unknown }>(wanted: readonly T[], among: readonly T[]): T[] {
  const byId = new Map(among.map((item) => [item.id, item]));
  return wanted.filter((item) => !Bun.deepEquals(item, byId.get(item.id)));
}
