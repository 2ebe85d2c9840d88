import { type SessionStats, type Stats, stats, type TableStats } from "../../maintenance/index.js";
import type { Cli } from "../cli.js";
import { newCommand, wholeNumber } from "../command.js";
import { size } from "../format.js";
import type { Output } from "../output.js";
import type { Column } from "../table.js";

const TABLES: Column<TableStats>[] = [
  { title: "TABLE", text: ({ name }) => name, isFlexible: true, paint: "bold" },
  { title: "ROWS", text: ({ rows }) => rows.toLocaleString("en"), isRight: true },
  { title: "SIZE", text: ({ bytes }) => size(bytes), isRight: true },
];

export function statsCommand(cli: Cli) {
  return newCommand("stats", "show what a file holds, and where its bytes are", "runs.db --sessions 20")
    .argument("<file>", "a database")
    .option("--sessions <count>", "list so many of the largest sessions (default: 10)", wholeNumber)
    .action(async (file, options) => {
      const report = await cli.longRead(file, (work) => stats(file, { ...work, sessions: options.sessions }));
      if (cli.output.isJson) {
        cli.output.json(report);
      } else {
        print(report, cli.output);
      }
    });
}

function print({ fileBytes, freeBytes, logBytes, sharing, tables, sessions }: Stats, output: Output): void {
  const { dim } = output.colours;
  output.line(`${dim("file     ")}${size(fileBytes)}, of which ${size(freeBytes)} is free`);
  output.line(`${dim("log      ")}${size(logBytes)}`);
  output.line(
    `${dim("outputs  ")}${size(sharing.stored)} stored once, ${size(sharing.referenced)} if each checkpoint held its own: ${size(sharing.saved)} saved`,
  );
  output.line();
  output.table(tables, TABLES);
  if (sessions.length > 0) {
    output.line();
    output.table(sessions, sessionColumns(sessions, output));
  }
}

function sessionColumns(sessions: readonly SessionStats[], output: Output): Column<SessionStats>[] {
  const ids = sessions.map(({ id }) => id);
  const short = output.shortener(ids, "beginning");
  return [
    { title: "SESSION", text: ({ id }) => short(id), paint: "cyan" },
    { title: "SIZE", text: ({ bytes }) => size(bytes), isRight: true },
    { title: "OUTPUTS", text: ({ outputBytes }) => size(outputBytes), isRight: true },
    { title: "MESSAGES", text: ({ messages }) => messages.toLocaleString("en"), isRight: true },
    { title: "CHECKPOINTS", text: ({ checkpoints }) => checkpoints.toLocaleString("en"), isRight: true },
    { title: "TITLE", text: ({ title }) => title ?? "", isFlexible: true, paint: "bold" },
  ];
}
