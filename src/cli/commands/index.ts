/** The commands in the order of the help. A new one is a file here, and a line in this list. */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.js";
import { backupCommand, restoreCommand } from "./backup.js";
import { checkpointCommand, latestCommand } from "./checkpoint.js";
import { compactCommand } from "./compact.js";
import { completionCommand } from "./completion.js";
import { copyCommand } from "./copy.js";
import { deleteCommand } from "./delete.js";
import { diffCommand } from "./diff.js";
import { exportCommand } from "./export.js";
import { forkCommand } from "./fork.js";
import { importCommand } from "./import.js";
import { messagesCommand } from "./messages.js";
import { pruneCommand } from "./prune.js";
import { salvageCommand } from "./salvage.js";
import { sessionsCommand } from "./sessions.js";
import { showCommand } from "./show.js";
import { statsCommand } from "./stats.js";
import { treeCommand } from "./tree.js";
import { verifyCommand } from "./verify.js";

export const COMMANDS: readonly ((cli: Cli) => CommandUnknownOpts)[] = [
  sessionsCommand,
  showCommand,
  treeCommand,
  checkpointCommand,
  diffCommand,
  latestCommand,
  messagesCommand,
  forkCommand,
  copyCommand,
  deleteCommand,
  statsCommand,
  verifyCommand,
  salvageCommand,
  backupCommand,
  restoreCommand,
  pruneCommand,
  compactCommand,
  exportCommand,
  importCommand,
  completionCommand,
];
