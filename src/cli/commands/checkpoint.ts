import { printCheckpoint } from "../checkpoint-text.js";
import type { Cli } from "../cli.js";
import { newCommand } from "../command.js";
import { CHECKPOINT_HELP, checkpointNamed, latestOf, SESSION_HELP } from "../naming.js";

const FULL = ["-f, --full", "print the outputs in full"] as const;

export function checkpointCommand(cli: Cli) {
  return newCommand(
    "checkpoint",
    "show one checkpoint: its nodes, their statuses, durations and outputs",
    'runs.db "Security scan:v2"',
    "runs.db 0f3c9a1e --full",
  )
    .argument("<file>", "a database")
    .argument("<checkpoint>", CHECKPOINT_HELP)
    .option(...FULL)
    .action(async (file, name, options) => {
      const id = await checkpointNamed(cli, file, name);
      await printById(cli, file, id, options.full === true);
    });
}

export function latestCommand(cli: Cli) {
  return newCommand(
    "latest",
    "show the checkpoint that a run of the session would resume from",
    'runs.db "Security scan"',
  )
    .argument("<file>", "a database")
    .argument("<session>", SESSION_HELP)
    .option("--namespace <name>", "the latest in this namespace")
    .option(...FULL)
    .action(async (file, name, options) => {
      const id = await latestOf(cli, file, name, options.namespace);
      await printById(cli, file, id, options.full === true);
    });
}

async function printById(cli: Cli, file: string, id: string, isFull: boolean): Promise<void> {
  const checkpoint = await cli.read(file, (store) => store.getCheckpoint(id));
  if (checkpoint !== null) {
    printCheckpoint(checkpoint, cli.output, isFull);
  }
}
