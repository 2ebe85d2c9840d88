/**
 * Finds plain values, which `JSON.stringify` can write unchanged. The check takes a third of the time of `JSON.stringify`, with
 * a copy two thirds; the encoder's walk takes as long as `JSON.stringify`.
 */
import { TYPE_KEY } from "./tags.js";

/** Values beyond these limits go to the encoder, which detects cycles and reports their path. */
const DEEPEST = 100;
const MOST_CONTAINERS = 1_000_000;

/** Sentinel: not plain. */
export const NOT_PLAIN: unique symbol = Symbol("not plain");

/** Returns the value itself if it is plain, otherwise {@link NOT_PLAIN}. */
export function plain(value: unknown): unknown {
  return take(value, false);
}

/** Returns a copy of the value if it is plain, equal to what `JSON.parse` returns for its text; otherwise {@link NOT_PLAIN}. */
export function plainCopy(value: unknown): unknown {
  return take(value, true);
}

function take(value: unknown, isCopied: boolean): unknown {
  try {
    return new PlainWalk(isCopied).take(value, 0);
  } catch {
    return NOT_PLAIN; // A getter threw: the encoder will call it again and report its path.
  }
}

class PlainWalk {
  readonly #isCopied: boolean;
  #containers = 0;

  constructor(isCopied: boolean) {
    this.#isCopied = isCopied;
  }

  take(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0) ? value : NOT_PLAIN;
      case "object":
        return value === null ? null : this.#takeContainer(value, depth);
      default:
        return NOT_PLAIN;
    }
  }

  #takeContainer(container: object, depth: number): unknown {
    if (depth >= DEEPEST || ++this.#containers > MOST_CONTAINERS || "toJSON" in container) {
      return NOT_PLAIN;
    }
    const prototype: unknown = Object.getPrototypeOf(container);
    if (Array.isArray(container)) {
      return prototype === Array.prototype ? this.#takeArray(container, depth + 1) : NOT_PLAIN;
    }
    // The result of JSON.rawJSON has no prototype, and its text differs from that of a copy.
    return prototype === Object.prototype || (prototype === null && !("rawJSON" in container))
      ? this.#takeRecord(container, depth + 1)
      : NOT_PLAIN;
  }

  #takeArray(array: readonly unknown[], depth: number): unknown {
    const copy: unknown[] | undefined = this.#isCopied ? [] : undefined;
    for (let index = 0; index < array.length; index++) {
      const taken = this.take(array[index], depth);
      if (taken === NOT_PLAIN) {
        return NOT_PLAIN;
      }
      copy?.push(taken);
    }
    return copy ?? array;
  }

  /** `for … in` is twice as fast as a list of keys. An inherited key means that somebody changed the prototype. */
  #takeRecord(record: object, depth: number): unknown {
    const copy: Record<string, unknown> | undefined = this.#isCopied ? {} : undefined;
    for (const key in record) {
      const value: unknown = record[key as keyof typeof record];
      if (key === TYPE_KEY || key === "__proto__" || !Object.hasOwn(record, key)) {
        return NOT_PLAIN;
      }
      if (value === undefined) {
        continue;
      }
      const taken = this.take(value, depth);
      if (taken === NOT_PLAIN) {
        return NOT_PLAIN;
      }
      if (copy !== undefined) {
        copy[key] = taken;
      }
    }
    return copy ?? record;
  }
}
