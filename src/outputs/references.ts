/**
 * What stands in a row instead of a large output: `{"__type":"Map","value":"<hash>"}`.
 *
 * No user's value is written this way: a Map has a list of entries, and a user's own object with a `__type` key is wrapped.
 * 0.2.3 refuses it with an error, because no Map can be made from it; a tag that it does not know it would take for the output.
 */
import { TAG, type Tagged, TYPE_KEY, tagged } from "../json-plus/tags.js";

/** How every reference begins, as SQL and searches of a text find it. */
export const REFERENCE_START = `{"${TYPE_KEY}":"${TAG.map}","value":"`;

const REFERENCES = new RegExp(`"output":${REFERENCE_START}([\\w-]{22})"}`, "g");

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
