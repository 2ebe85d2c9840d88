/**
 * Runs the agent's graph wave by wave: all pending nodes at once, then one checkpoint.
 *
 * A checkpoint holds every result so far and the nodes to go on with, so a run can begin at any of them. What a wave
 * had done when its process died is not in it, and is done again.
 */
import type {
  Checkpoint,
  CheckpointBackend,
  CheckpointNodeResult,
  CycleState,
  NewCheckpoint,
  StoredMessage,
} from "../../src/index.js";
import { FIRST_NODE, type Message, NODES, type NodeResults, type PipelineNode, type Style } from "./nodes.js";

export const NAMESPACE = "research";

const BACK_EDGE = { from: "critique", to: "write" };

/** Far longer than it takes to kill a process; not so long that a forgotten one stays. */
const HANGING_MILLISECONDS = 10_000;

/** One visit of one node. */
export interface Visit {
  node: string;
  /** The draft that is being worked on, from 1: the loop comes by the same node again. */
  draft: number;
}

export type PipelineEvent =
  | ({ type: "node-started" } & Visit)
  | ({ type: "node-finished"; note: string; milliseconds: number } & Visit)
  | { type: "message-added"; message: StoredMessage }
  | { type: "checkpoint-saved"; checkpoint: Checkpoint };

export interface Run {
  store: CheckpointBackend;
  sessionId: string;
  style: Style;
  emit(event: PipelineEvent): void;
  /** Where to go on; absent: the run begins at the first node. */
  resumeFrom?: Checkpoint;
  /** A visit whose model takes so long to answer that there is time to kill the process. */
  hangsAt?: Visit;
}

interface Position {
  results: NodeResults;
  pending: string[];
  cycle: CycleState | undefined;
}

interface FinishedNode {
  id: string;
  result: CheckpointNodeResult;
  next: readonly string[];
}

export async function runPipeline(run: Run): Promise<void> {
  let position = positionAt(run.resumeFrom);
  const firstStep = run.resumeFrom === undefined ? 0 : run.resumeFrom.step + 1;
  for (let step = firstStep; position.pending.length > 0; step += 1) {
    position = await runWave(run, position);
    await saveCheckpoint(run, NAMESPACE, position, step);
  }
}

function positionAt(checkpoint: Checkpoint | undefined): Position {
  return checkpoint === undefined
    ? { results: {}, pending: [FIRST_NODE], cycle: undefined }
    : {
        results: checkpoint.nodeResults,
        pending: checkpoint.pendingNodes,
        cycle: checkpoint.cycleState,
      };
}

async function runWave(run: Run, before: Position): Promise<Position> {
  const finished = await Promise.all(before.pending.map((id) => runNode(run, before, id)));
  return {
    results: {
      ...before.results,
      ...Object.fromEntries(finished.map(({ id, result }) => [id, result])),
    },
    pending: [...new Set(finished.flatMap(({ next }) => next))],
    cycle: finished.some(takesBackEdge) ? nextIteration(before.cycle) : before.cycle,
  };
}

async function runNode(run: Run, position: Position, id: string): Promise<FinishedNode> {
  const node = NODES[id];
  if (node === undefined) {
    throw new Error(`The checkpoint names a node that the pipeline does not have: ${id}`);
  }
  const visit = { node: id, draft: (position.cycle?.iteration ?? 0) + 1 };
  run.emit({ type: "node-started", ...visit });
  const startedAt = Date.now();
  await takeTime(run, visit, node.milliseconds);
  await runSubgraph(run, visit, node);
  const { output, note, next } = await node.work({
    results: position.results,
    style: run.style,
    draft: visit.draft,
    say: (message) => addMessage(run, message),
  });
  const completedAt = Date.now();
  run.emit({ type: "node-finished", ...visit, note, milliseconds: completedAt - startedAt });
  return { id, result: { status: "completed", output, startedAt, completedAt }, next };
}

async function takeTime(run: Run, visit: Visit, milliseconds: number): Promise<void> {
  await Bun.sleep(isSameVisit(visit, run.hangsAt) ? HANGING_MILLISECONDS : milliseconds);
}

/**
 * As the framework runs a graph within a graph: in the same session, its checkpoints under the outer node's name as namespace.
 * When the outer node is run again, so is the whole of it.
 */
async function runSubgraph(run: Run, { node, draft }: Visit, { subgraph = [], milliseconds }: PipelineNode) {
  const results: NodeResults = {};
  for (const [step, id] of subgraph.entries()) {
    const visit = { node: `${node}/${id}`, draft };
    run.emit({ type: "node-started", ...visit });
    const startedAt = Date.now();
    await takeTime(run, visit, milliseconds);
    const completedAt = Date.now();
    results[id] = { status: "completed", output: `${id} of draft ${draft}`, startedAt, completedAt };
    run.emit({ type: "node-finished", ...visit, note: "", milliseconds: completedAt - startedAt });
    const position = { results: { ...results }, pending: subgraph.slice(step + 1), cycle: undefined };
    await saveCheckpoint(run, node, position, step);
  }
}

export function isSameVisit(visit: Visit, other: Visit | undefined): boolean {
  return visit.node === other?.node && visit.draft === other.draft;
}

function takesBackEdge({ id, next }: FinishedNode): boolean {
  return id === BACK_EDGE.from && next.includes(BACK_EDGE.to);
}

function nextIteration(cycle: CycleState | undefined): CycleState {
  return { backEdge: `${BACK_EDGE.from}->${BACK_EDGE.to}`, iteration: (cycle?.iteration ?? 0) + 1 };
}

async function addMessage(run: Run, message: Message): Promise<void> {
  const stored = await run.store.addMessage(run.sessionId, { ...message, sessionId: run.sessionId });
  run.emit({ type: "message-added", message: stored });
}

async function saveCheckpoint(run: Run, namespace: string, position: Position, step: number): Promise<void> {
  const { store, sessionId } = run;
  // The newest saved one, whatever its step: a run that goes on from an earlier checkpoint counts its steps from there.
  const [newest] = await store.listCheckpoints(sessionId, { namespace, limit: 1 });
  const checkpoint: NewCheckpoint = {
    sessionId,
    namespace,
    version: (newest?.version ?? 0) + 1,
    step,
    source: "loop",
    nodeResults: position.results,
    pendingNodes: position.pending,
    ...(position.cycle === undefined ? {} : { cycleState: position.cycle }),
  };
  const { id, createdAt } = await store.saveCheckpoint(checkpoint);
  // What was handed over, not what came back: the demo compares it with what is found after the crash.
  run.emit({ type: "checkpoint-saved", checkpoint: { ...checkpoint, id, createdAt } });
}
