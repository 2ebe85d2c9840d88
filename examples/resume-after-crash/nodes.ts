/**
 * The nodes of a make-believe research agent: plan, three searches at once, write, critique, publish.
 *
 * A wait stands in for the model. The outputs hold a Date, a Map and a Set, and later nodes use them as such: a run
 * that is resumed from a file works only if they came back as what they were.
 */
import type { CheckpointNodeResult, NewMessage } from "../../src/index.js";

export const QUESTION = "Do octopuses dream?";

export type Style = "sober" | "bedtime story";

export type NodeResults = Record<string, CheckpointNodeResult>;

export type Message = Omit<NewMessage, "sessionId">;

/** What a node has to work with. */
export interface Job {
  results: NodeResults;
  style: Style;
  /** From 1. */
  draft: number;
  say(message: Message): Promise<void>;
}

export interface Work {
  output: unknown;
  /** For whoever watches: the output in a few words. */
  note: string;
  next: readonly string[];
}

export interface PipelineNode {
  milliseconds: number;
  /** The nodes of a graph that runs within this one, in their order: it saves checkpoints of its own. */
  subgraph?: readonly string[];
  work(job: Job): Work | Promise<Work>;
}

/** What was found, and how sure it is, from 0 to 1. */
type Findings = Map<string, number>;

interface Draft {
  text: string;
  cites: Set<string>;
}

interface Critique {
  score: number;
  objections: Set<string>;
  readAt: Date;
}

const FINDINGS = {
  "search-papers": new Map([
    ["two sleep stages", 0.97],
    ["replays", 0.92],
  ]),
  "search-films": new Map([["changing skin", 0.88]]),
  "search-keepers": new Map([["twitching arms", 0.41]]),
} satisfies Record<string, Findings>;

const SEARCHES = Object.keys(FINDINGS);

const PASSING_SCORE = 80;

export const FIRST_NODE = "plan";

export const NODES: Readonly<Record<string, PipelineNode>> = {
  plan: { milliseconds: 150, work: plan },
  "search-papers": { milliseconds: 240, work: (job) => search(job, "search-papers") },
  "search-films": { milliseconds: 130, work: (job) => search(job, "search-films") },
  "search-keepers": { milliseconds: 190, work: (job) => search(job, "search-keepers") },
  // A graph of its own, with a "plan" that is not the outer one's: a resumed run must not take it for that.
  write: { milliseconds: 90, subgraph: ["plan", "polish"], work: write },
  critique: { milliseconds: 160, work: critique },
  publish: { milliseconds: 100, work: publish },
};

async function plan({ say }: Job): Promise<Work> {
  await say({
    role: "assistant",
    content: "I will ask three sources at once.",
    toolCalls: SEARCHES.map((name) => ({ name, toolUseId: name, input: { query: QUESTION } })),
  });
  return {
    output: { startedOn: new Date(), lookFor: new Set(["sleep", "skin"]) },
    note: `${SEARCHES.length} sources to ask`,
    next: SEARCHES,
  };
}

async function search({ say }: Job, source: keyof typeof FINDINGS): Promise<Work> {
  const findings: Findings = FINDINGS[source];
  const content = [...findings.keys()].join("; ");
  await say({ role: "tool", toolResults: [{ toolUseId: source, content, status: "success" }] });
  return { output: findings, note: content, next: ["write"] };
}

function write({ results, style, draft }: Job): Work {
  const cites = new Set(reliable(SEARCHES.map((source) => outputOf(results, source, isFindings))));
  const objections = results.critique && outputOf(results, "critique", isCritique).objections;
  const hasExample = style === "bedtime story" || objections?.has("no example") === true;
  return {
    output: { text: textOf(style, hasExample), cites } satisfies Draft,
    note: `draft ${draft}, ${style}, ${cites.size} findings cited`,
    next: ["critique"],
  };
}

function textOf(style: Style, hasExample: boolean): string {
  if (style === "bedtime story") {
    return "Tilly curled up, and blushed in her sleep.";
  }
  return hasExample ? "Perhaps they do. One blushed in its sleep." : "Perhaps they do.";
}

async function critique({ results, say }: Job): Promise<Work> {
  const { text, cites } = outputOf(results, "write", isDraft);
  const objections = new Set(text.includes("blushed") ? [] : ["no example"]);
  const score = 31 + 20 * cites.size - 29 * objections.size;
  const hasPassed = score >= PASSING_SCORE;
  const verdict = hasPassed ? "passed" : `back to write: ${[...objections].join(", ")}`;
  await say({ role: "assistant", content: `${score} of 100, ${verdict}` });
  return {
    output: { score, objections, readAt: new Date() } satisfies Critique,
    note: `${score} of 100, ${verdict}`,
    next: hasPassed ? ["publish"] : ["write"],
  };
}

async function publish({ results, say }: Job): Promise<Work> {
  const { text } = outputOf(results, "write", isDraft);
  const { readAt } = outputOf(results, "critique", isCritique);
  await say({ role: "assistant", content: text });
  const output = { publishedAt: new Date(), milliseconds: Date.now() - readAt.getTime() };
  return { output, note: `“${text}”`, next: [] };
}

function reliable(found: readonly Findings[]): string[] {
  return found.flatMap((findings) =>
    [...findings].filter(([, certainty]) => certainty > 0.5).map(([name]) => name),
  );
}

function outputOf<T>(results: NodeResults, node: string, accepts: (value: unknown) => value is T): T {
  const output = results[node]?.output;
  if (!accepts(output)) {
    throw new Error(`The output of ${node} is not what it was when it was saved.`);
  }
  return output;
}

function isFindings(value: unknown): value is Findings {
  return value instanceof Map;
}

function isDraft(value: unknown): value is Draft {
  return isObject(value) && typeof value.text === "string" && value.cites instanceof Set;
}

function isCritique(value: unknown): value is Critique {
  return isObject(value) && value.objections instanceof Set && value.readAt instanceof Date;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
