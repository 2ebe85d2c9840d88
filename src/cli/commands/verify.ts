import { type Problem, verify } from "../../maintenance/index.js";
import type { Cli } from "../cli.js";
import { newCommand } from "../command.js";
import { EXIT } from "../failures.js";
import { amount } from "../format.js";
import type { Colours } from "../terminal.js";
import { oneLine } from "../text.js";

export function verifyCommand(cli: Cli) {
  return newCommand(
    "verify",
    "check the file, its schema and every row; exit code 1 if anything is wrong",
    "runs.db",
  )
    .argument("<file>", "a database")
    .action(async (file) => {
      const report = await cli.longRead(file, (work) => verify(file, work));
      const { counts, ok, problems } = report;
      const rows = Object.values(counts).reduce((sum, count) => sum + count, 0);
      const { green, red } = cli.output.colours;
      const result = ok ? green("No problem found.") : red(`${amount(problems.length, "problem")} found.`);
      cli.output.report(report, [
        ...problems.flatMap((problem) => problemLines(problem, cli.output.colours)),
        `${amount(rows, "row")} read. ${result}`,
      ]);
      process.exitCode = ok ? EXIT.ok : EXIT.failed;
    });
}

function problemLines({ table, id, column, problem, remedy }: Problem, { bold, dim }: Colours): string[] {
  const place = [table, ...(id === "" ? [] : [id]), ...(column === undefined ? [] : [column])];
  return [`${bold(oneLine(place.join(" ")))}: ${oneLine(problem)}`, dim(`  ${oneLine(remedy)}`)];
}
