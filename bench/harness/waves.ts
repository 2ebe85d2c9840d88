/**
 * States as a run leaves them wave after wave: what was there before stays, and little is new.
 *
 * No text repeats itself or another, so that whoever keeps equal texts once gains nothing that a real run would not give.
 */
import type { CheckpointNodeResult, NewCheckpoint } from "../../src/types.js";
import { newText } from "./data.js";

/** A text, or what JSON has to write and parse field by field. */
export type OutputForm = "text" | "records";

/** So many nodes, each with an output of so many characters. */
export interface State {
  nodes: number;
  characters: number;
  form: OutputForm;
}

/** What a run's waves do. */
export type RunShape =
  /** Each wave completes the next node; after the last one the first is completed again, as in a loop of critics. */
  | { kind: "nodes"; nodes: number; characters: number }
  /** One node's output is a list, which gets an entry of so many characters in each wave. */
  | { kind: "list"; characters: number };

export type NodeResults = Record<string, CheckpointNodeResult>;

export function stateOf({ nodes, characters, form }: State): NodeResults {
  return Object.fromEntries(
    Array.from({ length: nodes }, (_, node) => [nameOf(node), resultOf(node, newOutput(characters, form))]),
  );
}

/** The state after so many further waves, in each of which so many outputs have changed. */
export function changedStates(
  before: NodeResults,
  state: State,
  changed: number,
  waves: number,
): NodeResults[] {
  let latest = before;
  return Array.from({ length: waves }, (_, wave) => {
    latest = { ...latest };
    for (let index = 0; index < changed; index++) {
      const node = (wave * changed + index) % state.nodes;
      latest[nameOf(node)] = resultOf(node, newOutput(state.characters, state.form));
    }
    return latest;
  });
}

/** The state after each wave of a run. */
export function statesOfRun(shape: RunShape, waves: number): NodeResults[] {
  let latest: NodeResults = {};
  const entries: string[] = [];
  return Array.from({ length: waves }, (_, wave) => {
    const text = newText(shape.characters);
    if (shape.kind === "list") {
      entries.push(text);
      latest = { [nameOf(0)]: resultOf(0, [...entries]) };
    } else {
      const node = wave % shape.nodes;
      latest = { ...latest, [nameOf(node)]: resultOf(node, text) };
    }
    return latest;
  });
}

export function checkpointOfState(
  nodeResults: NodeResults,
  sessionId: string,
  version: number,
): NewCheckpoint {
  return {
    sessionId,
    namespace: "",
    version,
    step: version,
    source: "loop",
    nodeResults,
    pendingNodes: ["review"],
  };
}

function nameOf(node: number): string {
  return `node-${node}`;
}

function resultOf(node: number, output: unknown): CheckpointNodeResult {
  return {
    status: "completed",
    output,
    startedAt: 1_750_000_000_000 + node,
    completedAt: 1_750_000_000_100 + node,
  };
}

const CHARACTERS_OF_RECORD = 200;

function newOutput(characters: number, form: OutputForm): unknown {
  return form === "text"
    ? newText(characters)
    : Array.from({ length: Math.ceil(characters / CHARACTERS_OF_RECORD) }, newRecord);
}

/** About 200 characters of JSON. */
function newRecord(_: unknown, index: number) {
  return {
    id: index,
    severity: index % 3 === 0 ? "high" : "low",
    confirmed: index % 2 === 0,
    score: index / 7,
    tags: ["host", "dns"],
    note: newText(96),
  };
}
