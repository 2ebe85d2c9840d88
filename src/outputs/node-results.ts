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

/** What JSON writes, in characters: a word is at most `false`. */
const LONGEST_NUMBER = 25;
const LONGEST_WORD = 5;
const QUOTES = 2;
const BRACKETS = 2;
const COLON = 1;
const COMMA = 1;

/** A short text that has nothing to escape. */
const WORDS = /^[\w -]{0,32}$/;

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
    const { text, outputs } = split(copy, cache);
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
  const found = split(encoded, cache);
  return found.outputs.length > 0 && !isReadInSql(found.text)
    ? { text: stringify(encoded, encoded), outputs: [] }
    : found;
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

/** @param encoded What JSON can write. */
function split(encoded: unknown, cache: OutputCache): SplitNodeResults {
  const nodes = nodesOf(encoded);
  const outputs: SharedOutput[] = [];
  let withReferences: Record<string, unknown> | undefined;
  for (const nodeId of Object.keys(nodes)) {
    const result = nodes[nodeId];
    if (!isPlainNode(result)) {
      continue;
    }
    const output = sharedOutput(result.output, cache);
    if (output !== undefined) {
      outputs.push(output);
      withReferences ??= { ...nodes };
      withReferences[nodeId] = { ...result, output: referenceTo(output.hash) };
    }
  }
  // One call for the whole row takes a fraction of the time of one per node and field.
  const row = withReferences === undefined ? encoded : rewrapped(encoded, nodes, withReferences);
  return { text: stringify(row, encoded), outputs };
}

/** Whether an output of this text is shared. */
export function isKeptApart(text: string): boolean {
  // A lone surrogate, which only `JSON.rawJSON` leaves unescaped, has no UTF-8: the hash would be that of another text.
  return text.length >= SHARING.threshold && text.isWellFormed();
}

/** `undefined` if the output stays in its row. */
function sharedOutput(output: unknown, cache: OutputCache): SharedOutput | undefined {
  if (isSmall(output)) {
    return undefined;
  }
  const known = typeof output === "string" ? cache.hashOf(output) : undefined;
  if (known !== undefined) {
    return { hash: known, text: () => JSON.stringify(output) };
  }
  const text = stringify(output, output);
  return isKeptApart(text) ? { hash: hashOf(text), text: () => text } : undefined;
}

function rewrapped(encoded: unknown, nodes: unknown, split: unknown): unknown {
  return encoded === nodes || !isObject(encoded) ? split : { ...encoded, value: split };
}

/** Whether an output is too short to be shared, if that is certain without making its text. */
function isSmall(output: unknown): boolean {
  return typeof output === "string" || (typeof output === "object" && output !== null)
    ? roomAfter(output, SHARING.threshold - 1) >= 0
    : true;
}

/** How many of so many characters are left after the value's text, at worst; negative if it might not fit. */
function roomAfter(value: unknown, room: number): number {
  switch (typeof value) {
    case "string":
      return value.length > room ? -1 : roomAfterString(value, room);
    case "number":
      return room - LONGEST_NUMBER;
    case "object":
      return roomAfterObject(value, room);
    default:
      return room - LONGEST_WORD;
  }
}

function roomAfterObject(value: object | null, room: number): number {
  if (Array.isArray(value)) {
    return roomAfterList(value, room);
  }
  return isObject(value) ? roomAfterRecord(value, room) : room - LONGEST_WORD;
}

/** `JSON.stringify` is the fastest way to find what must be escaped, except in a short text. */
function roomAfterString(value: string, room: number): number {
  return room - (WORDS.test(value) ? value.length + QUOTES : JSON.stringify(value).length);
}

function roomAfterList(list: readonly unknown[], room: number): number {
  let left = room - BRACKETS;
  for (let index = 0; index < list.length && left >= 0; index++) {
    left = roomAfter(list[index], left - COMMA);
  }
  return left;
}

function roomAfterRecord(record: Record<string, unknown>, room: number): number {
  let left = room - BRACKETS;
  for (const key in record) {
    left = roomAfter(record[key], roomAfterString(key, left - COLON - COMMA));
    if (left < 0) {
      return left;
    }
  }
  return left;
}
