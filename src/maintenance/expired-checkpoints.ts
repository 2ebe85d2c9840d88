/** Which checkpoints of a session a {@link PrunePolicy} drops, and their deletion. */
import type { Connection, PreparedStatement, Statements } from "../database/connection.js";
import { ColumnReader } from "../rows/column-reader.js";
import { requireDeleted } from "./transactions.js";

const BYTES =
  "octet_length(node_results) + coalesce(octet_length(pending_nodes), 0) + coalesce(octet_length(cycle_state), 0)";

// `likelihood`: see CHECKPOINTS_SQL in tables/checkpoints.ts.
export const EXPIRED_CHECKPOINTS_SQL = {
  namespaces: `
    WITH RECURSIVE namespaces (namespace) AS (
      SELECT min(namespace)
      FROM main.checkpoints
      WHERE session_id = +?1
      UNION ALL
      SELECT (SELECT min(namespace) FROM main.checkpoints WHERE session_id = +?1 AND namespace > namespaces.namespace)
      FROM namespaces
      WHERE namespace IS NOT NULL
    )
    SELECT namespace
    FROM namespaces
    WHERE namespace IS NOT NULL`,

  nthNewestInRoot: `
    SELECT id, created_at, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND likelihood(namespace = '', 0.9999)
    ORDER BY created_at DESC, rowid DESC
    LIMIT 1 OFFSET +?2`,

  nthNewestInNamespace: `
    SELECT id, created_at, rowid AS position
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace = +?3
      AND namespace <> ''
    ORDER BY created_at DESC, rowid DESC
    LIMIT 1 OFFSET +?2`,

  // Those saved before a position, oldest first.
  beforeInRoot: `
    SELECT id, rowid AS position, ${BYTES} AS bytes
    FROM main.checkpoints
    WHERE session_id = +?1
      AND likelihood(namespace = '', 0.9999)
      AND (created_at, rowid) < (+?2, +?3)
    ORDER BY created_at, rowid
    LIMIT +?4`,

  beforeInNamespace: `
    SELECT id, rowid AS position, ${BYTES} AS bytes
    FROM main.checkpoints
    WHERE session_id = +?1
      AND namespace = +?5
      AND namespace <> ''
      AND (created_at, rowid) < (+?2, +?3)
    ORDER BY created_at, rowid
    LIMIT +?4`,

  delete: `
    DELETE FROM main.checkpoints
    WHERE rowid = ?1`,
};

export interface CheckpointRules {
  /** `null`: no rule. */
  keepCheckpoints: number | null;
  /** `null`: no rule. */
  checkpointsOlderThan: number | null;
  /** `null`: every namespace. */
  namespace: string | null;
}

/** A place in the order in which a namespace's checkpoints were saved. */
interface SavedPosition {
  createdAt: number;
  position: number;
}

export interface ExpiredCheckpoint {
  position: number;
  bytes: number;
}

const column = new ColumnReader("checkpoints");

export class ExpiredCheckpoints {
  readonly #statements: Statements<keyof typeof EXPIRED_CHECKPOINTS_SQL>;
  readonly #rules: CheckpointRules;

  constructor(connection: Connection, rules: CheckpointRules) {
    this.#statements = connection.statements(EXPIRED_CHECKPOINTS_SQL);
    this.#rules = rules;
  }

  /** The namespaces of a session that the rules are for. */
  namespaces(sessionId: string): string[] {
    const { namespace } = this.#rules;
    return namespace === null
      ? this.#statements.namespaces.all(sessionId).map((row) => column.text(row, "namespace"))
      : [namespace];
  }

  /**
   * The oldest of those that any rule drops. The newest of a namespace is never among them.
   *
   * @param limit -1: all.
   */
  first(sessionId: string, namespace: string, limit: number): ExpiredCheckpoint[] {
    const end = this.#firstKept(sessionId, namespace);
    if (end === undefined) {
      return [];
    }
    const { beforeInRoot, beforeInNamespace } = this.#statements;
    const rows =
      namespace === ""
        ? beforeInRoot.all(sessionId, end.createdAt, end.position, limit)
        : beforeInNamespace.all(sessionId, end.createdAt, end.position, limit, namespace);
    return rows.map((row) => ({
      position: column.integer(row, "position"),
      bytes: column.integer(row, "bytes"),
    }));
  }

  delete(checkpoints: readonly ExpiredCheckpoint[]): void {
    for (const { position } of checkpoints) {
      requireDeleted("checkpoints", this.#statements.delete.run(position));
    }
  }

  /** `undefined`: all are kept. */
  #firstKept(sessionId: string, namespace: string): SavedPosition | undefined {
    const newest = this.#nthNewest(sessionId, namespace, 0);
    const { keepCheckpoints, checkpointsOlderThan } = this.#rules;
    const byCount =
      keepCheckpoints === null ? undefined : this.#nthNewest(sessionId, namespace, keepCheckpoints - 1);
    const byTime = checkpointsOlderThan === null ? undefined : beforeAllAt(checkpointsOlderThan);
    const first = later(byCount, byTime);
    return newest === undefined || first === undefined || isBefore(first, newest) ? first : newest;
  }

  #nthNewest(sessionId: string, namespace: string, newer: number): SavedPosition | undefined {
    const { nthNewestInRoot, nthNewestInNamespace } = this.#statements;
    return namespace === ""
      ? savedPosition(nthNewestInRoot, sessionId, newer)
      : savedPosition(nthNewestInNamespace, sessionId, newer, namespace);
  }
}

function savedPosition(
  statement: PreparedStatement,
  ...parameters: (string | number)[]
): SavedPosition | undefined {
  const row = statement.get(...parameters);
  return row === null
    ? undefined
    : { createdAt: column.integer(row, "created_at"), position: column.integer(row, "position") };
}

/** Before every checkpoint that was saved at a time. */
function beforeAllAt(createdAt: number): SavedPosition {
  return { createdAt, position: Number.MIN_SAFE_INTEGER };
}

function later(one: SavedPosition | undefined, other: SavedPosition | undefined): SavedPosition | undefined {
  return one === undefined || (other !== undefined && isBefore(one, other)) ? other : one;
}

function isBefore(one: SavedPosition, other: SavedPosition): boolean {
  return one.createdAt === other.createdAt ? one.position < other.position : one.createdAt < other.createdAt;
}
