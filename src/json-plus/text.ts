/** Encodes values as text: plain values by `JSON.stringify` alone, all others by the encoder first. */

import { CheckpointCorruptionError, SerializationError } from "../errors.js";
import { messageOf } from "../values/describe.js";
import { decode } from "./decode.js";
import { encode } from "./encode.js";
import { NOT_PLAIN, plain, plainCopy } from "./plain.js";

/** A value as stored text, and as a read would return it. It shares no object with the caller. */
export class EncodedValue {
  constructor(
    readonly text: string,
    readonly value: unknown,
  ) {}
}

/** @throws {SerializationError} */
export function toText(value: unknown): string {
  const found = plain(value);
  return stringify(found === NOT_PLAIN ? encode(value) : found, value);
}

/**
 * Returns `undefined` if part of the value is not plain. Copying a plain value takes half the time of parsing its text.
 *
 * @throws {SerializationError}
 */
export function toEncodedPlainValue(value: unknown): EncodedValue | undefined {
  const copy = plainCopy(value);
  return copy === NOT_PLAIN ? undefined : new EncodedValue(stringify(copy, value), copy);
}

/**
 * For a value that is not plain.
 *
 * @throws {SerializationError}
 */
export function toEncodedExoticValue(value: unknown): EncodedValue {
  const text = stringify(encode(value), value);
  return new EncodedValue(
    text,
    readBack(() => decode(text)),
  );
}

/** @throws {SerializationError} instead of an error of decoding: the value is the caller's, not one of the file. */
export function readBack(decodeText: () => unknown): unknown {
  try {
    return decodeText();
  } catch (error) {
    if (error instanceof CheckpointCorruptionError) {
      throw new SerializationError("$", `could not be read back: ${error.reason}`, { cause: error });
    }
    throw error;
  }
}

export function stringify(encoded: unknown, given: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(encoded);
  } catch (error) {
    throw new SerializationError("$", `cannot be written as text: ${messageOf(error)}`, { cause: error });
  }
  if (text === undefined) {
    throw new SerializationError("$", `is a ${typeof given}, which has no wire format`);
  }
  return text;
}
