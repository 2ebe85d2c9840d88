import { setTimeout as wait } from "node:timers/promises";
import type { SqliteCheckpointStore } from "../../sqlite-checkpoint-store.js";
import type { StoredMessage } from "../../types.js";
import type { Cli } from "../cli.js";
import { newCommand, positiveNumber } from "../command.js";
import { printMessage } from "../message-text.js";
import { SESSION_HELP, sessionNamed } from "../naming.js";
import { note } from "../output.js";

/** How often `--follow` looks for new messages. */
const LOOK_EVERY_MS = 250;

export function messagesCommand(cli: Cli) {
  return newCommand(
    "messages",
    "print a session's messages, oldest first",
    'runs.db "Security scan"',
    'runs.db "Security scan" --limit 10 --follow',
  )
    .argument("<file>", "a database")
    .argument("<session>", SESSION_HELP)
    .option("-n, --limit <count>", "only the last so many", positiveNumber)
    .option("-f, --follow", "print new ones as they come, until it is interrupted")
    .action(async (file, name, options) => {
      const { id } = await sessionNamed(cli, file, name);
      await cli.read(file, async (store) => {
        const messages = await store.getMessages(id, { limit: options.limit });
        if (messages.length === 0 && !cli.output.isJson && options.follow !== true) {
          note("The session has no messages.");
        }
        await print(cli, messages, options.follow === true);
        if (options.follow === true) {
          await follow(cli, store, id, messages.at(-1)?.id ?? 0);
        }
      });
    });
}

async function print(cli: Cli, messages: readonly StoredMessage[], isAtOnce: boolean): Promise<void> {
  for (const message of messages) {
    printMessage(message, cli.output);
  }
  if (isAtOnce) {
    await cli.output.flush();
  }
}

/** Ends if a signal comes, if nobody reads the output any more, or if the session is deleted. */
async function follow(cli: Cli, store: SqliteCheckpointStore, id: string, seen: number): Promise<void> {
  let last = seen;
  for (;;) {
    await wait(LOOK_EVERY_MS, undefined, { signal: cli.signal });
    const messages = await messagesAfter(store, id, last);
    await print(cli, messages, true);
    last = messages.at(-1)?.id ?? last;
  }
}

/** Reads from the end, twice as far each time until a message is met that was seen. */
async function messagesAfter(
  store: SqliteCheckpointStore,
  id: string,
  seen: number,
): Promise<StoredMessage[]> {
  for (let limit = 8; ; limit *= 2) {
    const messages = await store.getMessages(id, { limit });
    const added = messages.filter((message) => message.id > seen);
    if (added.length < limit || messages.length < limit) {
      return added;
    }
  }
}
