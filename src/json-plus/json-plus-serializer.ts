import { InvalidArgumentError } from "../errors.js";
import { describe } from "../values/describe.js";
import { decode } from "./decode.js";
import { toText } from "./text.js";

/**
 * The wire format of all structured values in the file: JSON, plus tagged objects for values that JSON cannot represent.
 *
 * Dates (invalid ones too), Maps, Sets, Buffers, typed arrays, ArrayBuffers, bigints, `undefined` in arrays, NaN,
 * ±Infinity, -0, regular expressions, URLs and errors round-trip unchanged. As in JSON, functions and symbols are dropped
 * from objects, `toJSON` methods are called, and an instance of any other class reads back as a plain object. Plain data
 * takes little longer than with `JSON.stringify` and `JSON.parse`.
 *
 * @example
 * const serializer = new JsonPlusSerializer();
 * const text = serializer.serialize({ seen: new Set(["a"]), at: new Date(0) });
 * serializer.deserialize(text); // { seen: Set { "a" }, at: 1970-01-01T00:00:00.000Z }
 */
export class JsonPlusSerializer {
  /**
   * @throws {SerializationError} with the path, if the value contains itself, is nested deeper than 2,000 levels, has more
   *   than 10,000,000 objects and arrays, cannot be read (a getter or `toJSON` throws), or is itself a function or symbol.
   */
  serialize(value: unknown): string {
    return toText(value);
  }

  /**
   * An object with an unknown tag, or with one of our tags and a value that we never write, is returned as a plain object.
   * So older versions can read newer files, and users' objects that look like ours stay unchanged.
   *
   * @throws {InvalidArgumentError} if the text is not a string.
   * @throws {CheckpointCorruptionError} if the text is not JSON, or a tag `Date`, `Map`, `Set` or `Buffer` has a malformed
   *   value; the error has its path.
   */
  deserialize(text: string): unknown {
    if (typeof text !== "string") {
      throw new InvalidArgumentError("text", `must be a string, not ${describe(text)}`);
    }
    return decode(text);
  }
}
