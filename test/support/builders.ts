/** Messages and checkpoints to save: the least that is valid, and one with every field filled in. */
import type { Checkpoint, CheckpointBackend, Session, StoredMessage } from "@obsku/checkpoint-sqlite";

export type NewMessage = Omit<StoredMessage, "id" | "createdAt">;
export type NewCheckpoint = Omit<Checkpoint, "id" | "createdAt">;

export function buildMessage(
  sessionId: string,
  fields: Partial<Omit<NewMessage, "sessionId">> = {},
): NewMessage {
  return { role: "user", ...fields, sessionId };
}

export function buildFullMessage(sessionId: string): NewMessage {
  return {
    sessionId,
    role: "assistant",
    content: "let me look",
    toolCalls: [{ name: "lookup", toolUseId: "t1", input: { host: "example.com", deep: { n: [1, null] } } }],
    toolResults: [{ toolUseId: "t0", content: "ok", status: "success", fullOutputRef: "ref-1" }],
    tokensIn: 12,
    tokensOut: 34,
  };
}

export function buildCheckpoint(
  sessionId: string,
  fields: Partial<Omit<NewCheckpoint, "sessionId">> = {},
): NewCheckpoint {
  return {
    namespace: "graph",
    version: 1,
    step: 0,
    source: "loop",
    nodeResults: { start: { status: "completed", output: "done" } },
    pendingNodes: ["end"],
    ...fields,
    sessionId,
  };
}

export function buildFullCheckpoint(sessionId: string): NewCheckpoint {
  return {
    sessionId,
    namespace: "graph",
    version: 7,
    step: 3,
    source: "interrupt",
    nodeResults: {
      done: { status: "completed", output: { a: [1, "two", null] }, startedAt: 1000, completedAt: 2000 },
      broken: { status: "failed", error: "it broke", startedAt: 1000, completedAt: 1500 },
      waiting: { status: "pending" },
      busy: { status: "running", startedAt: 1700 },
      left: { status: "skipped" },
    },
    pendingNodes: ["waiting", "busy"],
    parentId: "the-checkpoint-before",
    nodeId: "busy",
    cycleState: { backEdge: "busy->done", iteration: 2 },
  };
}

/** Adds one message for each text, one after the other. */
export async function addTexts(
  store: CheckpointBackend,
  session: Session,
  texts: readonly string[],
): Promise<StoredMessage[]> {
  const stored: StoredMessage[] = [];
  for (const content of texts) {
    stored.push(await store.addMessage(session.id, buildMessage(session.id, { content })));
  }
  return stored;
}

export async function readTexts(
  store: CheckpointBackend,
  sessionId: string,
): Promise<(string | undefined)[]> {
  return (await store.getMessages(sessionId)).map((message) => message.content);
}
