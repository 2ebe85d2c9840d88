/** All SQL of the inspector. It only reads, and each statement is bounded by a limit or by an index. */
import { CHECKPOINTS_SQL } from "../../tables/checkpoints.js";

/** SQLite has `octet_length` since 3.43, and reads only a row's header for it; an older one, such as Apple's, reads the value. */
export function withoutOctetLength(sql: string): string {
  return sql.replaceAll(/octet_length\(([\w.]+)\)/g, "length(CAST($1 AS BLOB))");
}

/** Rows that are counted exactly; beyond it a count says "more than". */
export const MOST_COUNTED = 10_000;

/** Rows whose sizes are added up for the list of sessions. */
export const MOST_SIZED = 1_000;

/** A stored text of more bytes than this is not parsed. */
export const LARGEST_PARSED = 32 * 1024 * 1024;

/** Bytes of a column that lists read; a longer one is left out. */
export const LARGEST_COLUMN = 256 * 1024;

function bounded(column: string): string {
  return `CASE WHEN octet_length(${column}) <= ${LARGEST_COLUMN} THEN ${column} END AS ${column}`;
}

const CHECKPOINT_COLUMNS = `rowid AS position, id, session_id, namespace, parent_id, version, step, node_id,
      ${bounded("pending_nodes")}, octet_length(pending_nodes) AS pending_bytes,
      ${bounded("cycle_state")}, source, created_at`;

const BYTES = "octet_length(node_results)";

const SESSION_COLUMNS = "rowid AS position, id, workspace_id, title, directory, created_at, updated_at";

/** Each by the partial index of its half, and merged: no row is read before it is known to be among the newest. */
function newestPositions(condition: string): string {
  const newestOf = (half: string) => `
        SELECT * FROM (
          SELECT rowid AS position, created_at
          FROM main.checkpoints
          WHERE session_id = +?1
            AND ${half}
            ${condition}
          ORDER BY created_at DESC, rowid DESC
          LIMIT +?2
        )`;
  return `
      SELECT position FROM (
        ${newestOf("namespace = ''")}
        UNION ALL
        ${newestOf("namespace <> ''")}
        ORDER BY created_at DESC, position DESC
        LIMIT +?2
      )`;
}

function checkpointsIn(positions: string): string {
  return `
    SELECT ${CHECKPOINT_COLUMNS}, ${BYTES} AS bytes
    FROM main.checkpoints
    WHERE rowid IN (${positions})
    ORDER BY created_at DESC, rowid DESC`;
}

function predecessor(condition: string): string {
  return `
    SELECT rowid AS position, ${BYTES} AS bytes
    FROM main.checkpoints
    WHERE session_id = ?1
      AND ${condition}
      AND (created_at, rowid) < (?3, ?4)
    ORDER BY created_at DESC, rowid DESC
    LIMIT 1`;
}

