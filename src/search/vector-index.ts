/**
 * Semantic search: exact, by cosine similarity, best first.
 *
 * Unit vectors are cached in memory as float32, up to a limit. A search scores all vectors that pass its filter by them, then
 * scores the candidates exactly from the embeddings themselves. Revisions show what any writer has changed in the file; see
 * schema/vectors.ts.
 *
 * Limits: loading and reading vectors yield to the event loop after each page; scoring cached vectors and listing those that
 * pass a filter do not. If its candidates change during every pause, a search makes a last attempt without pauses. Vectors
 * beyond the memory limit are read from the file by every search.
 */
import type { Row } from "../database/connection.js";
import { VectorDimensionError } from "../errors.js";
import { nextTurn } from "../runtime/event-loop.js";
import { cosine, dotAt, unitOf } from "./cosine.js";
import { FilteredVectors } from "./filtered-vectors.js";
import { Ranking } from "./ranking.js";
import { VectorGroup } from "./vector-group.js";
import type { VectorOwner, VectorQuery, VectorRow, VectorSubject, VectorsTable } from "./vectors-table.js";

/** Rows between two turns of the event loop: a few milliseconds, even if the JSON of each row must be parsed. */
const PAGE = 200;

/** How often a search restarts because of changes, before it runs without pauses. */
const MOST_RESTARTS = 3;

/** The binary form of an embedding that another program wrote. */
export interface MissingUnit {
  revision: number;
  unit: Float32Array;
}

/** Receives units to write to the file, so that later searches need not parse the JSON. */
export type SaveUnits = (units: readonly MissingUnit[]) => void;

export interface VectorIndexSettings {
  /** In bytes. */
  memoryLimit: number;
  saveUnits: SaveUnits;
  /** Whether what the connection reads may still be rolled back, so that none of it may be cached. */
  isUnsettled: () => boolean;
}

/** A transaction was opened while a search yielded to other work. The caller must search again without a cache. */
export class UnsettledError extends Error {}

/** Work that may pause at each yield. */
type Steps<T> = Generator<void, T>;

/** The results so far may be outdated: one of their rows has changed, or rows are written faster than they are read. */
type Outdated = undefined;

interface Match extends VectorSubject {
  similarity: number;
}

/** The result of scoring. */
interface Score {
  ranking: Ranking;
  /** Number of vectors that passed the filter and have the query's number of dimensions. */
  comparable: number;
  /** The number of dimensions of a vector that passed the filter but cannot be compared. */
  incomparableDimensions: number | undefined;
}

export class VectorIndex {
  readonly #table: VectorsTable;
  readonly #memoryLimit: number;
  readonly #saveUnits: SaveUnits;
  readonly #isUnsettled: () => boolean;
  #groups: VectorGroup[] = [];
  /** Revisions whose row is gone without a logged deletion, such as after an INSERT OR REPLACE by row id. */
  readonly #staleRevisions = new Set<number>();
  readonly #filtered = new FilteredVectors();
  #missingUnits: MissingUnit[] = [];
  #loadedThrough = 0;
  #lastDeletion = 0;

  constructor(table: VectorsTable, settings: VectorIndexSettings) {
    this.#table = table;
    this.#memoryLimit = settings.memoryLimit;
    this.#saveUnits = settings.saveUnits;
    this.#isUnsettled = settings.isUnsettled;
  }

  /** Returns rows of the owner's table, best first. Ties: newest first. */
  async search(query: VectorQuery): Promise<Row[]> {
    for (let restarts = 0; restarts <= MOST_RESTARTS; restarts++) {
      const rows = await this.#withPauses(this.#attempt(query));
      if (rows !== undefined) {
        return rows;
      }
      await this.#nextTurn();
    }
    return this.#table.inSnapshot(() => this.#searchWithoutPause(query));
  }

  /** Terminates, because nothing changes meanwhile: an attempt fails only if it finds a vector without a row, and removes it. */
  #searchWithoutPause(query: VectorQuery): Row[] {
    for (;;) {
      const rows = withoutPause(this.#attempt(query));
      if (rows !== undefined) {
        return rows;
      }
    }
  }

