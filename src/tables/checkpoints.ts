/** The table `checkpoints`: its SQL, its row types and the mapper from a row to a {@link Checkpoint}. */
import type { Connection, Row, Statements } from "../database/connection.js";
import { extendedCodeOf, SQLITE } from "../database/sqlite-errors.js";
import {
  CheckpointCorruptionError,
  CheckpointVersionConflictError,
  InvalidArgumentError,
} from "../errors.js";
import { decode } from "../json-plus/decode.js";
import type { EncodedValue } from "../json-plus/text.js";
import {
  decodeNodeResults,
  EncodedNodeResults,
  encodeNodeResults,
  type OutputReader,
  type SharedOutput,
} from "../outputs/node-results.js";
import type { OutputCache } from "../outputs/output-cache.js";
import { hashesIn, REFERENCE_START } from "../outputs/references.js";
import { ColumnReader, ignoredByTrigger, setIfPresent } from "../rows/column-reader.js";
import type { Checkpoint, CheckpointSource } from "../types.js";
import {
  limit,
  mustBe,
  nonNegativeInteger,
  oneOf,
  optionalObject,
  optionalStructured,
  optionalText,
  requiredObject,
  structured,
  text,
} from "../validation/arguments.js";
import { cycleState, nodeResults, pendingNodes } from "../validation/schemas.js";
import { storedCycleState, storedNodeResults, withNumericIteration } from "../validation/stored-schemas.js";
import type { OutputsTable } from "./outputs.js";

const COLUMNS =
  "id, session_id, namespace, parent_id, version, step, node_id, node_results, pending_nodes, cycle_state, source, created_at";

