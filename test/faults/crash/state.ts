/** All that a store holds: read from it, or worked out from the writes that were acknowledged. */
import type {
  Checkpoint,
  Entity,
  Fact,
  Session,
  SqliteCheckpointStore,
  StoredMessage,
} from "@obsku/checkpoint-sqlite";
import type { Effect } from "./writes.js";

/** Rows in the order in which they were added. */
interface SessionState {
  session: Session;
  messages: StoredMessage[];
  checkpoints: Checkpoint[];
  entities: Entity[];
}

export class State {
  readonly sessions = new Map<string, SessionState>();
  readonly facts = new Map<string, Fact>();
  readonly #digests = new Map<string, string>();

  static async read(store: SqliteCheckpointStore): Promise<State> {
    const state = new State();
    for (const session of await store.listSessions()) {
      state.sessions.set(session.id, {
        session,
        messages: await store.getMessages(session.id),
        checkpoints: (await store.listCheckpoints(session.id)).reverse(),
        entities: (await store.listEntities({ sessionId: session.id })).reverse(),
      });
    }
    for (const fact of await store.listFacts()) state.facts.set(fact.id, fact);
    return state;
  }

  /** The same for equal states. */
  digest(): string {
    const parts = [...this.sessions].map(([id, held]) => `${id} ${this.#digestOf(id, held)}`);
    const facts = [...this.facts.values()].map(canonicalText);
    return hash([...parts.sort(), ...facts.sort()].join("\n"));
  }

  #digestOf(id: string, held: SessionState): string {
    const digest = this.#digests.get(id) ?? hash(canonicalText(withoutCopiedIds(held)));
    this.#digests.set(id, digest);
    return digest;
  }

  /** As plain data, in an order of its own. */
  toPlain(): unknown {
    const sessions = [...this.sessions.values()].map(withoutCopiedIds);
    return {
      sessions: Object.fromEntries(sessions.map((held) => [held.session.id, held])),
      facts: Object.fromEntries(this.facts),
    };
  }

  apply(effect: Effect): void {
    switch (effect.kind) {
      case "session":
        this.#add(effect.session);
        return;
      case "message":
        this.#addMessage(effect.message);
        return;
      case "checkpoint":
        this.#change(effect.checkpoint.sessionId)?.checkpoints.push(effect.checkpoint);
        return;
      case "fork":
        this.#fork(effect.checkpointId, effect.session);
        return;
      case "entity":
        this.#change(effect.entity.sessionId)?.entities.push(effect.entity);
        return;
      case "fact":
        this.facts.set(effect.fact.id, effect.fact);
        return;
      case "deleteSession":
        this.#deleteSession(effect.sessionId);
        return;
      case "deleteEntity":
        this.#deleteEntity(effect.entityId);
        return;
    }
  }

  #add(session: Session): SessionState {
    const added = { session, messages: [], checkpoints: [], entities: [] };
    this.sessions.set(session.id, added);
    return added;
  }

  #change(sessionId: string): SessionState | undefined {
    this.#digests.delete(sessionId);
    return this.sessions.get(sessionId);
  }

  #addMessage(message: StoredMessage): void {
    const held = this.#change(message.sessionId);
    if (held === undefined) return;
    held.messages.push(message);
    held.session = { ...held.session, updatedAt: message.createdAt };
  }

  #fork(checkpointId: string, session: Session): void {
    const held = this.#add(session);
    const { id: sessionId, createdAt } = session;
    for (const original of this.sessions.values()) {
      const checkpoint = original.checkpoints.find(({ id }) => id === checkpointId);
      if (checkpoint === undefined) continue;
      const earlier = original.messages.filter((message) => message.createdAt <= checkpoint.createdAt);
      held.messages = earlier.map((message) => ({ ...message, sessionId }));
      held.checkpoints = [{ ...checkpoint, sessionId, parentId: checkpointId, source: "fork", createdAt }];
    }
  }

  #deleteSession(sessionId: string): void {
    this.#digests.delete(sessionId);
    this.sessions.delete(sessionId);
    for (const fact of this.facts.values()) {
      const { sourceSessionId, ...rest } = fact;
      if (sourceSessionId === sessionId) this.facts.set(fact.id, rest);
    }
  }

  #deleteEntity(entityId: string): void {
    for (const [sessionId, { entities }] of this.sessions) {
      const index = entities.findIndex(({ id }) => id === entityId);
      if (index !== -1) this.#change(sessionId)?.entities.splice(index, 1);
    }
  }
}

/** What a fork copies gets ids that no call returns. */
function withoutCopiedIds({ session, messages, checkpoints, entities }: SessionState) {
  const isFork = checkpoints[0]?.source === "fork";
  const isCopy = ({ createdAt }: StoredMessage) => isFork && createdAt <= session.createdAt;
  return {
    session,
    messages: messages.map((message) => (isCopy(message) ? { ...message, id: 0 } : message)),
    checkpoints: checkpoints.map((each) => (each.source === "fork" ? { ...each, id: "" } : each)),
    entities,
  };
}

function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === "object" && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );
}

function hash(text: string): string {
  return Bun.hash.xxHash3(text).toString(36);
}