export const INSPECTOR_SQL = {
  dataVersion: "PRAGMA data_version",

  fileSize: `
    SELECT page_size * page_count AS bytes, page_size * freelist_count AS free
    FROM pragma_page_size, pragma_page_count, pragma_freelist_count`,

  // From the index on workspaces, which the statements below read as well: SQLite itself would take the one on ids.
  countSessions: `
    SELECT count(workspace_id) + count(CASE WHEN workspace_id IS NULL THEN 1 END) AS count
    FROM main.sessions`,

  // From the index on workspaces, which is a fraction of the table.
  workspaces: `
    SELECT workspace_id AS id, count(*) AS sessions
    FROM main.sessions
    GROUP BY workspace_id
    ORDER BY sessions DESC
    LIMIT 500`,

  order: `
    SELECT rowid
    FROM main.sessions
    ORDER BY updated_at DESC, rowid DESC
    LIMIT ?1`,

  orderInWorkspace: `
    SELECT rowid
    FROM main.sessions
    WHERE workspace_id IS ?2
    ORDER BY updated_at DESC, rowid DESC
    LIMIT ?1`,

  countInWorkspace: `
    SELECT count(*) AS count
    FROM main.sessions
    WHERE workspace_id IS ?1`,

  // The title as people type it; ids by their beginning or end as well, which instr covers.
  search: `
    SELECT rowid
    FROM main.sessions
    WHERE (?2 = 0 OR workspace_id IS ?3)
      AND (
        instr(lower(coalesce(title, '')), ?1) > 0
        OR instr(lower(id), ?1) > 0
        OR instr(lower(directory), ?1) > 0
        OR instr(lower(coalesce(workspace_id, '')), ?1) > 0
      )
    ORDER BY updated_at DESC, rowid DESC`,

  sessionAt: `
    SELECT ${SESSION_COLUMNS}
    FROM main.sessions
    WHERE rowid = ?1`,

  session: `
    SELECT ${SESSION_COLUMNS}
    FROM main.sessions
    WHERE id = ?1`,

  metadata: `
    SELECT ${bounded("metadata")}, octet_length(metadata) AS bytes
    FROM main.sessions
    WHERE id = ?1`,

  countMessages: `
    SELECT count(*) AS count
    FROM (SELECT 1 FROM main.messages WHERE session_id = ?1 LIMIT ${MOST_COUNTED + 1})`,

  countCheckpoints: `
    SELECT count(*) AS count
    FROM (SELECT 1 FROM main.checkpoints WHERE session_id = ?1 LIMIT ${MOST_COUNTED + 1})`,

  checkpointSizes: `
    SELECT count(*) AS count, coalesce(sum(bytes), 0) AS bytes
    FROM (
      SELECT ${BYTES} AS bytes
      FROM main.checkpoints
      WHERE session_id = ?1
      LIMIT ${MOST_SIZED + 1}
    )`,

  messageSizes: `
    SELECT count(*) AS count, coalesce(sum(bytes), 0) AS bytes
    FROM (
      SELECT
        coalesce(octet_length(content), 0)
          + coalesce(octet_length(tool_calls), 0)
          + coalesce(octet_length(tool_results), 0) AS bytes
      FROM main.messages
      WHERE session_id = ?1
      LIMIT ${MOST_SIZED + 1}
    )`,

  // As getLatestCheckpoint finds it: a graph that runs within a node may have saved later. Other columns are not read.
  latestOfLastNamespace: `
    SELECT id, has_others
    FROM (${CHECKPOINTS_SQL.latestOfLastNamespace})`,

  latestOfOutermost: `
    SELECT id
    FROM (${CHECKPOINTS_SQL.latestOfOutermost})`,

  newest: checkpointsIn(newestPositions("")),

  newestBefore: checkpointsIn(newestPositions("AND (created_at, rowid) < (+?3, +?4)")),

  newerThan: checkpointsIn(newestPositions("AND (created_at, rowid) > (+?3, +?4)")),

  // Of a window that is known already: which of its rows are still there.
  positionsSince: newestPositions("AND (created_at, rowid) >= (+?3, +?4)"),

  predecessorInRoot: predecessor("namespace = '' AND ?2 = ''"),

  predecessorInNamed: predecessor("namespace <> '' AND namespace = ?2"),

  checkpoint: `
    SELECT ${CHECKPOINT_COLUMNS}, ${BYTES} AS bytes
    FROM main.checkpoints
    WHERE id = ?1`,

  nodeResults: `
    SELECT node_results
    FROM main.checkpoints
    WHERE rowid = ?1`,

  messages: `
    SELECT
      id, role, created_at, tokens_in, tokens_out,
      substr(content, 1, ?4) AS content,
      length(content) AS content_size,
      substr(tool_calls, 1, ?4) AS tool_calls,
      substr(tool_results, 1, ?4) AS tool_results
    FROM main.messages
    WHERE id IN (
      SELECT id
      FROM main.messages
      WHERE session_id = +?1
        AND id < +?2
      ORDER BY id DESC
      LIMIT +?3
    )
    ORDER BY id DESC`,

  // A fork's first checkpoint is saved in the millisecond of its session; 0.2.3 took the clock twice.
  forksAmong: `
    SELECT sessions.rowid AS position, sessions.id AS session_id, first.id, first.parent_id, first.version
    FROM main.sessions
    CROSS JOIN main.checkpoints AS first
      ON first.session_id = sessions.id
      AND first.namespace = ''
      AND first.created_at BETWEEN sessions.created_at AND sessions.created_at + 250
      AND first.parent_id IS NOT NULL
    WHERE sessions.rowid > +?1
      AND sessions.rowid <= +?2
    UNION ALL
    SELECT sessions.rowid AS position, sessions.id AS session_id, first.id, first.parent_id, first.version
    FROM main.sessions
    CROSS JOIN main.checkpoints AS first
      ON first.session_id = sessions.id
      AND first.namespace <> ''
      AND first.created_at BETWEEN sessions.created_at AND sessions.created_at + 250
      AND first.parent_id IS NOT NULL
    WHERE sessions.rowid > +?1
      AND sessions.rowid <= +?2`,

  lastSession: `
    SELECT coalesce(max(rowid), 0) AS position
    FROM main.sessions`,

  checkpointTimes: `
    SELECT rowid AS position, created_at, ${BYTES} AS bytes
    FROM main.checkpoints
    WHERE rowid > ?1
    ORDER BY rowid
    LIMIT ?2`,

  messageTimes: `
    SELECT
      id AS position,
      created_at,
      coalesce(octet_length(content), 0) + coalesce(octet_length(tool_calls), 0)
        + coalesce(octet_length(tool_results), 0) AS bytes
    FROM main.messages
    WHERE id > ?1
    ORDER BY id
    LIMIT ?2`,
};

/** Only in a file with the table of outputs. */
export const OUTPUTS_SQL = {
  outputSizes: `
    SELECT coalesce(sum(octet_length(text)), 0) AS bytes, count(*) AS count
    FROM (SELECT text FROM main.checkpoint_sqlite_outputs WHERE session_id = ?1 LIMIT ${MOST_SIZED + 1})`,

  outputSize: `
    SELECT pieces, octet_length(text) AS bytes
    FROM main.checkpoint_sqlite_outputs
    WHERE session_id = ?1
      AND hash = ?2`,

  output: `
    SELECT text, pieces
    FROM main.checkpoint_sqlite_outputs
    WHERE session_id = ?1
      AND hash = ?2`,

  pieceSizes: `
    SELECT coalesce(sum(octet_length(piece.text)), 0) AS bytes
    FROM json_each(?2) AS listed
    CROSS JOIN main.checkpoint_sqlite_outputs AS piece
      ON piece.session_id = +?1
      AND piece.hash = listed.value`,

  pieces: `
    SELECT piece.text
    FROM json_each(?2) AS listed
    LEFT JOIN main.checkpoint_sqlite_outputs AS piece
      ON piece.session_id = +?1
      AND piece.hash = listed.value
    ORDER BY listed.key`,
};
