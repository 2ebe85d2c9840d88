/** Random calls about sessions and messages, each compared with the model. */
import type { Session, StoredMessage } from "@obsku/checkpoint-sqlite";
import { present, type Soak, WORKER_WORKSPACE, WORKSPACES } from "./context.js";
import { latestTime, type ModelSession, pageOf } from "./model.js";

const UNKNOWN = "no such id";

export async function createSession(soak: Soak): Promise<void> {
  const options = present({
    title: soak.optional(() => soak.text()),
    workspaceId: soak.optional(() => soak.random.pick(WORKSPACES)),
    metadata: soak.optional(() => soak.record()),
  });
  const session = await soak.store.createSession("./soak", options);
  const { id, createdAt } = session;
  soak.compare("createSession", session, {
    ...options,
    directory: "./soak",
    id,
    createdAt,
    updatedAt: createdAt,
  });
  soak.model.addSession(session);
}

export async function updateSession(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held === undefined) return;
  const title = soak.random.pick([soak.text(), null, undefined]);
  const metadata = soak.random.pick([soak.record(), null, undefined]);
  await soak.store.updateSession(held.session.id, { title, metadata });
  const read = await soak.store.getSession(held.session.id);
  const expected: Session = present({
    ...held.session,
    ...(title === undefined ? {} : { title }),
    ...(metadata === undefined ? {} : { metadata }),
    updatedAt: read?.updatedAt ?? 0,
  } as Session);
  soak.compare("updateSession", read, withoutNulls(expected));
  soak.expect(
    (read?.updatedAt ?? 0) > held.session.updatedAt,
    "updateSession: updatedAt did not move forward",
  );
  held.session = withoutNulls(expected);
}

export async function getSession(soak: Soak): Promise<void> {
  const held = soak.anySession();
  soak.compare("getSession, unknown", await soak.store.getSession(UNKNOWN), null);
  if (held === undefined) return;
  soak.compare("getSession", await soak.store.getSession(held.session.id), held.session);
}

export async function listSessions(soak: Soak): Promise<void> {
  const workspaceId = soak.optional(() => soak.random.pick(WORKSPACES));
  const listed = await soak.store.listSessions(workspaceId);
  const own = listed.filter((session) => session.workspaceId !== WORKER_WORKSPACE);
  soak.compare("listSessions", own, soak.model.listSessions(workspaceId));
}

export async function deleteSession(soak: Soak): Promise<void> {
  const held = soak.anySession();
  await soak.store.deleteSession(UNKNOWN);
  if (held === undefined) return;
  const { id } = held.session;
  await soak.store.deleteSession(id);
  soak.model.deleteSession(id);
  soak.compare("deleteSession", await soak.store.getSession(id), null);
  await soak.compareRejection("getMessages, deleted", soak.store.getMessages(id), "SessionNotFoundError");
}

export async function addMessage(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held !== undefined) await addMessages(soak, held, 1);
}

/** Called together and read in the same turn: the read must see all of them. */
export async function addMessagesTogether(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held !== undefined) await addMessages(soak, held, soak.random.between(2, 30));
}

async function addMessages(soak: Soak, held: ModelSession, count: number): Promise<void> {
  const { id } = held.session;
  const given = Array.from({ length: count }, () => newMessage(soak, id));
  const writes = given.map((message) => soak.store.addMessage(id, message));
  const reading = soak.store.getMessages(id);
  const stored = await Promise.all(writes);
  for (const [index, message] of stored.entries()) {
    soak.compare("addMessage", message, { ...given[index], id: message.id, createdAt: message.createdAt });
    soak.expect(
      message.createdAt > latestTime(held),
      `addMessage: ${message.createdAt} is not after the session`,
    );
    held.messages.push(message);
  }
  held.session = { ...held.session, updatedAt: stored.at(-1)?.createdAt ?? 0 };
  soak.compare("getMessages after addMessage", await reading, held.messages);
}

function newMessage(soak: Soak, sessionId: string): Omit<StoredMessage, "id" | "createdAt"> {
  return present({
    sessionId,
    role: soak.random.pick(["user", "assistant", "system", "tool"] as const),
    content: soak.optional(() => soak.text()),
    toolCalls: soak.optional(() => [{ name: "tool", toolUseId: soak.text(), input: soak.record() }]),
    toolResults: soak.optional(() => [{ toolUseId: "t", content: soak.text(), status: "success" }]),
    tokensIn: soak.optional(() => soak.random.below(1e6)),
  }) as Omit<StoredMessage, "id" | "createdAt">;
}

export async function addMessageToUnknown(soak: Soak): Promise<void> {
  const call = soak.store.addMessage(UNKNOWN, newMessage(soak, UNKNOWN));
  await soak.compareRejection("addMessage, unknown session", call, "SessionNotFoundError");
}

export async function pageMessages(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held === undefined) return;
  const page = {
    before: soak.optional(() => (held.messages.at(-1)?.createdAt ?? 1) - soak.random.below(40)),
    limit: soak.optional(() => soak.random.below(20)),
  };
  const read = await soak.store.getMessages(held.session.id, present(page));
  soak.compare("getMessages, paged", read, pageOf(held.messages, page));
}

function withoutNulls(session: Session): Session {
  return Object.fromEntries(
    Object.entries(session).filter(([, value]) => value !== null),
  ) as unknown as Session;
}
