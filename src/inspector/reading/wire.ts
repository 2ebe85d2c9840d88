/**
 * Looks into values in the wire format without decoding them: a damaged or hostile value is only looked at, never built.
 *
 * Limits: the whole text of a value is parsed, so callers bound its length first.
 */
import { TAG, TYPE_KEY } from "../../json-plus/tags.js";
import { isObject } from "../../values/is-object.js";
import type { Part, ValueNode } from "../answers.js";

/** Parts of one value in one answer; the rest is asked for with an offset. */
export const PARTS_PER_ANSWER = 100;

/** Characters of one text in one answer. */
const TEXT_PER_ANSWER = 2_000;

/** Characters of a text that was asked for by itself. */
export const LONGEST_TEXT = 200_000;

const DEPTH = 4;
const NODES_PER_ANSWER = 1_000;
const FIRST_BYTES = 32;

/** A part of a value, still in the wire format. */
export interface WirePart {
  key: string;
  mapKey?: { wire: unknown };
  wire: unknown;
}

/** The parts of a container; `undefined` for a value without parts. */
export function partsOf(wire: unknown): WirePart[] | undefined {
  if (Array.isArray(wire)) {
    return indexed(wire);
  }
  if (!isObject(wire)) {
    return undefined;
  }
  const { value } = wire;
  switch (tagOf(wire)) {
    case undefined:
      return members(wire);
    case TAG.object:
      return isObject(value) ? members(value) : members(wire);
    case TAG.error:
      return isObject(value) ? errorParts(value) : members(wire);
    case TAG.set:
      return Array.isArray(value) ? indexed(value) : members(wire);
    case TAG.map:
      return Array.isArray(value) && value.every(isPair) ? value.map(mapPart) : members(wire);
    default:
      return isScalarTag(wire) ? undefined : members(wire);
  }
}

/** The kind of a value, as the page names it. */
export function typeOf(wire: unknown): string {
  if (wire === null) {
    return "null";
  }
  if (Array.isArray(wire)) {
    return "array";
  }
  if (!isObject(wire)) {
    return typeof wire;
  }
  const tag = tagOf(wire);
  if (tag === undefined || tag === TAG.object || !isKnown(wire, tag)) {
    return "object";
  }
  return tag.replace(/^js:/, "");
}

/** A value with as much of its parts as one answer holds. */
export function toValueNode(wire: unknown, { offset = 0, longestText = TEXT_PER_ANSWER } = {}): ValueNode {
  return new Reader(longestText).read(wire, DEPTH, offset);
}

/** The value at a path of positions among parts; a Map's keys are not on any path. */
export function at(wire: unknown, path: readonly number[]): unknown {
  return path.reduce((value: unknown, position) => partsOf(value)?.[position]?.wire, wire);
}

class Reader {
  #left = NODES_PER_ANSWER;

  constructor(readonly longestText: number) {}

  read(wire: unknown, depth: number, offset: number): ValueNode {
    this.#left -= 1;
    const type = typeOf(wire);
    const parts = partsOf(wire);
    if (parts === undefined) {
      return this.#scalar(type, wire);
    }
    const node: ValueNode = { type, size: parts.length };
    if (depth > 0 && this.#left > 0) {
      node.parts = this.#parts(parts.slice(offset, offset + PARTS_PER_ANSWER), depth - 1);
    }
    return node;
  }

  #parts(parts: readonly WirePart[], depth: number): Part[] {
    const read: Part[] = [];
    for (const { key, mapKey, wire } of parts) {
      if (this.#left <= 0) {
        break;
      }
      const part: Part = { key: shortened(key), value: this.read(wire, depth, 0) };
      if (mapKey !== undefined) {
        part.mapKey = this.read(mapKey.wire, Math.min(depth, 1), 0);
      }
      read.push(part);
    }
    return read;
  }

  #scalar(type: string, wire: unknown): ValueNode {
    if (typeof wire === "string") {
      return { type, text: wire.slice(0, this.longestText), size: wire.length };
    }
    if (!isObject(wire)) {
      return { type, text: String(wire) };
    }
    const { value } = wire;
    if (isBytes(tagOf(wire)) && typeof value === "string") {
      return { type, text: firstBytes(value), size: bytesOfBase64(value) };
    }
    if (type === "RegExp" && Array.isArray(value)) {
      return { type, text: `/${String(value[0])}/${String(value[1])}`.slice(0, this.longestText) };
    }
    const text = type === "undefined" ? "undefined" : String(value);
    return { type, text: text.slice(0, this.longestText), size: text.length };
  }
}

function tagOf(wire: Record<string, unknown>): string | undefined {
  const tag = Object.hasOwn(wire, TYPE_KEY) ? wire[TYPE_KEY] : undefined;
  return typeof tag === "string" ? tag : undefined;
}

const SCALAR_TAGS: ReadonlySet<string> = new Set([
  TAG.date,
  TAG.undefined,
  TAG.bigint,
  TAG.number,
  TAG.regExp,
  TAG.url,
]);

function isScalarTag(wire: Record<string, unknown>): boolean {
  const tag = tagOf(wire);
  return tag !== undefined && Object.hasOwn(wire, "value") && (SCALAR_TAGS.has(tag) || isBytes(tag));
}

function isKnown(wire: Record<string, unknown>, tag: string): boolean {
  switch (tag) {
    case TAG.set:
      return Array.isArray(wire.value);
    case TAG.map:
      return Array.isArray(wire.value) && wire.value.every(isPair);
    case TAG.error:
      return isObject(wire.value);
    default:
      return isScalarTag(wire);
  }
}

/** A Buffer, an ArrayBuffer, or a view of one. */
function isBytes(tag: string | undefined): boolean {
  return tag === TAG.buffer || (tag !== undefined && /^js:(ArrayBuffer|DataView|\w+Array)$/.test(tag));
}

function isPair(entry: unknown): entry is [unknown, unknown] {
  return Array.isArray(entry) && entry.length === 2;
}

function indexed(values: readonly unknown[]): WirePart[] {
  return values.map((wire, index) => ({ key: String(index), wire }));
}

function members(value: object): WirePart[] {
  return Object.entries(value).map(([key, wire]) => ({ key, wire }));
}

function mapPart([key, wire]: [unknown, unknown], index: number): WirePart {
  return { key: String(index), mapKey: { wire: key }, wire };
}

function errorParts({ fields, ...parts }: Record<string, unknown>): WirePart[] {
  return [...members(parts), ...(isObject(fields) ? members(fields) : [])];
}

function firstBytes(base64: string): string {
  const start = Buffer.from(base64.slice(0, Math.ceil(FIRST_BYTES / 3) * 4), "base64");
  return start.subarray(0, FIRST_BYTES).toString("hex");
}

function bytesOfBase64(base64: string): number {
  return Buffer.byteLength(base64, "base64");
}

function shortened(key: string): string {
  return key.length > TEXT_PER_ANSWER ? `${key.slice(0, TEXT_PER_ANSWER)}…` : key;
}
