import { InvalidArgumentError } from "../errors.js";
import { describe } from "../values/describe.js";
import { decode } from "./decode.js";
import { toText } from "./text.js";

/**
 * The wire format of everything structured in the file: JSON, plus tagged objects for what JSON cannot say.
 *
 * Dates (invalid ones too), Maps, Sets, Buffers, typed arrays, ArrayBuffers, bigints, `undefined` in arrays, NaN,
 * ±Infinity, -0, regular expressions, URLs and errors come back as they were. As in JSON, functions and symbols
 * are dropped from objects, `toJSON` is honoured, and an instance of any other class comes back as a plain object.
 * Plain data costs little more than `JSON.stringify` and `JSON.parse`.
 *
 * @example
 * const serializer = new JsonPlusSerializer();
 * const text = serializer.serialize({ seen: new Set(["a"]), at: new Date(0) });
 * serializer.deserialize(text); // { seen: Set { "a" }, at: 1970-01-01T00:00:00.000Z }
 */
export class JsonPlusSerializer {
  /**
   * @throws {SerializationError} naming the path, where the value contains itself, is nested deeper than 2,000
   *   levels, has more than 10,000,000 objects and arrays, cannot be read (a getter or `toJSON` throws), or is itself a function or symbol.
   */
  serialize(value: unknown): string {
    return toText(value);
  }

  /**
   * An object with an unknown tag, or with a tag of ours and a value that we do not write, is returned as the plain object
   * it is: older readers survive newer writers, and users' objects that look like ours survive.
   *
   * @throws {InvalidArgumentError} if the text is not a string.
   * @throws {CheckpointCorruptionError} if the text is not JSON, or one of the tags `Date`, `Map`, `Set` and `Buffer` has a
   *   malformed value (named by path).
   */
  deserialize(text: string): unknown {
    if (typeof text !== "string") {
      throw new InvalidArgumentError("text", `must be a string, not ${describe(text)}`);
    }
    return decode(text);
  }
}