  *#attempt(query: VectorQuery): Steps<Row[] | Outdated> {
    const isLoaded = yield* this.#load();
    const score = isLoaded ? yield* this.#score(query) : undefined;
    if (score === undefined) {
      return undefined;
    }
    if (score.comparable === 0 && score.incomparableDimensions !== undefined) {
      throw new VectorDimensionError(query.embedding.length, score.incomparableDimensions);
    }
    const matches = yield* this.#match(query, score.ranking);
    return matches?.map((match) => match.row);
  }

  async #withPauses<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) {
        return step.value;
      }
      await this.#nextTurn();
    }
  }

  async #nextTurn(): Promise<void> {
    await nextTurn();
    if (this.#isUnsettled()) {
      throw new UnsettledError();
    }
  }

  /** Returns whether all vectors that fit are loaded: false if new ones are written faster than they are loaded. */
  *#load(): Steps<boolean> {
    const { newest } = this.#table.state();
    while (!this.#loadPage()) {
      this.#saveMissingUnits();
      if (this.#loadedThrough > newest) {
        return false;
      }
      yield;
    }
    this.#saveMissingUnits();
    return true;
  }

  /** Returns whether all vectors that fit are loaded. */
  #loadPage(): boolean {
    const { newest, lastDeletion } = this.#table.state();
    if (lastDeletion < this.#lastDeletion) {
      this.#clear(); // The tables were created again, and their numbers restart.
    }
    if (lastDeletion !== this.#lastDeletion) {
      this.#dropDeleted();
      this.#lastDeletion = lastDeletion;
    }
    if (newest <= this.#loadedThrough) {
      return true;
    }
    const page = this.#table.page(this.#loadedThrough, PAGE);
    return !page.every((row) => this.#cache(row)) || page.length < PAGE;
  }

  #clear(): void {
    this.#groups = [];
    this.#staleRevisions.clear();
    this.#filtered.clear();
    this.#loadedThrough = 0;
    this.#lastDeletion = 0;
  }

  #dropDeleted(): void {
    const deleted = this.#table.deletedAfter(this.#lastDeletion);
    if (deleted === undefined) {
      this.#dropAllExcept(new Set(this.#table.revisions()));
    } else {
      for (const revision of deleted) {
        this.#drop(revision);
      }
    }
    this.#groups = this.#groups.filter((group) => group.count > 0);
  }

  #dropAllExcept(remaining: ReadonlySet<number>): void {
    const cached = this.#groups.flatMap((group) => [...group.revisions()]);
    for (const revision of [...cached, ...this.#staleRevisions].filter((each) => !remaining.has(each))) {
      this.#drop(revision);
    }
  }

  #drop(revision: number): void {
    this.#staleRevisions.delete(revision);
    for (const group of this.#groups) {
      group.delete(revision);
    }
  }

  /** Returns whether the vector fits into memory. */
  #cache(row: VectorRow): boolean {
    const unit = this.#unitOf(row);
    if (unit !== undefined && !this.#addToGroup(row, unit)) {
      return false;
    }
    this.#loadedThrough = row.revision;
    return true;
  }

  #addToGroup(row: VectorRow, unit: Float32Array): boolean {
    const existing = this.#groups.find(
      (group) => group.owner === row.owner && group.dimensions === unit.length,
    );
    const group = existing ?? new VectorGroup(row.owner, unit.length);
    const used = this.#groups.reduce((bytes, each) => bytes + each.bytes, 0);
    if (used + group.bytesToAdd > this.#memoryLimit) {
      return false;
    }
    if (existing === undefined) {
      this.#groups.push(group);
    }
    group.add(row.revision, unit);
    return true;
  }

  /** Returns `undefined` if the embedding is gone by now or does not decode; searches then skip it. */
  #unitOf(row: VectorRow): Float32Array | undefined {
    if (row.unit !== null) {
      return row.unit;
    }
    const embedding = this.#table.embeddingOf(row.owner, row.id);
    if (embedding === undefined) {
      return undefined;
    }
    const unit = Float32Array.from(unitOf(embedding));
    this.#missingUnits.push({ revision: row.revision, unit });
    return unit;
  }

  /** Called after each page, so that at most one page of units waits in memory. */
  #saveMissingUnits(): void {
    if (this.#missingUnits.length > 0) {
      this.#saveUnits(this.#missingUnits);
      this.#missingUnits = [];
    }
  }

  *#score(query: VectorQuery): Steps<Score | Outdated> {
    const unit = unitOf(query.embedding);
    const score: Score = {
      ranking: new Ranking(query.topK, query.threshold),
      comparable: 0,
      incomparableDimensions: undefined,
    };
    const groups = this.#groups.filter((group) => group.owner === query.owner && group.count > 0);
    const listed = this.#filtered.list(query, this.#loadedThrough, groups, this.#table);
    if (listed === undefined) {
      for (const group of groups) {
        scoreAll(group, unit, score);
      }
      const isComplete = yield* this.#scoreUncached(query.owner, unit, score);
      return isComplete ? score : undefined;
    }
    for (const { group, places } of listed.cached) {
      scorePlaces(group, places, unit, score);
    }
    yield* this.#scoreListed(listed.uncached, unit, score);
    return score;
  }

  /** Scores the vectors that do not fit into memory. Returns whether it reached the end, see {@link #load}. */
  *#scoreUncached(owner: VectorOwner, query: Float64Array, score: Score): Steps<boolean> {
    const { newest } = this.#table.state();
    for (let after = this.#loadedThrough; ; yield) {
      const page = this.#table.page(after, PAGE);
      for (const row of page.filter((each) => each.owner === owner)) {
        this.#scoreRow(row, query, score);
      }
      this.#saveMissingUnits();
      after = page.at(-1)?.revision ?? after;
      if (page.length < PAGE) {
        return true;
      }
      if (after > newest) {
        return false;
      }
    }
  }

  /** Scores the listed vectors that do not fit into memory. */
  *#scoreListed(revisions: readonly number[], query: Float64Array, score: Score): Steps<void> {
    for (const [index, revision] of revisions.entries()) {
      const row = revision > this.#loadedThrough ? this.#table.at(revision) : undefined;
      if (row !== undefined) {
        this.#scoreRow(row, query, score);
      }
      if ((index + 1) % PAGE === 0) {
        this.#saveMissingUnits();
        yield;
      }
    }
    this.#saveMissingUnits();
  }

  #scoreRow(row: VectorRow, query: Float64Array, score: Score): void {
    const unit = this.#staleRevisions.has(row.revision) ? undefined : this.#unitOf(row);
    if (unit === undefined) {
      return;
    }
    if (unit.length === query.length) {
      score.comparable += 1;
      score.ranking.offer(row.revision, dotAt(query, unit, 0));
    } else {
      score.incomparableDimensions = unit.length;
    }
  }

  /** Scores the candidates exactly and sorts them. Outdated if a candidate is gone, because it may have displaced another. */
  *#match(query: VectorQuery, ranking: Ranking): Steps<Match[] | Outdated> {
    let best: Match[] = [];
    let isOutdated = false;
    for (const [index, { revision }] of ranking.candidates().entries()) {
      const subject = this.#table.subjectAt(query.owner, revision);
      if (subject === undefined) {
        this.#removeStale(revision);
        isOutdated = true;
      } else {
        best.push({ ...subject, similarity: cosine(query.embedding, subject.embedding) });
      }
      if ((index + 1) % PAGE === 0) {
        best = firstOf(best, query);
        yield;
      }
    }
    return isOutdated ? undefined : firstOf(best, query);
  }

  #removeStale(revision: number): void {
    this.#drop(revision);
    this.#staleRevisions.add(revision);
    this.#filtered.clear();
  }
}

function withoutPause<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      return step.value;
    }
  }
}

function scoreAll(group: VectorGroup, query: Float64Array, score: Score): void {
  if (group.dimensions === query.length) {
    score.comparable += group.count;
    group.forEachSimilarity(query, (revision, similarity) => score.ranking.offer(revision, similarity));
  } else {
    score.incomparableDimensions = group.dimensions;
  }
}

function scorePlaces(group: VectorGroup, places: readonly number[], query: Float64Array, score: Score): void {
  if (group.dimensions === query.length) {
    score.comparable += places.length;
    for (const place of places) {
      score.ranking.offer(group.revisionAt(place), group.similarityAt(place, query));
    }
  } else if (places.length > 0) {
    score.incomparableDimensions = group.dimensions;
  }
}

function firstOf(matches: readonly Match[], { threshold, topK }: VectorQuery): Match[] {
  return matches
    .filter((match) => match.similarity >= threshold)
    .sort((a, b) => b.similarity - a.similarity || b.insertion - a.insertion)
    .slice(0, topK);
}
