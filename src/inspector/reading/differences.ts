/**
 * Where two values in the wire format differ, by member, Map key and Set member.
 *
 * Lists are compared without their common start and end, so that one item put in front is one difference.
 */
import { pathOf, TAG, TYPE_KEY } from "../../json-plus/tags.js";
import { isObject } from "../../values/is-object.js";
import type { Difference } from "../answers.js";
import { partsOf, toValueNode, typeOf, type WirePart } from "./wire.js";

/** Differences of one output in one answer. */
export const MOST_DIFFERENCES = 200;

export interface FoundDifferences {
  differences: Difference[];
  isCut: boolean;
}

export function differencesOf(before: unknown, after: unknown): FoundDifferences {
  const search = new Search();
  search.compare([], before, after);
  return {
    differences: search.found.slice(0, MOST_DIFFERENCES),
    isCut: search.found.length > MOST_DIFFERENCES,
  };
}

type Path = readonly (string | number)[];

class Search {
  readonly found: Difference[] = [];

  compare(path: Path, before: unknown, after: unknown): void {
    if (this.found.length > MOST_DIFFERENCES || isSame(before, after)) {
      return;
    }
    const [left, right] = [partsOf(before), partsOf(after)];
    const type = typeOf(before);
    if (left === undefined || right === undefined || type !== typeOf(after)) {
      this.#add(path, "changed", before, after);
    } else if (type === "array") {
      this.#compareLists(path, left, right);
    } else if (type === "Set") {
      this.#compareNamed(
        path,
        named(left, ({ wire }) => wire),
        named(right, ({ wire }) => wire),
      );
    } else {
      const keyOf = (part: WirePart) => (part.mapKey === undefined ? part.key : part.mapKey.wire);
      this.#compareNamed(path, named(left, keyOf), named(right, keyOf));
    }
  }

  #compareLists(path: Path, before: readonly WirePart[], after: readonly WirePart[]): void {
    const start = commonStart(before, after);
    const end = commonStart(before.slice(start).reverse(), after.slice(start).reverse());
    const left = before.slice(start, before.length - end);
    const right = after.slice(start, after.length - end);
    for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
      this.#compareParts([...path, start + index], left[index], right[index]);
    }
  }

  #compareNamed(
    path: Path,
    before: ReadonlyMap<string, NamedPart>,
    after: ReadonlyMap<string, NamedPart>,
  ): void {
    for (const [key, { name }] of new Map([...before, ...after])) {
      this.#compareParts([...path, name], before.get(key)?.part, after.get(key)?.part);
    }
  }

  #compareParts(path: Path, before: WirePart | undefined, after: WirePart | undefined): void {
    if (before !== undefined && after !== undefined) {
      this.compare(path, before.wire, after.wire);
    } else if (after !== undefined) {
      this.#add(path, "added", undefined, after.wire);
    } else if (before !== undefined) {
      this.#add(path, "removed", before.wire, undefined);
    }
  }

  #add(path: Path, kind: Difference["kind"], before: unknown, after: unknown): void {
    this.found.push({
      path: pathOf(path),
      kind,
      ...(kind === "added" ? {} : { before: toValueNode(before) }),
      ...(kind === "removed" ? {} : { after: toValueNode(after) }),
    });
  }
}

interface NamedPart {
  /** As a path has it. */
  name: string | number;
  part: WirePart;
}

/** By the JSON text of the key, which tells a key from every other: 1 from "1", and a Date from its text. */
function named(parts: readonly WirePart[], keyOf: (part: WirePart) => unknown): Map<string, NamedPart> {
  return new Map(
    parts.map((part) => {
      const key = keyOf(part);
      return [JSON.stringify(key), { name: nameOf(key), part }];
    }),
  );
}

function nameOf(wire: unknown): string | number {
  if (typeof wire === "string" || typeof wire === "number") {
    return wire;
  }
  return isObject(wire) && wire[TYPE_KEY] === TAG.date ? String(wire.value) : JSON.stringify(wire);
}

function commonStart(before: readonly WirePart[], after: readonly WirePart[]): number {
  const length = Math.min(before.length, after.length);
  let count = 0;
  while (count < length && isSame(before[count]?.wire, after[count]?.wire)) {
    count += 1;
  }
  return count;
}

/** The wire format has one text for a value, but for the order of members, which counts as a difference of neither. */
function isSame(before: unknown, after: unknown): boolean {
  return before === after || Bun.deepEquals(before, after);
}
