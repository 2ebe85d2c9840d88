/** The table `entities`: its SQL, its row types and the mapper from a row to an {@link Entity}. */
import type { Connection, Row, Statements } from "../database/connection.js";
import type { EncodedValue } from "../json-plus/text.js";
import { ColumnReader, ignoredByTrigger, setIfPresent } from "../rows/column-reader.js";
import {
  type EncodedEmbedding,
  encodeEmbedding,
  encodeVectorQuery,
  SEARCH_OPTIONS,
  type VectorQuery,
  VectorsTable,
} from "../search/vectors-table.js";
import type { Entity } from "../types.js";
import {
  type FieldUpdate,
  fieldUpdate,
  limit,
  optionalObject,
  optionalProse,
  optionalStructured,
  optionalText,
  optionalVector,
  prose,
  requiredObject,
  structured,
  text,
  vector,
} from "../validation/arguments.js";
import { embedding, record, relationships } from "../validation/schemas.js";
import { storedObject } from "../validation/stored-schemas.js";

const COLUMNS =
  "id, session_id, workspace_id, name, type, attributes, relationships, created_at, updated_at, embedding";

// "Newest" means inserted last, by rowid. Times follow that order: if the clock was set back, an entity gets the time of the
// previous one.
//
// A NULL parameter turns a filter off.
export const ENTITIES_SQL = {
  insert: `
    INSERT INTO main.entities (${COLUMNS})
    SELECT
      ?1, session.id, ?3, ?4, ?5, ?6, ?7,
      max(?9, coalesce(newest.created_at, 0)),
      max(?9, coalesce(newest.created_at, 0)),
      ?8
    FROM main.sessions AS session
    LEFT JOIN main.entities AS newest ON newest.rowid = (SELECT max(rowid) FROM main.entities)
      AND newest.created_at < +?10
    WHERE session.id = +?2
    RETURNING created_at`,

  select: `
    SELECT ${COLUMNS}
    FROM main.entities
    WHERE id = ?1`,

  list: `
    SELECT ${COLUMNS}
    FROM main.entities
    ORDER BY rowid DESC
    LIMIT +?4`,

  listInSession: `
    SELECT ${COLUMNS}
    FROM main.entities
    WHERE session_id = +?1
      AND (?2 IS NULL OR workspace_id = +?2)
      AND (?3 IS NULL OR type = +?3)
    ORDER BY rowid DESC
    LIMIT +?4`,

  listInWorkspace: `
    SELECT ${COLUMNS}
    FROM main.entities
    WHERE workspace_id = +?2
      AND (?3 IS NULL OR type = +?3)
    ORDER BY rowid DESC
    LIMIT +?4`,

  listOfType: `
    SELECT ${COLUMNS}
    FROM main.entities
    WHERE type = +?3
    ORDER BY rowid DESC
    LIMIT +?4`,

  // A flag before each value that can be cleared distinguishes "set to NULL" from "keep".
  update: `
    UPDATE main.entities
    SET
      name = coalesce(?2, name),
      type = coalesce(?3, type),
      attributes = coalesce(?4, attributes),
      relationships = coalesce(?5, relationships),
      workspace_id = CASE WHEN ?6 THEN ?7 ELSE workspace_id END,
      embedding = CASE WHEN ?8 THEN ?9 ELSE embedding END,
      updated_at = max(?10, updated_at + 1)
    WHERE id = ?1`,

  delete: `
    DELETE FROM main.entities
    WHERE id = ?1`,
};

/** A row's time further ahead than this (a day, in milliseconds) was a clock error, and later rows do not follow it. */
export const LARGEST_CLOCK_ERROR = 86_400_000;

/** Columns of a new row; the store adds id and times. */
export interface NewEntityRow {
  session_id: string;
  workspace_id: string | null;
  name: string;
  type: string;
  attributes: EncodedValue;
  relationships: EncodedValue;
  embedding: EncodedEmbedding | null;
}

/** For a field that cannot be cleared, `null` keeps it. */
export interface EncodedEntityUpdates {
  name: string | null;
  type: string | null;
  attributes: string | null;
  relationships: string | null;
  workspaceId: FieldUpdate<string>;
  embedding: FieldUpdate<EncodedEmbedding>;
}

export interface EncodedEntityFilter {
  sessionId: string | null;
  workspaceId: string | null;
  type: string | null;
  /** -1: all. */
  limit: number;
}

const FIELDS = [
  "sessionId",
  "workspaceId",
  "name",
  "type",
  "attributes",
  "relationships",
  "embedding",
] as const;

export function encodeEntity(entity: unknown): NewEntityRow {
  const given = requiredObject("entity", entity, FIELDS);
  return {
    embedding: encodeEmbedding(optionalVector("entity.embedding", given.embedding)),
    session_id: text("entity.sessionId", given.sessionId),
    workspace_id: optionalText("entity.workspaceId", given.workspaceId),
    name: prose("entity.name", given.name),
    type: text("entity.type", given.type),
    attributes: structured("entity.attributes", given.attributes ?? {}, record),
    relationships: structured("entity.relationships", given.relationships ?? [], relationships),
  };
}

