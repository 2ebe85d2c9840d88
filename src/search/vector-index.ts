/**
 * Semantic search: exact, by cosine similarity, best first.
 *
 * Unit vectors are held in memory in float32, up to a limit, and all that a search may look at are scored by them; what
 * can be among the results is then scored exactly from the embeddings themselves. What anybody changes in the file is
 * seen by its revisions; see schema/vectors.ts.
 *
 * Limits: loading and reading vectors yield to the event loop after every page; scoring what is in memory, and listing
 * what passes a filter, do not. A search whose candidates change during every pause ends with an attempt that makes none.
 * Vectors beyond the memory limit are read from the file at every search.
 */
import type { Row } from "../database/connection.js";
import { VectorDimensionError } from "../errors.js";
import { nextTurn } from "../runtime/event-loop.js";
import { cosine, dotAt, unitOf } from "./cosine.js";
import { FilteredVectors } from "./filtered-vectors.js";
import { Ranking } from "./ranking.js";
import { VectorGroup } from "./vector-group.js";
import type { VectorOwner, VectorQuery, VectorRow, VectorSubject, VectorsTable } from "./vectors-table.js";

/** Rows between two turns of the event loop: a few milliseconds, also where the JSON of each has to be parsed. */
const PAGE = 200;

/** How often a search that changes have overtaken starts over before it makes no more pauses. */
const MOST_RESTARTS = 3;

/** The binary form of an embedding that somebody else wrote. */
export interface MissingUnit {
  revision: number;
  unit: Float32Array;
}

/** Takes what is worth writing to the file, so that it need not be read from JSON again. */
export type KeepUnits = (units: readonly MissingUnit[]) => void;

export interface VectorIndexSettings {
  /** In bytes. */
  memoryLimit: number;
  keepUnits: KeepUnits;
  /** Whether what the file shows may yet be rolled back, so that nothing of it may be held. */
  isUnsettled: () => boolean;
}

/** The file became unsettled during a search that yielded to other work: to be searched again without holding anything. */
export class UnsettledError extends Error {}

/** Work that may pause wherever it yields. */
type Steps<T> = Generator<void, T>;

/** What was found so far may be wrong by now: a row of it has changed, or rows are written faster than they are read. */
type Overtaken = undefined;

interface Match extends VectorSubject {
  similarity: number;
}

/** What scoring found. */
interface Score {
  ranking: Ranking;
  /** How many vectors with the query's dimensions passed the filter. */
  comparable: number;
  /** The dimensions of one that passed the filter and has others. */
  otherDimensions: number | undefined;
}

export class VectorIndex {
  readonly #table: VectorsTable;
  readonly #memoryLimit: number;
  readonly #keepUnits: KeepUnits;
  readonly #isUnsettled: () => boolean;
  #groups: VectorGroup[] = [];
  /** Vectors whose row is gone without a trace, as after an INSERT OR REPLACE by row id. */
  readonly #orphans = new Set<number>();
  readonly #filtered = new FilteredVectors();
  #missingUnits: MissingUnit[] = [];
  #loadedThrough = 0;
  #lastDeletion = 0;

  constructor(table: VectorsTable, settings: VectorIndexSettings) {
    this.#table = table;
    this.#memoryLimit = settings.memoryLimit;
    this.#keepUnits = settings.keepUnits;
    this.#isUnsettled = settings.isUnsettled;
  }

  /** Rows of the owner's table, best first, among equals the newest first. */
  async search(query: VectorQuery): Promise<Row[]> {
    for (let restarts = 0; restarts <= MOST_RESTARTS; restarts++) {
      const rows = await this.#withPauses(this.#attempt(query));
      if (rows !== undefined) {
        return rows;
      }
      await this.#nextTurn();
    }
    return this.#table.inOneState(() => this.#searchWithoutPause(query));
  }

  /** Ends because nothing changes meanwhile: an attempt is in vain only if it finds a vector without a row, and takes it out. */
  #searchWithoutPause(query: VectorQuery): Row[] {
    for (;;) {
      const rows = withoutPause(this.#attempt(query));
      if (rows !== undefined) {
        return rows;
      }
    }
  }

  *#attempt(query: VectorQuery): Steps<Row[] | Overtaken> {
    const isLoaded = yield* this.#load();
    const score = isLoaded ? yield* this.#score(query) : undefined;
    if (score === undefined) {
      return undefined;
    }
    if (score.comparable === 0 && score.otherDimensions !== undefined) {
      throw new VectorDimensionError(query.embedding.length, score.otherDimensions);
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

  /** Returns whether everything is loaded, or as much as there is room for: not if more is written than loaded meanwhile. */
  *#load(): Steps<boolean> {
    const { newest } = this.#table.state();
    while (!this.#loadPage()) {
      this.#handOnMissingUnits();
      if (this.#loadedThrough > newest) {
        return false;
      }
      yield;
    }
    this.#handOnMissingUnits();
    return true;
  }

  /** Returns whether everything is loaded, or as much as there is room for. */
  #loadPage(): boolean {
    const { newest, lastDeletion } = this.#table.state();
    if (lastDeletion < this.#lastDeletion) {
      this.#forgetAll(); // The tables were made anew, and their numbers begin again.
    }
    if (lastDeletion !== this.#lastDeletion) {
      this.#dropDeleted();
      this.#lastDeletion = lastDeletion;
    }
    if (newest <= this.#loadedThrough) {
      return true;
    }
    const page = this.#table.page(this.#loadedThrough, PAGE);
    return !page.every((row) => this.#hold(row)) || page.length < PAGE;
  }

