/**
 * Which of a session's outputs no checkpoint refers to any more, and their deletion: at saves with `keepCheckpoints`, in `prune`
 * and in `compact`.
 *
 * References are found in the text of a row, not in its JSON: a row whose JSON is damaged keeps its outputs, so that they are there
 * when it is repaired or salvaged. What only looks like a reference keeps an output as well.
 *
 * Limits: it reads all checkpoints of the session, one at a time.
 */
import type { Connection, Row, Statements } from "../database/connection.js";
import { hashesAnywhereIn } from "../outputs/references.js";
import { ColumnReader, ignoredByTrigger } from "../rows/column-reader.js";
import { OUTPUTS_TABLE, outputsFinder } from "../schema/outputs.js";

export const OUTPUTS_SWEEP_SQL = {
  // A damaged row may hold a BLOB.
  checkpoints: `
    SELECT rowid AS position, CAST(node_results AS TEXT) AS node_results
    FROM main.checkpoints
    WHERE session_id = +?1`,

  // Lists of pieces first, because rows are deleted in this order, in several transactions: a save writes the pieces of an output
  // again if it does not find its list.
  stored: `
    SELECT
      hash,
      CAST(pieces AS TEXT) AS pieces,
      coalesce(octet_length(text), 0) + coalesce(octet_length(pieces), 0) AS bytes
    FROM main.checkpoint_sqlite_outputs
    WHERE session_id = +?1
      AND typeof(hash) = 'text'
    ORDER BY pieces IS NULL
    LIMIT +?2`,

  delete: `
    DELETE FROM main.checkpoint_sqlite_outputs
    WHERE session_id = ?1
      AND hash = ?2`,
};

export interface StoredOutput {
  hash: string;
  bytes: number;
}

export interface Unused {
  outputs: StoredOutput[];
  /** How many checkpoints were read to find them. */
  checkpointsRead: number;
}

/** As SQL's LIMIT takes it. */
const ALL = -1;

const NONE: ReadonlySet<number> = new Set();

const checkpoints = new ColumnReader("checkpoints");
const column = new ColumnReader(OUTPUTS_TABLE);

export class OutputsSweep {
  readonly #hasTable: () => boolean;
  readonly #statements: Statements<keyof typeof OUTPUTS_SWEEP_SQL>;

  constructor(connection: Connection) {
    this.#hasTable = outputsFinder(connection);
    this.#statements = connection.statements(OUTPUTS_SWEEP_SQL);
  }

  /**
   * The first outputs of a session.
   *
   * @param limit -1: all.
   */
  stored(sessionId: string, limit: number): StoredOutput[] {
    return this.#rows(sessionId, limit).map(toStoredOutput);
  }

  /**
   * The outputs of a session that no checkpoint refers to. They can be deleted in the transaction in which they were found, or in
   * one before which no other connection has committed: a store may refer to an output that is there at any time.
   *
   * @param dropped Positions (rowids) of checkpoints that do not count.
   */
  unused(sessionId: string, dropped: ReadonlySet<number> = NONE): Unused {
    const rows = this.#rows(sessionId, ALL);
    if (rows.length === 0) {
      return { outputs: [], checkpointsRead: 0 };
    }
    const { needed, checkpointsRead } = this.#neededOf(sessionId, rows, dropped);
    const outputs = rows.filter(({ hash }) => !needed.has(hash)).map(toStoredOutput);
    return { outputs, checkpointsRead };
  }

  /** The hashes of the stored outputs that checkpoints of a session refer to, and of their pieces. */
  needed(sessionId: string): string[] {
    const rows = this.#rows(sessionId, ALL);
    const { needed } = this.#neededOf(sessionId, rows, NONE);
    return rows.flatMap(({ hash }) => (needed.has(hash) ? [String(hash)] : []));
  }

  /** @throws {StorageError} if a trigger ignores a deletion: to find the output again and again would never end. */
  delete(sessionId: string, outputs: readonly StoredOutput[]): void {
    for (const { hash } of outputs) {
      if (this.#statements.delete.run(sessionId, hash).changes === 0) {
        throw ignoredByTrigger(OUTPUTS_TABLE);
      }
    }
  }

  #neededOf(
    sessionId: string,
    stored: readonly Row[],
    dropped: ReadonlySet<number>,
  ): { needed: ReadonlySet<unknown>; checkpointsRead: number } {
    const needed = new Set<unknown>();
    let checkpointsRead = 0;
    for (const row of this.#statements.checkpoints.iterate(sessionId)) {
      checkpointsRead += 1;
      if (dropped.size === 0 || !dropped.has(checkpoints.integer(row, "position"))) {
        addAll(needed, hashesAnywhereIn(checkpoints.text(row, "node_results")));
      }
    }
    const lists = stored.filter(({ hash, pieces }) => pieces !== null && needed.has(hash));
    for (const row of lists) {
      addAll(needed, hashesAnywhereIn(column.text(row, "pieces")));
    }
    return { needed, checkpointsRead };
  }

  #rows(sessionId: string, limit: number): Row[] {
    return this.#hasTable() ? this.#statements.stored.all(sessionId, limit) : [];
  }
}

function addAll(set: Set<unknown>, values: Iterable<string>): void {
  for (const value of values) {
    set.add(value);
  }
}

function toStoredOutput(row: Row): StoredOutput {
  return {
    hash: column.text(row, "hash"),
    bytes: column.integer(row, "bytes"),
  };
}
