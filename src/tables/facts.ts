/** The table `facts`: its SQL, its row types and the mapper from a row to a {@link Fact}. */
import type { Connection, Row, Statements } from "../database/connection.js";
import { ColumnReader, ignoredByTrigger, setIfPresent } from "../rows/column-reader.js";
import {
  type EncodedEmbedding,
  encodeEmbedding,
  encodeVectorQuery,
  SEARCH_OPTIONS,
  type VectorQuery,
  VectorsTable,
} from "../search/vectors-table.js";
import type { Fact } from "../types.js";
import {
  fraction,
  limit,
  optionalFraction,
  optionalObject,
  optionalText,
  optionalVector,
  prose,
  requiredObject,
} from "../validation/arguments.js";
import { embedding } from "../validation/schemas.js";
import { LARGEST_CLOCK_ERROR } from "./entities.js";

const COLUMNS = "id, workspace_id, content, confidence, source_session_id, created_at, embedding";

// "Newest" means inserted last, as for entities. The unary plus prevents the use of an index on confidence, whose rows SQLite
// would have to sort.
export const FACTS_SQL = {
  insert: `
    INSERT INTO main.facts (${COLUMNS})
    VALUES (
      ?1, ?2, ?3, ?4, ?5,
      max(?6, coalesce((SELECT created_at FROM main.facts WHERE rowid = (SELECT max(rowid) FROM main.facts) AND created_at < +?8), 0)),
      ?7
    )
    RETURNING created_at`,

  select: `
    SELECT ${COLUMNS}
    FROM main.facts
    WHERE id = ?1`,

  list: `
    SELECT ${COLUMNS}
    FROM main.facts
    WHERE (?2 IS NULL OR +confidence >= +?2)
    ORDER BY rowid DESC
    LIMIT +?3`,

  listInWorkspace: `
    SELECT ${COLUMNS}
    FROM main.facts
    WHERE workspace_id = +?1
      AND (?2 IS NULL OR +confidence >= +?2)
    ORDER BY rowid DESC
    LIMIT +?3`,

  delete: `
    DELETE FROM main.facts
    WHERE id = ?1`,
};

/** Columns of a new row; the store adds id and times. */
export interface NewFactRow {
  workspace_id: string | null;
  content: string;
  confidence: number;
  source_session_id: string | null;
  embedding: EncodedEmbedding | null;
}

export interface EncodedFactFilter {
  workspaceId: string | null;
  minConfidence: number | null;
  /** -1: all. */
  limit: number;
}

export function encodeFact(fact: unknown): NewFactRow {
  const given = requiredObject("fact", fact, [
    "workspaceId",
    "content",
    "confidence",
    "sourceSessionId",
    "embedding",
  ]);
  return {
    embedding: encodeEmbedding(optionalVector("fact.embedding", given.embedding)),
    workspace_id: optionalText("fact.workspaceId", given.workspaceId),
    content: prose("fact.content", given.content),
    confidence: fraction("fact.confidence", given.confidence),
    source_session_id: optionalText("fact.sourceSessionId", given.sourceSessionId),
  };
}

export function encodeFactFilter(options: unknown): EncodedFactFilter {
  const given = optionalObject("options", options, ["workspaceId", "minConfidence", "limit"]);
  return {
    workspaceId: optionalText("options.workspaceId", given.workspaceId),
    minConfidence: optionalFraction("options.minConfidence", given.minConfidence),
    limit: limit("options.limit", given.limit),
  };
}

export function encodeFactSearch(query: unknown, options: unknown): VectorQuery {
  const given = optionalObject("options", options, ["workspaceId", ...SEARCH_OPTIONS]);
  const workspaceId = optionalText("options.workspaceId", given.workspaceId);
  return encodeVectorQuery(query, given, { owner: "fact", sessionId: null, workspaceId });
}

const column = new ColumnReader("facts");

export function toFact(row: Row): Fact {
  const fact: Fact = {
    id: column.text(row, "id"),
    content: column.written(row, "content"),
    confidence: column.written(row, "confidence"),
    createdAt: column.written(row, "created_at"),
  };
  setIfPresent(fact, "workspaceId", column.optionalWritten(row, "workspace_id"));
  setIfPresent(fact, "sourceSessionId", column.optionalWritten(row, "source_session_id"));
  setIfPresent(fact, "embedding", column.readable(row, "embedding", embedding));
  return fact;
}

export class FactsTable {
  readonly #vectors: VectorsTable;
  readonly #statements: Statements<keyof typeof FACTS_SQL>;

  constructor(connection: Connection) {
    this.#vectors = new VectorsTable(connection);
    this.#statements = connection.statements(FACTS_SQL);
  }

  insert(id: string, fact: NewFactRow, now: number): Fact {
    const row = this.#statements.insert.get(
      id,
      fact.workspace_id,
      fact.content,
      fact.confidence,
      fact.source_session_id,
      now,
      fact.embedding?.text ?? null,
      now + LARGEST_CLOCK_ERROR,
    );
    if (row === null) {
      throw ignoredByTrigger("facts");
    }
    this.#vectors.setUnitOf("fact", id, fact.embedding);
    return toFact({ ...fact, embedding: fact.embedding?.text ?? null, id, created_at: row.created_at });
  }

  get(id: string): Fact | null {
    const row = this.#statements.select.get(id);
    return row === null ? null : toFact(row);
  }

  /** Newest first. */
  list({ workspaceId, minConfidence, limit: count }: EncodedFactFilter): Fact[] {
    const statement = workspaceId === null ? this.#statements.list : this.#statements.listInWorkspace;
    return statement.all(workspaceId, minConfidence, count).map(toFact);
  }

  delete(id: string): void {
    if (this.#statements.delete.run(id).changes === 0 && this.get(id) !== null) {
      throw ignoredByTrigger("facts");
    }
  }
}
