/**
 * The memory compared with a naive one, plain arrays and cosine in float64, over random operations. Vectors come from a
 * small pool, so that ties and similarities that are exactly the threshold happen, and some differ only in the last
 * bits of a float64. fast-check prints the seed and the smallest sequence that fails.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  type Entity,
  type Fact,
  type MemoryStore,
  SqliteCheckpointStore,
  VectorDimensionError,
} from "@obsku/checkpoint-sqlite";
import fc from "fast-check";
import { assertSame } from "../support/difference.js";
import { buildEntity, buildFact } from "../support/memory-builders.js";
import type { Memory } from "../support/memory-kinds.js";
import { type NaiveAnswer, naiveCosine, naiveSearch } from "../support/naive-search.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";

const POOL: readonly (readonly number[])[] = [
  ...[[1], [-2], [0]],
  ...[
    [1, 0],
    [0, 1],
    [1, 1],
    [2, 2],
    [-1, 0],
    [3, 4],
    [4, 3],
    [0, 0],
    [-0, -0],
    [1e-5, 1],
    [1e5, -1],
  ],
  ...[-3, -2, -1, 0, 1, 2, 3].map((step) => [0.6 + step * Number.EPSILON, 0.8]),
  ...[
    [1, 0, 0],
    [0, 0, 0],
    [1, 2, 3],
    [2, 4, 6],
    [3, 2, 1],
    [-1, -2, -3],
    [0.1, 0.2, 0.3],
  ],
  ...[-2, -1, 1, 2].map((step) => [0.1, 0.2 + step * 1e-15, 0.3]),
];
const WORKSPACES = ["ws-1", "ws-2"];
const TYPES = ["person", "domain"];

interface SearchOptions {
  readonly embedding: readonly number[];
  readonly session: number | undefined;
  readonly workspaceId: string | undefined;
  readonly threshold: number | undefined;
  readonly topK: number | undefined;
}

interface Fields {
  readonly session: number;
  readonly type: string;
  readonly workspaceId: string | undefined;
  readonly embedding: readonly number[] | undefined;
}

type Operation =
  | ({ readonly do: "saveEntity" } & Fields)
  | ({ readonly do: "saveFact"; readonly confidence: number; readonly sourceless: boolean } & Fields)
  | { readonly do: "updateEntity"; readonly at: number; readonly updates: Updates }
  | { readonly do: "deleteEntity" | "deleteFact" | "deleteSession"; readonly at: number }
  | ({ readonly do: "searchEntities" | "searchFacts" } & SearchOptions)
  | ({ readonly do: "listEntities" } & Omit<Fields, "embedding"> & ListOptions)
  | ({ readonly do: "listFacts"; readonly minConfidence: number | undefined } & ListOptions)
  | { readonly do: "reopen" };

interface ListOptions {
  readonly filters: readonly string[];
  readonly workspaceId: string | undefined;
  readonly limit: number | undefined;
}

interface Updates {
  readonly name?: string;
  readonly embedding?: number[] | null;
  readonly workspaceId?: string | null;
}

/** An operation, and searches that are called with it, before it was answered. */
interface Step {
  readonly operation: Operation;
  readonly searches: readonly Extract<Operation, { do: "searchEntities" | "searchFacts" }>[];
  readonly milliseconds: number;
}

