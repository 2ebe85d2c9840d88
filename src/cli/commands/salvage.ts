import { existsSync } from "node:fs";
import { salvage } from "../../maintenance/index.js";
import { type Cli, requireFile } from "../cli.js";
import { newCommand } from "../command.js";
import { CommandFailure } from "../failures.js";
import { amount } from "../format.js";
import { oneLine } from "../text.js";
import { rowLines } from "./backup.js";

export function salvageCommand(cli: Cli) {
  return newCommand(
    "salvage",
    "copy what is readable of a damaged file to a new one, and list what is lost",
    "damaged.db salvaged.db",
  )
    .argument("<file>", "a damaged database")
    .argument("<to>", "a new file")
    .action(async (file, to) => {
      requireFile(file);
      if (existsSync(to)) {
        throw new CommandFailure(`${oneLine(to)} exists: name another path.`);
      }
      const report = await cli.longRead(file, (work) => salvage(file, to, work));
      cli.output.report(report, [
        ...rowLines(report.copied),
        ...report.lost.map(({ table, id = "", session, reason }) =>
          oneLine(
            `lost: ${table} ${id}`.trimEnd() +
              `${session === undefined ? "" : ` (session ${session})`}: ${reason}`,
          ),
        ),
        report.lost.length === 0 ? "Nothing is lost." : `${amount(report.lost.length, "row")} lost.`,
      ]);
    });
}