// "Newest" means saved last. `step` starts at 0 again in each run, so it cannot order checkpoints across runs.
//
// `likelihood` tells SQLite that most checkpoints are in the root namespace "", whatever ANALYZE has counted. Without it SQLite
// may choose the index of versions, which also narrows a search by namespace, and then sort what it finds.
export const CHECKPOINTS_SQL = {
  // Inserts no row if the session does not exist.
  insert: `
    INSERT INTO main.checkpoints (${COLUMNS})
    SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
    FROM main.sessions
    WHERE id = ?2`,

  nextVersion: `
    SELECT CAST(max(version) AS INTEGER) + 1 AS version
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace = +?2`,

  select: `
    SELECT ${COLUMNS}
    FROM main.checkpoints
    WHERE id = ?1`,

  // Merges two indexes: one covers the root namespace "", the other all named namespaces.
  list: `
    SELECT ${COLUMNS}, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND likelihood(namespace = '', 0.9999)
    UNION ALL
    SELECT ${COLUMNS}, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace <> ''
    ORDER BY created_at DESC, position DESC
    LIMIT +?2`,

  listInRoot: `
    SELECT ${COLUMNS}
    FROM main.checkpoints
    WHERE session_id = +?1
      AND likelihood(namespace = '', 0.9999)
    ORDER BY created_at DESC, rowid DESC
    LIMIT +?2`,

  // `namespace <> ''` lets SQLite use the partial index; it does not infer it from the equality.
  listInNamespace: `
    SELECT ${COLUMNS}
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace = +?2
      AND namespace <> ''
    ORDER BY created_at DESC, rowid DESC
    LIMIT +?3`,

  // The three lists above, limited to checkpoints saved before a given one: `?3` and `?4` are its time and position.
  listBefore: `
    SELECT ${COLUMNS}, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND likelihood(namespace = '', 0.9999)
      AND (created_at, rowid) < (+?3, +?4)
    UNION ALL
    SELECT ${COLUMNS}, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace <> ''
      AND (created_at, rowid) < (+?3, +?4)
    ORDER BY created_at DESC, position DESC
    LIMIT +?2`,

  listInRootBefore: `
    SELECT ${COLUMNS}
    FROM main.checkpoints
    WHERE session_id = +?1
      AND likelihood(namespace = '', 0.9999)
      AND (created_at, rowid) < (+?3, +?4)
    ORDER BY created_at DESC, rowid DESC
    LIMIT +?2`,

  listInNamespaceBefore: `
    SELECT ${COLUMNS}
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace = +?5
      AND namespace <> ''
      AND (created_at, rowid) < (+?3, +?4)
    ORDER BY created_at DESC, rowid DESC
    LIMIT +?2`,

  position: `
    SELECT created_at, rowid AS position
    FROM main.checkpoints
    WHERE id = ?1
      AND session_id = ?2`,

  // The newest checkpoint of the namespace that sorts last, and whether the session has other namespaces. Most sessions have
  // one namespace, and then this statement alone finds the latest checkpoint. The root namespace "" sorts first.
  latestOfLastNamespace: `
    SELECT
      ${COLUMNS},
      CASE namespace
        WHEN '' THEN 0
        ELSE EXISTS (
          SELECT 1
          FROM main.checkpoints AS other
          WHERE other.session_id = +?1
            AND other.namespace < checkpoints.namespace
        )
      END AS has_others
    FROM main.checkpoints
    WHERE rowid = coalesce(
      (
        SELECT rowid
        FROM main.checkpoints
        WHERE session_id = +?1
          AND namespace <> ''
        ORDER BY namespace DESC, created_at DESC, rowid DESC
        LIMIT 1
      ),
      (
        SELECT rowid
        FROM main.checkpoints
        WHERE session_id = +?1
          AND likelihood(namespace = '', 0.9999)
        ORDER BY created_at DESC, rowid DESC
        LIMIT 1
      )
    )`,

  // A graph that runs as a node of another graph saves under that node's name. So a namespace is nested if the latest
  // checkpoint of another namespace lists it among its nodes, completed or pending. The first three table expressions find each
  // namespace and its latest checkpoint by index searches. Text that is not JSON names no nodes. Node results with a node
  // called "__type" are wrapped in a tag.
  latestOfOutermost: `
    WITH RECURSIVE
      namespaces (namespace) AS (
        SELECT min(namespace)
        FROM main.checkpoints
        WHERE session_id = +?1
        UNION ALL
        SELECT (SELECT min(namespace) FROM main.checkpoints WHERE session_id = +?1 AND namespace > namespaces.namespace)
        FROM namespaces
        WHERE namespace IS NOT NULL
      ),
      positions AS MATERIALIZED (
        SELECT
          namespace,
          CASE
            WHEN namespace = '' THEN (
              SELECT rowid
              FROM main.checkpoints AS newest
              WHERE newest.session_id = +?1
                AND likelihood(newest.namespace = '', 0.9999)
              ORDER BY newest.created_at DESC, newest.rowid DESC
              LIMIT 1
            )
            ELSE (
              SELECT rowid
              FROM main.checkpoints AS newest
              WHERE newest.session_id = +?1
                AND newest.namespace = namespaces.namespace
                AND newest.namespace <> ''
              ORDER BY newest.created_at DESC, newest.rowid DESC
              LIMIT 1
            )
          END AS position
        FROM namespaces
        WHERE namespace IS NOT NULL
      ),
      latest AS MATERIALIZED (
        SELECT
          positions.namespace,
          CASE
            WHEN NOT json_valid(node_results) THEN '{}'
            WHEN substr(node_results, 1, 21) = '{"__type":"js:object"' THEN node_results -> '$.value'
            ELSE node_results
          END AS node_results,
          CASE WHEN json_valid(pending_nodes) THEN pending_nodes ELSE '[]' END AS pending_nodes
        FROM positions
        JOIN main.checkpoints ON checkpoints.rowid = position
      ),
      nodes AS (
        SELECT namespace AS holder, node.key AS name
        FROM latest
        JOIN json_each(node_results) AS node
        UNION ALL
        SELECT namespace AS holder, pending.value AS name
        FROM latest
        JOIN json_each(pending_nodes) AS pending
      ),
      holders AS MATERIALIZED (
        SELECT name, min(holder) AS first_holder, max(holder) AS last_holder
        FROM nodes
        GROUP BY name
      )
    SELECT ${COLUMNS}
    FROM main.checkpoints
    WHERE rowid = (
      SELECT position
      FROM positions
      JOIN main.checkpoints AS latest ON latest.rowid = position
      LEFT JOIN holders ON holders.name = positions.namespace
      ORDER BY
        coalesce(first_holder <> positions.namespace OR last_holder <> positions.namespace, FALSE),
        latest.created_at DESC,
        position DESC
      LIMIT 1
    )`,

  delete: `
    DELETE FROM main.checkpoints
    WHERE id = ?1`,

  origin: `
    SELECT id, session_id, created_at
    FROM main.checkpoints
    WHERE id = ?1`,

  copyToFork: `
    INSERT INTO main.checkpoints (${COLUMNS})
    SELECT ?2, ?3, namespace, id, version, step, node_id, node_results, pending_nodes, cycle_state, 'fork', ?4
    FROM main.checkpoints
    WHERE id = ?1`,
};