const vectors = fc.constantFrom(...POOL);
const places = fc.nat({ max: 40 });
const workspaces = fc.constantFrom(undefined, ...WORKSPACES);
const maybeVectors = fc.option(vectors, { nil: undefined, freq: 5 });
const fields = {
  session: fc.nat({ max: 2 }),
  type: fc.constantFrom(...TYPES),
  workspaceId: workspaces,
  embedding: maybeVectors,
};
const thresholds = fc.oneof(
  fc.constantFrom(undefined, 0, -1, 1, 0.6, Math.SQRT1_2, -0.6),
  fc.tuple(vectors, vectors).map(([a, b]) => (a.length === b.length ? naiveCosine(a, b) : 0.5)),
);
const searches = fc.record({
  do: fc.constantFrom("searchEntities" as const, "searchFacts" as const),
  embedding: vectors,
  session: fc.option(fc.nat({ max: 2 }), { nil: undefined, freq: 2 }),
  workspaceId: workspaces,
  threshold: thresholds,
  topK: fc.constantFrom(undefined, undefined, 0, 1, 2, 3, 100),
});
const lists = {
  filters: fc.subarray(["session", "workspace", "type"]),
  workspaceId: workspaces,
  limit: fc.constantFrom(undefined, 0, 1, 3),
};
const operations: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("saveEntity" as const), ...fields }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("saveFact" as const),
      ...fields,
      confidence: fc.constantFrom(0, 0.5, 0.9, 1),
      sourceless: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("updateEntity" as const),
      at: places,
      updates: fc.record(
        {
          name: fc.constant("renamed"),
          embedding: fc.option(
            vectors.map((vector) => [...vector]),
            { freq: 4 },
          ),
          workspaceId: fc.constantFrom(null, ...WORKSPACES),
        },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("deleteEntity" as const, "deleteFact" as const),
      at: places,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("deleteSession" as const), at: fc.nat({ max: 2 }) }) },
  { weight: 6, arbitrary: searches },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("listEntities" as const),
      session: fields.session,
      type: fields.type,
      ...lists,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("listFacts" as const),
      minConfidence: fc.constantFrom(undefined, 0, 0.5, 1),
      ...lists,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
);
const steps: fc.Arbitrary<Step> = fc.record({
  operation: operations,
  searches: fc.array(searches, { maxLength: 2 }),
  milliseconds: fc.constantFrom(0, 0, 1, 1000),
});
const sequences = fc.array(steps, { minLength: 5, maxLength: 40, size: "max" });

type Opened = () => MemoryStore;

/** What the store should hold, oldest first, and the store that should hold it. */
class Comparison {
  readonly #open: Opened;
  #store: MemoryStore;
  #sessions: (string | undefined)[] = [undefined, undefined, undefined];
  #entities: Entity[] = [];
  #facts: Fact[] = [];

  constructor(open: Opened) {
    this.#open = open;
    this.#store = open();
  }

