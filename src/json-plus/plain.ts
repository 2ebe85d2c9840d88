/**
 * Finds values that `JSON.stringify` can write as they are. The look costs a third of what `JSON.stringify` takes; the
 * encoder's walk costs as much as `JSON.stringify` itself.
 */
import { TYPE_KEY } from "./tags.js";

/** Beyond either the encoder decides, which finds cycles and says where. */
const DEEPEST = 100;
const MOST_CONTAINERS = 1_000_000;

export function isPlain(value: unknown): boolean {
  try {
    return new PlainCheck().accepts(value, 0);
  } catch {
    return false; // A getter threw: the encoder meets it again, and says where it is.
  }
}

class PlainCheck {
  #containers = 0;

  accepts(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case "string":
      case "boolean":
        return true;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0);
      case "object":
        return value === null || this.#acceptsContainer(value, depth);
      default:
        return false;
    }
  }

  #acceptsContainer(container: object, depth: number): boolean {
    if (depth >= DEEPEST || ++this.#containers > MOST_CONTAINERS || "toJSON" in container) {
      return false;
    }
    const prototype: unknown = Object.getPrototypeOf(container);
    if (Array.isArray(container)) {
      return prototype === Array.prototype && this.#acceptsElements(container, depth + 1);
    }
    return (
      (prototype === Object.prototype || prototype === null) && this.#acceptsFields(container, depth + 1)
    );
  }

  #acceptsElements(array: readonly unknown[], depth: number): boolean {
    for (let index = 0; index < array.length; index++) {
      if (!this.accepts(array[index], depth)) {
        return false;
      }
    }
    return true;
  }

  /** `for … in` is twice as fast as a list of keys; what it would inherit is looked at too, and does no harm. */
  #acceptsFields(record: object, depth: number): boolean {
    for (const key in record) {
      const value: unknown = record[key as keyof typeof record];
      if (key === TYPE_KEY || !(value === undefined || this.accepts(value, depth))) {
        return false;
      }
    }
    return true;
  }
}
