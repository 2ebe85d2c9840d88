/** The table `checkpoints`: its statements, what they take, and the mapper from row to {@link Checkpoint}. */
import {
  limit,
  namedValues,
  nonNegativeInteger,
  oneOf,
  optionalStructured,
  optionalText,
  required,
  structured,
  text,
} from "../arguments.js";
import type { Connection, Row, Statements } from "../connection.js";
import { CheckpointVersionConflictError } from "../errors.js";
import type { EncodedValue } from "../json-plus/text.js";
import { cycleState, nodeResults, pendingNodes } from "../shapes.js";
import { extendedCodeOf, SQLITE } from "../sqlite-errors.js";
import type { Checkpoint, CheckpointSource } from "../types.js";
import { ColumnReader, setIfPresent } from "./columns.js";

const COLUMNS =
  "id, session_id, namespace, parent_id, version, step, node_id, node_results, pending_nodes, cycle_state, source, created_at";

// "Newest" is by time of saving. `step` starts again with a run, and so says nothing across runs.
export const CHECKPOINTS_SQL = {
  // No row: no such session.
  insert: `
    INSERT INTO checkpoints (${COLUMNS})
    SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
    FROM sessions
    WHERE id = ?2`,

  nextVersion: `
    SELECT max(version) + 1 AS version
    FROM checkpoints
    WHERE session_id = ?1
      AND namespace = ?2`,

  select: `
    SELECT ${COLUMNS}
    FROM checkpoints
    WHERE id = ?1`,

  list: `
    SELECT ${COLUMNS}
    FROM checkpoints
    WHERE session_id = ?1
    ORDER BY created_at DESC, rowid DESC
    LIMIT ?2`,

  listOfNamespace: `
    SELECT ${COLUMNS}
    FROM checkpoints
    WHERE session_id = ?1
      AND namespace = ?2
    ORDER BY created_at DESC, rowid DESC
    LIMIT ?3`,

  // As the forked session begins: not before the checkpoint, and so not before any message it takes along.
  copyToFork: `
    INSERT INTO checkpoints (${COLUMNS})
    SELECT
      ?2, fork.id, namespace, checkpoint.id, version, step, node_id, node_results, pending_nodes, cycle_state,
      'fork', fork.created_at
    FROM checkpoints AS checkpoint
    JOIN sessions AS fork ON fork.id = ?3
    WHERE checkpoint.id = ?1`,
};

const SOURCES: readonly CheckpointSource[] = ["input", "loop", "interrupt", "fork"];

/** A row to be, without what the store adds. */
export interface NewCheckpointRow {
  session_id: string;
  namespace: string;
  parent_id: string | null;
  version: number;
  step: number;
  node_id: string | null;
  node_results: EncodedValue;
  pending_nodes: EncodedValue;
  cycle_state: EncodedValue | null;
  source: CheckpointSource;
}

export interface EncodedCheckpointPage {
  /** `null`: every namespace. */
  namespace: string | null;
  /** -1: all. */
  limit: number;
}

export function encodeCheckpoint(checkpoint: unknown): NewCheckpointRow {
  const given = required("checkpoint", checkpoint);
  return {
    session_id: text("checkpoint.sessionId", given.sessionId),
    namespace: optionalText("checkpoint.namespace", given.namespace) ?? "",
    parent_id: optionalText("checkpoint.parentId", given.parentId),
    version: nonNegativeInteger("checkpoint.version", given.version),
    step: nonNegativeInteger("checkpoint.step", given.step),
    node_id: optionalText("checkpoint.nodeId", given.nodeId),
    node_results: structured("checkpoint.nodeResults", given.nodeResults, nodeResults),
    pending_nodes: structured("checkpoint.pendingNodes", given.pendingNodes ?? [], pendingNodes),
    cycle_state: optionalStructured("checkpoint.cycleState", given.cycleState, cycleState),
    source: oneOf("checkpoint.source", given.source, SOURCES),
  };
}

