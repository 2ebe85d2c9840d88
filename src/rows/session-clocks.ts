/**
 * The latest time in each session: within a session no message or checkpoint is earlier than what was there before it,
 * whatever the machine's clock does. A message gets a time of its own, above all before it, so that paging by time loses
 * none, and none is at or below the time of a checkpoint that was saved before it.
 */
import type { Connection, Statements } from "../database/connection.js";
import { ColumnReader } from "./column-reader.js";

export const SESSION_CLOCKS_SQL = {
  // `sessions.updated_at` does not tell it: saving a checkpoint does not move it, and 0.2.3 sets it to the machine's time,
  // which may be behind. `likelihood`: see CHECKPOINTS_SQL.
  latest: `
    SELECT
      (SELECT max(created_at) FROM main.messages WHERE session_id = +?1) AS message,
      (SELECT max(created_at) FROM main.checkpoints WHERE session_id = +?1 AND likelihood(namespace = '', 0.9999)) AS root,
      (SELECT max(created_at) FROM main.checkpoints WHERE session_id = +?1 AND namespace <> '') AS named`,
};

/** How many sessions' times are remembered. */
const CAPACITY = 1_000;

const messages = new ColumnReader("messages");
const checkpoints = new ColumnReader("checkpoints");

/**
 * Remembers what it found or was told, because looking takes three searches of an index: 3 to 8 % of a small write at
 * `synchronous: "normal"`.
 *
 * What is remembered may be too late, after a write that was rolled back, but never too early: it is forgotten as soon as
 * another connection has written, and nothing is remembered where a host writes through the same connection.
 */
export class SessionClocks {
  readonly #connection: Connection;
  readonly #statements: Statements<keyof typeof SESSION_CLOCKS_SQL>;
  readonly #isShared: boolean;
  readonly #latest = new Map<string, number>();
  #dataVersion: unknown;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = connection.statements(SESSION_CLOCKS_SQL);
    this.#isShared = !connection.isOwned;
  }

  /** For a message: later than everything in its session. Call it in a transaction that holds the write lock. */
  nextMessageTime(sessionId: string, now: number): number {
    return Math.max(now, this.#latestIn(sessionId) + 1);
  }

  /** For a checkpoint: not earlier than anything in its session. Call it in a transaction that holds the write lock. */
  nextCheckpointTime(sessionId: string, now: number): number {
    return Math.max(now, this.#latestIn(sessionId));
  }

  /** 0 if nothing is in the session. */
  #latestIn(sessionId: string): number {
    this.#forgetWhatOthersChanged();
    const known = this.#latest.get(sessionId);
    if (known !== undefined) {
      return known;
    }
    const latest = this.#lookFor(sessionId);
    this.advance(sessionId, latest);
    return latest;
  }

  /** Tells of a message or checkpoint that was written with this time. */
  advance(sessionId: string, latest: number): void {
    if (this.#isShared) {
      return;
    }
    if (this.#latest.size >= CAPACITY) {
      this.#latest.clear();
    }
    this.#latest.set(sessionId, latest);
  }

  #lookFor(sessionId: string): number {
    const row = this.#statements.latest.get(sessionId);
    const timeIn = (table: ColumnReader, latest: unknown) =>
      table.optionalInteger(
        { id: `of the latest in session ${sessionId}`, created_at: latest ?? null },
        "created_at",
      ) ?? 0;
    return Math.max(
      timeIn(messages, row?.message),
      timeIn(checkpoints, row?.root),
      timeIn(checkpoints, row?.named),
    );
  }

  #forgetWhatOthersChanged(): void {
    const { dataVersion } = this.#connection;
    if (dataVersion !== this.#dataVersion) {
      this.#latest.clear();
      this.#dataVersion = dataVersion;
    }
  }
}