export function encodeEntityUpdates(updates: unknown): EncodedEntityUpdates {
  const given = requiredObject("updates", updates, FIELDS);
  return {
    name: optionalProse("updates.name", given.name),
    type: optionalText("updates.type", given.type),
    attributes: optionalStructured("updates.attributes", given.attributes, record)?.text ?? null,
    relationships:
      optionalStructured("updates.relationships", given.relationships, relationships)?.text ?? null,
    workspaceId: fieldUpdate(given.workspaceId, (id) => text("updates.workspaceId", id)),
    embedding: fieldUpdate(given.embedding, (numbers) =>
      encodeEmbedding(vector("updates.embedding", numbers)),
    ),
  };
}

export function encodeEntityFilter(options: unknown): EncodedEntityFilter {
  const given = optionalObject("options", options, ["sessionId", "workspaceId", "type", "limit"]);
  return {
    sessionId: optionalText("options.sessionId", given.sessionId),
    workspaceId: optionalText("options.workspaceId", given.workspaceId),
    type: optionalText("options.type", given.type),
    limit: limit("options.limit", given.limit),
  };
}

export function encodeEntitySearch(query: unknown, options: unknown): VectorQuery {
  const given = optionalObject("options", options, ["sessionId", "workspaceId", ...SEARCH_OPTIONS]);
  return encodeVectorQuery(query, given, {
    owner: "entity",
    sessionId: optionalText("options.sessionId", given.sessionId),
    workspaceId: optionalText("options.workspaceId", given.workspaceId),
  });
}

const column = new ColumnReader("entities");

export function toEntity(row: Row): Entity {
  const entity: Entity = {
    id: column.text(row, "id"),
    sessionId: column.text(row, "session_id"),
    name: column.written(row, "name"),
    type: column.written(row, "type"),
    attributes: column.optionalStructured(row, "attributes", storedObject) ?? {},
    relationships: column.optionalStructured(row, "relationships", relationships) ?? [],
    createdAt: column.written(row, "created_at"),
    updatedAt: column.written(row, "updated_at"),
  };
  setIfPresent(entity, "workspaceId", column.optionalWritten(row, "workspace_id"));
  setIfPresent(entity, "embedding", column.readable(row, "embedding", embedding));
  return entity;
}

export class EntitiesTable {
  readonly #vectors: VectorsTable;
  readonly #statements: Statements<keyof typeof ENTITIES_SQL>;

  constructor(connection: Connection) {
    this.#vectors = new VectorsTable(connection);
    this.#statements = connection.statements(ENTITIES_SQL);
  }

  /** Returns `undefined` if the session does not exist. */
  insert(id: string, entity: NewEntityRow, now: number): Entity | undefined {
    const row = this.#statements.insert.get(
      id,
      entity.session_id,
      entity.workspace_id,
      entity.name,
      entity.type,
      entity.attributes.text,
      entity.relationships.text,
      entity.embedding?.text ?? null,
      now,
      now + LARGEST_CLOCK_ERROR,
    );
    if (row === null) {
      return undefined;
    }
    this.#vectors.setUnitOf("entity", id, entity.embedding);
    const embedding = entity.embedding?.text ?? null;
    return toEntity({ ...entity, embedding, id, created_at: row.created_at, updated_at: row.created_at });
  }

  get(id: string): Entity | null {
    const row = this.#statements.select.get(id);
    return row === null ? null : toEntity(row);
  }

  /** Newest first. */
  list({ sessionId, workspaceId, type, limit: count }: EncodedEntityFilter): Entity[] {
    const statement =
      sessionId !== null
        ? this.#statements.listInSession
        : workspaceId !== null
          ? this.#statements.listInWorkspace
          : type !== null
            ? this.#statements.listOfType
            : this.#statements.list;
    return statement.all(sessionId, workspaceId, type, count).map(toEntity);
  }

  /** Returns whether the entity exists. */
  update(id: string, updates: EncodedEntityUpdates, now: number): boolean {
    const { changes } = this.#statements.update.run(
      id,
      updates.name,
      updates.type,
      updates.attributes,
      updates.relationships,
      updates.workspaceId.isGiven,
      updates.workspaceId.value,
      updates.embedding.isGiven,
      updates.embedding.value?.text ?? null,
      now,
    );
    this.#rejectIgnored(id, changes);
    this.#vectors.setUnitOf("entity", id, updates.embedding.value);
    return changes > 0;
  }

  delete(id: string): void {
    this.#rejectIgnored(id, this.#statements.delete.run(id).changes);
  }

  /** @throws {StorageError} if the row exists but did not change. */
  #rejectIgnored(id: string, changes: number): void {
    if (changes === 0 && this.get(id) !== null) {
      throw ignoredByTrigger("entities");
    }
  }
}
