/**
 * `@obsku/checkpoint-sqlite/maintenance`: the operator's functions on a file's path.
 *
 * Each opens a connection of its own, so it works alongside running stores and other processes.
 */
// First: on Node it says what is missing, before anything else can fail.
import "../runtime/bun.js";

export { type BackupOptions, backup, restore } from "./backup.js";
export { type CompactOptions, type CompactReport, compact } from "./compact.js";
export type { BackupReport } from "./copy-file.js";
export { copySession } from "./copy-session.js";
export { type ExportOptions, exportSessions } from "./export-sessions.js";
export { type ImportOptions, type ImportReport, importSessions } from "./import-sessions.js";
export type { LongRunningOptions, Progress } from "./options.js";
export { type PrunePolicy, type PruneReport, prune } from "./prune.js";
export { type LostRow, type SalvageReport, salvage } from "./salvage.js";
export { type SessionStats, type Stats, type StatsOptions, stats, type TableStats } from "./stats.js";
export { type Problem, type VerifyReport, verify } from "./verify.js";
