/**
 * One session beside the file, in the connection's temporary database: it is read there row by row, however slowly, and then
 * written into the file in one transaction.
 */
import type { SQLQueryBindings } from "bun:sqlite";
import type { Connection, PreparedStatement, Row, Statements } from "../database/connection.js";
import { ColumnReader, ignoredByTrigger } from "../rows/column-reader.js";
import { OUTPUTS_TABLE } from "../schema/outputs.js";
import { rowsOf } from "../tables/outputs.js";
import { newRowId, newSessionId } from "../values/ids.js";
import type { RowType } from "./export-format.js";
import { sharedForm } from "./output-forms.js";

const STAGED = {
  session: {
    table: "sessions",
    columns: "id, workspace_id, title, directory, created_at, updated_at, metadata",
  },
  message: {
    table: "messages",
    columns: "id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at",
  },
  checkpoint: {
    table: "checkpoints",
    columns:
      "id, namespace, parent_id, version, step, node_id, node_results, pending_nodes, cycle_state, source, created_at",
  },
  entity: {
    table: "entities",
    columns: "id, workspace_id, name, type, attributes, relationships, created_at, updated_at, embedding",
  },
  fact: { table: "facts", columns: "id, workspace_id, content, confidence, created_at, embedding" },
} as const satisfies Record<RowType, { table: string; columns: string }>;

const UNIQUE = ", UNIQUE (id)";

function createStaged(type: RowType): string {
  const { table, columns } = STAGED[type];
  const keys = type === "checkpoint" ? `${UNIQUE}, UNIQUE (namespace, version)` : UNIQUE;
  return `CREATE TEMPORARY TABLE staged_${table} (position INTEGER PRIMARY KEY, ${columns}${keys})`;
}

export const CREATE_STAGED: readonly string[] = [
  ...(["session", "message", "checkpoint", "entity", "fact"] as const).map(createStaged),
  "CREATE TEMPORARY TABLE staged_outputs (hash TEXT PRIMARY KEY, text, pieces)",
  "CREATE TEMPORARY TABLE new_ids (kind TEXT, id TEXT, new_id TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID",
];

/** Half of what JavaScript can count to. */
const HIGHEST_MESSAGE_ID = 2 ** 52;

const newIdOf = (kind: string, column: string) => `
        (SELECT new_id FROM temp.new_ids WHERE kind = '${kind}' AND new_ids.id = ${column})`;

/** A row of a staged table, bound in the order of its columns. */
function insertStaged(type: RowType): string {
  const { table, columns } = STAGED[type];
  const parameters = columns.split(", ").map((_, index) => `?${index + 1}`);
  return `
    INSERT INTO temp.staged_${table} (${columns})
    VALUES (${parameters.join(", ")})`;
}

/** How many rows the last statement wrote, without those of triggers, and how many are staged. */
const countWritten = (table: string) => `
    SELECT changes() AS written, (SELECT count(*) FROM temp.staged_${table}) AS staged`;

