/**
 * Node results to the text of their column and back, with large outputs apart.
 *
 * Each output becomes text once. One of at least {@link SHARING.threshold} characters is left out of the column, where a
 * reference to its hash stands instead; status, error and times stay where SQL finds them.
 */
import { CheckpointCorruptionError } from "../errors.js";
import { decode, decodeParsed, parse } from "../json-plus/decode.js";
import { encode } from "../json-plus/encode.js";
import { NOT_PLAIN, plainCopy } from "../json-plus/plain.js";
import { TAG, TYPE_KEY } from "../json-plus/tags.js";
import { EncodedValue, readBack, stringify } from "../json-plus/text.js";
import type { CheckpointNodeResult } from "../types.js";
import { rejectIssue, validated, withinArgument } from "../validation/arguments.js";
import type { Schema } from "../validation/schema.js";
import { messageOf } from "../values/describe.js";
import { isObject } from "../values/is-object.js";
import type { OutputCache } from "./output-cache.js";
import { hashOf } from "./pieces.js";
import { hashReferredTo, referenceTo } from "./references.js";

/** Not an option: files of any threshold are read alike. Tests lower it, so that every output is shared. */
export const SHARING = {
  /**
   * The shortest output that is kept apart, in characters of its text. Measured with 100 outputs of 1 KB over 100 waves: the file
   * has 10 times their size, instead of 52 times if they are written whole.
   */
  threshold: 1_024,
};

/** JSON writes at most six characters for one, as in `\u0000`, and two quotes. */
const LONGEST_ESCAPE = 6;
const QUOTES = 2;

/** A large output, apart from its row. */
export interface SharedOutput {
  hash: string;
  /** In the wire format. Made again when it is asked for, if the hash was known without it. */
  text: () => string;
}

/** The text has references, the value has the outputs themselves. */
export class EncodedNodeResults extends EncodedValue {
  constructor(
    text: string,
    value: unknown,
    readonly outputs: readonly SharedOutput[],
  ) {
    super(text, value);
  }
}

export function encodeNodeResults(
  argument: string,
  value: unknown,
  schema: Schema<Record<string, CheckpointNodeResult>>,
  cache: OutputCache,
): EncodedNodeResults {
  const given = validated(argument, value, schema);
  const copy = plainCopy(given);
  if (copy !== NOT_PLAIN) {
    const { text, outputs } = new Splitter(cache).split(copy);
    return new EncodedNodeResults(text, copy, outputs);
  }
  const { text, outputs } = withinArgument(argument, () => splitIfShallow(encode(given), cache));
  const texts = new Map(outputs.map((output) => [output.hash, output.text()]));
  const reader = { load: () => {}, read: (hash: string) => decode(texts.get(hash) ?? "null") };
  const result = withinArgument(argument, () => readBack(() => decodeNodeResults(text, reader)));
  rejectIssue(argument, result, schema);
  return new EncodedNodeResults(text, result, outputs);
}

/** SQLite reads JSON of up to 1,000 levels. In a row that is deeper, SQL would not find the references. */
const DEEPEST_IN_SQLITE = 1_000;

/** Whether SQL finds the references in a column of this text. */
export function isReadInSql(nodeResults: string): boolean {
  return !isDeeperThan(parse(nodeResults), DEEPEST_IN_SQLITE);
}

function splitIfShallow(encoded: unknown, cache: OutputCache): SplitNodeResults {
  const split = new Splitter(cache).split(encoded);
  return split.outputs.length > 0 && !isReadInSql(split.text)
    ? { text: stringify(encoded, encoded), outputs: [] }
    : split;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    (levels === 0 || Object.values(value).some((part) => isDeeperThan(part, levels - 1)))
  );
}

/** Finds the outputs that rows refer to. */
export interface OutputReader {
  /** Makes outputs ready to be read, all at once. */
  load(hashes: readonly string[]): void;
  /** Decoded for the caller alone. @throws if it was not found. */
  read(hash: string): unknown;
}

/** @throws {CheckpointCorruptionError} naming the node and the hash of an output that cannot be read. */
export function decodeNodeResults(text: string, outputs: OutputReader): unknown {
  const parsed = parse(text);
  const references = takeReferences(parsed);
  const decoded = decodeParsed(parsed, text);
  outputs.load(references.map(({ hash }) => hash));
  for (const { result, nodeId, hash } of references) {
    result.output = readOutput(outputs, nodeId, hash);
  }
  return decoded;
}

