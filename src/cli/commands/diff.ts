import type { Checkpoint } from "../../types.js";
import { valueText } from "../checkpoint-text.js";
import type { Cli } from "../cli.js";
import { newCommand } from "../command.js";
import { type Difference, differences } from "../difference.js";
import { CHECKPOINT_HELP, checkpointNamed } from "../naming.js";
import { note } from "../output.js";
import type { Colours } from "../terminal.js";
import { cut, oneLine } from "../text.js";
import { resultOf } from "../waves.js";

interface NodeDifference {
  node: string;
  change: "added" | "removed" | "finished" | "changed";
  /** The statuses; absent on the side that lacks the node. */
  before?: string;
  after?: string;
  /** Within the node's result: `$.output.steps[2]`. */
  paths: Difference[];
}

/** On a terminal a value is shown up to so many columns at least. */
const LEAST_COLUMNS = 20;

export function diffCommand(cli: Cli) {
  return newCommand(
    "diff",
    "compare two checkpoints: nodes added, finished or changed, and the paths that changed",
    'runs.db "Security scan:v1" "Security scan:v2"',
  )
    .argument("<file>", "a database")
    .argument("<before>", CHECKPOINT_HELP)
    .argument("<after>", CHECKPOINT_HELP)
    .action(async (file, first, second) => {
      const ids = [
        await checkpointNamed(cli, file, first),
        await checkpointNamed(cli, file, second),
      ] as const;
      const [before, after] = await cli.read(file, async (store) => [
        await store.getCheckpoint(ids[0]),
        await store.getCheckpoint(ids[1]),
      ]);
      if (before !== null && before !== undefined && after !== null && after !== undefined) {
        print(cli, before, after);
      }
    });
}

function print(cli: Cli, before: Checkpoint, after: Checkpoint): void {
  const nodes = nodeDifferences(before, after);
  const pending = differences(before.pendingNodes, after.pendingNodes).length > 0;
  if (cli.output.isJson) {
    const pendingNodes = { before: before.pendingNodes, after: after.pendingNodes };
    cli.output.json({ before: before.id, after: after.id, nodes, pendingNodes });
    return;
  }
  if (nodes.length === 0 && !pending) {
    note("The checkpoints hold the same results and pending nodes.");
  }
  for (const line of nodes.flatMap((node) => nodeLines(node, cli.output.colours, cli.output.width))) {
    cli.output.cutLine(line);
  }
  if (pending) {
    const shown = ({ pendingNodes }: Checkpoint) => pendingNodes.map(oneLine).join(", ") || "nothing";
    cli.output.cutLine(`pending: ${shown(before)} → ${shown(after)}`);
  }
}

function nodeDifferences(before: Checkpoint, after: Checkpoint): NodeDifference[] {
  const names = new Set([...Object.keys(before.nodeResults), ...Object.keys(after.nodeResults)]);
  return [...names].flatMap((node): NodeDifference[] => {
    const [was, is] = [resultOf(before, node), resultOf(after, node)];
    if (was === undefined || is === undefined) {
      return [
        is === undefined
          ? { node, change: "removed", before: was?.status ?? "", paths: [] }
          : { node, change: "added", after: is.status, paths: [] },
      ];
    }
    const paths = differences(was, is);
    const isFinished = was.status !== is.status && /^(pending|running)$/.test(was.status);
    const change = isFinished ? "finished" : "changed";
    return paths.length === 0 ? [] : [{ node, change, before: was.status, after: is.status, paths }];
  });
}

const SIGNS = {
  added: { sign: "+", paint: "green" },
  removed: { sign: "-", paint: "red" },
  finished: { sign: "✓", paint: "green" },
  changed: { sign: "~", paint: "yellow" },
} as const;

function nodeLines(difference: NodeDifference, colours: Colours, width: number | undefined): string[] {
  const { node, change, before, after, paths } = difference;
  const { sign, paint } = SIGNS[change];
  const statuses = [before, after].filter((status) => status !== undefined);
  // Two values and a path share the line.
  const room = width === undefined ? undefined : Math.max(LEAST_COLUMNS, Math.floor(width / 3));
  const status = [...new Set(statuses)].map(oneLine).join(" → ");
  return [
    `${colours[paint](`${sign} ${oneLine(node)}`)}  ${colours.dim(`${change} (${status})`)}`,
    ...paths.map((path) => `    ${pathLine(path, colours, room)}`),
  ];
}

function pathLine(
  { path, change, before, after }: Difference,
  colours: Colours,
  room: number | undefined,
): string {
  const { sign, paint } = SIGNS[change];
  const value = (shown: unknown) => {
    const text = oneLine(valueText(shown));
    return room === undefined ? text : cut(text, room);
  };
  const values =
    change === "added"
      ? value(after)
      : change === "removed"
        ? value(before)
        : `${value(before)} → ${value(after)}`;
  return `${colours[paint](sign)} ${oneLine(path)}: ${values}`;
}
