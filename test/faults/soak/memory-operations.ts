/** Random calls about entities, facts and their search, each compared with the model. */
import {
  type Entity,
  type EntityUpdates,
  type Fact,
  type NewEntity,
  type NewFact,
  VectorDimensionError,
} from "@obsku/checkpoint-sqlite";
import { naiveSearch } from "../../support/naive-search.js";
import { present, type Soak, WORKSPACES } from "./context.js";

const UNKNOWN = "no such id";
const TYPES = ["host", "person"] as const;
/** Embeddings of two models in one file. */
const DIMENSIONS = [16, 16, 16, 8] as const;

export async function saveEntity(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held === undefined) return;
  const given = present({
    sessionId: held.session.id,
    name: soak.text(),
    type: soak.random.pick(TYPES),
    attributes: soak.record(),
    relationships: [{ targetId: soak.anyEntityId() ?? "none", type: "knows" }],
    workspaceId: soak.random.pick(WORKSPACES),
    embedding: soak.optional(() => vector(soak)),
  }) as NewEntity;
  const saved = await soak.store.saveEntity(given);
  const { id, createdAt } = saved;
  soak.compare("saveEntity", saved, { ...given, id, createdAt, updatedAt: createdAt });
  soak.model.entities.set(id, saved);
}

export async function updateEntity(soak: Soak): Promise<void> {
  const unknown = soak.store.updateEntity(UNKNOWN, { name: "x" });
  await soak.compareRejection("updateEntity, unknown", unknown, "EntityNotFoundError");
  const held = soak.model.entities.get(soak.anyEntityId() ?? "");
  if (held === undefined) return;
  const updates = present({
    name: soak.optional(() => soak.text()),
    attributes: soak.optional(() => soak.record()),
    embedding: soak.random.pick([undefined, null, vector(soak)]),
  });
  await soak.store.updateEntity(held.id, updates);
  const read = await soak.store.getEntity(held.id);
  const expected = updated(held, updates, read?.updatedAt ?? 0);
  soak.compare("updateEntity", read, expected);
  soak.expect(expected.updatedAt > held.updatedAt, "updateEntity: updatedAt did not move forward");
  soak.model.entities.set(held.id, expected);
}

function updated(held: Entity, updates: EntityUpdates, updatedAt: number): Entity {
  const { embedding, ...others } = { ...held, ...updates, updatedAt };
  return present({ ...others, embedding: embedding ?? undefined }) as Entity;
}

export async function deleteEntity(soak: Soak): Promise<void> {
  const id = soak.anyEntityId() ?? UNKNOWN;
  await soak.store.deleteEntity(id);
  soak.model.entities.delete(id);
  soak.compare("deleteEntity", await soak.store.getEntity(id), null);
}

export async function listEntities(soak: Soak): Promise<void> {
  const filter = present({
    workspaceId: soak.random.pick(WORKSPACES),
    sessionId: soak.optional(() => soak.anySession()?.session.id ?? UNKNOWN),
    type: soak.optional(() => soak.random.pick(TYPES)),
    limit: soak.optional(() => soak.random.below(9)),
  });
  const { workspaceId, sessionId, type, limit = 0 } = filter;
  const matching = soak.model.listEntities(
    (entity) =>
      entity.workspaceId === workspaceId &&
      (sessionId === undefined || entity.sessionId === sessionId) &&
      (type === undefined || entity.type === type),
  );
  const listed = await soak.store.listEntities(filter);
  soak.compare("listEntities", listed, limit === 0 ? matching : matching.slice(0, limit));
}

export async function saveFact(soak: Soak): Promise<void> {
  const given = present({
    content: soak.text(),
    confidence: soak.random.fraction(),
    workspaceId: soak.random.pick(WORKSPACES),
    sourceSessionId: soak.optional(() => soak.anySession()?.session.id),
    embedding: soak.optional(() => vector(soak)),
  }) as NewFact;
  const saved = await soak.store.saveFact(given);
  soak.compare("saveFact", saved, { ...given, id: saved.id, createdAt: saved.createdAt });
  soak.model.facts.set(saved.id, saved);
}

export async function deleteFact(soak: Soak): Promise<void> {
  const id = soak.anyFactId() ?? UNKNOWN;
  await soak.store.deleteFact(id);
  soak.model.facts.delete(id);
  soak.compare("deleteFact", await soak.store.getFact(id), null);
}

export async function listFacts(soak: Soak): Promise<void> {
  const filter = present({
    workspaceId: soak.random.pick(WORKSPACES),
    minConfidence: soak.optional(() => soak.random.fraction()),
    limit: soak.optional(() => soak.random.below(9)),
  });
  const { workspaceId, minConfidence = 0, limit = 0 } = filter;
  const matching = soak.model.listFacts(
    (fact) => fact.workspaceId === workspaceId && fact.confidence >= minConfidence,
  );
  const listed = await soak.store.listFacts(filter);
  soak.compare("listFacts", listed, limit === 0 ? matching : matching.slice(0, limit));
}

export async function search(soak: Soak): Promise<void> {
  const embedding = vector(soak);
  const topK = soak.random.between(1, 20);
  const threshold = soak.random.pick([-1, 0, 0.3]);
  const workspaceId = soak.optional(() => soak.random.pick(WORKSPACES));
  const options = present({ topK, threshold, workspaceId });
  const isThere = (memory: Entity | Fact) => workspaceId === undefined || memory.workspaceId === workspaceId;
  const query = { embedding, topK, threshold };
  await compareSearch(
    soak,
    "searchEntitiesSemantic",
    soak.store.searchEntitiesSemantic(embedding, options),
    naiveSearch(soak.model.listEntities(isThere), query),
  );
  await compareSearch(
    soak,
    "searchFactsSemantic",
    soak.store.searchFactsSemantic(embedding, options),
    naiveSearch(soak.model.listFacts(isThere), query),
  );
}

async function compareSearch(
  soak: Soak,
  what: string,
  searching: Promise<(Entity | Fact)[]>,
  expected: { found: (Entity | Fact)[]; incomparable: number[] },
): Promise<void> {
  const answer = await searching.catch((error: unknown) => error);
  if (expected.incomparable.length > 0) {
    soak.expect(answer instanceof VectorDimensionError, `${what}: should be a VectorDimensionError`);
  } else {
    soak.compare(what, answer, expected.found);
  }
}

function vector(soak: Soak): number[] {
  const dimensions = soak.random.pick(DIMENSIONS);
  return Array.from({ length: dimensions }, () => soak.random.fraction() * 2 - 1);
}
