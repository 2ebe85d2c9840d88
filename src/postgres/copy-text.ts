/** The text format of PostgreSQL's COPY: a row per line, columns between tabs, `\N` for NULL. */
import type { Value } from "./tables.js";

const NULL = "\\N";

const SPECIAL = /[\\\t\n\r]/;
const ALL_SPECIAL = /[\\\t\n\r]/g;

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** The line of a row, with its line break. */
export function lineOf(values: readonly Value[]): string {
  return `${values.map(fieldOf).join("\t")}\n`;
}

function fieldOf(value: Value): string {
  if (value === null) {
    return NULL;
  }
  if (typeof value === "string") {
    return SPECIAL.test(value) ? value.replace(ALL_SPECIAL, (character) => ESCAPES[character] ?? "") : value;
  }
  if (value instanceof Uint8Array) {
    return `\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
  }
  return String(value);
}

/** The columns of a line without its line break: text as PostgreSQL writes each value. */
export function fieldsOf(line: string): (string | null)[] {
  return line.split("\t").map((field) => (field === NULL ? null : unescaped(field)));
}

const ESCAPED = /\\(.)/g;

const UNESCAPED: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unescaped(field: string): string {
  return field.includes("\\")
    ? field.replace(ESCAPED, (_, character: string) => UNESCAPED[character] ?? character)
    : field;
}

const LINE_BREAK = 10;

/** The lines in chunks of bytes that end anywhere. A line break in a value is escaped, so each that is found ends a row. */
export async function* linesIn(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let begun: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_BREAK); end !== -1; end = chunk.indexOf(LINE_BREAK, start)) {
      yield textOf([...begun, chunk.subarray(start, end)]);
      begun = [];
      start = end + 1;
    }
    if (start < chunk.length) {
      begun.push(chunk.slice(start)); // A copy: the next chunk may reuse the memory.
    }
  }
}

/** `Buffer` keeps a byte order mark at the beginning, which `TextDecoder` drops. */
function textOf(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString("utf8");
}
