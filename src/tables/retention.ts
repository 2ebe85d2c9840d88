/** Retention of checkpoints at the save: what `keepCheckpoints` leaves of a namespace. */
import type { Connection, Statements } from "../database/connection.js";
import type { Checkpoint } from "../types.js";
import type { OutputsTable } from "./outputs.js";

// The oldest of those before the newest so many (`?2` is that count less one). `likelihood`: see CHECKPOINTS_SQL.
export const RETENTION_SQL = {
  deleteExpiredInRoot: `
    DELETE FROM main.checkpoints
    WHERE rowid IN (
        SELECT rowid
        FROM main.checkpoints
        WHERE session_id = +?1
          AND likelihood(namespace = '', 0.9999)
          AND (created_at, rowid) < (
            SELECT created_at, rowid
            FROM main.checkpoints
            WHERE session_id = +?1
              AND likelihood(namespace = '', 0.9999)
            ORDER BY created_at DESC, rowid DESC
            LIMIT 1 OFFSET +?2
          )
        ORDER BY created_at, rowid
        LIMIT +?3
      )
      AND id <> +?4`,

  deleteExpiredInNamespace: `
    DELETE FROM main.checkpoints
    WHERE rowid IN (
        SELECT rowid
        FROM main.checkpoints
        WHERE session_id = +?1
          AND namespace = +?5
          AND namespace <> ''
          AND (created_at, rowid) < (
            SELECT created_at, rowid
            FROM main.checkpoints
            WHERE session_id = +?1
              AND namespace = +?5
              AND namespace <> ''
            ORDER BY created_at DESC, rowid DESC
            LIMIT 1 OFFSET +?2
          )
        ORDER BY created_at, rowid
        LIMIT +?3
      )
      AND id <> +?4`,
};

/** A save adds one checkpoint, so any number above one shrinks a namespace that holds too many. */
const MOST_PER_SAVE = 4;

/** If few are kept: what one sweep costs is spread over so many deletions. */
const LEAST_BETWEEN_SWEEPS = 8;

/** For how many sessions the deletions since the last sweep are counted. */
const MOST_COUNTED = 10_000;

export class CheckpointRetention {
  readonly #statements: Statements<keyof typeof RETENTION_SQL>;
  readonly #outputs: OutputsTable;
  readonly #kept: number;
  /** By session. */
  readonly #deletedSinceSweep = new Map<string, number>();

  /** @param kept How many checkpoints of a namespace are kept; `Infinity`: all. */
  constructor(connection: Connection, outputs: OutputsTable, kept: number) {
    this.#statements = connection.statements(RETENTION_SQL);
    this.#outputs = outputs;
    this.#kept = kept;
  }

  /**
   * Deletes a few of the checkpoints that have expired in the namespace of one that was just saved, the oldest first, and now
   * and then the outputs that nothing refers to any more. That one itself stays, even if a row with a time in the future counts
   * as newer.
   */
  deleteExpired({ id, sessionId, namespace }: Checkpoint): void {
    if (this.#kept === Number.POSITIVE_INFINITY) {
      return;
    }
    const [newer, most] = [this.#kept - 1, MOST_PER_SAVE];
    const { changes } =
      namespace === ""
        ? this.#statements.deleteExpiredInRoot.run(sessionId, newer, most, id)
        : this.#statements.deleteExpiredInNamespace.run(sessionId, newer, most, id, namespace);
    if (changes > 0 && this.#isSweepDue(sessionId, changes)) {
      this.#outputs.deleteUnused(sessionId);
    }
  }

  /**
   * A sweep reads all checkpoints of the session that are left. It is due after as many deletions as are kept, so a save pays for
   * reading about one row; and at the first deletion, because a process may end before it has made so many.
   */
  #isSweepDue(sessionId: string, deleted: number): boolean {
    const before = this.#deletedSinceSweep.get(sessionId) ?? Number.POSITIVE_INFINITY;
    const isDue = before + deleted >= Math.max(this.#kept, LEAST_BETWEEN_SWEEPS);
    if (this.#deletedSinceSweep.size >= MOST_COUNTED) {
      this.#deletedSinceSweep.clear();
    }
    this.#deletedSinceSweep.set(sessionId, isDue ? 0 : before + deleted);
    return isDue;
  }
}