const SOURCES: readonly CheckpointSource[] = ["input", "loop", "interrupt", "fork"];

/** Columns of a new row; the store adds id and time. */
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

/** What becomes of a checkpoint in a fork. */
export interface CheckpointCopy {
  copyId: string;
  originalId: string;
  forkId: string;
  createdAt: number;
}

export interface EncodedCheckpointPage {
  /** `null`: every namespace. */
  namespace: string | null;
  /** `null`: start from the newest. */
  beforeId: string | null;
  /** -1: all. */
  limit: number;
}

const FIELDS = [
  "sessionId",
  "namespace",
  "parentId",
  "version",
  "step",
  "nodeId",
  "nodeResults",
  "pendingNodes",
  "cycleState",
  "source",
] as const;

/** @param cache `undefined`: outputs are written whole, whatever their size. */
export function encodeCheckpoint(checkpoint: unknown, cache: OutputCache | undefined): NewCheckpointRow {
  const given = requiredObject("checkpoint", checkpoint, FIELDS);
  return {
    session_id: text("checkpoint.sessionId", given.sessionId),
    namespace: optionalText("checkpoint.namespace", given.namespace) ?? "",
    parent_id: optionalText("checkpoint.parentId", given.parentId),
    version: nonNegativeInteger("checkpoint.version", given.version),
    step: nonNegativeInteger("checkpoint.step", given.step),
    node_id: optionalText("checkpoint.nodeId", given.nodeId),
    node_results:
      cache === undefined
        ? structured("checkpoint.nodeResults", given.nodeResults, nodeResults)
        : encodeNodeResults("checkpoint.nodeResults", given.nodeResults, nodeResults, cache),
    pending_nodes: structured("checkpoint.pendingNodes", given.pendingNodes ?? [], pendingNodes),
    cycle_state: optionalStructured("checkpoint.cycleState", given.cycleState, cycleState),
    source: oneOf("checkpoint.source", given.source, SOURCES),
  };
}

export function encodeCheckpointPage(options: unknown): EncodedCheckpointPage {
  const given = optionalObject("options", options, ["limit", "namespace", "beforeId"]);
  return {
    namespace: optionalText("options.namespace", given.namespace),
    beforeId: optionalText("options.beforeId", given.beforeId),
    limit: limit("options.limit", given.limit),
  };
}

const column = new ColumnReader("checkpoints");