  async take(step: Step): Promise<void> {
    await this.#prepare(step.operation);
    const working = this.#work(step.operation);
    // Called in the same tick, so that the store has to see what was called before.
    const asked = step.operation.do === "reopen" ? [] : step.searches;
    const answers = asked.map((search) => this.#search(search));
    await working;
    for (const [index, answer] of answers.entries()) {
      const search = asked[index];
      if (search !== undefined) expectAnswer(await answer, this.#expected(search));
    }
  }

  /** Everything, and every kind of vector, at the end of a sequence. */
  async compareAll(): Promise<void> {
    assertSame(await this.#store.listEntities({}), newestFirst(this.#entities));
    assertSame(await this.#store.listFacts({}), newestFirst(this.#facts));
    for (const what of ["searchEntities", "searchFacts"] as const) {
      for (const embedding of [[1], [3, 4], [1, 2, 3]]) {
        const all = { session: undefined, workspaceId: undefined, threshold: -1, topK: 1000 };
        const search = { do: what, embedding, ...all };
        expectAnswer(await this.#search(search), this.#expected(search));
      }
    }
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  /** Makes the session that is needed. */
  async #prepare(operation: Operation): Promise<void> {
    if (operation.do !== "saveEntity" && operation.do !== "saveFact") return;
    const { session } = operation;
    this.#sessions[session] ??= (await this.#store.createSession("./d")).id;
  }

  /** Calls the store before it returns. */
  #work(operation: Operation): Promise<void> {
    switch (operation.do) {
      case "saveEntity":
        return this.#saveEntity(operation);
      case "saveFact":
        return this.#saveFact(operation);
      case "updateEntity":
        return this.#updateEntity(operation.at, operation.updates);
      case "deleteEntity":
        return this.#deleteEntity(this.#entities[operation.at % this.#entities.length]?.id ?? "none");
      case "deleteFact":
        return this.#deleteFact(this.#facts[operation.at % this.#facts.length]?.id ?? "none");
      case "deleteSession":
        return this.#deleteSession(operation.at);
      case "searchEntities":
      case "searchFacts":
        return this.#search(operation).then((answer) => expectAnswer(answer, this.#expected(operation)));
      case "listEntities":
        return this.#listEntities(operation);
      case "listFacts":
        return this.#listFacts(operation);
      case "reopen":
        return this.#reopen();
    }
  }

  async #saveEntity({ session, type, ...optional }: Fields): Promise<void> {
    const sessionId = this.#sessions[session] ?? "none";
    const given = buildEntity(sessionId, { type, ...withoutUndefined(optional) });
    const saved = await this.#store.saveEntity(given);
    assertSame(saved, { ...given, id: saved.id, createdAt: saved.createdAt, updatedAt: saved.createdAt });
    this.#entities.push(saved);
  }

  async #saveFact(operation: Extract<Operation, { do: "saveFact" }>): Promise<void> {
    const { session, sourceless, confidence, workspaceId, embedding } = operation;
    const sourceSessionId = sourceless ? undefined : this.#sessions[session];
    const optional = withoutUndefined({ workspaceId, embedding });
    const given = buildFact({
      confidence,
      ...optional,
      ...(sourceSessionId === undefined ? {} : { sourceSessionId }),
    });
    const saved = await this.#store.saveFact(given);
    assertSame(saved, { ...given, id: saved.id, createdAt: saved.createdAt });
    this.#facts.push(saved);
  }

  async #updateEntity(at: number, updates: Updates): Promise<void> {
    const index = at % this.#entities.length;
    const before = this.#entities[index];
    if (before === undefined) return;
    await this.#store.updateEntity(before.id, updates);
    const after = await this.#store.getEntity(before.id);
    const { workspaceId = before.workspaceId, embedding = before.embedding, name = before.name } = updates;
    const { workspaceId: _, embedding: __, ...rest } = before;
    const updated: Entity = {
      ...rest,
      name,
      updatedAt: after?.updatedAt ?? 0,
      ...(workspaceId === undefined || workspaceId === null ? {} : { workspaceId }),
      ...(embedding === undefined || embedding === null ? {} : { embedding }),
    };
    assertSame(after, updated);
    expect(updated.updatedAt).toBeGreaterThan(before.updatedAt);
    this.#entities[index] = updated;
  }

  async #deleteEntity(id: string): Promise<void> {
    await this.#store.deleteEntity(id);
    this.#entities = this.#entities.filter((entity) => entity.id !== id);
  }

