import { type PrunePolicy, type PruneReport, prune } from "../../maintenance/index.js";
import type { Cli } from "../cli.js";
import { collected, newCommand, pointInTime, positiveNumber, YES } from "../command.js";
import { UsageError } from "../failures.js";
import { amount, size } from "../format.js";
import { sessionsNamed } from "../naming.js";
import { oneLine } from "../text.js";

export function pruneCommand(cli: Cli) {
  return newCommand(
    "prune",
    "delete old checkpoints and idle sessions",
    "runs.db --keep 10 --dry-run",
    "runs.db --idle 90d --workspace scans --yes",
  )
    .argument("<file>", "a database")
    .option("--keep <count>", "keep so many checkpoints of each session and namespace", positiveNumber)
    .option("--older-than <age>", "delete checkpoints saved before: 90d, 12h, or a date", pointInTime)
    .option("--idle <age>", "delete sessions with nothing new since: 90d, 12h, or a date", pointInTime)
    .option("-s, --session <session>", "only in this session; can be repeated", collected)
    .option("-w, --workspace <id>", "only in sessions of this workspace")
    .option("--namespace <name>", "only checkpoints of this namespace")
    .option("--dry-run", "change nothing, and say what would go")
    .option(...YES)
    .action(async (file, options) => {
      if ([options.keep, options.olderThan, options.idle].every((rule) => rule === undefined)) {
        throw new UsageError("Nothing says what to delete: add --keep, --older-than or --idle.");
      }
      if (options.idle !== undefined && options.namespace !== undefined) {
        throw new UsageError("--idle deletes whole sessions: it cannot be given with --namespace.");
      }
      const sessions =
        options.session === undefined ? undefined : await sessionsNamed(cli, file, options.session);
      const policy: PrunePolicy = {
        keepCheckpoints: options.keep,
        checkpointsOlderThan: options.olderThan,
        sessionsIdleSince: options.idle,
        sessionIds: sessions?.map(({ id }) => id),
        workspaceId: options.workspace,
        namespace: options.namespace,
      };
      if (options.dryRun === true) {
        report(cli, await dryRun(cli, file, policy));
        return;
      }
      const what = options.yes === true ? "" : textOf(await dryRun(cli, file, policy));
      await cli.confirm(`This deletes ${what} from ${oneLine(file)}.`, options.yes);
      report(cli, await cli.long((work) => prune(file, policy, work)));
    });
}

function dryRun(cli: Cli, file: string, policy: PrunePolicy): Promise<PruneReport> {
  return cli.longRead(file, (work) => prune(file, { ...policy, dryRun: true }, work));
}

function report(cli: Cli, pruned: PruneReport): void {
  cli.output.report(pruned, [`${pruned.dryRun ? "Would delete" : "Deleted"} ${textOf(pruned)}.`]);
}

const LIST = new Intl.ListFormat("en-GB"); // `a, b and c`

function textOf({ sessions, checkpoints, messages, outputs, bytes }: PruneReport): string {
  const counts = { session: sessions, checkpoint: checkpoints, message: messages, output: outputs };
  const rows = Object.entries(counts).flatMap(([unit, count]) => (count > 0 ? [amount(count, unit)] : []));
  return rows.length === 0 ? "nothing" : `${LIST.format(rows)} (${size(bytes)})`;
}
