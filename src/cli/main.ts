/** Runs one command: parses, stops on signals, and turns whatever happens into a message and an exit code. */

import { constants } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CommanderError } from "@commander-js/extra-typings";
import { isCheckpointStoreError } from "../errors.js";
import { Cli } from "./cli.js";
import { ClosedPipe, CommandFailure, EXIT, Interrupted, UsageError } from "./failures.js";
import { note } from "./output.js";
import { knownWords, programFor } from "./program.js";
import { coloursFor } from "./terminal.js";
import { linesOf } from "./text.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SIGNALLED = 128;

/** A launcher passes on the SIGINT that a terminal has sent to both, so a second one soon after is the same one. */
const SAME_SIGNAL_MS = 500;

/** Sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  // A pipe that was closed rejects the write, which ends the command.
  process.stdout.on("error", () => {});
  const controller = new AbortController();
  const cli = new Cli(controller.signal);
  const stopListening = abortOnSignals(controller, cli);
  try {
    const program = await programFor(cli, argv[0]);
    await program.parseAsync(knownWords(argv), { from: "user" });
    if (cli.isReading) {
      await nextTurn(); // A signal that came while a statement ran is seen now.
      controller.signal.throwIfAborted();
    }
    await cli.output.end();
  } catch (error) {
    process.exitCode = await exitCodeFor(error, cli);
  } finally {
    stopListening();
  }
}

/** The first signal stops at the next step; a later one ends the process. Ctrl+C in the pager is the pager's, as in git. */
function abortOnSignals(controller: AbortController, cli: Cli): () => void {
  let stoppedAt: number | undefined;
  const stop = (signal: NodeJS.Signals) => {
    if (cli.output.isPaging && signal === "SIGINT") {
      return;
    }
    const exitCode = SIGNALLED + constants.signals[signal];
    if (stoppedAt !== undefined && performance.now() - stoppedAt > SAME_SIGNAL_MS) {
      process.exit(exitCode);
    }
    stoppedAt ??= performance.now();
    controller.abort(new Interrupted(exitCode));
  };
  for (const signal of SIGNALS) {
    process.on(signal, stop);
  }
  return () => {
    for (const signal of SIGNALS) {
      process.off(signal, stop);
    }
  };
}

async function exitCodeFor(thrown: unknown, cli: Cli): Promise<number> {
  const error = cli.signal.aborted ? cli.signal.reason : thrown;
  if (error instanceof ClosedPipe) {
    return process.exitCode === undefined ? EXIT.ok : Number(process.exitCode);
  }
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // It has printed its message.
  }
  if (!(error instanceof Interrupted)) {
    await cli.output.flush().catch(() => {}); // What was printed before comes first.
  }
  // Interrupting is how a command that only reads is ended, as `messages --follow` is.
  if (!(error instanceof Interrupted) || cli.isChanging) {
    report(error, cli.isDebugging);
  }
  if (error instanceof Interrupted) {
    return error.exitCode;
  }
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}

/** The store's messages name the options of its functions. */
function inOptions(message: string): string {
  return message
    .replaceAll("busyTimeout", "--busy-timeout")
    .replace('pass onConflict "skip" or "newIds"', "add --on-conflict skip or --on-conflict newIds");
}

function report(error: unknown, isDebugging: boolean): void {
  const isExpected =
    error instanceof CommandFailure ||
    error instanceof UsageError ||
    error instanceof Interrupted ||
    isCheckpointStoreError(error);
  const text = error instanceof Error ? error.message : String(error);
  const message = isCheckpointStoreError(error) ? inOptions(text) : text;
  const { red } = coloursFor(process.stderr);
  note(`${red("error:")} ${linesOf(message).join("\n")}`);
  if (isDebugging && error instanceof Error) {
    note(linesOf(Bun.inspect(error, { colors: false })).join("\n"));
  } else if (!isExpected) {
    note("(--debug shows where)");
  }
}