export const STAGING_SQL = {
  session: insertStaged("session"),
  message: insertStaged("message"),
  checkpoint: insertStaged("checkpoint"),
  entity: insertStaged("entity"),
  fact: insertStaged("fact"),

  output: `
    INSERT OR IGNORE INTO temp.staged_outputs (hash, text, pieces)
    VALUES (?1, ?2, ?3)`,

  copySession: `
    INSERT INTO temp.staged_sessions (${STAGED.session.columns})
    SELECT ${STAGED.session.columns}
    FROM main.sessions
    WHERE id = ?1`,

  copyMessages: `
    INSERT INTO temp.staged_messages (${STAGED.message.columns})
    SELECT ${STAGED.message.columns}
    FROM main.messages
    WHERE session_id = +?1
    ORDER BY created_at, id`,

  // In the order in which they were saved, which their positions are.
  copyCheckpoints: `
    INSERT INTO temp.staged_checkpoints (position, ${STAGED.checkpoint.columns})
    SELECT rowid, ${STAGED.checkpoint.columns}
    FROM main.checkpoints
    WHERE session_id = +?1`,

  copyEntities: `
    INSERT INTO temp.staged_entities (${STAGED.entity.columns})
    SELECT ${STAGED.entity.columns}
    FROM main.entities
    WHERE session_id = +?1
    ORDER BY rowid`,

  hasSession: `
    SELECT 1
    FROM temp.staged_sessions AS staged
    CROSS JOIN main.sessions ON sessions.id = staged.id
    LIMIT 1`,

  // An id is taken, or so high that few would be left after it: a file gives each message a higher id than all before.
  needsNewMessageIds: `
    SELECT 1
    WHERE EXISTS (
        SELECT 1
        FROM temp.staged_messages AS staged
        CROSS JOIN main.messages ON messages.id = staged.id
      )
      OR EXISTS (
        SELECT 1
        FROM temp.staged_messages
        WHERE id NOT BETWEEN 1 AND ${HIGHEST_MESSAGE_ID}
      )`,

  hasCheckpoint: `
    SELECT staged.id
    FROM temp.staged_checkpoints AS staged
    CROSS JOIN main.checkpoints ON checkpoints.id = staged.id
    LIMIT 1`,

  hasEntity: `
    SELECT staged.id
    FROM temp.staged_entities AS staged
    CROSS JOIN main.entities ON entities.id = staged.id
    LIMIT 1`,

  existingFacts: `
    SELECT staged.id
    FROM temp.staged_facts AS staged
    CROSS JOIN main.facts ON facts.id = staged.id`,

  unstageFact: `
    DELETE FROM temp.staged_facts
    WHERE id = ?1`,

  sessionIds: `
    SELECT id
    FROM temp.staged_sessions`,

  checkpointIds: `
    SELECT id
    FROM temp.staged_checkpoints
    ORDER BY position`,

  entities: `
    SELECT id, relationships
    FROM temp.staged_entities
    ORDER BY position`,

  newId: `
    INSERT OR REPLACE INTO temp.new_ids (kind, id, new_id)
    VALUES (?1, ?2, ?3)`,

  newIdOf: `
    SELECT new_id
    FROM temp.new_ids
    WHERE kind = ?1
      AND id = ?2`,

  setRelationships: `
    UPDATE temp.staged_entities
    SET relationships = ?2
    WHERE id = ?1`,

  writeSession: `
    INSERT INTO main.sessions (${STAGED.session.columns})
    SELECT ?1, workspace_id, title, directory, created_at, updated_at, metadata
    FROM temp.staged_sessions`,

  writeMessages: `
    INSERT INTO main.messages (session_id, ${STAGED.message.columns})
    SELECT ?1, ${STAGED.message.columns}
    FROM temp.staged_messages
    ORDER BY position`,

  writeNewMessages: `
    INSERT INTO main.messages (session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at)
    SELECT ?1, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at
    FROM temp.staged_messages
    ORDER BY position`,

  // A parent in another session that was given new ids is the copy there.
  writeCheckpoints: `
    INSERT INTO main.checkpoints (session_id, ${STAGED.checkpoint.columns})
    SELECT
      ?1,
      iif(?2, ${newIdOf("checkpoint", "staged.id")}, id),
      namespace,
      coalesce(${newIdOf("checkpoint", "staged.parent_id")}, parent_id),
      version, step, node_id, node_results, pending_nodes, cycle_state, source, created_at
    FROM temp.staged_checkpoints AS staged
    ORDER BY position`,

  writeOutputs: `
    INSERT INTO main.checkpoint_sqlite_outputs (session_id, hash, text, pieces)
    SELECT ?1, hash, text, pieces
    FROM temp.staged_outputs`,

  writeEntities: `
    INSERT INTO main.entities (session_id, ${STAGED.entity.columns})
    SELECT
      ?1,
      iif(?2, ${newIdOf("entity", "staged.id")}, id),
      workspace_id, name, type, attributes, relationships, created_at, updated_at, embedding
    FROM temp.staged_entities AS staged
    ORDER BY position`,

  writeFacts: `
    INSERT INTO main.facts (source_session_id, ${STAGED.fact.columns})
    SELECT
      ?1,
      coalesce(${newIdOf("fact", "staged.id")}, id),
      workspace_id, content, confidence, created_at, embedding
    FROM temp.staged_facts AS staged
    ORDER BY position`,

  countSessions: countWritten("sessions"),
  countMessages: countWritten("messages"),
  countCheckpoints: countWritten("checkpoints"),
  countOutputs: countWritten("outputs"),
  countEntities: countWritten("entities"),
  countFacts: countWritten("facts"),
};

