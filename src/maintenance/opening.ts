/** Opens an existing file for maintenance, on a connection of its own, alongside running stores and other processes. */
import { statSync } from "node:fs";
import type { Connection } from "../database/connection.js";
import { openFile } from "../database/opening.js";
import { StoreOpenError } from "../errors.js";
import { bootstrapSchema } from "../schema/bootstrap.js";
import { settingsOf } from "../validation/options.js";
import { messageOf } from "../values/describe.js";

/**
 * For functions that write: a file of an older version is upgraded in place, as a store does.
 *
 * @throws {StoreOpenError} if there is no such file, or if a store would not open it.
 */
export function openForWriting(path: string, busyTimeout: number): Connection {
  requireFile(path);
  const settings = settingsOf({ busyTimeout });
  return openFile(path, settings, (connection) => bootstrapSchema(connection, settings));
}

/**
 * For functions that only read: the file is left as it is, and its schema may be of any version up to this package's.
 *
 * @param bootstrap What to check of the schema.
 * @throws {StoreOpenError} if there is no such file, or if a store would not open it.
 */
export function openForReading(
  path: string,
  busyTimeout: number,
  bootstrap?: (connection: Connection) => void,
): Connection {
  const settings = settingsOf({ busyTimeout, readonly: true });
  return openFile(path, settings, bootstrap ?? ((connection) => bootstrapSchema(connection, settings)));
}

/** Opening would create the file. */
function requireFile(path: string): void {
  if (!exists(path)) {
    throw new StoreOpenError(path, "the file does not exist, and maintenance does not create it.");
  }
}

function exists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw new StoreOpenError(path, `${messageOf(error)}.`, { cause: error });
  }
}
