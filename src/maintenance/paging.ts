/** Reading a table page by page, in its own order. */
import { CheckpointCorruptionError } from "../errors.js";

/**
 * In a damaged file the next page may begin where an earlier one did, and whoever reads on would never end.
 *
 * @throws {CheckpointCorruptionError} if the last row of a page does not come after that of the page before.
 */
export function requireProgress<T extends string | number>(table: string, before: T, last: T): T {
  if (last > before) {
    return last;
  }
  throw new CheckpointCorruptionError(
    `the rows of table ${table} are not in order. Verify the file, and restore a backup or salvage it.`,
  );
}
