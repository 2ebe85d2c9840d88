/** The floor's statements: the plainest that write and read the same rows, with the plus that spares SQLite from preparing them again. */
export const FLOOR_SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",

  insertSession: "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
  session: "SELECT * FROM sessions WHERE id = ?",
  sessions: "SELECT * FROM sessions ORDER BY updated_at DESC, rowid DESC",
  sessionsOfWorkspace: "SELECT * FROM sessions WHERE workspace_id = +? ORDER BY updated_at DESC, rowid DESC",
  setMetadata: "UPDATE sessions SET metadata = ?, updated_at = ? WHERE id = ?",
  touchSession: "UPDATE sessions SET updated_at = ? WHERE id = ?",
  deleteSession: "DELETE FROM sessions WHERE id = ?",

  insertMessage: `
    INSERT INTO messages (session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  messages: "SELECT * FROM messages WHERE session_id = +? ORDER BY created_at, id",
  lastMessages: "SELECT * FROM messages WHERE session_id = +? ORDER BY created_at DESC, id DESC LIMIT +?",

  insertCheckpoint: "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  checkpoint: "SELECT * FROM checkpoints WHERE id = ?",
  checkpoints: `
    SELECT *, rowid AS position
    FROM checkpoints
    WHERE session_id = +?1
      AND namespace = ''
    UNION ALL
    SELECT *, rowid AS position
    FROM checkpoints
    WHERE session_id = +?1
      AND namespace <> ''
    ORDER BY created_at DESC, position DESC
    LIMIT +?2`,
  checkpointsOfRoot: `
    SELECT *
    FROM checkpoints
    WHERE session_id = +?
      AND namespace = ''
    ORDER BY created_at DESC, rowid DESC
    LIMIT +?`,
  checkpointsOfNamespace: `
    SELECT *
    FROM checkpoints
    WHERE session_id = +?
      AND namespace = +?
      AND namespace <> ''
    ORDER BY created_at DESC, rowid DESC
    LIMIT +?`,

  forkSession: `
    INSERT INTO sessions
    SELECT ?1, workspace_id, coalesce(?2, 'Fork of ' || title), directory, ?3, ?3, metadata
    FROM sessions
    WHERE id = (SELECT session_id FROM checkpoints WHERE id = ?4)`,
  forkMessages: `
    INSERT INTO messages (session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at)
    SELECT ?1, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at
    FROM messages
    WHERE session_id = (SELECT session_id FROM checkpoints WHERE id = ?2)
      AND created_at <= (SELECT created_at FROM checkpoints WHERE id = ?2)
    ORDER BY created_at, id`,
  forkCheckpoint: `
    INSERT INTO checkpoints
    SELECT ?1, ?2, namespace, id, version, step, node_id, node_results, pending_nodes, cycle_state, 'fork', ?3
    FROM checkpoints
    WHERE id = ?4`,

  embeddings: "SELECT rowid, embedding FROM facts WHERE embedding IS NOT NULL",
  fact: "SELECT * FROM facts WHERE rowid = ?",
};
