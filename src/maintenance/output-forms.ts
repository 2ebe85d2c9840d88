/**
 * The two forms of a checkpoint's `node_results`: whole, and with references in place of large outputs.
 *
 * Works on the text: what is not an output stays as it is written, and an output is kept as it was written.
 */
import { CheckpointCorruptionError } from "../errors.js";
import { TAG, TYPE_KEY } from "../json-plus/tags.js";
import { isKeptApart, isReadInSql, type SharedOutput } from "../outputs/node-results.js";
import { hashOf } from "../outputs/pieces.js";
import { hashReferredTo, REFERENCE_START, referenceTo } from "../outputs/references.js";
import type { OutputsTable } from "../tables/outputs.js";
import { memberSpans, type Span } from "./json-members.js";

/** With references, and the outputs that they stand for. */
export interface SharedForm {
  text: string;
  outputs: SharedOutput[];
}

/** Shares the outputs that a save would share. Those that are shared already stay so. */
export function sharedForm(nodeResults: string): SharedForm {
  const large = outputsIn(nodeResults)
    .filter(({ text }) => isKeptApart(text) && hashIn(text) === undefined)
    .map((output) => ({ ...output, hash: hashOf(output.text) }));
  const text = replaced(nodeResults, large, ({ hash }) => JSON.stringify(referenceTo(hash)));
  return large.length > 0 && isReadInSql(text)
    ? { text, outputs: large.map((output) => ({ hash: output.hash, text: () => output.text })) }
    : { text: nodeResults, outputs: [] };
}

/**
 * With every output in its place.
 *
 * @throws {CheckpointCorruptionError} for a reference to an output that the session does not have, or not as it was saved.
 */
export function wholeForm(nodeResults: string, sessionId: string, stored: OutputsTable): string {
  if (!nodeResults.includes(REFERENCE_START)) {
    return nodeResults;
  }
  const references = outputsIn(nodeResults).flatMap((output) => {
    const hash = hashIn(output.text);
    return hash === undefined ? [] : [{ ...output, hash }];
  });
  const texts = stored.texts(sessionId, new Set(references.map(({ hash }) => hash)));
  return replaced(nodeResults, references, ({ hash }) => {
    const text = texts.get(hash);
    if (text === undefined) {
      throw new CheckpointCorruptionError(
        `the output ${hash} that a checkpoint refers to is missing or damaged`,
      );
    }
    return text;
  });
}

function hashIn(output: string): string | undefined {
  return output.startsWith(REFERENCE_START) ? hashReferredTo(JSON.parse(output)) : undefined;
}

/** @param spans In their order. */
function replaced<T extends Span>(text: string, spans: readonly T[], change: (span: T) => string): string {
  let [result, end] = ["", 0];
  for (const span of spans) {
    result += text.slice(end, span.start) + change(span);
    end = span.end;
  }
  return result + text.slice(end);
}

interface Output extends Span {
  text: string;
}

/** In the order of the text; none in one that is not an object of nodes. */
function outputsIn(nodeResults: string): Output[] {
  if (!isObject(nodeResults)) {
    return [];
  }
  return nodesIn(nodeResults)
    .flatMap(({ start }) => (nodeResults[start] === "{" ? outputIn(memberSpans(nodeResults, start)) : []))
    .toSorted((one, other) => one.start - other.start)
    .map(({ start, end }) => ({ start, end, text: nodeResults.slice(start, end) }));
}

/** Nodes are wrapped if one of them is called `__type`. */
function nodesIn(nodeResults: string): Span[] {
  const members = memberSpans(nodeResults, 0);
  const [tag, value] = [members.get(TYPE_KEY), members.get("value")];
  const isWrapped = tag !== undefined && nodeResults.slice(tag.start, tag.end) === JSON.stringify(TAG.object);
  if (!isWrapped || value === undefined) {
    return [...members.values()];
  }
  return nodeResults[value.start] === "{" ? [...memberSpans(nodeResults, value.start).values()] : [];
}

/** A node that is wrapped because it has a `__type` of its own is left alone, as a save leaves it. */
function outputIn(node: ReadonlyMap<string, Span>): Span[] {
  const output = node.get("output");
  return output === undefined || node.has(TYPE_KEY) ? [] : [output];
}

function isObject(text: string): boolean {
  try {
    JSON.parse(text);
    return text.trimStart().startsWith("{");
  } catch {
    return false;
  }
}
