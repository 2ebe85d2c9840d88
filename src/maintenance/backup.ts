/** Backup and restore: checked copies of a file, in place only when they are whole. */
import { boolean } from "../validation/options.js";
import { type BackupReport, copyFile } from "./copy-file.js";
import { filePath, type LongRunningOptions, longRunning } from "./options.js";

export interface BackupOptions extends LongRunningOptions {
  /**
   * Whether a file that is at the target already is replaced. It stays as it is until the new one is whole.
   * @default false
   */
  overwrite?: boolean | undefined;
}

/**
 * Copies one state of the file to another path, compact and with mode 0600, while stores go on writing. The copy is checked by
 * integrity_check, foreign_key_check and the number of rows in each table, is on disk, and only then gets its name.
 *
 * It needs as much free space as the file has data. Progress is in pages; an abort takes effect at once.
 *
 * @throws {InvalidArgumentError} if something is at `to` already and `overwrite` is not given; if a log is beside it.
 * @throws {StoreOpenError} if a store would not open the file.
 * @throws {CheckpointCorruptionError} if the file is damaged. See {@link salvage}.
 * @throws {DiskFullError}
 */
export async function backup(path: string, to: string, options?: BackupOptions): Promise<BackupReport> {
  return copy(filePath("path", path), filePath("to", to), options);
}

/**
 * Copies a backup to the path of a store, in the same way. No store may have the path open.
 *
 * @throws {InvalidArgumentError} if a store is at `to` and `overwrite` is not given; if a log is beside it, also then: SQLite
 *   would replay it over the restored file.
 * @throws {StoreOpenError} if the backup cannot be opened, or holds no store.
 * @throws {CheckpointCorruptionError} if the backup is damaged.
 * @throws {DiskFullError}
 */
export async function restore(backup: string, to: string, options?: BackupOptions): Promise<BackupReport> {
  return copy(filePath("backup", backup), filePath("to", to), options);
}

function copy(source: string, to: string, options: unknown): Promise<BackupReport> {
  const { given, work } = longRunning(options, ["overwrite"]);
  const isOverwriting = boolean("options.overwrite", given.overwrite ?? false);
  return copyFile(source, to, isOverwriting, work);
}
