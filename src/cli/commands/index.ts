/**
 * The commands in the order of the help. A new one is a file here, and a line in this list.
 *
 * Only the command that is run is loaded: all of them take three times as long to start.
 */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../cli.js";

type CreateCommand = (cli: Cli) => CommandUnknownOpts;

export const COMMANDS: Readonly<Record<string, () => Promise<CreateCommand>>> = {
  sessions: async () => (await import("./sessions.js")).sessionsCommand,
  show: async () => (await import("./show.js")).showCommand,
  tree: async () => (await import("./tree.js")).treeCommand,
  checkpoint: async () => (await import("./checkpoint.js")).checkpointCommand,
  diff: async () => (await import("./diff.js")).diffCommand,
  latest: async () => (await import("./checkpoint.js")).latestCommand,
  messages: async () => (await import("./messages.js")).messagesCommand,
  inspect: async () => (await import("./inspect.js")).inspectCommand,
  fork: async () => (await import("./fork.js")).forkCommand,
  copy: async () => (await import("./copy.js")).copyCommand,
  delete: async () => (await import("./delete.js")).deleteCommand,
  stats: async () => (await import("./stats.js")).statsCommand,
  verify: async () => (await import("./verify.js")).verifyCommand,
  salvage: async () => (await import("./salvage.js")).salvageCommand,
  backup: async () => (await import("./backup.js")).backupCommand,
  restore: async () => (await import("./backup.js")).restoreCommand,
  prune: async () => (await import("./prune.js")).pruneCommand,
  compact: async () => (await import("./compact.js")).compactCommand,
  export: async () => (await import("./export.js")).exportCommand,
  import: async () => (await import("./import.js")).importCommand,
  "to-postgres": async () => (await import("./postgres.js")).toPostgresCommand,
  "from-postgres": async () => (await import("./postgres.js")).fromPostgresCommand,
  completion: async () => (await import("./completion.js")).completionCommand,
};
