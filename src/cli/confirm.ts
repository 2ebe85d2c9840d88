/** Asks before a command changes anything. */
import { CommandFailure, Interrupted, UsageError } from "./failures.js";
import { note } from "./output.js";

const NOTHING_CHANGED = "Nothing was changed.";

/** As shells have it for a process that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * Resolves if the reader agrees, or has agreed with `--yes`.
 *
 * @param what What will be done, as a sentence.
 * @throws {UsageError} if there is no terminal to ask on.
 * @throws {CommandFailure} if the answer is not yes, or the input ends.
 * @throws {Interrupted} if the answer is Ctrl+C.
 */
export async function confirm(what: string, isAgreed: boolean, signal: AbortSignal): Promise<void> {
  if (isAgreed) {
    return;
  }
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new UsageError(`${what} There is no terminal to ask on: add --yes to do it.`);
  }
  const answer = await answerTo(`${what} Continue? [y/N] `, signal);
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new CommandFailure(NOTHING_CHANGED);
  }
}

/** Empty if the input ends. */
async function answerTo(question: string, signal: AbortSignal): Promise<string> {
  const { createInterface } = await import("node:readline"); // Only here: it takes some milliseconds to load.
  signal.throwIfAborted();
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // Without an answer the cursor is still behind the question.
  const endLine = () => note("");
  const abort = () => {
    endLine();
    reject(signal.reason);
  };
  const end = () => {
    endLine();
    resolve("");
  };
  signal.addEventListener("abort", abort);
  // While it asks, the terminal passes Ctrl+C on as a character, and sends no signal.
  lines.once("SIGINT", () => {
    endLine();
    reject(new Interrupted(INTERRUPTED, NOTHING_CHANGED));
  });
  lines.once("close", end);
  lines.question(question, resolve);
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    lines.off("close", end);
    lines.close();
  }
}