/** @param outputs Absent for a row that is being written, whose values are at hand, and one that refers to none. */
export function toCheckpoint(row: Row, outputs?: OutputReader): Checkpoint {
  const checkpoint: Checkpoint = {
    id: column.text(row, "id"),
    sessionId: column.text(row, "session_id"),
    namespace: column.text(row, "namespace"),
    version: column.written(row, "version"),
    step: column.written(row, "step"),
    source: column.written(row, "source"),
    createdAt: column.written(row, "created_at"),
    nodeResults: column.structured(row, "node_results", storedNodeResults, {
      decode: outputs === undefined ? decode : (written) => decodeNodeResults(written, outputs),
    }),
    pendingNodes: column.optionalStructured(row, "pending_nodes", pendingNodes) ?? [],
  };
  setIfPresent(checkpoint, "parentId", column.optionalWritten(row, "parent_id"));
  setIfPresent(checkpoint, "nodeId", column.optionalWritten(row, "node_id"));
  setIfPresent(
    checkpoint,
    "cycleState",
    column.optionalStructured(row, "cycle_state", storedCycleState, { revise: withNumericIteration }),
  );
  return checkpoint;
}

export class CheckpointsTable {
  readonly #connection: Connection;
  readonly #outputs: OutputsTable;
  readonly #statements: Statements<keyof typeof CHECKPOINTS_SQL>;

  constructor(connection: Connection, outputs: OutputsTable) {
    this.#connection = connection;
    this.#outputs = outputs;
    this.#statements = connection.statements(CHECKPOINTS_SQL);
  }

  /**
   * Returns `undefined` if the session does not exist.
   *
   * @throws {CheckpointVersionConflictError} if the session and namespace already have this version.
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
      if (changes === 0) {
        return undefined;
      }
      this.#outputs.insertMissing(checkpoint.session_id, sharedIn(checkpoint));
      return toCheckpoint({ ...checkpoint, id, created_at: createdAt });
    } catch (error) {
      // The table's only other unique key is the id, and SQLite reports its violation with a different code.
      if (extendedCodeOf(error) === SQLITE.CONSTRAINT_UNIQUE) {
        const { session_id, namespace, version } = checkpoint;
        throw new CheckpointVersionConflictError(session_id, namespace, version, { cause: error });
      }
      throw error;
    }
  }

  /** Inserts a checkpoint; if its version exists, takes the highest version of the session and namespace + 1 instead. */
  insertAtNextVersion(id: string, checkpoint: NewCheckpointRow, createdAt: number): Checkpoint | undefined {
    try {
      return this.insert(id, checkpoint, createdAt);
    } catch (error) {
      if (!(error instanceof CheckpointVersionConflictError)) {
        throw error;
      }
      return this.insert(id, { ...checkpoint, version: this.#nextVersion(checkpoint) }, createdAt);
    }
  }

  #nextVersion({ session_id, namespace }: NewCheckpointRow): number {
    const next = Number(this.#statements.nextVersion.get(session_id, namespace)?.version);
    if (!Number.isSafeInteger(next)) {
      throw new InvalidArgumentError(
        "checkpoint.version",
        `already exists and has no next version: namespace "${namespace}" of session ${session_id} has reached the highest ` +
          `possible version, ${Number.MAX_SAFE_INTEGER}. Save into another namespace`,
      );
    }
    return next;
  }

  get(id: string): Checkpoint | null {
    return this.#readConsistently(() => {
      const row = this.#statements.select.get(id);
      return row === null ? null : this.#map(row);
    });
  }

