/** Every operation of the soak test, and how often each is chosen. */
import type { Random } from "../support/random.js";
import * as checkpoints from "./checkpoint-operations.js";
import type { Soak } from "./context.js";
import * as memory from "./memory-operations.js";
import * as sessions from "./session-operations.js";

export interface Operation {
  readonly name: string;
  readonly weight: number;
  readonly run: (soak: Soak) => Promise<void>;
}

/** Above these, what is oldest is deleted, so that what the model takes of memory does not grow. */
const MOST = { sessions: 40, messages: 200, entities: 150, facts: 150 };

export const OPERATIONS: readonly Operation[] = [
  { name: "createSession", weight: 3, run: sessions.createSession },
  { name: "updateSession", weight: 4, run: sessions.updateSession },
  { name: "getSession", weight: 4, run: sessions.getSession },
  { name: "listSessions", weight: 3, run: sessions.listSessions },
  { name: "deleteSession", weight: 1, run: sessions.deleteSession },
  { name: "addMessage", weight: 12, run: sessions.addMessage },
  { name: "addMessage, many together", weight: 4, run: sessions.addMessagesTogether },
  { name: "addMessage, unknown session", weight: 1, run: sessions.addMessageToUnknown },
  { name: "getMessages, paged", weight: 6, run: sessions.pageMessages },
  { name: "saveCheckpoint", weight: 12, run: checkpoints.saveCheckpoint },
  { name: "saveCheckpoint, same version", weight: 1, run: checkpoints.saveExistingVersion },
  { name: "read checkpoints", weight: 8, run: checkpoints.readCheckpoints },
  { name: "read and fork an unknown checkpoint", weight: 1, run: checkpoints.readUnknownCheckpoint },
  { name: "fork", weight: 4, run: checkpoints.fork },
  { name: "saveEntity", weight: 6, run: memory.saveEntity },
  { name: "updateEntity", weight: 4, run: memory.updateEntity },
  { name: "deleteEntity", weight: 2, run: memory.deleteEntity },
  { name: "listEntities", weight: 4, run: memory.listEntities },
  { name: "saveFact", weight: 6, run: memory.saveFact },
  { name: "deleteFact", weight: 2, run: memory.deleteFact },
  { name: "listFacts", weight: 4, run: memory.listFacts },
  { name: "search", weight: 6, run: memory.search },
  { name: "set the clock", weight: 1, run: async (soak) => soak.setClock() },
  { name: "close and open", weight: 1, run: (soak) => soak.reopen() },
];

export function pickOperation(random: Random): Operation {
  let remaining = random.fraction() * OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);
  for (const operation of OPERATIONS) {
    remaining -= operation.weight;
    if (remaining < 0) return operation;
  }
  return random.pick(OPERATIONS);
}

export async function deleteSurplus(soak: Soak): Promise<void> {
  const { model, store } = soak;
  const long = [...model.sessions.values()].filter(({ messages }) => messages.length > MOST.messages);
  const old = [...model.sessions.values()].slice(0, Math.max(0, model.sessions.size - MOST.sessions));
  for (const { session } of new Set([...long, ...old])) {
    await store.deleteSession(session.id);
    model.deleteSession(session.id);
  }
  for (const id of surplusOf(model.entities, MOST.entities)) {
    await store.deleteEntity(id);
    model.entities.delete(id);
  }
  for (const id of surplusOf(model.facts, MOST.facts)) {
    await store.deleteFact(id);
    model.facts.delete(id);
  }
}

function surplusOf(map: ReadonlyMap<string, unknown>, most: number): string[] {
  return [...map.keys()].slice(0, Math.max(0, map.size - most));
}
