/** What a store must hold, kept in plain lists: the other side of every comparison of the soak test. */
import type { Checkpoint, Entity, Fact, Session, StoredMessage } from "@obsku/checkpoint-sqlite";

export interface ModelSession {
  session: Session;
  readonly messages: StoredMessage[];
  /** In the order of saving. */
  readonly checkpoints: Checkpoint[];
}

export class Model {
  /** Each in the order of creation. */
  readonly sessions = new Map<string, ModelSession>();
  readonly entities = new Map<string, Entity>();
  readonly facts = new Map<string, Fact>();

  addSession(session: Session): ModelSession {
    const added = { session, messages: [], checkpoints: [] };
    this.sessions.set(session.id, added);
    return added;
  }

  deleteSession(id: string): void {
    this.sessions.delete(id);
    for (const entity of [...this.entities.values()]) {
      if (entity.sessionId === id) this.entities.delete(entity.id);
    }
    for (const [factId, { sourceSessionId, ...fact }] of this.facts) {
      if (sourceSessionId === id) this.facts.set(factId, fact);
    }
  }

  /** Newest `updatedAt` first, of the same time the last created first. */
  listSessions(workspaceId?: string): Session[] {
    return [...this.sessions.values()]
      .map(({ session }) => session)
      .filter((session) => workspaceId === undefined || session.workspaceId === workspaceId)
      .reverse()
      .sort((a, b) => b.updatedAt - a.updatedAt);
  }

  /** Newest first. */
  listEntities(passes: (entity: Entity) => boolean): Entity[] {
    return [...this.entities.values()].filter(passes).reverse();
  }

  /** Newest first. */
  listFacts(passes: (fact: Fact) => boolean): Fact[] {
    return [...this.facts.values()].filter(passes).reverse();
  }
}

/** As a store lists them: oldest first, the last `limit` of those before `before`. */
export function pageOf(
  messages: readonly StoredMessage[],
  { before, limit }: { before?: number | undefined; limit?: number | undefined },
): StoredMessage[] {
  const remaining = messages.filter(({ createdAt }) => before === undefined || createdAt < before);
  return limit === undefined || limit === 0 ? remaining : remaining.slice(-limit);
}

/** The newest time of anything in the session. */
export function latestTime({ session, messages, checkpoints }: ModelSession): number {
  return Math.max(session.updatedAt, messages.at(-1)?.createdAt ?? 0, checkpoints.at(-1)?.createdAt ?? 0);
}
