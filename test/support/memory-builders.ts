/** Entities and facts to save: the least that is valid, and one of each with every field filled in. */
import type { NewEntity, NewFact } from "@obsku/checkpoint-sqlite";

export function buildEntity(
  sessionId: string,
  fields: Partial<Omit<NewEntity, "sessionId">> = {},
): NewEntity {
  return { name: "example.com", type: "domain", attributes: {}, relationships: [], ...fields, sessionId };
}

export function buildFullEntity(sessionId: string): NewEntity {
  return {
    sessionId,
    name: "example.com",
    type: "domain",
    attributes: { owner: "Jo", since: new Date(5), tags: new Set(["a", "b"]), deep: { n: [1, null, "é"] } },
    relationships: [
      { targetId: "host-1", type: "hosts" },
      { targetId: "", type: "" },
      { targetId: "host-1", type: "hosts" },
    ],
    workspaceId: "ws-1",
    embedding: [0.1, -0.2, 1e-7],
  };
}

export function buildFact(fields: Partial<NewFact> = {}): NewFact {
  return { content: "example.com is owned by Jo", confidence: 0.9, ...fields };
}

export function buildFullFact(sourceSessionId: string): NewFact {
  return {
    content: "example.com is owned by Jo",
    confidence: 0.75,
    workspaceId: "ws-1",
    sourceSessionId,
    embedding: [0.1, -0.2, 1e-7],
  };
}
