/**
 * The table `checkpoint_sqlite_vectors`: the binary form of every embedding of an entity or fact.
 *
 * Triggers create its rows (see schema/vectors.ts). A `unit` is NULL if another program, such as 0.2.3, wrote the embedding and
 * no search has read it since.
 */

import type { Connection, PreparedStatement, Row, Statements } from "../database/connection.js";
import { ColumnReader } from "../rows/column-reader.js";
import { inTemporary } from "../schema/vectors.js";
import { type Fields, finiteNumber, nonNegativeInteger, vector } from "../validation/arguments.js";
import { embedding } from "../validation/schemas.js";
import { unitOf } from "./cosine.js";

/** The kind of row that a vector belongs to. */
export type VectorOwner = "entity" | "fact";

export const VECTORS_SQL = {
  // NULL if there are none.
  state: `
    SELECT
      (SELECT max(revision) FROM main.checkpoint_sqlite_vectors) AS newest,
      (SELECT max(sequence) FROM main.checkpoint_sqlite_vector_deletions) AS last_deletion`,

  deletions: `
    SELECT sequence, revision
    FROM main.checkpoint_sqlite_vector_deletions
    WHERE sequence > +?1
    ORDER BY sequence`,

  page: `
    SELECT revision, owner, id, unit
    FROM main.checkpoint_sqlite_vectors
    WHERE revision > +?1
    ORDER BY revision
    LIMIT +?2`,

  at: `
    SELECT revision, owner, id, unit
    FROM main.checkpoint_sqlite_vectors
    WHERE revision = ?1`,

  // SQLite reads this from the smallest index, which contains every revision.
  revisions: `
    SELECT revision
    FROM main.checkpoint_sqlite_vectors`,

  revisionsOfSession: `
    SELECT revision
    FROM main.checkpoint_sqlite_vectors
    WHERE owner = ?1
      AND session_id = ?2
      AND (?3 IS NULL OR workspace_id = ?3)`,

  revisionsOfWorkspace: `
    SELECT revision
    FROM main.checkpoint_sqlite_vectors
    WHERE owner = ?1
      AND workspace_id = ?2`,

  embeddingOfEntity: `
    SELECT id, embedding
    FROM main.entities
    WHERE id = ?1`,

  embeddingOfFact: `
    SELECT id, embedding
    FROM main.facts
    WHERE id = ?1`,

  // `insertion` shows which of two rows is newer, whatever the order in which their embeddings were written.
  entityAt: `
    SELECT
      entities.rowid AS insertion,
      entities.id, entities.session_id, entities.workspace_id, name, type, attributes, relationships,
      created_at, updated_at, embedding
    FROM main.checkpoint_sqlite_vectors AS vector
    JOIN main.entities ON entities.id = vector.id
    WHERE vector.revision = +?1
      AND vector.owner = 'entity'`,

  factAt: `
    SELECT
      facts.rowid AS insertion,
      facts.id, facts.workspace_id, content, confidence, source_session_id, created_at, embedding
    FROM main.checkpoint_sqlite_vectors AS vector
    JOIN main.facts ON facts.id = vector.id
    WHERE vector.revision = +?1
      AND vector.owner = 'fact'`,

  setUnit: `
    UPDATE main.checkpoint_sqlite_vectors
    SET unit = ?2
    WHERE revision = ?1`,

  setUnitOf: `
    UPDATE main.checkpoint_sqlite_vectors
    SET unit = ?3
    WHERE owner = ?1
      AND id = ?2`,
};

/** Outside a transaction a savepoint starts one; inside a host's transaction it is part of it. */
export const SNAPSHOT_SQL = {
  begin: "SAVEPOINT one_search",
  end: "RELEASE one_search",
};

/** Selects the vectors of a search; all given filters apply together. */
export interface VectorFilter {
  owner: VectorOwner;
  sessionId: string | null;
  workspaceId: string | null;
}

/** A search, with its defaults filled in. */
export interface VectorQuery extends VectorFilter {
  embedding: readonly number[];
  /** Minimum similarity. */
  threshold: number;
  topK: number;
}

export interface VectorRow {
  revision: number;
  owner: VectorOwner;
  id: string;
  /** `null`: must be read from the embedding. */
  unit: Float32Array | null;
}

/** A store compares this to detect changes. */
export interface VectorsState {
  /** The highest revision, 0 if there is none. */
  newest: number;
  /** The last logged deletion, 0 if there is none. */
  lastDeletion: number;
}

/** The row that a vector belongs to. */
export interface VectorSubject {
  row: Row;
  embedding: readonly number[];
  /** Increases with every new row of the table. */
  insertion: number;
}

/** An embedding as stored in its column, and as compared by searches. */
export interface EncodedEmbedding {
  text: string;
  unit: Float32Array;
}

/** The shortest decimal text of each float64 round-trips exactly, and 0.2.3 can read it; JSON.stringify would lose -0. */
export function encodeEmbedding(numbers: readonly number[] | null): EncodedEmbedding | null {
  if (numbers === null) {
    return null;
  }
  const texts = numbers.map((number) => (Object.is(number, -0) ? "-0" : String(number)));
  return { text: `[${texts.join(",")}]`, unit: Float32Array.from(unitOf(numbers)) };
}

const DEFAULT_THRESHOLD = 0;
const DEFAULT_TOP_K = 10;

/** Options of both kinds of search. */
export const SEARCH_OPTIONS = ["threshold", "topK"] as const;

