import { copySession } from "../../maintenance/index.js";
import type { Cli } from "../cli.js";
import { newCommand, YES } from "../command.js";
import { SESSION_HELP, sessionNamed } from "../naming.js";
import { oneLine } from "../text.js";

export function copyCommand(cli: Cli) {
  return newCommand("copy", "copy a session within the file, under new ids", 'runs.db "Security scan"')
    .argument("<file>", "a database")
    .argument("<session>", SESSION_HELP)
    .option(...YES)
    .action(async (file, name, options) => {
      const { id } = await sessionNamed(cli, file, name);
      await cli.confirm(`This adds a copy of session ${oneLine(id)} to ${oneLine(file)}.`, options.yes);
      const copy = await cli.long((work) => copySession(file, id, work));
      cli.output.report(copy, [copy.id]);
    });
}
