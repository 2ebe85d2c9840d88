/** Draws sessions as a tree, from nothing but what the store gives back. */
import type { Checkpoint } from "../../src/index.js";
import { NAMESPACE } from "./pipeline.js";
import type { Terminal } from "./terminal.js";
import type { StoredSession } from "./worker.js";

export interface Tree {
  sessions: readonly StoredSession[];
  /** What is to be said after a checkpoint, by its id. */
  remarks: ReadonlyMap<string, string>;
}

/** A session and below it its checkpoints, oldest first; a fork stands under the checkpoint that it began at. */
export function treeLines(stored: StoredSession, tree: Tree, terminal: Terminal): string[] {
  const { session, messages, checkpoints } = stored;
  const oldestFirst = checkpoints.filter(({ namespace }) => namespace === NAMESPACE).toReversed();
  const within = checkpoints.length - oldestFirst.length;
  const counts = `${oldestFirst.length} checkpoints, ${within} within write, ${messages.length} messages`;
  return [
    `${terminal.bold(session.title ?? session.id)}  ${terminal.dim(counts)}`,
    ...oldestFirst.flatMap((checkpoint, index) => {
      const isLast = index === oldestFirst.length - 1;
      const below = [...remarkLines(checkpoint, tree, terminal), ...forkLines(checkpoint, tree, terminal)];
      return [
        `${isLast ? "└─ " : "├─ "}${checkpointText(checkpoint, oldestFirst[index - 1], terminal)}`,
        ...below.map((line) => `${isLast ? "   " : "│  "}${line}`),
      ];
    }),
  ];
}

function forkLines(checkpoint: Checkpoint, tree: Tree, terminal: Terminal): string[] {
  const forks = tree.sessions.filter(({ checkpoints }) => isForkOf(checkpoint, checkpoints.at(-1)));
  return forks.flatMap((fork) =>
    treeLines(fork, tree, terminal).map((line, index) => (index === 0 ? `╰─ fork: ${line}` : `   ${line}`)),
  );
}

function isForkOf(checkpoint: Checkpoint, first: Checkpoint | undefined): boolean {
  return first?.source === "fork" && first.parentId === checkpoint.id;
}

function remarkLines(checkpoint: Checkpoint, { remarks }: Tree, terminal: Terminal): string[] {
  const remark = remarks.get(checkpoint.id);
  return remark === undefined ? [] : [terminal.red(remark)];
}

function checkpointText(checkpoint: Checkpoint, before: Checkpoint | undefined, terminal: Terminal): string {
  const { version, source, step } = checkpoint;
  const place = `step ${step}`;
  return [
    terminal.cyan(`v${version}`),
    terminal.dim(`${source.padEnd(4)}  ${place}`),
    whatIsNew(checkpoint, before),
  ].join("  ");
}

function whatIsNew(checkpoint: Checkpoint, before: Checkpoint | undefined): string {
  if (checkpoint.source === "fork") {
    return "everything up to here, copied";
  }
  const iteration = checkpoint.cycleState?.iteration;
  const isBackEdge = iteration !== before?.cycleState?.iteration;
  const nodes = newResults(checkpoint, before).join(", ");
  return isBackEdge
    ? `${nodes}  ↺ back to ${checkpoint.pendingNodes.join(", ")}, iteration ${iteration}`
    : nodes;
}

function newResults(checkpoint: Checkpoint, before: Checkpoint | undefined): string[] {
  return Object.entries(checkpoint.nodeResults)
    .filter(([node, result]) => !Bun.deepEquals(result, before?.nodeResults[node]))
    .map(([node]) => node);
}