  async #deleteFact(id: string): Promise<void> {
    await this.#store.deleteFact(id);
    this.#facts = this.#facts.filter((fact) => fact.id !== id);
  }

  async #deleteSession(at: number): Promise<void> {
    const id = this.#sessions[at] ?? "none";
    await this.#store.deleteSession(id);
    this.#sessions[at] = undefined;
    this.#entities = this.#entities.filter((entity) => entity.sessionId !== id);
    this.#facts = this.#facts.map((fact) => {
      const { sourceSessionId, ...rest } = fact;
      return sourceSessionId === id ? rest : fact;
    });
  }

  async #listEntities(operation: Extract<Operation, { do: "listEntities" }>): Promise<void> {
    const { filters, limit } = operation;
    const sessionId = filters.includes("session") ? (this.#sessions[operation.session] ?? "none") : undefined;
    const workspaceId = filters.includes("workspace") ? operation.workspaceId : undefined;
    const type = filters.includes("type") ? operation.type : undefined;
    const expected = newestFirst(this.#entities).filter(
      (entity) =>
        entity.sessionId === (sessionId ?? entity.sessionId) &&
        entity.workspaceId === (workspaceId ?? entity.workspaceId) &&
        entity.type === (type ?? entity.type),
    );
    const listed = await this.#store.listEntities({ sessionId, workspaceId, type, limit });
    assertSame(listed, expected.slice(0, limit || expected.length));
  }

  async #listFacts(operation: Extract<Operation, { do: "listFacts" }>): Promise<void> {
    const { minConfidence, limit } = operation;
    const workspaceId = operation.filters.includes("workspace") ? operation.workspaceId : undefined;
    const expected = newestFirst(this.#facts).filter(
      (fact) =>
        fact.workspaceId === (workspaceId ?? fact.workspaceId) && fact.confidence >= (minConfidence ?? 0),
    );
    const listed = await this.#store.listFacts({ workspaceId, minConfidence, limit });
    assertSame(listed, expected.slice(0, limit || expected.length));
  }

  async #reopen(): Promise<void> {
    await this.#store.close();
    this.#store = this.#open();
  }

  async #search(search: Step["searches"][number]): Promise<Memory[] | VectorDimensionError> {
    const { workspaceId, threshold, topK } = search;
    const options = { workspaceId, threshold, topK };
    const embedding = [...search.embedding];
    const sessionId = this.#sessionOf(search);
    const asking: Promise<Memory[]> =
      search.do === "searchFacts"
        ? this.#store.searchFactsSemantic(embedding, options)
        : this.#store.searchEntitiesSemantic(embedding, { ...options, sessionId });
    return asking.catch((error: unknown) => {
      if (error instanceof VectorDimensionError) return error;
      throw error;
    });
  }

  #sessionOf({ session }: SearchOptions): string | undefined {
    return session === undefined ? undefined : (this.#sessions[session] ?? "none");
  }

  #expected(search: Step["searches"][number]): Expected {
    const { workspaceId } = search;
    const sessionId = search.do === "searchFacts" ? undefined : this.#sessionOf(search);
    const memories: Memory[] = search.do === "searchFacts" ? this.#facts : this.#entities;
    const filtered = newestFirst(memories).filter(
      (memory) =>
        memory.workspaceId === (workspaceId ?? memory.workspaceId) &&
        (sessionId === undefined || ("sessionId" in memory && memory.sessionId === sessionId)),
    );
    return { ...naiveSearch(filtered, search), dimensions: search.embedding.length };
  }
}

type Expected = NaiveAnswer<Memory> & { readonly dimensions: number };

function newestFirst<M extends Memory>(memories: readonly M[]): M[] {
  return memories.toReversed();
}

function withoutUndefined(given: Pick<Fields, "workspaceId" | "embedding">) {
  const { workspaceId, embedding } = given;
  return {
    ...(workspaceId === undefined ? {} : { workspaceId }),
    ...(embedding === undefined ? {} : { embedding: [...embedding] }),
  };
}

function expectAnswer(answer: Memory[] | VectorDimensionError, expected: Expected): void {
  if (Array.isArray(answer)) {
    expect(expected.incomparable).toEqual([]);
    assertSame(answer, expected.found);
    return;
  }
  const [, dimensions, stored] = /^Vector dimensions must match: (\d+) vs (\d+)\b/.exec(answer.message) ?? [];
  expect(Number(dimensions)).toBe(expected.dimensions);
  expect(expected.incomparable).toContain(Number(stored));
}

/** What is held in memory: all, nothing, or as much as has room in a block or two. */
const MEMORY_LIMITS = [undefined, 0, 4096, 40_000];

async function compare(sequence: readonly Step[], path: string, vectorMemory?: number): Promise<void> {
  let now = 1_800_000_000_000;
  const options = { clock: () => now, synchronous: "normal", vectorMemory } as const;
  const comparison = new Comparison(() => new SqliteCheckpointStore(path, options));
  try {
    for (const step of sequence) {
      await comparison.take(step);
      now += step.milliseconds;
    }
    await comparison.compareAll();
  } finally {
    await comparison.close();
  }
}

for (const vectorMemory of MEMORY_LIMITS) {
  const held = vectorMemory === undefined ? "as much memory as is usual" : `${vectorMemory} bytes of memory`;

  test(`a store with ${held} for vectors answers as a naive one does, also when it is reopened`, async () => {
    const folder = await createTemporaryFolder();
    let run = 0;
    const property = fc.asyncProperty(sequences, (sequence) =>
      compare(sequence, join(folder.path, `${run++}.db`), vectorMemory),
    );
    try {
      await fc.assert(property, { numRuns: 50 });
    } finally {
      await folder.remove();
    }
    expect(run).toBeGreaterThanOrEqual(50);
  }, 30_000);
}
