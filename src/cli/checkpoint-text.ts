/** Checkpoints in words: where they stand, what is in them, what they add. */
import { JsonPlusSerializer } from "../json-plus/json-plus-serializer.js";
import type { Checkpoint, CheckpointNodeResult } from "../types.js";
import { duration, time } from "./format.js";
import type { Output } from "./output.js";
import type { Colours } from "./terminal.js";
import { linesOf, oneLine } from "./text.js";
import type { Wave } from "./waves.js";

const serializer = new JsonPlusSerializer();

const MARKS = new Map<string, { mark: string; paint: keyof Colours }>([
  ["completed", { mark: "✓", paint: "green" }],
  ["failed", { mark: "✗", paint: "red" }],
  ["skipped", { mark: "–", paint: "dim" }],
  ["running", { mark: "…", paint: "yellow" }],
  ["pending", { mark: "·", paint: "dim" }],
]);

/** A node with the mark of its status, which 0.2.3 wrote with a capital. */
export function nodeText({ node, status }: { node: string; status: string }, colours: Colours): string {
  const known = MARKS.get(status.toLowerCase().replace(/^complete$/, "completed"));
  const name = oneLine(node);
  return known === undefined ? `${name} (${oneLine(status)})` : `${colours[known.paint](known.mark)} ${name}`;
}

/** What a checkpoint adds, on one line: `✓ resolve → probe`. */
export function waveText(wave: Wave, colours: Colours): string {
  const results = wave.results.map((result) => nodeText(result, colours)).join(", ");
  const pending = wave.pendingNodes.map(oneLine).join(", ");
  const what = wave.source === "fork" && results !== "" ? `copied: ${results}` : results;
  const next = pending === "" ? "" : colours.dim(`→ ${pending}`);
  return [what, next].filter((part) => part !== "").join(" ");
}

/** All of a checkpoint; outputs on one line each, or in full. */
export function printCheckpoint(checkpoint: Checkpoint, output: Output, isFull: boolean): void {
  if (output.isJson) {
    output.json(checkpoint);
    return;
  }
  const { bold } = output.colours;
  output.line(bold(`Checkpoint ${oneLine(checkpoint.id)}`));
  for (const [name, value] of headOf(checkpoint)) {
    output.line(`  ${output.colours.dim(name.padEnd(10))}${oneLine(value)}`);
  }
  const nodes = Object.entries(checkpoint.nodeResults);
  output.line();
  if (nodes.length === 0) {
    output.line("No node has a result yet.");
  } else if (isFull) {
    nodes.forEach(([node, result]) => {
      printInFull(node, result, output);
    });
  } else {
    output.table(nodes, [
      { title: "NODE", text: ([node]) => node, isFlexible: true, paint: "bold" },
      { title: "STATUS", text: ([, { status }]) => status },
      { title: "TOOK", text: ([, result]) => tookText(result), isRight: true },
      { title: "OUTPUT", text: ([, result]) => excerptOf(result), isFlexible: true },
    ]);
  }
}

function headOf(checkpoint: Checkpoint): [string, string][] {
  const { sessionId, namespace, version, step, source, createdAt, parentId, nodeId } = checkpoint;
  const { cycleState, pendingNodes } = checkpoint;
  return [
    ["session", sessionId],
    ...(namespace === "" ? [] : [["namespace", namespace] satisfies [string, string]]),
    ["version", `${version} (step ${step}, ${source})`],
    ["saved", time(createdAt)],
    ...(parentId === undefined ? [] : [["parent", parentId] satisfies [string, string]]),
    ...(nodeId === undefined ? [] : [["node", nodeId] satisfies [string, string]]),
    ...(cycleState === undefined
      ? []
      : [
          ["cycle", `iteration ${cycleState.iteration} of ${cycleState.backEdge}`] satisfies [string, string],
        ]),
    ["pending", pendingNodes.length === 0 ? "nothing" : pendingNodes.join(", ")],
  ];
}

function printInFull(node: string, result: CheckpointNodeResult, output: Output): void {
  const took = tookText(result);
  output.line(
    `${nodeText({ node, status: result.status }, output.colours)}${took === "" ? "" : `  ${took}`}`,
  );
  if (result.error !== undefined) {
    linesOf(result.error).forEach((line) => {
      output.line(`    ${output.colours.red(line)}`);
    });
  }
  if ("output" in result) {
    valueLines(result.output).forEach((line) => {
      output.line(`    ${line}`);
    });
  }
}

function tookText({ startedAt, completedAt }: CheckpointNodeResult): string {
  return startedAt === undefined || completedAt === undefined ? "" : duration(completedAt - startedAt);
}

function excerptOf({ output, error }: CheckpointNodeResult): string {
  return error ?? (output === undefined ? "" : valueText(output));
}

/** A value in the wire format, on one line. */
export function valueText(value: unknown): string {
  return serializer.serialize(value);
}

/** A text as it is; any other value in the wire format, indented. */
export function valueLines(value: unknown): string[] {
  return typeof value === "string"
    ? linesOf(value)
    : linesOf(JSON.stringify(JSON.parse(valueText(value)), undefined, 2));
}