const CLEAR = [...Object.values(STAGED).map(({ table }) => table), "outputs"].map(
  (table) => `DELETE FROM temp.staged_${table}`,
);

const column = {
  sessions: new ColumnReader("sessions"),
  checkpoints: new ColumnReader("checkpoints"),
  entities: new ColumnReader("entities"),
};

/** How many rows were written. */
export interface WrittenRows {
  messages: number;
  checkpoints: number;
  entities: number;
  facts: number;
}

export class StagedSession {
  readonly #connection: Connection;
  readonly #statements: Statements<keyof typeof STAGING_SQL>;
  #hasNewIds = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    for (const create of CREATE_STAGED) {
      connection.queryOnce(create);
    }
    this.#statements = connection.statements(STAGING_SQL);
  }

  /** Makes room for the next session. The new ids of earlier ones stay known. */
  clear(): void {
    this.#hasNewIds = false;
    for (const statement of CLEAR) {
      this.#connection.queryOnce(statement);
    }
  }

  add(type: RowType, row: Row): void {
    const values = STAGED[type].columns.split(", ").map((name) => row[name] as SQLQueryBindings);
    this.#statements[type].run(...values);
  }

  /** Adds a checkpoint in the form in which a save writes it: its large outputs apart. */
  addSharing(checkpoint: Row): void {
    const { text, outputs } = sharedForm(column.checkpoints.text(checkpoint, "node_results"));
    this.add("checkpoint", { ...checkpoint, node_results: text });
    for (const output of outputs) {
      for (const { hash, text, pieces } of rowsOf(output.hash, output.text())) {
        this.#statements.output.run(hash, text, pieces);
      }
    }
  }

  /** Stages a session of the file, without its facts and outputs. Returns whether there is one. */
  copyFrom(sessionId: string): boolean {
    const { copySession, copyMessages, copyCheckpoints, copyEntities } = this.#statements;
    if (copySession.run(sessionId).changes === 0) {
      return false;
    }
    for (const statement of [copyMessages, copyCheckpoints, copyEntities]) {
      statement.run(sessionId);
    }
    return true;
  }

  /** What of the session is in the file already, in words; facts are looked at one by one. */
  conflict(): string | undefined {
    this.#hasNewIds = false; // Those of a transaction that was rolled back are gone.
    const { hasSession, hasCheckpoint, hasEntity } = this.#statements;
    const found: [string, PreparedStatement][] = [
      ["its id", hasSession],
      ["the id of a checkpoint in it", hasCheckpoint],
      ["the id of an entity in it", hasEntity],
    ];
    return found.find(([, statement]) => statement.get() !== null)?.[0];
  }

  existingFacts(): string[] {
    return this.#statements.existingFacts.values().map(([id]) => String(id));
  }

  /** Leaves a fact out. */
  unstageFact(id: string): void {
    this.#statements.unstageFact.run(id);
  }

  giveFactNewId(id: string): void {
    this.#statements.newId.run("fact", id, newRowId());
  }

  /** For the session, its checkpoints and its entities. What refers to one of them within the session is kept in step. */
  giveNewIds(): void {
    this.#hasNewIds = true;
    const { sessionIds, checkpointIds, entities, newId } = this.#statements;
    for (const row of sessionIds.all()) {
      newId.run("session", column.sessions.text(row, "id"), newSessionId());
    }
    for (const row of checkpointIds.all()) {
      newId.run("checkpoint", column.checkpoints.text(row, "id"), newRowId());
    }
    const staged = entities.all();
    for (const row of staged) {
      newId.run("entity", column.entities.text(row, "id"), newRowId());
    }
    for (const row of staged) {
      this.#followRelationships(row);
    }
  }

  #followRelationships(row: Row): void {
    const text = row.relationships === null ? undefined : column.entities.text(row, "relationships");
    const followed =
      text === undefined ? undefined : withNewTargets(text, (id) => this.#newIdOf("entity", id));
    if (followed !== undefined) {
      this.#statements.setRelationships.run(column.entities.text(row, "id"), followed);
    }
  }

  #newIdOf(kind: string, id: string): string | undefined {
    const found = this.#statements.newIdOf.get(kind, id)?.new_id;
    return typeof found === "string" ? found : undefined;
  }

  /**
   * Writes the session, and returns its id. To be called in a transaction.
   *
   * @throws {StorageError} if a trigger keeps rows out: a session is written as a whole or not at all.
   */
  write(): { id: string; written: WrittenRows } {
    const staged = column.sessions.text(this.#statements.sessionIds.get() ?? {}, "id");
    const id = (this.#hasNewIds ? this.#newIdOf("session", staged) : undefined) ?? staged;
    this.#writeSession(id);
    const written = {
      messages: this.#writeMessages(id),
      checkpoints: this.#writeCheckpoints(id),
      entities: this.#writeEntities(id),
      facts: this.writeFacts(id),
    };
    return { id, written };
  }

  /** With its outputs, which the rows of checkpoints refer to. */
  #writeSession(id: string): void {
    const { writeSession, countSessions, writeOutputs, countOutputs } = this.#statements;
    writeSession.run(id);
    requireAll("sessions", countSessions);
    writeOutputs.run(id);
    requireAll(OUTPUTS_TABLE, countOutputs);
  }

  /** Ids of messages are counted per file. If one of them is taken, or too high, all get the next ones, in their order. */
  #writeMessages(sessionId: string): number {
    const { needsNewMessageIds, writeMessages, writeNewMessages, countMessages } = this.#statements;
    const statement = needsNewMessageIds.get() === null ? writeMessages : writeNewMessages;
    statement.run(sessionId);
    return requireAll("messages", countMessages);
  }

  #writeCheckpoints(sessionId: string): number {
    this.#statements.writeCheckpoints.run(sessionId, this.#hasNewIds);
    return requireAll("checkpoints", this.#statements.countCheckpoints);
  }

  #writeEntities(sessionId: string): number {
    this.#statements.writeEntities.run(sessionId, this.#hasNewIds);
    return requireAll("entities", this.#statements.countEntities);
  }

  /** @param sessionId `null`: facts of no session. */
  writeFacts(sessionId: string | null): number {
    this.#statements.writeFacts.run(sessionId);
    return requireAll("facts", this.#statements.countFacts);
  }
}

/** Returns how many rows were written. */
function requireAll(table: string, count: PreparedStatement): number {
  const { written, staged } = count.get() ?? {};
  if (written !== staged) {
    throw ignoredByTrigger(table);
  }
  return Number(written);
}

/** `undefined` if nothing changes. Targets may be of other sessions, or of no entity at all. */
function withNewTargets(text: string, newIdOf: (id: string) => string | undefined): string | undefined {
  const relationships: unknown = JSON.parse(text);
  if (!Array.isArray(relationships)) {
    return undefined;
  }
  let isChanged = false;
  for (const relationship of relationships) {
    const target: unknown = relationship?.targetId;
    const newId = typeof target === "string" ? newIdOf(target) : undefined;
    if (newId !== undefined) {
      relationship.targetId = newId;
      isChanged = true;
    }
  }
  return isChanged ? JSON.stringify(relationships) : undefined;
}
