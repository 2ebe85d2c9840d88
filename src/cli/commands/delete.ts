import type { Cli } from "../cli.js";
import { newCommand, YES } from "../command.js";
import { amount } from "../format.js";
import { SESSION_HELP, sessionsNamed } from "../naming.js";
import { note } from "../output.js";
import { oneLine } from "../text.js";

export function deleteCommand(cli: Cli) {
  return newCommand(
    "delete",
    "delete sessions with their messages, checkpoints and entities",
    'runs.db "Security scan" 2f1c',
  )
    .argument("<file>", "a database")
    .argument("<session...>", SESSION_HELP)
    .option(...YES)
    .action(async (file, names, options) => {
      const sessions = await sessionsNamed(cli, file, names);
      for (const { id, title } of sessions) {
        note(`${oneLine(id)}  ${oneLine(title ?? "")}`.trimEnd());
      }
      const what = `This deletes ${amount(sessions.length, "session")}, with everything in ${sessions.length === 1 ? "it" : "them"}, from ${oneLine(file)}.`;
      await cli.confirm(what, options.yes);
      const deleted = await deleteAll(
        cli,
        file,
        sessions.map(({ id }) => id),
      );
      cli.output.report({ deleted }, [`Deleted ${amount(deleted.length, "session")}.`]);
    });
}

function deleteAll(cli: Cli, file: string, ids: readonly string[]): Promise<string[]> {
  return cli.write(file, async (store) => {
    const deleted = [];
    for (const id of ids) {
      cli.signal.throwIfAborted();
      await store.deleteSession(id);
      deleted.push(id);
    }
    return deleted;
  });
}