export function encodeVectorQuery(
  embedding: unknown,
  given: Fields<(typeof SEARCH_OPTIONS)[number]>,
  filter: VectorFilter,
): VectorQuery {
  return {
    ...filter,
    embedding: vector("embedding", embedding),
    threshold: finiteNumber("options.threshold", given.threshold ?? DEFAULT_THRESHOLD),
    topK: nonNegativeInteger("options.topK", given.topK ?? DEFAULT_TOP_K),
  };
}

const OWNERS: readonly VectorOwner[] = ["entity", "fact"];
const column = new ColumnReader("checkpoint_sqlite_vectors");
const OWNER_COLUMNS = { entity: new ColumnReader("entities"), fact: new ColumnReader("facts") };

export function toVectorRow(row: Row): VectorRow {
  return {
    revision: column.integer(row, "revision"),
    owner: column.oneOf(row, "owner", OWNERS),
    id: column.text(row, "id"),
    unit: unitOfBytes(row.unit),
  };
}

/** Decodes float32 numbers, little-endian as on every machine that Bun runs on. A damaged unit is read from the JSON again. */
function unitOfBytes(bytes: unknown): Float32Array | null {
  if (
    !(bytes instanceof Uint8Array) ||
    bytes.length === 0 ||
    bytes.length % Float32Array.BYTES_PER_ELEMENT > 0
  ) {
    return null;
  }
  return new Float32Array(bytes.slice().buffer);
}

function bytesOfUnit(unit: Float32Array): Uint8Array {
  return new Uint8Array(unit.buffer, unit.byteOffset, unit.byteLength);
}

export class VectorsTable {
  readonly #statements: Statements<keyof typeof VECTORS_SQL>;
  readonly #snapshot: Statements<keyof typeof SNAPSHOT_SQL>;

  /** @param isTemporary Whether to use the temporary vectors of a file that has none, see schema/vectors.ts. */
  constructor(connection: Connection, isTemporary = false) {
    this.#statements = connection.statements(VECTORS_SQL, isTemporary ? inTemporary : undefined);
    this.#snapshot = connection.statements(SNAPSHOT_SQL);
  }

  /** Runs reads in one snapshot, which does not see what others commit meanwhile. */
  inSnapshot<T>(read: () => T): T {
    this.#snapshot.begin.run();
    try {
      return read();
    } finally {
      this.#snapshot.end.run();
    }
  }

  state(): VectorsState {
    const row = this.#statements.state.get() ?? {};
    return {
      newest: column.optionalInteger(row, "newest") ?? 0,
      lastDeletion: column.optionalInteger(row, "last_deletion") ?? 0,
    };
  }

  /** The revisions deleted after the given deletion; `undefined` if the log no longer reaches back that far. */
  deletedAfter(deletion: number): number[] | undefined {
    const rows = this.#statements.deletions.values(deletion);
    const first = rows[0]?.[0];
    return first === undefined || first === deletion + 1 ? rows.map((row) => Number(row[1])) : undefined;
  }

  /** The next rows in the order of their revisions. */
  page(after: number, limit: number): VectorRow[] {
    return this.#statements.page.all(after, limit).map(toVectorRow);
  }

  at(revision: number): VectorRow | undefined {
    const row = this.#statements.at.get(revision);
    return row === null ? undefined : toVectorRow(row);
  }

  revisions(): number[] {
    return this.#statements.revisions.values().map(firstNumber);
  }

  /** Returns `undefined` if the filter passes all of the owner's vectors. */
  revisionsOf(filter: VectorFilter): number[] | undefined {
    const { owner, sessionId, workspaceId } = filter;
    if (sessionId !== null) {
      return this.#statements.revisionsOfSession.values(owner, sessionId, workspaceId).map(firstNumber);
    }
    if (workspaceId !== null) {
      return this.#statements.revisionsOfWorkspace.values(owner, workspaceId).map(firstNumber);
    }
    return undefined;
  }

  /** The embedding in its owner's row; `undefined` if it is gone or does not decode. */
  embeddingOf(owner: VectorOwner, id: string): number[] | undefined {
    const row = this.#statementsOf(owner).embedding.get(id);
    return row === null ? undefined : OWNER_COLUMNS[owner].readable(row, "embedding", embedding);
  }

  #statementsOf(owner: VectorOwner): { embedding: PreparedStatement; at: PreparedStatement } {
    const { embeddingOfEntity, entityAt, embeddingOfFact, factAt } = this.#statements;
    return owner === "entity"
      ? { embedding: embeddingOfEntity, at: entityAt }
      : { embedding: embeddingOfFact, at: factAt };
  }

  /** The complete row that a vector belongs to; `undefined` if either has changed or is gone, or the embedding does not decode. */
  subjectAt(owner: VectorOwner, revision: number): VectorSubject | undefined {
    const row = this.#statementsOf(owner).at.get(revision);
    const stored = row === null ? undefined : OWNER_COLUMNS[owner].readable(row, "embedding", embedding);
    return row === null || stored === undefined
      ? undefined
      : { row, embedding: stored, insertion: OWNER_COLUMNS[owner].integer(row, "insertion") };
  }

  setUnit(revision: number, unit: Float32Array): void {
    this.#statements.setUnit.run(revision, bytesOfUnit(unit));
  }

  /** Sets the unit in the row that a trigger has just inserted for an embedding. Does nothing if the embedding is `null`. */
  setUnitOf(owner: VectorOwner, id: string, encoded: EncodedEmbedding | null): void {
    if (encoded !== null) {
      this.#statements.setUnitOf.run(owner, id, bytesOfUnit(encoded.unit));
    }
  }
}

function firstNumber(row: readonly unknown[]): number {
  return Number(row[0]);
}