  /**
   * A row and its outputs are read by several statements, and another connection may delete both in between. So a read that
   * found damage is repeated in a transaction, whose statements all see the same commits: real damage is found again. To
   * begin a transaction for every read would cost more than most reads take.
   */
  #readConsistently<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CheckpointCorruptionError) || this.#connection.isInTransaction) {
        throw error;
      }
      return this.#connection.readInTransaction(read);
    }
  }

  /** Newest saved first. */
  list(sessionId: string, page: EncodedCheckpointPage): Checkpoint[] {
    return this.#readConsistently(() => this.#mapAll(sessionId, this.#rows(sessionId, page)));
  }

  #rows(sessionId: string, { namespace, limit: count, beforeId }: EncodedCheckpointPage): Row[] {
    if (beforeId !== null) {
      return this.#rowsBefore(beforeId, sessionId, namespace, count);
    }
    switch (namespace) {
      case null:
        return this.#statements.list.all(sessionId, count);
      case "":
        return this.#statements.listInRoot.all(sessionId, count);
      default:
        return this.#statements.listInNamespace.all(sessionId, namespace, count);
    }
  }

  #rowsBefore(beforeId: string, sessionId: string, namespace: string | null, count: number): Row[] {
    const found = this.#statements.position.values(beforeId, sessionId)[0];
    if (found === undefined) {
      throw mustBe("options.beforeId", `the id of a checkpoint of session ${sessionId}`, beforeId);
    }
    const [createdAt = null, position = null] = found;
    switch (namespace) {
      case null:
        return this.#statements.listBefore.all(sessionId, count, createdAt, position);
      case "":
        return this.#statements.listInRootBefore.all(sessionId, count, createdAt, position);
      default:
        return this.#statements.listInNamespaceBefore.all(sessionId, count, createdAt, position, namespace);
    }
  }

  /** The newest checkpoint of the run itself, ignoring namespaces nested in another: see `latestOfOutermost`. */
  latest(sessionId: string): Checkpoint | null {
    return this.#readConsistently(() => {
      const newest = this.#statements.latestOfLastNamespace.get(sessionId);
      const row = newest?.has_others === 1 ? this.#statements.latestOfOutermost.get(sessionId) : newest;
      return row === null ? null : this.#map(row);
    });
  }

  /** To be called once the transaction that inserted the row is committed. */
  remember(checkpoint: NewCheckpointRow): void {
    this.#outputs.remember(checkpoint.session_id, sharedIn(checkpoint));
  }

  #map(row: Row): Checkpoint {
    return refersToOutputs(row)
      ? toCheckpoint(row, this.#outputs.reader(column.text(row, "session_id")))
      : toCheckpoint(row);
  }

  /** Rows of one session: the outputs that several of them refer to are read once. */
  #mapAll(sessionId: string, rows: readonly Row[]): Checkpoint[] {
    const reader = this.#outputs.reader(sessionId);
    if (rows.length > 1) {
      reader.load(rows.flatMap((row) => (refersToOutputs(row) ? hashesIn(String(row.node_results)) : [])));
    }
    return rows.map((row) => (refersToOutputs(row) ? toCheckpoint(row, reader) : toCheckpoint(row)));
  }

  /** @throws {StorageError} if a trigger ignores the deletion. */
  delete(id: string): void {
    if (this.#statements.delete.run(id).changes === 0 && this.origin(id) !== undefined) {
      throw ignoredByTrigger("checkpoints");
    }
  }

  /** The session that a checkpoint was saved in, and when; `undefined` if the checkpoint does not exist. */
  origin(checkpointId: string): { sessionId: string; savedAt: number } | undefined {
    const row = this.#statements.origin.get(checkpointId);
    return row === null
      ? undefined
      : { sessionId: column.text(row, "session_id"), savedAt: column.integer(row, "created_at") };
  }

  copyToFork(checkpointId: string, { copyId, originalId, forkId, createdAt }: CheckpointCopy): void {
    if (this.#statements.copyToFork.run(checkpointId, copyId, forkId, createdAt).changes === 0) {
      throw ignoredByTrigger("checkpoints");
    }
    this.#outputs.copyToFork(checkpointId, originalId, forkId);
  }
}

function refersToOutputs({ node_results }: Row): boolean {
  return typeof node_results === "string" && node_results.includes(REFERENCE_START);
}

function sharedIn({ node_results }: NewCheckpointRow): readonly SharedOutput[] {
  return node_results instanceof EncodedNodeResults ? node_results.outputs : [];
}
