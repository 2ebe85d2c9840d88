import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { exportSessions } from "../../maintenance/index.js";
import type { Cli } from "../cli.js";
import { newCommand } from "../command.js";
import { CommandFailure } from "../failures.js";
import { SESSION_HELP, sessionsNamed } from "../naming.js";
import { note, write } from "../output.js";
import { jsonLine, oneLine } from "../text.js";

/** Lines are written together up to so many characters. */
const CHUNK = 64 * 1_024;

export function exportCommand(cli: Cli) {
  return newCommand(
    "export",
    "print whole sessions as JSON Lines, which import reads; all of them, and all facts, if none is named",
    "runs.db > sessions.jsonl",
    'runs.db "Security scan" --output scan.jsonl',
  )
    .argument("<file>", "a database")
    .argument("[session...]", SESSION_HELP)
    .option("-w, --workspace <id>", "only sessions and facts of this workspace")
    .option("-o, --output <file>", "write to a new file")
    .action(async (file, names, options) => {
      const sessions = await sessionsNamed(cli, file, names);
      const ids = sessions.map(({ id }) => id);
      const exportTo = (print: (text: string) => Promise<void>) =>
        cli.longRead(file, async (work) => {
          const lines = exportSessions(file, {
            ...work,
            workspaceId: options.workspace,
            ...(ids.length === 0 ? {} : { sessionIds: ids }),
          });
          await writeAll(lines, print);
        });
      if (options.output === undefined) {
        await exportTo(cli.output.isTerminal ? writeToTerminal : write);
      } else {
        await intoNewFile(options.output, exportTo);
        note(`Exported to ${oneLine(options.output)}.`);
      }
    });
}

/** Elsewhere the lines stay as the maintenance function yields them. */
function writeToTerminal(text: string): Promise<void> {
  return write(text.split("\n").map(jsonLine).join("\n"));
}

async function writeAll(
  lines: AsyncIterable<string>,
  writeText: (text: string) => Promise<void>,
): Promise<void> {
  let chunk = "";
  for await (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length >= CHUNK) {
      await writeText(chunk);
      chunk = "";
    }
  }
  await writeText(chunk);
}

/** Leaves no part of a file behind if the work rejects. */
async function intoNewFile(
  path: string,
  work: (writeText: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const stream = await createFile(path);
  stream.on("error", () => {}); // The write that failed rejects.
  try {
    await work((text) => writeTo(stream, text));
    stream.end();
    await finished(stream);
  } catch (error) {
    stream.destroy();
    await rm(path, { force: true });
    throw error;
  }
}

function writeTo(stream: WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** @throws {CommandFailure} if something is there. */
async function createFile(path: string): Promise<WriteStream> {
  const stream = createWriteStream(path, { flags: "wx", mode: 0o600 });
  try {
    await once(stream, "open");
  } catch (error) {
    throw new CommandFailure(
      `The file ${oneLine(JSON.stringify(path))} cannot be created (${error instanceof Error ? error.message : String(error)}): name a new one.`,
    );
  }
  return stream;
}
