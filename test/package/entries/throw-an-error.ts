/** A second entry, which shares nothing with index.ts but the error classes. */
import { SessionNotFoundError } from "../../../src/errors.js";

export function throwAnError(): never {
  throw new SessionNotFoundError("s-1");
}
