/** What may be in a cell of a damaged or hostile file. */
import type { SQLQueryBindings } from "bun:sqlite";
import { JsonPlusSerializer } from "@obsku/checkpoint-sqlite";
import { exoticValues } from "../../support/exotic-values.js";
import type { Random } from "./random.js";

export interface HostileCell {
  /** As the report groups them. */
  readonly kind: string;
  readonly content: SQLQueryBindings;
  /** What a structured column must read from it; without it, JSON.parse decides. */
  readonly value?: unknown;
}

const TAGS = [
  ...["Date", "Map", "Set", "Buffer", "js:undefined", "js:bigint", "js:number", "js:RegExp", "js:URL"],
  ...[
    "js:Error",
    "js:ArrayBuffer",
    "js:Uint8Array",
    "js:Float64Array",
    "js:DataView",
    "js:object",
    "js:unknown",
  ],
];
const WRONG_VALUES = [
  "null",
  "5",
  '"text"',
  "[1,2]",
  "{}",
  "[[1]]",
  '{"__type":"Map","value":3}',
  '"\\u0000"',
  "1e999",
];

const serializer = new JsonPlusSerializer();

export const HOSTILE_CELLS: readonly HostileCell[] = [
  ...[
    "",
    "{",
    "[",
    '{"a":',
    "nul",
    "{}x",
    "'",
    "\u0000",
    "\ufeff{}",
    "{'a':1}",
    "[1,]",
    "NaN",
    "undefined",
  ].map(cell("text that is no JSON")),
  ...[
    "{}",
    "[]",
    "null",
    "true",
    "0",
    '""',
    "[null]",
    "[{}]",
    '{"a":null}',
    '[{"name":5}]',
    "1e400",
    "[1e400]",
  ].map(cell("JSON of another shape")),
  ...hostileKeys().map(cell("keys like __proto__")),
  ...TAGS.flatMap((tag) => WRONG_VALUES.map((value) => `{"a":{"__type":"${tag}","value":${value}}}`)).map(
    cell("known tags with any value"),
  ),
  ...TAGS.map((tag) => `{"__type":"${tag}"}`).map(cell("known tags with any value")),
  ...[100, 1_000, 5_000].map((depth) => nested(depth)).map(cell("deep nesting")),
  ...["[".repeat(100_000), '{"a":'.repeat(100_000), nested(200_000)].map(cell("deep nesting")),
  ...[0, -1, 1.5, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 1e308, Number.POSITIVE_INFINITY].map(
    cell("numbers, also beyond 2^53"),
  ),
  ...[new Uint8Array(0), new Uint8Array([0]), new Uint8Array([255, 254]), Buffer.from('{"a":1}')].map(
    cell("blobs"),
  ),
  { kind: "NULL", content: null },
  ...exoticValues.map(({ make }) => {
    const value = { exotic: make() };
    return { kind: "exotic values in the wire format", content: serializer.serialize(value), value };
  }),
];

export function randomCell(random: Random): HostileCell {
  const length = random.below(random.chance(0.1) ? 5_000 : 60);
  return random.pick([
    () => ({ kind: "random bytes as blob", content: random.bytes(length) }),
    () => ({ kind: "random bytes as text", content: new TextDecoder().decode(random.bytes(length)) }),
    () => ({ kind: "truncated wire format", content: truncated(random) }),
    () => ({ kind: "wire format with bytes changed", content: changed(random) }),
    () => ({ kind: "random numbers", content: (random.fraction() - 0.5) * 10 ** random.below(40) }),
  ])();
}

/** A text in the wire format, cut off somewhere. */
function truncated(random: Random): string {
  const text = wireText(random);
  return text.slice(0, random.below(text.length));
}

/** A text in the wire format with some of its characters replaced, left out or doubled. */
export function changed(random: Random): string {
  let text = wireText(random);
  for (let times = random.between(1, 3); times > 0; times--) {
    const at = random.below(text.length + 1);
    const inserted = random.pick([
      '"',
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "0",
      "a",
      "\\",
      "\u0000",
      "__type",
      "-",
      "",
    ]);
    text = text.slice(0, at) + inserted + text.slice(at + random.below(3));
  }
  return text;
}

function wireText(random: Random): string {
  return serializer.serialize({ a: random.pick(exoticValues).make(), b: [random.pick(exoticValues).make()] });
}

function cell(kind: string): (content: SQLQueryBindings) => HostileCell {
  return (content) => ({ kind, content });
}

function hostileKeys(): string[] {
  const keys = [
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "toJSON",
    "then",
    "length",
  ];
  return [
    ...keys.map((key) => `{"${key}":{"polluted":true}}`),
    '{"__proto__":{"__type":"Date","value":"2026-01-01T00:00:00.000Z"}}',
    '{"__proto__":{"__proto__":{"polluted":true}}}',
    '{"\\u005f_proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"a":{"__type":"js:Error","value":{"name":"x","message":"y","fields":{"__proto__":{"polluted":true}}}}}',
    '{"a":{"__type":"js:object","value":{"__type":"Date","__proto__":{"polluted":true}}}}',
    '[{"name":"n","toolUseId":"t","input":{"__proto__":{"polluted":true}}}]',
    '{"__proto__":{"status":"completed"},"n":{"status":"completed","output":{"__proto__":{"polluted":true}}}}',
  ];
}

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}
