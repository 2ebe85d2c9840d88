/** Random calls about checkpoints and forks, each compared with the model. */
import type { Checkpoint, CheckpointNodeResult, NewCheckpoint, Session } from "@obsku/checkpoint-sqlite";
import { present, type Soak } from "./context.js";
import { latestTime, type ModelSession } from "./model.js";

const NAMESPACES = ["", "graph", "graph:inner"] as const;
const UNKNOWN = "no such id";

export async function saveCheckpoint(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held === undefined) return;
  const given = newCheckpoint(soak, held);
  const saved = await soak.store.saveCheckpoint(given);
  soak.compare("saveCheckpoint", saved, { ...given, id: saved.id, createdAt: saved.createdAt });
  const latestMessage = held.messages.at(-1)?.createdAt ?? 0;
  const latestSaved = held.checkpoints.at(-1)?.createdAt ?? 0;
  soak.expect(saved.createdAt >= Math.max(latestMessage, latestSaved), "saveCheckpoint: time ran backwards");
  held.checkpoints.push(saved);
}

export async function saveExistingVersion(soak: Soak): Promise<void> {
  const existing = soak.anySession()?.checkpoints.at(-1);
  if (existing === undefined) return;
  const { id: _, createdAt: __, ...again } = existing;
  const call = soak.store.saveCheckpoint(again);
  await soak.compareRejection("saveCheckpoint, same version", call, "CheckpointVersionConflictError");
}

export async function readCheckpoints(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held === undefined) return;
  const namespace = soak.optional(() => soak.random.pick(NAMESPACES));
  const limit = soak.optional(() => soak.random.below(6));
  const matching = newestFirst(held, namespace);
  const { id } = held.session;
  const listed = await soak.store.listCheckpoints(id, present({ namespace, limit }));
  soak.compare(
    "listCheckpoints",
    listed,
    limit === undefined || limit === 0 ? matching : matching.slice(0, limit),
  );
  soak.compare(
    "getLatestCheckpoint",
    await soak.store.getLatestCheckpoint(id, namespace),
    matching[0] ?? null,
  );
  const last = matching.at(-1);
  if (last !== undefined) soak.compare("getCheckpoint", await soak.store.getCheckpoint(last.id), last);
}

export async function readUnknownCheckpoint(soak: Soak): Promise<void> {
  soak.compare("getCheckpoint, unknown", await soak.store.getCheckpoint(UNKNOWN), null);
  await soak.compareRejection("fork, unknown", soak.store.fork(UNKNOWN), "CheckpointNotFoundError");
}

export async function fork(soak: Soak): Promise<void> {
  const held = soak.anySession();
  if (held === undefined || held.checkpoints.length === 0) return;
  const origin = soak.random.pick(held.checkpoints);
  const title = soak.optional(() => soak.text());
  const forked = await soak.store.fork(origin.id, present({ title }));
  compareForkedSession(soak, held.session, origin, forked, title);
  const added = soak.model.addSession(forked);
  const expected = held.messages.filter(({ createdAt }) => createdAt <= origin.createdAt);
  const messages = await soak.store.getMessages(forked.id);
  soak.compare(
    "fork, its messages",
    messages,
    expected.map((message, index) => ({ ...message, sessionId: forked.id, id: messages[index]?.id ?? -1 })),
  );
  const [copy, ...more] = await soak.store.listCheckpoints(forked.id);
  soak.compare("fork, its checkpoint", [copy, more], [copyOf(origin, forked, copy), []]);
  added.messages.push(...messages);
  if (copy !== undefined) added.checkpoints.push(copy);
}

function compareForkedSession(
  soak: Soak,
  original: Session,
  origin: Checkpoint,
  forked: Session,
  title: string | undefined,
): void {
  const { id, createdAt, updatedAt } = forked;
  const expectedTitle = title ?? `Fork of ${original.title ?? origin.id}`;
  soak.compare("fork", forked, { ...original, id, title: expectedTitle, createdAt, updatedAt });
  soak.expect(createdAt >= origin.createdAt, "fork: begins before its checkpoint");
}

function copyOf(origin: Checkpoint, forked: Session, copy: Checkpoint | undefined): Checkpoint {
  const createdAt = Math.max(copy?.createdAt ?? 0, origin.createdAt);
  return {
    ...origin,
    id: copy?.id ?? "",
    sessionId: forked.id,
    parentId: origin.id,
    source: "fork",
    createdAt,
  };
}

function newestFirst(held: ModelSession, namespace: string | undefined): Checkpoint[] {
  return held.checkpoints
    .filter((checkpoint) => namespace === undefined || checkpoint.namespace === namespace)
    .reverse();
}

function newCheckpoint(soak: Soak, held: ModelSession): NewCheckpoint {
  const namespace = soak.random.pick(NAMESPACES);
  const version = (newestFirst(held, namespace)[0]?.version ?? 0) + 1;
  const nodeResults: Record<string, CheckpointNodeResult> = {
    done: { status: "completed", output: soak.output(), startedAt: latestTime(held), completedAt: 2 },
    failed: { status: "failed", error: soak.text() },
    before: held.checkpoints.at(-1)?.nodeResults.done ?? { status: "pending" },
  };
  return present({
    sessionId: held.session.id,
    namespace,
    version,
    step: soak.random.below(5),
    source: soak.random.pick(["input", "loop", "interrupt"] as const),
    nodeResults,
    pendingNodes: [soak.text()],
    parentId: soak.optional(() => held.checkpoints.at(-1)?.id ?? "none"),
    nodeId: soak.optional(() => "done"),
    cycleState: soak.optional(() => ({ backEdge: "a->b", iteration: soak.random.below(9) })),
  }) as NewCheckpoint;
}
