/** What the workloads write: the same for all contestants, made once, outside the measured time. */
import type { CheckpointNodeResult, NewCheckpoint, NewMessage } from "../../src/types.js";

export type CheckpointSize = "small" | "middle" | "large";

interface Shape {
  nodes: number;
  /** Characters of text in each node's output. */
  text: number;
}

/** About 1 KB, 100 KB and 5 MB of JSON. */
const SHAPES: Record<CheckpointSize, Shape> = {
  small: { nodes: 5, text: 40 },
  middle: { nodes: 100, text: 840 },
  large: { nodes: 500, text: 10_300 },
};

/** How many a round may save, so that it leaves at most some hundred megabytes behind. */
export const MOST_SAVES: Record<CheckpointSize, number> = { small: 100_000, middle: 500, large: 8 };

const made = new Map<CheckpointSize, Record<string, CheckpointNodeResult>>();

export function checkpointOf(
  size: CheckpointSize,
  sessionId: string,
  version: number,
  nodeResults = nodeResultsOf(size),
): NewCheckpoint {
  return {
    sessionId,
    namespace: "",
    version,
    step: version,
    source: "loop",
    nodeResults,
    pendingNodes: ["review", "publish"],
  };
}

/** With outputs that no checkpoint has had before, so that nobody finds them in the file. */
export function newNodeResultsOf(size: CheckpointSize): Record<string, CheckpointNodeResult> {
  const { nodes, text } = SHAPES[size];
  return nodesOf(nodes, (index) => nodeResult(index, newText(text)));
}

function nodeResultsOf(size: CheckpointSize): Record<string, CheckpointNodeResult> {
  const known = made.get(size);
  if (known !== undefined) {
    return known;
  }
  const { nodes, text } = SHAPES[size];
  const results = nodesOf(nodes, (index) => nodeResult(index, prose(text, index)));
  made.set(size, results);
  return results;
}

function nodesOf(count: number, result: (index: number) => CheckpointNodeResult) {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`node-${index}`, result(index)]));
}

function nodeResult(index: number, text: string): CheckpointNodeResult {
  return {
    status: "completed",
    output: { text, score: index / 7, tags: ["host", "dns"] },
    startedAt: 1_750_000_000_000 + index,
    completedAt: 1_750_000_000_100 + index,
  };
}

const WORDS = "the agent looked up two hosts and found that one of them answers on port 443 only; ";

export function prose(length: number, offset = 0): string {
  const start = offset % WORDS.length;
  return WORDS.repeat(Math.ceil(length / WORDS.length) + 1).slice(start, start + length);
}

const NEW_WORDS = [
  "the",
  "agent",
  "found",
  "host",
  "port",
  "answers",
  "two",
  "of",
  "them",
  "only",
  "and",
  "looked",
];

let textsMade = 0;

/** Words and numbers, different in every call. */
export function newText(characters: number): string {
  const buffer = Buffer.alloc(characters);
  let seed = Math.imul(++textsMade, 0x9e37_79b1);
  for (let written = 0; written < characters; ) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
    const word = NEW_WORDS[(seed >>> 8) % NEW_WORDS.length] ?? "";
    written += buffer.write(`${word} ${seed >>> 16} `, written, "latin1");
  }
  // From a buffer: a string that was put together from parts would be joined inside the first contestant's measured time.
  return buffer.toString("latin1");
}

/** A conversation's messages in turn: a question, a tool call, its result, an answer. */
export function messageOf(sessionId: string, index: number): NewMessage {
  const toolUseId = `use-${index}`;
  switch (index % 4) {
    case 0:
      return { sessionId, role: "user", content: prose(120, index) };
    case 1:
      return {
        sessionId,
        role: "assistant",
        content: prose(60, index),
        toolCalls: [{ name: "lookup", toolUseId, input: { host: "h1.example.com", depth: 2 } }],
        tokensIn: 812,
        tokensOut: 96,
      };
    case 2:
      return {
        sessionId,
        role: "tool",
        toolResults: [{ toolUseId, content: prose(200, index), status: "success" }],
      };
    default:
      return { sessionId, role: "assistant", content: prose(300, index), tokensIn: 1_020, tokensOut: 130 };
  }
}

/** Bytes of JSON, about. */
export type ValueSize = 1_000 | 100_000 | 5_000_000;

/** Records of numbers, texts and lists: nothing that JSON does not know. */
export function plainValue(bytes: ValueSize): Record<string, unknown> {
  return { records: Array.from({ length: Math.ceil(bytes / 250) }, (_, index) => plainRecord(index)) };
}

function plainRecord(index: number) {
  return {
    id: index,
    title: prose(60, index),
    done: index % 2 === 0,
    score: index / 7,
    tags: ["a", "b", "c"],
    nested: { host: "h1.example.com", ports: [80, 443], note: prose(40, index) },
  };
}

/** The same, full of Dates, Maps and Sets. */
export function richValue(bytes: ValueSize): Record<string, unknown> {
  return { records: Array.from({ length: Math.ceil(bytes / 400) }, (_, index) => richRecord(index)) };
}

function richRecord(index: number) {
  return {
    id: index,
    at: new Date(1_750_000_000_000 + index),
    tags: new Set(["a", "b", `c${index}`]),
    ports: new Map<string, unknown>([
      ["http", 80],
      ["https", { port: 443, since: new Date(1_700_000_000_000 + index) }],
    ]),
    note: prose(60, index),
  };
}