function readOutput(outputs: OutputReader, nodeId: string, hash: string): unknown {
  try {
    return outputs.read(hash);
  } catch (error) {
    const reason = error instanceof CheckpointCorruptionError ? error.reason : messageOf(error);
    throw new CheckpointCorruptionError(`output of node ${JSON.stringify(nodeId)}, hash ${hash}: ${reason}`, {
      cause: error,
    });
  }
}

interface Reference {
  result: Record<string, unknown>;
  nodeId: string;
  hash: string;
}

/** Puts `null` in place of each reference, which no decoder would take for an output. Decoding leaves the node's object in place. */
function takeReferences(parsed: unknown): Reference[] {
  const references: Reference[] = [];
  const nodes = nodesOf(parsed);
  for (const nodeId of Object.keys(nodes)) {
    const result: unknown = nodes[nodeId];
    if (isPlainNode(result)) {
      const hash = hashReferredTo(result.output);
      if (hash !== undefined) {
        result.output = null;
        references.push({ result, nodeId, hash });
      }
    }
  }
  return references;
}

/** By node id. Where a node's id is `__type`, they are wrapped. */
function nodesOf(encoded: unknown): Record<string, unknown> {
  if (!isObject(encoded)) {
    return {};
  }
  return encoded[TYPE_KEY] === TAG.object && isObject(encoded.value) ? encoded.value : encoded;
}

/** Not one that is wrapped because it has a `__type` field of its own. */
function isPlainNode(result: unknown): result is Record<string, unknown> {
  return isObject(result) && !Object.hasOwn(result, TYPE_KEY) && Object.hasOwn(result, "output");
}

interface SplitNodeResults {
  text: string;
  outputs: readonly SharedOutput[];
}

class Splitter {
  readonly #cache: OutputCache;
  readonly #outputs: SharedOutput[] = [];

  constructor(cache: OutputCache) {
    this.#cache = cache;
  }

  /** @param encoded What JSON can write: every output in it becomes text here, once. */
  split(encoded: unknown): SplitNodeResults {
    const nodes = nodesOf(encoded);
    if (Object.values(nodes).every(isSmallNode)) {
      return { text: stringify(encoded, encoded), outputs: [] };
    }
    const parts = Object.keys(nodes).map(
      (nodeId) => `${JSON.stringify(nodeId)}:${this.#textOf(nodes[nodeId])}`,
    );
    const text = `{${parts.join(",")}}`;
    return { text: nodes === encoded ? text : wrapped(text), outputs: this.#outputs };
  }

  #textOf(result: unknown): string {
    if (!isPlainNode(result) || isSmall(result.output)) {
      return stringify(result, result);
    }
    const parts = Object.keys(result).map((key) => {
      const text = key === "output" ? this.#outputText(result.output) : stringify(result[key], result[key]);
      return `${JSON.stringify(key)}:${text}`;
    });
    return `{${parts.join(",")}}`;
  }

  /** The output's text, or that of a reference to it. */
  #outputText(output: unknown): string {
    const known = typeof output === "string" ? this.#cache.hashOf(output) : undefined;
    if (known !== undefined) {
      return this.#share({ hash: known, text: () => JSON.stringify(output) });
    }
    const text = stringify(output, output);
    if (!isKeptApart(text)) {
      return text;
    }
    return this.#share({ hash: hashOf(text), text: () => text });
  }

  #share(output: SharedOutput): string {
    this.#outputs.push(output);
    return JSON.stringify(referenceTo(output.hash));
  }
}

/** Whether an output of this text is shared. */
export function isKeptApart(text: string): boolean {
  // A lone surrogate, which only `JSON.rawJSON` leaves unescaped, has no UTF-8: the hash would be that of another text.
  return text.length >= SHARING.threshold && text.isWellFormed();
}

function isSmallNode(result: unknown): boolean {
  return !isPlainNode(result) || isSmall(result.output);
}

/** Whether an output is too short to be shared, as far as that is seen without making its text. */
function isSmall(output: unknown): boolean {
  return typeof output === "string"
    ? output.length * LONGEST_ESCAPE + QUOTES < SHARING.threshold
    : typeof output !== "object" || output === null;
}

function wrapped(text: string): string {
  return `{"${TYPE_KEY}":"${TAG.object}","value":${text}}`;
}
