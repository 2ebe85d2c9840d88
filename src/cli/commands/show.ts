import { JsonPlusSerializer } from "../../json-plus/json-plus-serializer.js";
import type { SqliteCheckpointStore } from "../../sqlite-checkpoint-store.js";
import type { Session } from "../../types.js";
import { waveText } from "../checkpoint-text.js";
import type { Cli } from "../cli.js";
import { newCommand } from "../command.js";
import { amount, time } from "../format.js";
import { messageText } from "../message-text.js";
import { SESSION_HELP, sessionNamed } from "../naming.js";
import type { Output } from "../output.js";
import { messagesOf } from "../paging.js";
import type { Colours } from "../terminal.js";
import { oneLine, padded } from "../text.js";
import { type Wave, wavesOf } from "../waves.js";

interface Entry {
  createdAt: number;
  what: string;
  /** Painted text with control characters escaped. */
  text: string;
}

const serializer = new JsonPlusSerializer();

export function showCommand(cli: Cli) {
  return newCommand(
    "show",
    "show a session's messages and checkpoints in their order",
    'runs.db "Security scan"',
  )
    .argument("<file>", "a database")
    .argument("<session>", SESSION_HELP)
    .action(async (file, name) => {
      const { id } = await sessionNamed(cli, file, name);
      await cli.read(file, async (store) => {
        const session = (await store.getSession(id)) ?? undefined;
        if (session !== undefined) {
          await (cli.output.isJson ? printJson(cli, store, session) : printTimeline(cli, store, session));
        }
      });
    });
}

/** The session, then `{ message }` and `{ checkpoint }` in their order. */
async function printJson(cli: Cli, store: SqliteCheckpointStore, session: Session): Promise<void> {
  const lines: { createdAt: number; text: string }[] = [];
  await wavesOf(store, session.id, (checkpoint) => {
    lines.push({ createdAt: checkpoint.createdAt, text: serializer.serialize({ checkpoint }) });
  });
  for await (const message of messagesOf(store, session.id)) {
    lines.push({ createdAt: message.createdAt, text: serializer.serialize({ message }) });
  }
  cli.output.json({ session });
  for (const { text } of oldestFirst(lines)) {
    cli.output.jsonLine(text);
  }
}

async function printTimeline(cli: Cli, store: SqliteCheckpointStore, session: Session): Promise<void> {
  const { output } = cli;
  const waves = await wavesOf(store, session.id);
  const ids = waves.map(({ id }) => id);
  const short = output.shortener(ids, "end");
  const entries = waves.toReversed().map((wave) => checkpointEntry(wave, short, output.colours));
  for await (const { createdAt, role, ...message } of messagesOf(store, session.id)) {
    const text = oneLine(messageText({ createdAt, role, ...message }));
    entries.push({ createdAt, what: output.colours.bold(oneLine(role)), text });
  }
  const messages = amount(entries.length - waves.length, "message");
  output.line(output.colours.bold(oneLine(session.title ?? session.id)));
  output.line(
    output.colours.dim(
      `${oneLine(session.id)}  ${messages}, ${amount(waves.length, "checkpoint")}  ${oneLine(session.directory)}`,
    ),
  );
  printEntries(output, oldestFirst(entries));
}

function printEntries(output: Output, entries: readonly Entry[]): void {
  for (const { createdAt, what, text } of entries) {
    output.cutLine(`${output.colours.dim(time(createdAt))}  ${padded(what, 9)}  ${text}`.trimEnd());
  }
}

function checkpointEntry(wave: Wave, short: (id: string) => string, colours: Colours): Entry {
  const namespace = wave.namespace === "" ? "" : ` in ${oneLine(wave.namespace)}`;
  const place = `${colours.cyan(`v${wave.version}`)}${namespace} ${colours.dim(oneLine(short(wave.id)))}`;
  return {
    createdAt: wave.createdAt,
    what: "·",
    text: `${place}  ${waveText(wave, colours)}`,
  };
}

/** Rows that were read the last first; among equal times messages stay before checkpoints. */
function oldestFirst<T extends { createdAt: number }>(entries: readonly T[]): T[] {
  return entries.toReversed().sort((a, b) => a.createdAt - b.createdAt);
}
