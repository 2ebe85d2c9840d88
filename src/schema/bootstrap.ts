/** The schema bootstrap: creates or upgrades the schema, or rejects the file and changes nothing. */
import type { Connection } from "../database/connection.js";
import { codeOf, SQLITE } from "../database/sqlite-errors.js";
import { HostTransactionError, StoreOpenError } from "../errors.js";
import type { StoreSettings } from "../options.js";
import { inspect, rejectIncomplete } from "./inspection.js";
import { migrate, SCHEMA_VERSION } from "./migrations.js";
import { readObjects } from "./objects.js";
import { hasCompleteVectors, rebuildVectors } from "./vectors.js";

/**
 * Several processes may do this at once: the first takes the write lock, and the others find the schema in place.
 *
 * @throws {StoreOpenError} if the schema is newer than this package, or a table or index has one of our names but a different
 *   definition.
 */
export function bootstrapSchema(connection: Connection, settings: StoreSettings): void {
  const objects = readObjects(connection);
  const version = inspect(connection, objects);
  if (settings.readonly) {
    rejectIncomplete(connection, objects, version);
    return;
  }
  if (version === SCHEMA_VERSION && hasCompleteVectors(objects)) {
    return;
  }
  if (connection.isInTransaction) {
    throw new HostTransactionError();
  }
  connection.queryOnce("BEGIN IMMEDIATE");
  try {
    migrate(connection, inspect(connection, readObjects(connection)), settings.clock());
    if (!hasCompleteVectors(readObjects(connection))) {
      rebuildVectors(connection);
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
    "its schema must be upgraded, and the Database is read-only: pass readonly: true to read the file as it is, " +
      "or a writable Database.",
    { cause },
  );
}
