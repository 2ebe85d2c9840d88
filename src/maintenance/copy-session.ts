/**
 * `copySession`: a second session with the same content.
 *
 * Limits: one transaction, however large the session is; stores that write meanwhile wait for it.
 */
import { SessionNotFoundError } from "../errors.js";
import { OutputsTable } from "../tables/outputs.js";
import { text } from "../validation/arguments.js";
import { openForWriting } from "./opening.js";
import { filePath, type LongRunningOptions, longRunning } from "./options.js";
import { StagedSession } from "./staging.js";
import { ShortTransactions } from "./transactions.js";

/**
 * Copies a session with its messages, checkpoints, their outputs, and entities under new ids, in one transaction. Times and versions stay. A
 * `parentId` or a relationship within the session leads to the copy. Facts are not copied: they belong to no session.
 *
 * @returns the id of the new session.
 * @throws {SessionNotFoundError}
 * @throws {StorageError} if a trigger of another application keeps rows of the copy out. Nothing was written.
 * @throws {StoreBusyError} if another connection held the lock for longer than `busyTimeout`. Nothing was written.
 *
 * @example
 * const copy = await copySession("runs.db", session.id);
 */
export async function copySession(
  path: string,
  sessionId: string,
  options?: LongRunningOptions,
): Promise<{ id: string }> {
  const file = filePath("path", path);
  const original = text("sessionId", sessionId);
  const { work } = longRunning(options);
  work.throwIfAborted();
  const connection = openForWriting(file, work.busyTimeout);
  try {
    const staged = new StagedSession(connection);
    const outputs = new OutputsTable(connection);
    const id = await new ShortTransactions(connection, work.busyTimeout).run(() => {
      staged.clear();
      if (!staged.copyFrom(original)) {
        throw new SessionNotFoundError(original);
      }
      staged.giveNewIds();
      const copy = staged.write().id;
      outputs.copyToSession(original, copy);
      return copy;
    });
    work.report({ done: 1, total: 1, unit: "sessions" });
    return { id };
  } finally {
    connection.close();
  }
}