export function encodeCheckpointPage(options: unknown): EncodedCheckpointPage {
  const given = namedValues("options", options);
  return {
    namespace: optionalText("options.namespace", given.namespace),
    limit: limit("options.limit", given.limit),
  };
}

const column = new ColumnReader("checkpoints");

export function toCheckpoint(row: Row): Checkpoint {
  const checkpoint: Checkpoint = {
    id: column.text(row, "id"),
    sessionId: column.text(row, "session_id"),
    namespace: column.text(row, "namespace"),
    version: column.integer(row, "version"),
    step: column.integer(row, "step"),
    source: column.oneOf(row, "source", SOURCES),
    createdAt: column.integer(row, "created_at"),
    nodeResults: column.structured(row, "node_results", nodeResults),
    pendingNodes: column.optionalStructured(row, "pending_nodes", pendingNodes) ?? [],
  };
  setIfPresent(checkpoint, "parentId", column.optionalText(row, "parent_id"));
  setIfPresent(checkpoint, "nodeId", column.optionalText(row, "node_id"));
  setIfPresent(checkpoint, "cycleState", column.optionalStructured(row, "cycle_state", cycleState));
  return checkpoint;
}

export class CheckpointsTable {
  readonly #statements: Statements<keyof typeof CHECKPOINTS_SQL>;

  constructor(connection: Connection) {
    this.#statements = connection.prepareAll(CHECKPOINTS_SQL);
  }

  /**
   * `undefined`: no such session.
   *
   * @throws {CheckpointVersionConflictError} where the version exists in the session and namespace.
   */
  insert(id: string, checkpoint: NewCheckpointRow, createdAt: number): Checkpoint | undefined {
    try {
      const { changes } = this.#statements.insert.run(
        id,
        checkpoint.session_id,
        checkpoint.namespace,
        checkpoint.parent_id,
        checkpoint.version,
        checkpoint.step,
        checkpoint.node_id,
        checkpoint.node_results.text,
        checkpoint.pending_nodes.text,
        checkpoint.cycle_state?.text ?? null,
        checkpoint.source,
        createdAt,
      );
      return changes === 0 ? undefined : toCheckpoint({ ...checkpoint, id, created_at: createdAt });
    } catch (error) {
      // The only other unique key of the table is the id, whose violation has a code of its own.
      if (extendedCodeOf(error) === SQLITE.CONSTRAINT_UNIQUE) {
        const { session_id, namespace, version } = checkpoint;
        throw new CheckpointVersionConflictError(session_id, namespace, version, { cause: error });
      }
      throw error;
    }
  }

  /** The same; where the version exists, one above the highest of the session and namespace is taken instead. */
  insertAtNextVersion(id: string, checkpoint: NewCheckpointRow, createdAt: number): Checkpoint | undefined {
    try {
      return this.insert(id, checkpoint, createdAt);
    } catch (error) {
      if (!(error instanceof CheckpointVersionConflictError)) {
        throw error;
      }
      const next = this.#statements.nextVersion.get(checkpoint.session_id, checkpoint.namespace);
      return this.insert(
        id,
        { ...checkpoint, version: column.integer({ id, ...next }, "version") },
        createdAt,
      );
    }
  }

  get(id: string): Checkpoint | null {
    const row = this.#statements.select.get(id);
    return row === null ? null : toCheckpoint(row);
  }

  /** Newest saved first. */
  list(sessionId: string, page: EncodedCheckpointPage): Checkpoint[] {
    const rows =
      page.namespace === null
        ? this.#statements.list.all(sessionId, page.limit)
        : this.#statements.listOfNamespace.all(sessionId, page.namespace, page.limit);
    return rows.map(toCheckpoint);
  }

  copyToFork(checkpointId: string, copyId: string, forkId: string): void {
    this.#statements.copyToFork.run(checkpointId, copyId, forkId);
  }
}
