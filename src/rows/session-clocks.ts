/**
 * The latest time in each session. Within a session times never go backwards, whatever the machine's clock does. A message's
 * time is unique and later than all earlier messages and checkpoints, so paging by time skips no message, and a fork from an
 * earlier checkpoint never includes it.
 */
import type { Connection, Statements } from "../database/connection.js";
import { ColumnReader } from "./column-reader.js";

export const SESSION_CLOCKS_SQL = {
  // `sessions.updated_at` is not the latest time: saving a checkpoint does not change it, and 0.2.3 sets it to the machine's
  // time, which may be behind. For `likelihood`, see CHECKPOINTS_SQL.
  latest: `
    SELECT
      (SELECT max(created_at) FROM main.messages WHERE session_id = +?1) AS message,
      (SELECT max(created_at) FROM main.checkpoints WHERE session_id = +?1 AND likelihood(namespace = '', 0.9999)) AS root,
      (SELECT max(created_at) FROM main.checkpoints WHERE session_id = +?1 AND namespace <> '') AS named`,
};

/** Number of sessions whose times are cached. */
const CAPACITY = 1_000;

const messages = new ColumnReader("messages");
const checkpoints = new ColumnReader("checkpoints");

/**
 * Caches the latest times, because a lookup takes three index searches: 3 to 8 % of a small write with
 * `synchronous: "normal"`.
 *
 * After a write that was rolled back, a cached time may overestimate the latest time; it never underestimates it. The cache is
 * cleared when another connection has written, and unused on a host's Database, because the host writes through it too.
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

  /** Returns 0 if the session is empty. */
  #latestIn(sessionId: string): number {
    this.#clearIfOthersWrote();
    const known = this.#latest.get(sessionId);
    if (known !== undefined) {
      return known;
    }
    const latest = this.#lookUp(sessionId);
    this.advance(sessionId, latest);
    return latest;
  }

  /** Records the time of a new message or checkpoint. */
  advance(sessionId: string, latest: number): void {
    if (this.#isShared) {
      return;
    }
    if (this.#latest.size >= CAPACITY) {
      this.#latest.clear();
    }
    this.#latest.set(sessionId, latest);
  }

  #lookUp(sessionId: string): number {
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

  #clearIfOthersWrote(): void {
    const { dataVersion } = this.#connection;
    if (dataVersion !== this.#dataVersion) {
      this.#latest.clear();
      this.#dataVersion = dataVersion;
    }
  }
}
