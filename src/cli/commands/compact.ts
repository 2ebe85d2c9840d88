import { compact } from "../../maintenance/index.js";
import { type Cli, requireFile } from "../cli.js";
import { newCommand, YES } from "../command.js";
import { UsageError } from "../failures.js";
import { amount, size } from "../format.js";
import { oneLine } from "../text.js";

export function compactCommand(cli: Cli) {
  return newCommand("compact", "make the file as small as its content allows", "runs.db --share-outputs")
    .argument("<file>", "a database")
    .option("--share-outputs", "first rewrite checkpoints, so that a session keeps each large output once")
    .option("--whole", "first rewrite checkpoints for versions 0.2.3 and 0.3.0 to read")
    .option(...YES)
    .action(async (file, options) => {
      if (options.shareOutputs === true && options.whole === true) {
        throw new UsageError("--share-outputs and --whole are opposites: give one of them.");
      }
      requireFile(file);
      const rewriting =
        options.shareOutputs === true || options.whole === true ? "rewrites checkpoints and " : "";
      await cli.confirm(
        `This ${rewriting}rewrites ${oneLine(file)} without its free pages; stores wait meanwhile.`,
        options.yes,
      );
      const { shareOutputs = false, whole = false } = options;
      const report = await cli.long((work) => compact(file, { ...work, shareOutputs, whole }));
      cli.output.report(report, [
        ...(rewriting === "" ? [] : [`Rewrote ${amount(report.checkpointsRewritten, "checkpoint")}.`]),
        `${size(report.bytesBefore)} before, ${size(report.bytesAfter)} now.`,
      ]);
    });
}
