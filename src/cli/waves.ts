/** What each checkpoint of a session adds to the one before it. */
import type { SqliteCheckpointStore } from "../sqlite-checkpoint-store.js";
import type { Checkpoint, CheckpointNodeResult } from "../types.js";
import { checkpointsOf } from "./paging.js";

export interface Wave {
  id: string;
  namespace: string;
  version: number;
  step: number;
  source: string;
  createdAt: number;
  pendingNodes: readonly string[];
  iteration: number | undefined;
  /** The nodes whose results are new or changed, with their statuses. */
  results: { node: string; status: string }[];
}

/**
 * Oldest first. Of each namespace only one checkpoint is in memory at a time.
 *
 * @param see Called with each checkpoint, the last saved first.
 */
export async function wavesOf(
  store: SqliteCheckpointStore,
  sessionId: string,
  see: (checkpoint: Checkpoint) => void = () => {},
): Promise<Wave[]> {
  const waves: Wave[] = [];
  const later = new Map<string, { checkpoint: Checkpoint; wave: Wave }>();
  for await (const checkpoint of checkpointsOf(store, sessionId)) {
    see(checkpoint);
    const next = later.get(checkpoint.namespace);
    if (next !== undefined) {
      next.wave.results = newResults(next.checkpoint, checkpoint);
    }
    const wave = toWave(checkpoint);
    later.set(checkpoint.namespace, { checkpoint, wave });
    waves.push(wave);
  }
  for (const { checkpoint, wave } of later.values()) {
    wave.results = newResults(checkpoint);
  }
  return waves.reverse();
}

function toWave(checkpoint: Checkpoint): Wave {
  const { id, namespace, version, step, source, createdAt, pendingNodes, cycleState } = checkpoint;
  const iteration = cycleState?.iteration;
  return { id, namespace, version, step, source, createdAt, pendingNodes, iteration, results: [] };
}

function newResults({ nodeResults }: Checkpoint, before?: Checkpoint): { node: string; status: string }[] {
  return Object.entries(nodeResults)
    .filter(([node, result]) => !isSame(result, resultOf(before, node)))
    .map(([node, { status }]) => ({ node, status }));
}

/** A node may have the name of something that every object inherits. */
export function resultOf(checkpoint: Checkpoint | undefined, node: string): CheckpointNodeResult | undefined {
  return checkpoint !== undefined && Object.hasOwn(checkpoint.nodeResults, node)
    ? checkpoint.nodeResults[node]
    : undefined;
}

/** Times tell a node that ran again from one that did not; its output is compared if it has none. */
function isSame(result: CheckpointNodeResult, before: CheckpointNodeResult | undefined): boolean {
  return before !== undefined && Bun.deepEquals(result, before, true);
}
