/** The schema bootstrap: leaves the schema in place, or refuses the file and changes nothing. */
import type { Connection } from "../database/connection.js";
import { codeOf, SQLITE } from "../database/sqlite-errors.js";
import { HostTransactionError, StoreOpenError } from "../errors.js";
import type { StoreSettings } from "../options.js";
import { inspect, refuseIncomplete } from "./inspection.js";
import { migrate, SCHEMA_VERSION } from "./migrations.js";
import { readObjects } from "./objects.js";
import { hasWholeVectors, remakeVectors } from "./vectors.js";

/**
 * Several processes may do this at once: the first takes the write lock, the others find its work done.
 *
 * @throws {StoreOpenError} where the schema is newer than this package, or a table or index of our name is another's.
 */
export function bootstrapSchema(connection: Connection, settings: StoreSettings): void {
  const objects = readObjects(connection);
  const version = inspect(connection, objects);
  if (settings.readonly) {
    refuseIncomplete(connection, objects);
    return;
  }
  if (version === SCHEMA_VERSION && hasWholeVectors(objects)) {
    return;
  }
  if (connection.isInTransaction) {
    throw new HostTransactionError();
  }
  connection.queryOnce("BEGIN IMMEDIATE");
  try {
    migrate(connection, inspect(connection, readObjects(connection)), settings.clock());
    if (!hasWholeVectors(readObjects(connection))) {
      remakeVectors(connection);
    }
    connection.queryOnce("COMMIT");
  } catch (error) {
    if (connection.isInTransaction) {
      connection.queryOnce("ROLLBACK");
    }
    throw isReadonlyHost(connection, error) ? readonlyHost(connection, error) : error;
  }
}

function isReadonlyHost(connection: Connection, error: unknown): boolean {
  return !connection.isOwned && codeOf(error) === SQLITE.READONLY;
}

function readonlyHost(connection: Connection, cause: unknown): StoreOpenError {
  return new StoreOpenError(
    connection.path,
    "its schema has to be brought up to date, and the Database was opened for reading only: pass readonly: true to read the file as it is, " +
      "or a Database that can write.",
    { cause },
  );
}
