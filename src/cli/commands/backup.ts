import { existsSync } from "node:fs";
import { type BackupReport, backup, restore } from "../../maintenance/index.js";
import { type Cli, requireFile } from "../cli.js";
import { newCommand, YES } from "../command.js";
import { CommandFailure } from "../failures.js";
import { size } from "../format.js";
import { oneLine } from "../text.js";

const OVERWRITE = ["--overwrite", "replace a file that is there; asks first"] as const;

export function backupCommand(cli: Cli) {
  return newCommand(
    "backup",
    "copy one state of the file to another path, checked, while stores go on writing",
    "runs.db backup.db",
  )
    .argument("<file>", "a database")
    .argument("<to>", "where to")
    .option(...OVERWRITE)
    .option(...YES)
    .action(async (file, to, options) => {
      requireFile(file);
      const overwrite = await confirmOverwrite(cli, to, options);
      const report = await cli.longRead(file, (work) => backup(file, to, { ...work, overwrite }));
      cli.output.report(report, copiedLines(report, to));
    });
}

export function restoreCommand(cli: Cli) {
  return newCommand(
    "restore",
    "copy a backup to the path of a store, which no process may have open",
    "backup.db runs.db --overwrite",
  )
    .argument("<backup>", "a backup")
    .argument("<file>", "where to")
    .option(...OVERWRITE)
    .option(...YES)
    .action(async (source, to, options) => {
      requireFile(source);
      const overwrite = await confirmOverwrite(cli, to, options);
      const report = await cli.longRead(source, (work) => restore(source, to, { ...work, overwrite }));
      cli.output.report(report, copiedLines(report, to));
    });
}

async function confirmOverwrite(
  cli: Cli,
  to: string,
  { overwrite, yes }: { overwrite?: true | undefined; yes?: true | undefined },
): Promise<boolean> {
  if (existsSync(to)) {
    if (overwrite !== true) {
      throw new CommandFailure(`${oneLine(to)} exists: name another path, or add --overwrite to replace it.`);
    }
    await cli.confirm(`This replaces ${oneLine(to)} with the copy.`, yes);
  }
  return overwrite === true;
}

function copiedLines({ bytes, rows }: BackupReport, to: string): string[] {
  return [...rowLines(rows), `Copied ${size(bytes)} to ${oneLine(to)}.`];
}

/** Rows by table, without tables that have none. */
export function rowLines(rows: Readonly<Record<string, number>>): string[] {
  const tables = Object.entries(rows).filter(([, count]) => count > 0);
  return tables.map(([table, count]) => `${count.toLocaleString("en").padStart(9)}  ${oneLine(table)}`);
}
