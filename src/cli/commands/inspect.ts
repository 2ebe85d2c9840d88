import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { InspectOptions } from "../../inspector/index.js";
import type { Cli } from "../cli.js";
import { newCommand, wholeNumber } from "../command.js";
import { note } from "../output.js";

const HIGHEST_PORT = 65_535;

export function inspectCommand(cli: Cli) {
  return newCommand(
    "inspect",
    "open a page on the file in the browser: runs step by step, differences, forks, live",
    "runs.db",
    "runs.db --port 8080 --no-open",
  )
    .argument("<file>", "a database")
    .option(
      "-p, --port <number>",
      "listen on this port, 0 for a free one (default: 7423, or a free one)",
      port,
    )
    .option("--host <address>", "listen on this address, so that other machines may connect", "127.0.0.1")
    .option("--no-open", "only print the link; without a terminal nothing is opened anyway")
    .option("--allow-fork", "give the page a button that forks a checkpoint into a new session")
    .action(async (file, options) => {
      const open = options.open && cli.output.isTerminal;
      await serve(cli, file, {
        port: options.port,
        host: options.host,
        open,
        allowFork: options.allowFork === true,
      });
    });
}

/** Ends when a signal comes. */
async function serve(cli: Cli, file: string, options: InspectOptions): Promise<void> {
  await cli.longRead(file, async ({ signal }) => {
    const { inspect } = await import("../../inspector/index.js");
    await using inspector = await inspect(file, { ...options, signal });
    cli.output.report({ url: inspector.url }, [inspector.url]);
    await cli.output.flush();
    note("Whoever has this link can read the file. Ctrl+C closes it.");
    await aborted(signal);
  });
  cli.signal.throwIfAborted();
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    signal?.addEventListener("abort", () => resolve(), { once: true });
    if (signal?.aborted === true) {
      resolve();
    }
  });
}

function port(text: string): number {
  const number = wholeNumber(text);
  if (number > HIGHEST_PORT) {
    throw new InvalidArgumentError(`It must be at most ${HIGHEST_PORT}.`);
  }
  return number;
}
