/** The table of outputs that are kept once per session, and the view in which they are back in their places. */
import type { Connection } from "../database/connection.js";
import { REFERENCE_START } from "../outputs/references.js";

export const OUTPUTS_TABLE = "checkpoint_sqlite_outputs";

const SELECT_OUTPUTS_TABLE = `
  SELECT 1
  FROM main.sqlite_schema
  WHERE type = 'table'
    AND name = '${OUTPUTS_TABLE}'`;

/**
 * A rowid table with an index of its own: in one WITHOUT ROWID the texts would lie in the index's pages (measured with pieces
 * of 2.4 KB: writing took 3 times as long, reading 10 times).
 */
const CREATE_OUTPUTS = `
  CREATE TABLE IF NOT EXISTS main.${OUTPUTS_TABLE} (
    session_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    text TEXT,
    pieces TEXT,
    UNIQUE (session_id, hash),
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
  )`;

/**
 * The node results of a row as an object by node id, in SQL: `{}` if they are not JSON. If a node has the id `__type`, they
 * are wrapped.
 */
export function nodesOf(row: string): string {
  return `CASE
    WHEN NOT json_valid(${row}.node_results) THEN '{}'
    WHEN substr(${row}.node_results, 1, 21) = '{"__type":"js:object"' THEN json_extract(${row}.node_results, '$.value')
    ELSE ${row}.node_results
  END`;
}

/** The hash that a node of `json_each` refers to, in SQL; NULL if its output is in the row. */
export function hashReferredToBy(node: string): string {
  return `CASE
    WHEN ${node}.type = 'object'
      AND json_extract(${node}.value, '$.output.__type') = 'Map'
      AND json_type(${node}.value, '$.output.value') = 'text'
    THEN json_extract(${node}.value, '$.output.value')
  END`;
}

// Nothing that SQLite learned after 2018 stands in the view's text: a schema that cannot be parsed makes a file unreadable.
const CREATE_WHOLE_CHECKPOINTS = `
  CREATE VIEW IF NOT EXISTS main.checkpoint_sqlite_checkpoints AS
  SELECT
    id, session_id, namespace, parent_id, version, step, node_id,
    CASE
      WHEN instr(node_results, '${REFERENCE_START}') = 0 OR NOT json_valid(node_results) THEN node_results
      ELSE (
        SELECT
          CASE WHEN substr(row.node_results, 1, 21) = '{"__type":"js:object"' THEN '{"__type":"js:object","value":{' ELSE '{' END
          || coalesce(group_concat(member, ','), '')
          || CASE WHEN substr(row.node_results, 1, 21) = '{"__type":"js:object"' THEN '}}' ELSE '}' END
        FROM (
          SELECT
            json_quote(key) || ':' || CASE
              WHEN hash IS NOT NULL THEN replace(value, '"output":${REFERENCE_START}' || hash || '"}', '"output":' || coalesce(
                (
                  SELECT coalesce(text, (
                    SELECT CASE WHEN count(*) = count(text) THEN group_concat(text, '') END
                    FROM (
                      SELECT piece.text
                      FROM json_each(CASE WHEN json_valid(outputs.pieces) THEN outputs.pieces ELSE '[]' END) AS listed
                      LEFT JOIN checkpoint_sqlite_outputs AS piece
                        ON piece.session_id = outputs.session_id
                        AND piece.hash = listed.value
                      ORDER BY listed.key
                    )
                  ))
                  FROM checkpoint_sqlite_outputs AS outputs
                  WHERE outputs.session_id = row.session_id
                    AND outputs.hash = node.hash
                ),
                '${REFERENCE_START}' || hash || '"}'
              ))
              WHEN type IN ('object', 'array') THEN value
              ELSE json_quote(value)
            END AS member
          FROM (
            SELECT node.id, node.key, node.type, node.value, ${hashReferredToBy("node")} AS hash
            FROM json_each(${nodesOf("row")}) AS node
          ) AS node
          ORDER BY id
        )
      )
    END AS node_results,
    pending_nodes, cycle_state, source, created_at
  FROM checkpoints AS row`;

export const OUTPUTS: readonly string[] = [CREATE_OUTPUTS, CREATE_WHOLE_CHECKPOINTS];

/** Whether the file has the table of outputs: not if it is from an earlier version and was opened read-only. */
export function hasOutputs(connection: Connection): boolean {
  return connection.queryOnce(SELECT_OUTPUTS_TABLE).length > 0;
}

/** {@link hasOutputs}, asked again until it is there: another process may upgrade a file that is open read-only. */
export function outputsFinder(connection: Connection): () => boolean {
  let isFound = false;
  return () => {
    isFound ||= hasOutputs(connection);
    return isFound;
  };
}
