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

/** The fewest deletions of checkpoints between two sweeps, and the most outputs that one sweep deletes. */
const LEAST_BETWEEN_SWEEPS = 8;
const MOST_PER_SWEEP = 500;

/** For how many sessions the deletions to the next sweep are counted. */
const MOST_COUNTED = 10_000;

export class CheckpointRetention {
  readonly #statements: Statements<keyof typeof RETENTION_SQL>;
  readonly #outputs: OutputsTable;
  readonly #kept: number;
  /** By session, after how many more deletions its next sweep is due. */
  readonly #deletionsToSweep = new Map<string, number>();

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
    if (changes > 0) {
      this.#sweepAfter(changes, sessionId);
    }
  }

  /**
   * A sweep reads all checkpoints of the session. The next is due after as many deletions as it has read, so a deletion pays for
   * reading about one row. A process may end before it has made so many, so its first deletion sweeps too; but not while a
   * namespace shrinks, which would read thousands of rows. A sweep that is rolled back is made up for by the next one.
   */
  #sweepAfter(deleted: number, sessionId: string): void {
    const left = this.#deletionsToSweep.get(sessionId);
    const isShrinking = left === undefined && deleted === MOST_PER_SAVE;
    if (isShrinking) {
      return;
    }
    const next = (left ?? 0) - deleted;
    this.#remember(sessionId, next > 0 ? next : this.#sweep(sessionId));
  }

  /** Returns after how many deletions the next sweep is due. */
  #sweep(sessionId: string): number {
    const { checkpointsRead, isDone } = this.#outputs.deleteUnused(sessionId, MOST_PER_SWEEP);
    return isDone ? Math.max(checkpointsRead, LEAST_BETWEEN_SWEEPS) : 0;
  }

  /** Forgetting a session costs one sweep more. */
  #remember(sessionId: string, deletions: number): void {
    if (this.#deletionsToSweep.size >= MOST_COUNTED) {
      this.#deletionsToSweep.clear();
    }
    this.#deletionsToSweep.set(sessionId, deletions);
  }
}
