/** Asks before a command changes anything. */
import { CommandFailure, UsageError } from "./failures.js";

/**
 * Resolves if the reader agrees, or has agreed with `--yes`.
 *
 * @param what What will be done, as a sentence.
 * @throws {UsageError} if there is no terminal to ask on.
 * @throws {CommandFailure} if the answer is not yes.
 */
export async function confirm(what: string, isAgreed: boolean, signal: AbortSignal): Promise<void> {
  if (isAgreed) {
    return;
  }
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new UsageError(`${what} There is no terminal to ask on: add --yes to do it.`);
  }
  const { createInterface } = await import("node:readline/promises"); // Only here: it takes some milliseconds to load.
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${what} Continue? [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) {
      throw new CommandFailure("Nothing was changed.");
    }
  } finally {
    lines.close();
  }
}
