import { createReadStream, existsSync, realpathSync, rmSync } from "node:fs";
import { Option } from "@commander-js/extra-typings";
import { importSessions } from "../../maintenance/index.js";
import { type Cli, requireFile } from "../cli.js";
import { newCommand, YES } from "../command.js";
import { UsageError } from "../failures.js";
import { amount } from "../format.js";
import { oneLine } from "../text.js";

export function importCommand(cli: Cli) {
  return newCommand(
    "import",
    "read the lines of an export into a file, one session at a time",
    "runs.db sessions.jsonl",
    "new.db --create --yes < sessions.jsonl",
  )
    .argument("<file>", "a database")
    .argument("[export]", "a file that export wrote (default: standard input)")
    .addOption(
      new Option("--on-conflict <what>", "what to do with a session whose id is in the file already")
        .choices(["error", "skip", "newIds"] as const)
        .default("error" as const),
    )
    .option("--create", "create the database if it is missing")
    .option(...YES)
    .action(async (file, source, options) => {
      const isNew = options.create === true && !existsSync(file);
      requireLines(source);
      if (!isNew) {
        requireFile(file);
      }
      const what = isNew ? `creates ${oneLine(file)} with` : `adds to ${oneLine(file)}`;
      await cli.confirm(
        `This ${what} the sessions of ${oneLine(source ?? "the standard input")}.`,
        options.yes,
      );
      const importAll = () =>
        cli.long((work) =>
          importSessions(file, linesIn(source), { ...work, onConflict: options.onConflict }),
        );
      const report = await (isNew ? inNewFile(cli, file, importAll) : importAll());
      const { sessions, messages, checkpoints, entities, facts, skipped } = report;
      const rows = [
        amount(sessions, "session"),
        amount(messages, "message"),
        amount(checkpoints, "checkpoint"),
        `${entities.toLocaleString("en")} ${entities === 1 ? "entity" : "entities"}`,
        amount(facts, "fact"),
      ];
      cli.output.report(report, [`Imported ${rows.join(", ")}; skipped ${skipped.toLocaleString("en")}.`]);
    });
}

/** @throws {CommandFailure | UsageError} if there is nothing to import from. */
function requireLines(source: string | undefined): void {
  if (source !== undefined) {
    requireFile(source);
  } else if (process.stdin.isTTY === true) {
    throw new UsageError("Name the file that export wrote, or pipe it in: the standard input is a terminal.");
  }
}

/** Creates the file for the work, and removes it if the work fails before anything is in it. */
async function inNewFile<T>(cli: Cli, file: string, work: () => Promise<T>): Promise<T> {
  await cli.write(file, async () => {});
  const created = realpathSync(file);
  try {
    return await work();
  } catch (error) {
    if (await isEmpty(cli, created)) {
      for (const suffix of ["", "-wal", "-shm"]) {
        rmSync(created + suffix, { force: true });
      }
    }
    throw error;
  }
}

/** Sessions that were imported stay, and so does what another process has written meanwhile. */
function isEmpty(cli: Cli, file: string): Promise<boolean> {
  return cli.read(
    file,
    async (store) => (await store.listSessions()).length === 0 && (await store.listFacts()).length === 0,
  );
}

function linesIn(source: string | undefined): AsyncIterable<string> {
  return splitLines(source === undefined ? process.stdin : createReadStream(source));
}

/** At line feeds only: `node:readline` also splits at U+2028, which JSON has in its strings. */
async function* splitLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") {
    yield rest;
  }
}