  #forgetAll(): void {
    this.#groups = [];
    this.#orphans.clear();
    this.#filtered.clear();
    this.#loadedThrough = 0;
    this.#lastDeletion = 0;
  }

  #dropDeleted(): void {
    const deleted = this.#table.deletedAfter(this.#lastDeletion);
    if (deleted === undefined) {
      this.#dropAllBut(new Set(this.#table.revisions()));
    } else {
      for (const revision of deleted) {
        this.#drop(revision);
      }
    }
    this.#groups = this.#groups.filter((group) => group.count > 0);
  }

  #dropAllBut(remaining: ReadonlySet<number>): void {
    const held = this.#groups.flatMap((group) => [...group.revisions()]);
    for (const revision of [...held, ...this.#orphans].filter((each) => !remaining.has(each))) {
      this.#drop(revision);
    }
  }

  #drop(revision: number): void {
    this.#orphans.delete(revision);
    for (const group of this.#groups) {
      group.delete(revision);
    }
  }

  /** Returns whether there was room for it. */
  #hold(row: VectorRow): boolean {
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

  /** `undefined` if the embedding is gone meanwhile, or does not decode: then it is left out, as one that is not there. */
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

  /** After every page, so that no more than a page of them is ever held. */
  #handOnMissingUnits(): void {
    if (this.#missingUnits.length > 0) {
      this.#keepUnits(this.#missingUnits);
      this.#missingUnits = [];
    }
  }

  *#score(query: VectorQuery): Steps<Score | Overtaken> {
    const unit = unitOf(query.embedding);
    const score: Score = {
      ranking: new Ranking(query.topK, query.threshold),
      comparable: 0,
      otherDimensions: undefined,
    };
    const groups = this.#groups.filter((group) => group.owner === query.owner && group.count > 0);
    const listed = this.#filtered.list(query, this.#loadedThrough, groups, this.#table);
    if (listed === undefined) {
      for (const group of groups) {
        scoreAll(group, unit, score);
      }
      const isComplete = yield* this.#scoreRest(query.owner, unit, score);
      return isComplete ? score : undefined;
    }
    for (const { group, places } of listed.held) {
      scorePlaces(group, places, unit, score);
    }
    yield* this.#scoreOthers(listed.others, unit, score);
    return score;
  }

  /** Those that there was no room for in memory. Returns whether it came to the end: see {@link #load}. */
  *#scoreRest(owner: VectorOwner, query: Float64Array, score: Score): Steps<boolean> {
    const { newest } = this.#table.state();
    for (let after = this.#loadedThrough; ; yield) {
      const page = this.#table.page(after, PAGE);
      for (const row of page.filter((each) => each.owner === owner)) {
        this.#scoreRow(row, query, score);
      }
      this.#handOnMissingUnits();
      after = page.at(-1)?.revision ?? after;
      if (page.length < PAGE) {
        return true;
      }
      if (after > newest) {
        return false;
      }
    }
  }

  /** Those of a filter that there was no room for in memory. */
  *#scoreOthers(revisions: readonly number[], query: Float64Array, score: Score): Steps<void> {
    for (const [index, revision] of revisions.entries()) {
      const row = revision > this.#loadedThrough ? this.#table.at(revision) : undefined;
      if (row !== undefined) {
        this.#scoreRow(row, query, score);
      }
      if ((index + 1) % PAGE === 0) {
        this.#handOnMissingUnits();
        yield;
      }
    }
    this.#handOnMissingUnits();
  }

  #scoreRow(row: VectorRow, query: Float64Array, score: Score): void {
    const unit = this.#orphans.has(row.revision) ? undefined : this.#unitOf(row);
    if (unit === undefined) {
      return;
    }
    if (unit.length === query.length) {
      score.comparable += 1;
      score.ranking.offer(row.revision, dotAt(query, unit, 0));
    } else {
      score.otherDimensions = unit.length;
    }
  }

  /** Exactly, and in order. A row that has changed or gone since may have displaced another. */
  *#match(query: VectorQuery, ranking: Ranking): Steps<Match[] | Overtaken> {
    let best: Match[] = [];
    let isOvertaken = false;
    for (const [index, { revision }] of ranking.candidates().entries()) {
      const subject = this.#table.subjectAt(query.owner, revision);
      if (subject === undefined) {
        this.#takeOut(revision);
        isOvertaken = true;
      } else {
        best.push({ ...subject, similarity: cosine(query.embedding, subject.embedding) });
      }
      if ((index + 1) % PAGE === 0) {
        best = firstOf(best, query);
        yield;
      }
    }
    return isOvertaken ? undefined : firstOf(best, query);
  }

  #takeOut(revision: number): void {
    this.#drop(revision);
    this.#orphans.add(revision);
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
    score.otherDimensions = group.dimensions;
  }
}

function scorePlaces(group: VectorGroup, places: readonly number[], query: Float64Array, score: Score): void {
  if (group.dimensions === query.length) {
    score.comparable += places.length;
    for (const place of places) {
      score.ranking.offer(group.revisionAt(place), group.similarityAt(place, query));
    }
  } else if (places.length > 0) {
    score.otherDimensions = group.dimensions;
  }
}

function firstOf(matches: readonly Match[], { threshold, topK }: VectorQuery): Match[] {
  return matches
    .filter((match) => match.similarity >= threshold)
    .sort((a, b) => b.similarity - a.similarity || b.insertion - a.insertion)
    .slice(0, topK);
}
