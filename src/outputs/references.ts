/**
 * What stands in a row instead of a large output: `{"__type":"Map","value":"<hash>"}`.
 *
 * No user's value is written this way: a Map has a list of entries, and a user's own object with a `__type` key is wrapped.
 * 0.2.3 refuses it with an error, because no Map can be made from it; a tag that it does not know it would take for the output.
 */
import { TAG, type Tagged, TYPE_KEY, tagged } from "../json-plus/tags.js";
import { HASH_LENGTH } from "./pieces.js";

/** How every reference begins, as SQL and searches of a text find it. */
export const REFERENCE_START = `{"${TYPE_KEY}":"${TAG.map}","value":"`;

const REFERENCES = new RegExp(`"output":${REFERENCE_START}([\\w-]{${HASH_LENGTH}})"}`, "g");

export function referenceTo(hash: string): Tagged {
  return tagged(TAG.map, hash);
}

/** The hash that a parsed output refers to; `undefined` if it is the output itself. */
export function hashReferredTo(output: unknown): string | undefined {
  if (typeof output !== "object" || output === null || Reflect.get(output, TYPE_KEY) !== TAG.map) {
    return undefined;
  }
  const hash: unknown = Reflect.get(output, "value");
  return typeof hash === "string" ? hash : undefined;
}

/** Every hash that a text may refer to. Inside a user's object there may be one that only looks like it. */
export function hashesIn(text: string): string[] {
  return Array.from(text.matchAll(REFERENCES), ([, hash = ""]) => hash);
}

const COULD_BE_HASHES = new RegExp(`[\\w-]{${HASH_LENGTH},}`, "g");

/**
 * Every hash that stands in a text, whatever surrounds it: for a text that may be damaged. A quote next to a hash may have become
 * a letter, so the beginning and the end of a longer run of letters count. Much of what is found is no hash.
 */
export function* hashesAnywhereIn(text: string): Generator<string> {
  for (const [run] of text.matchAll(COULD_BE_HASHES)) {
    yield run.slice(0, HASH_LENGTH);
    if (run.length > HASH_LENGTH) {
      yield run.slice(-HASH_LENGTH);
    }
  }
}
