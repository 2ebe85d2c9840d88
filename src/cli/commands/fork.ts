import type { Cli } from "../cli.js";
import { newCommand, YES } from "../command.js";
import { CHECKPOINT_HELP, checkpointNamed } from "../naming.js";
import { oneLine } from "../text.js";

export function forkCommand(cli: Cli) {
  return newCommand(
    "fork",
    "start a new session from a checkpoint; the original stays as it is",
    'runs.db "Security scan:v1" --title "Another way"',
  )
    .argument("<file>", "a database")
    .argument("<checkpoint>", CHECKPOINT_HELP)
    .option("-t, --title <text>", 'of the new session (default: "Fork of" the original\'s title)')
    .option(...YES)
    .action(async (file, name, options) => {
      const id = await checkpointNamed(cli, file, name);
      await cli.confirm(
        `This adds a session to ${oneLine(file)}, forked from checkpoint ${oneLine(id)}.`,
        options.yes,
      );
      const session = await cli.write(file, (store) => store.fork(id, { title: options.title }));
      cli.output.report(session, [`${session.id}  ${oneLine(session.title ?? "")}`.trimEnd()]);
    });
}
