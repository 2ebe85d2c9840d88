/**
 * A store that is closed and opened again between any two calls, so that nothing it answers can come from memory.
 *
 * Calls that overlap stay together in one batch on one open store: the store is reopened when the last of them has
 * settled, and only then do all of them answer. A call is passed on in the tick it was made in, unless it was made
 * while the store is being reopened.
 */
import type {
  Checkpoint,
  CheckpointBackend,
  Entity,
  EntitySearchOptions,
  EntityUpdates,
  Fact,
  ListEntitiesOptions,
  ListFactsOptions,
  MemoryStore,
  NewEntity,
  NewFact,
  SemanticSearchOptions,
  Session,
  SessionOptions,
  StoredMessage,
} from "@obsku/checkpoint-sqlite";
import type { NewCheckpoint, NewMessage } from "./builders.js";

export class ReopeningStore<Store extends CheckpointBackend> implements CheckpointBackend {
  readonly #open: () => Store;
  protected store: Store;
  #batch: Batch | undefined;
  #reopening: Promise<void> | undefined;
  #closed = false;

  constructor(open: () => Store) {
    this.#open = open;
    this.store = open();
  }

  createSession(directory: string, options?: SessionOptions): Promise<Session> {
    return this.call((store) => store.createSession(directory, options));
  }

  getSession(sessionId: string): Promise<Session | null> {
    return this.call((store) => store.getSession(sessionId));
  }

  listSessions(workspaceId?: string): Promise<Session[]> {
    return this.call((store) => store.listSessions(workspaceId));
  }

  updateSession(sessionId: string, updates: Partial<Session>): Promise<void> {
    return this.call((store) => store.updateSession(sessionId, updates));
  }

  deleteSession(sessionId: string): Promise<void> {
    return this.call((store) => store.deleteSession(sessionId));
  }

  addMessage(sessionId: string, message: NewMessage): Promise<StoredMessage> {
    return this.call((store) => store.addMessage(sessionId, message));
  }

  getMessages(sessionId: string, options?: { before?: number; limit?: number }): Promise<StoredMessage[]> {
    return this.call((store) => store.getMessages(sessionId, options));
  }

  saveCheckpoint(checkpoint: NewCheckpoint): Promise<Checkpoint> {
    return this.call((store) => store.saveCheckpoint(checkpoint));
  }

  getCheckpoint(checkpointId: string): Promise<Checkpoint | null> {
    return this.call((store) => store.getCheckpoint(checkpointId));
  }

  getLatestCheckpoint(sessionId: string, namespace?: string): Promise<Checkpoint | null> {
    return this.call((store) => store.getLatestCheckpoint(sessionId, namespace));
  }

  listCheckpoints(
    sessionId: string,
    options?: { limit?: number; namespace?: string },
  ): Promise<Checkpoint[]> {
    return this.call((store) => store.listCheckpoints(sessionId, options));
  }

  fork(checkpointId: string, options?: { title?: string }): Promise<Session> {
    return this.call((store) => store.fork(checkpointId, options));
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#reopening) await this.#reopening;
    await this.store.close();
  }

  protected async call<Answer>(work: (store: Store) => Promise<Answer>): Promise<Answer> {
    while (this.#reopening) await this.#reopening;
    this.#batch ??= new Batch();
    const batch = this.#batch;
    batch.inFlight += 1;
    try {
      return await work(this.store);
    } finally {
      batch.inFlight -= 1;
      if (batch.inFlight === 0) await this.#finish(batch);
      else await batch.finished;
    }
  }

  async #finish(batch: Batch): Promise<void> {
    this.#batch = undefined;
    if (!this.#closed) this.#reopening = this.#reopen();
    try {
      await this.#reopening;
    } finally {
      this.#reopening = undefined;
      batch.finish();
    }
  }

  async #reopen(): Promise<void> {
    await this.store.close();
    this.store = this.#open();
  }
}

/** The same with memory. */
export class ReopeningMemoryStore extends ReopeningStore<MemoryStore> implements MemoryStore {
  get hasSemanticSearch(): boolean {
    return this.store.hasSemanticSearch;
  }

  saveEntity(entity: NewEntity): Promise<Entity> {
    return this.call((store) => store.saveEntity(entity));
  }

  getEntity(entityId: string): Promise<Entity | null> {
    return this.call((store) => store.getEntity(entityId));
  }

  listEntities(options: ListEntitiesOptions): Promise<Entity[]> {
    return this.call((store) => store.listEntities(options));
  }

  updateEntity(entityId: string, updates: EntityUpdates): Promise<void> {
    return this.call((store) => store.updateEntity(entityId, updates));
  }

  deleteEntity(entityId: string): Promise<void> {
    return this.call((store) => store.deleteEntity(entityId));
  }

  saveFact(fact: NewFact): Promise<Fact> {
    return this.call((store) => store.saveFact(fact));
  }

  getFact(factId: string): Promise<Fact | null> {
    return this.call((store) => store.getFact(factId));
  }

  listFacts(options: ListFactsOptions): Promise<Fact[]> {
    return this.call((store) => store.listFacts(options));
  }

  deleteFact(factId: string): Promise<void> {
    return this.call((store) => store.deleteFact(factId));
  }

  searchEntitiesSemantic(embedding: number[], options?: EntitySearchOptions): Promise<Entity[]> {
    return this.call((store) => store.searchEntitiesSemantic(embedding, options));
  }

  searchFactsSemantic(embedding: number[], options?: SemanticSearchOptions): Promise<Fact[]> {
    return this.call((store) => store.searchFactsSemantic(embedding, options));
  }
}

/** The calls that overlap: how many have not settled yet, and a promise for the moment after the last one has. */
class Batch {
  inFlight = 0;
  finish: () => void = () => {};
  readonly finished = new Promise<void>((resolve) => {
    this.finish = resolve;
  });
}
