/** Where the members of a JSON object stand in its text: numbers such as `-0` or `1e400` would not survive being parsed. */

const BETWEEN_MEMBERS = /[\s,]*/y;
const BEFORE_VALUE = /[\s:]*/y;
/** Up to the next character that may begin or end something. */
const PLAIN = /[^"{}[\],]*/y;

/** Where a value stands in a text. */
export interface Span {
  start: number;
  end: number;
}

/**
 * By name, as they are written. Of several members with one name the last counts, as `JSON.parse` has it.
 *
 * @param text A JSON object, valid as `JSON.parse` has found.
 */
export function rawMembers(text: string): Map<string, string> {
  const spans = memberSpans(text, 0);
  return new Map([...spans].map(([name, { start, end }]) => [name, text.slice(start, end)]));
}

/** Likewise, where they stand. @param from Where the object begins, or blanks before it. */
export function memberSpans(text: string, from: number): Map<string, Span> {
  const members = new Map<string, Span>();
  let at = endOf(BETWEEN_MEMBERS, text, text.indexOf("{", from) + 1);
  while (text[at] === '"') {
    const nameEnd = endOfString(text, at);
    const start = endOf(BEFORE_VALUE, text, nameEnd);
    const end = endOfValue(text, start);
    const name = String(JSON.parse(text.slice(at, nameEnd)));
    members.set(name, { start, end: start + text.slice(start, end).trimEnd().length });
    at = endOf(BETWEEN_MEMBERS, text, end);
  }
  return members;
}

function endOfValue(text: string, start: number): number {
  let [depth, at] = [0, start];
  do {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
    } else {
      depth += depthChange(character);
      at += 1;
    }
    if (depth > 0 || character !== '"') {
      at = endOf(PLAIN, text, at);
    }
  } while (depth > 0);
  return at;
}

function depthChange(character: string | undefined): -1 | 0 | 1 {
  switch (character) {
    case "{":
    case "[":
      return 1;
    case "}":
    case "]":
      return -1;
    default:
      return 0;
  }
}

function endOfString(text: string, start: number): number {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
  } while (isEscaped(text, end));
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text[first - 1] === "\\") {
    first -= 1;
  }
  return (at - first) % 2 === 1;
}

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  pattern.test(text);
  return pattern.lastIndex;
}
