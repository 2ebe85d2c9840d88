/**
 * The table `checkpoint_sqlite_vectors`: the binary form of every embedding of an entity or fact.
 *
 * Triggers make its rows (see schema/vectors.ts): a `unit` is NULL where the embedding was written by somebody else, 0.2.3
 * among them, and has not been read since.
 */

import type { Connection, PreparedStatement, Row, Statements } from "../database/connection.js";
import { ColumnReader } from "../rows/column-reader.js";
import { inTemporary } from "../schema/vectors.js";
import { type Fields, finiteNumber, nonNegativeInteger, vector } from "../validation/arguments.js";
import { embedding } from "../validation/schemas.js";
import { unitOf } from "./cosine.js";

/** Whose embedding a vector is. */
export type VectorOwner = "entity" | "fact";

export const VECTORS_SQL = {
  // NULL where there are none.
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

  // The smallest index holds every revision.
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

  // `insertion` tells the newer of two rows, in whichever order their embeddings were written.
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

/** A savepoint outside a transaction begins one, and inside a host's it is a part of that. */
export const SNAPSHOT_SQL = {
  begin: "SAVEPOINT one_search",
  end: "RELEASE one_search",
};

/** Which vectors a search looks at; all given filters apply together. */
export interface VectorFilter {
  owner: VectorOwner;
  sessionId: string | null;
  workspaceId: string | null;
}

/** A search, with its defaults filled in. */
export interface VectorQuery extends VectorFilter {
  embedding: readonly number[];
  /** The least similarity. */
  threshold: number;
  topK: number;
}

export interface VectorRow {
  revision: number;
  owner: VectorOwner;
  id: string;
  /** `null`: to be read from the embedding. */
  unit: Float32Array | null;
}

/** What a store compares to know whether it has seen everything. */
export interface VectorsState {
  /** The highest revision, 0 where there is none. */
  newest: number;
  /** The last deletion that was logged, 0 where there is none. */
  lastDeletion: number;
}

/** The row that a vector belongs to. */
export interface VectorSubject {
  row: Row;
  embedding: readonly number[];
  /** Grows with every row of the table. */
  insertion: number;
}

/** An embedding as its column holds it, and as searches compare it. */
export interface EncodedEmbedding {
  text: string;
  unit: Float32Array;
}

/** Every float64 comes back bit for bit from its shortest decimal text, which 0.2.3 reads too; JSON.stringify would lose -0. */
export function encodeEmbedding(numbers: readonly number[] | null): EncodedEmbedding | null {
  if (numbers === null) {
    return null;
  }
  const texts = numbers.map((number) => (Object.is(number, -0) ? "-0" : String(number)));
  return { text: `[${texts.join(",")}]`, unit: Float32Array.from(unitOf(numbers)) };
}

const DEFAULT_THRESHOLD = 0;
const DEFAULT_TOP_K = 10;

/** The options that a search of either kind takes. */
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

/** The bytes of float32 numbers, little-endian as on every machine that Bun runs on. What is damaged is read anew. */
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

  /** @param isTemporary Whether it is on the vectors that were made for a file without any, see schema/vectors.ts. */
  constructor(connection: Connection, isTemporary = false) {
    this.#statements = connection.statements(VECTORS_SQL, isTemporary ? inTemporary : undefined);
    this.#snapshot = connection.statements(SNAPSHOT_SQL);
  }

  /** Runs reads that see nothing of what others commit meanwhile. */
  inOneState<T>(read: () => T): T {
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

  /** The revisions that were deleted after the given deletion; `undefined` where the log does not reach back so far. */
  deletedAfter(deletion: number): number[] | undefined {
    const rows = this.#statements.deletions.values(deletion);
    const first = rows[0]?.[0];
    return first === undefined || first === deletion + 1 ? rows.map((row) => Number(row[1])) : undefined;
  }

  /** In the order of the revisions. */
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

  /** `undefined`: the filter lets all of the owner's vectors through. */
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

  /** The embedding as its owner's row holds it; `undefined` if it is gone, or does not decode. */
  embeddingOf(owner: VectorOwner, id: string): number[] | undefined {
    const row = this.#of(owner).embedding.get(id);
    return row === null ? undefined : OWNER_COLUMNS[owner].readable(row, "embedding", embedding);
  }

  #of(owner: VectorOwner): { embedding: PreparedStatement; at: PreparedStatement } {
    const { embeddingOfEntity, entityAt, embeddingOfFact, factAt } = this.#statements;
    return owner === "entity"
      ? { embedding: embeddingOfEntity, at: entityAt }
      : { embedding: embeddingOfFact, at: factAt };
  }

  /** The whole row that a vector belongs to; `undefined` if either has changed or gone, or the embedding does not decode. */
  subjectAt(owner: VectorOwner, revision: number): VectorSubject | undefined {
    const row = this.#of(owner).at.get(revision);
    const stored = row === null ? undefined : OWNER_COLUMNS[owner].readable(row, "embedding", embedding);
    return row === null || stored === undefined
      ? undefined
      : { row, embedding: stored, insertion: OWNER_COLUMNS[owner].integer(row, "insertion") };
  }

  setUnit(revision: number, unit: Float32Array): void {
    this.#statements.setUnit.run(revision, bytesOfUnit(unit));
  }

  /** Completes the row that a trigger has just inserted for an embedding. `null`: there is none. */
  setUnitOf(owner: VectorOwner, id: string, encoded: EncodedEmbedding | null): void {
    if (encoded !== null) {
      this.#statements.setUnitOf.run(owner, id, bytesOfUnit(encoded.unit));
    }
  }
}

function firstNumber(row: readonly unknown[]): number {
  return Number(row[0]);
}
