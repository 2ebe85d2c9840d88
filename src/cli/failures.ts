/** How a command can end other than by itself. */

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
} as const;

/** The command line is not one that the command takes. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What was asked for cannot be done; the message says why. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

/** Whoever read the output has gone, as `head` does. */
export class ClosedPipe extends Error {
  override readonly name = "ClosedPipe";
}

/** A signal asked the process to stop. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  /** @param exitCode 128 and the signal's number. */
  constructor(
    readonly exitCode: number,
    message = "Interrupted: what was committed before stays.",
  ) {
    super(message);
  }
}
