/** A session's stored outputs, and the deletion in steps of those that no checkpoint refers to any more. */
import type { Connection, Row, Statements } from "../database/connection.js";
import { ColumnReader } from "../rows/column-reader.js";
import { hasOutputs, OUTPUTS_TABLE } from "../schema/outputs.js";
import { NEEDED } from "../tables/outputs.js";
import { requireDeleted } from "./transactions.js";

const POSITION_AND_BYTES =
  "rowid AS position, coalesce(octet_length(text), 0) + coalesce(octet_length(pieces), 0) AS bytes";

export const OUTPUTS_SWEEP_SQL = {
  stored: `
    SELECT ${POSITION_AND_BYTES}
    FROM main.checkpoint_sqlite_outputs
    WHERE session_id = +?1
    LIMIT +?2`,

  // As OUTPUTS_SQL.deleteUnused, which a save runs; but a list, and without the checkpoints at the positions in ?2.
  unused: `
    ${NEEDED("saved.session_id = +?1 AND saved.rowid NOT IN (SELECT value FROM json_each(+?2))", "+?1")}
    SELECT ${POSITION_AND_BYTES}
    FROM main.checkpoint_sqlite_outputs
    WHERE session_id = +?1
      AND hash NOT IN (SELECT hash FROM needed)
    LIMIT +?3`,

  delete: `
    DELETE FROM main.checkpoint_sqlite_outputs
    WHERE rowid = ?1`,
};

export interface StoredOutput {
  position: number;
  bytes: number;
}

const column = new ColumnReader(OUTPUTS_TABLE);

export class OutputsSweep {
  readonly #statements: Statements<keyof typeof OUTPUTS_SWEEP_SQL>;
  readonly #hasTable: boolean;

  constructor(connection: Connection) {
    this.#statements = connection.statements(OUTPUTS_SWEEP_SQL);
    this.#hasTable = hasOutputs(connection);
  }

  /**
   * The first outputs of a session.
   *
   * @param limit -1: all.
   */
  stored(sessionId: string, limit: number): StoredOutput[] {
    return this.#hasTable ? this.#statements.stored.all(sessionId, limit).map(toStoredOutput) : [];
  }

  /**
   * The first outputs of a session that no checkpoint refers to. To be called in the transaction that deletes them: a store may
   * refer to an output that is there at any time.
   *
   * @param limit -1: all.
   * @param dropped Positions (rowids) of checkpoints that do not count.
   */
  unused(sessionId: string, limit: number, dropped: readonly number[] = []): StoredOutput[] {
    return this.#hasTable
      ? this.#statements.unused.all(sessionId, JSON.stringify(dropped), limit).map(toStoredOutput)
      : [];
  }

  delete(outputs: readonly StoredOutput[]): void {
    for (const { position } of outputs) {
      requireDeleted(OUTPUTS_TABLE, this.#statements.delete.run(position));
    }
  }
}

function toStoredOutput(row: Row): StoredOutput {
  return { position: column.integer(row, "position"), bytes: column.integer(row, "bytes") };
}
