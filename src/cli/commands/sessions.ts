import type { Session } from "../../types.js";
import type { Cli } from "../cli.js";
import { newCommand, positiveNumber } from "../command.js";
import { time } from "../format.js";
import { NO_SESSIONS, type Output } from "../output.js";
import type { Column } from "../table.js";

interface Filter {
  workspace?: string | undefined;
  directory?: string | undefined;
  title?: string | undefined;
  limit?: number | undefined;
}

export function sessionsCommand(cli: Cli) {
  return newCommand(
    "sessions",
    "list sessions, the last updated first",
    "runs.db",
    "runs.db --workspace scans --title nightly --limit 20",
  )
    .argument("<file>", "a database")
    .option("-w, --workspace <id>", "only those of this workspace")
    .option("-d, --directory <text>", "only those whose directory contains this")
    .option("-t, --title <text>", "only those whose title contains this, in any case")
    .option("-n, --limit <count>", "at most so many", positiveNumber)
    .action(async (file, options) => {
      const sessions = await cli.read(file, (store) => store.listSessions(options.workspace));
      const found = sessions.filter((session) => matches(session, options)).slice(0, options.limit);
      cli.output.list(
        found,
        columnsFor(found, cli.output),
        sessions.length === 0 ? NO_SESSIONS : "No session matches.",
      );
    });
}

function matches({ directory, title = "" }: Session, filter: Filter): boolean {
  return (
    directory.includes(filter.directory ?? "") &&
    title.toLowerCase().includes(filter.title?.toLowerCase() ?? "")
  );
}

function columnsFor(sessions: readonly Session[], output: Output): Column<Session>[] {
  const ids = sessions.map(({ id }) => id);
  const short = output.shortener(ids, "beginning");
  return [
    { title: "SESSION", text: ({ id }) => short(id), paint: "cyan" },
    { title: "UPDATED", text: ({ updatedAt }) => time(updatedAt), paint: "dim" },
    { title: "WORKSPACE", text: ({ workspaceId }) => workspaceId ?? "", isFlexible: true },
    { title: "TITLE", text: ({ title }) => title ?? "", isFlexible: true, paint: "bold" },
    { title: "DIRECTORY", text: ({ directory }) => directory, isFlexible: true },
  ];
}
