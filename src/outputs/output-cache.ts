/**
 * The texts of outputs that were saved or read recently, by hash, so that neither a save nor a read does work twice.
 *
 * An output that is a string cannot be changed by the caller that gets it, so it is cached as it is: it need not be decoded
 * again, and when it is saved again, it is neither encoded nor hashed. The framework saves all outputs after every wave, and
 * most of them have not changed.
 *
 * Whatever happens to the file, the cache stays right: a hash names a content, not a place.
 */

/** In characters. A string with a character above U+00FF takes two bytes for each. */
const CAPACITY = 16 * 1024 * 1024;

/** The text in the wire format, or the output itself. */
export type CachedOutput = { text: string } | { value: string };

/**
 * Two generations, the older of which is dropped whole: whatever is used moves to the younger. This costs less per use than a
 * list in the order of use.
 */
export class OutputCache {
  readonly #capacityOfGeneration: number;
  #young = new Generation();
  #old = new Generation();

  constructor(capacity = CAPACITY) {
    this.#capacityOfGeneration = capacity / 2;
  }

  get(hash: string): CachedOutput | undefined {
    const output = this.#young.outputs.get(hash) ?? this.#old.outputs.get(hash);
    if (output !== undefined && !this.#young.outputs.has(hash)) {
      this.#keep(hash, output);
    }
    return output;
  }

  /** The hash of an output that is a string. */
  hashOf(output: string): string | undefined {
    return this.#young.hashes.get(output) ?? this.#old.hashes.get(output);
  }

  /**
   * Returns the entry, which is not kept if it has no room.
   *
   * @param text In the wire format; it must have this hash.
   */
  add(hash: string, text: string): CachedOutput {
    const value = stringIn(text);
    const output: CachedOutput = value === undefined ? { text } : { value };
    this.#keep(hash, output);
    return output;
  }

  #keep(hash: string, output: CachedOutput): void {
    const size = "value" in output ? output.value.length : output.text.length;
    if (size > this.#capacityOfGeneration) {
      return;
    }
    if (this.#young.size + size > this.#capacityOfGeneration) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(hash, output, size);
  }
}

class Generation {
  readonly outputs = new Map<string, CachedOutput>();
  readonly hashes = new Map<string, string>();
  size = 0;

  add(hash: string, output: CachedOutput, size: number): void {
    this.outputs.set(hash, output);
    if ("value" in output) {
      this.hashes.set(output.value, hash);
    }
    this.size += size;
  }
}

/**
 * The string that a text stands for; `undefined` for anything else. A string can be spelled in several ways (`"A"` is `"\u0041"`
 * too), and only for the one that this package writes does its hash follow from the string alone.
 */
function stringIn(text: string): string | undefined {
  if (!text.startsWith('"')) {
    return undefined;
  }
  try {
    const value = String(JSON.parse(text));
    return hasOneSpelling(text) || JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined; // No JSON, although its hash is right: whoever decodes it reports that.
  }
}

/** Seen without writing the string again, which takes longer than to parse it. */
function hasOneSpelling(text: string): boolean {
  return text.endsWith('"') && !text.includes("\\u") && !text.includes("\\/") && text.isWellFormed();
}
