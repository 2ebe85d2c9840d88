import type { CopyProblem, CopyToPostgresReport } from "../../postgres/index.js";
import type { Cli } from "../cli.js";
import { collected, newCommand, YES } from "../command.js";
import { CommandFailure, EXIT, UsageError } from "../failures.js";
import { amount, size } from "../format.js";
import { sessionNamed } from "../naming.js";
import { oneLine } from "../text.js";
import { rowLines } from "./backup.js";

const URL_HELP =
  "postgres://user@host:5432/database; $POSTGRES_URL, which hides its password, if it is left out";

export function toPostgresCommand(cli: Cli) {
  return newCommand(
    "to-postgres",
    "copy sessions and facts to the tables of @obsku/checkpoint-postgres",
    "runs.db postgres://agent@localhost:5432/agents --dry-run",
    "runs.db --renumber-steps --yes",
  )
    .argument("<file>", "a database")
    .argument("[url]", URL_HELP)
    .option("-s, --session <session>", "only this session; can be repeated", collected)
    .option("-w, --workspace <id>", "only sessions and facts of this workspace")
    .option("--skip-existing", "leave out sessions and facts that are there, instead of failing")
    .option("--fix", "replace what PostgreSQL would not take, and list it")
    .option(
      "--renumber-steps",
      "count steps in the order of saving, for a store that resumes from the highest",
    )
    .option("--renumber-messages", "give messages the next ids there: for the second of several files")
    .option("--dry-run", "write nothing, and say what would not fit")
    .option(...YES)
    .action(async (file, url, options) => {
      const { copyToPostgres, DoesNotFitError } = await import("../../postgres/index.js");
      const target = urlOf(url);
      const { workspace, fix, renumberSteps, renumberMessages, dryRun = false } = options;
      const sessionIds = await idsOf(cli, file, options.session);
      if (!dryRun) {
        await cli.confirm(`This writes what is in ${oneLine(file)} to the PostgreSQL database.`, options.yes);
      }
      try {
        const report = await cli.longRead(file, (work) =>
          copyToPostgres(file, target, {
            ...work,
            sessionIds,
            workspaceId: workspace,
            onConflict: options.skipExisting === true ? "skip" : "error",
            fix,
            renumberSteps,
            renumberMessages,
            dryRun,
          }),
        );
        cli.output.report(report, linesOf(report));
        if (report.problems.some((problem) => problem.fix === undefined)) {
          process.exitCode = EXIT.failed;
        }
      } catch (error) {
        if (!(error instanceof DoesNotFitError)) {
          throw error;
        }
        cli.output.report({ problems: error.problems }, error.problems.map(problemLine));
        throw new CommandFailure(
          `${amount(error.problems.length, "problem")} to solve first. Nothing was written to PostgreSQL.`,
        );
      }
    });
}

export function fromPostgresCommand(cli: Cli) {
  return newCommand(
    "from-postgres",
    "copy the tables of @obsku/checkpoint-postgres into a new file",
    "copy.db postgres://agent@localhost:5432/agents",
  )
    .argument("<file>", "a new file")
    .argument("[url]", URL_HELP)
    .action(async (file, url) => {
      const { copyFromPostgres } = await import("../../postgres/index.js");
      const source = urlOf(url);
      const report = await cli.long((work) => copyFromPostgres(source, file, work));
      cli.output.report(report, [
        ...rowLines({ ...report.rows }),
        `Copied ${size(report.bytes)} to ${oneLine(file)}.`,
      ]);
    });
}

function urlOf(url: string | undefined): string {
  const found = url || process.env.POSTGRES_URL;
  if (found === undefined || found === "") {
    throw new UsageError("There is no URL of a PostgreSQL database: name one, or set POSTGRES_URL.");
  }
  return found;
}

async function idsOf(
  cli: Cli,
  file: string,
  names: readonly string[] | undefined,
): Promise<string[] | undefined> {
  const ids: string[] = [];
  for (const name of names ?? []) {
    ids.push((await sessionNamed(cli, file, name)).id);
  }
  return names === undefined ? undefined : ids;
}

function linesOf({ rows, skipped, problems, differences, dryRun }: CopyToPostgresReport): string[] {
  const left = Object.values(skipped).reduce((sum, count) => sum + count, 0);
  return [
    ...problems.map(problemLine),
    ...differences.map(
      ({ table, id, column, difference }) => `${place(table, id, column)} ${oneLine(difference)}`,
    ),
    ...rowLines({ ...rows }),
    `${dryRun ? "Would copy" : "Copied"} ${amount(rows.sessions, "session")}; left out ${amount(left, "row")} that ${left === 1 ? "is" : "are"} there.`,
  ];
}

function problemLine({ table, id, column, problem, remedy, fix }: CopyProblem): string {
  const outcome = fix === undefined ? remedy : `fixed: ${fix}`;
  return `${place(table, id, column)} ${oneLine(problem)}: ${oneLine(outcome)}`;
}

function place(table: string, id: string | null, column: string): string {
  return `${table} ${oneLine(id ?? "(no id)")} ${column}`;
}
