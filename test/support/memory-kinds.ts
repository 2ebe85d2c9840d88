/** Entities and facts as the semantic search sees them: what is true for both is tested on both by the same code. */
import type {
  Entity,
  EntitySearchOptions,
  Fact,
  MemoryStore,
  SemanticSearchOptions,
} from "@obsku/checkpoint-sqlite";
import { buildEntity, buildFact } from "./memory-builders.js";

export type Memory = Entity | Fact;

export interface MemoryFields {
  readonly embedding?: number[];
  readonly workspaceId?: string;
}

export interface MemoryKind {
  readonly name: "entities" | "facts";
  readonly saveMethod: "saveEntity" | "saveFact";
  readonly searchMethod: "searchEntitiesSemantic" | "searchFactsSemantic";
  /** Entities need a session, facts do not. */
  begin(store: MemoryStore): Promise<Memories>;
}

/** Entities of one session, or facts learned in it. */
export interface Memories {
  readonly sessionId: string;
  /** The least that can be saved, as the argument of the method that saves it. */
  build(fields?: MemoryFields): object;
  save(fields: MemoryFields): Promise<Memory>;
  /** One for each embedding, one after the other. */
  saveAll(embeddings: readonly number[][]): Promise<Memory[]>;
  get(id: string): Promise<Memory | null>;
  list(): Promise<Memory[]>;
  delete(id: string): Promise<void>;
  search(embedding: number[], options?: EntitySearchOptions & SemanticSearchOptions): Promise<Memory[]>;
}

export const memoryKinds: readonly MemoryKind[] = [
  {
    name: "entities",
    saveMethod: "saveEntity",
    searchMethod: "searchEntitiesSemantic",
    begin: (store) =>
      begin(store, (sessionId) => ({
        build: (fields) => buildEntity(sessionId, fields),
        save: (fields) => store.saveEntity(buildEntity(sessionId, fields)),
        get: (id) => store.getEntity(id),
        list: () => store.listEntities({}),
        delete: (id) => store.deleteEntity(id),
        search: (embedding, options) => store.searchEntitiesSemantic(embedding, options),
      })),
  },
  {
    name: "facts",
    saveMethod: "saveFact",
    searchMethod: "searchFactsSemantic",
    begin: (store) =>
      begin(store, (sourceSessionId) => ({
        build: (fields) => buildFact({ sourceSessionId, ...fields }),
        save: (fields) => store.saveFact(buildFact({ sourceSessionId, ...fields })),
        get: (id) => store.getFact(id),
        list: () => store.listFacts({}),
        delete: (id) => store.deleteFact(id),
        search: (embedding, options) => store.searchFactsSemantic(embedding, options),
      })),
  },
];

type Calls = Omit<Memories, "sessionId" | "saveAll">;

async function begin(store: MemoryStore, calls: (sessionId: string) => Calls): Promise<Memories> {
  const { id: sessionId } = await store.createSession("./d");
  const own = calls(sessionId);
  return {
    ...own,
    sessionId,
    async saveAll(embeddings) {
      const saved: Memory[] = [];
      for (const embedding of embeddings) saved.push(await own.save({ embedding }));
      return saved;
    },
  };
}
