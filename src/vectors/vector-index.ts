/**
 * Semantic search: exact, by cosine similarity, best first.
 *
 * Unit vectors are held in memory in float32, up to a limit, and all that a search may look at are scored by them; what
 * can be among the results is then scored exactly from the embeddings themselves. What another process changed is
 * seen by its revision; see schema.ts.
 *
 * Limits: loading yields to the event loop after every page, scoring what is in memory does not (about 11 ms for
 * 100,000 vectors of 384 dimensions). Vectors beyond the memory limit are read from the file at every search.
 */
import type { Row } from "../connection.js";
import { cosine, dotAt, unitOf } from "../cosine.js";
import { CheckpointCorruptionError, VectorDimensionError } from "../errors.js";
import { nextTurn } from "../event-loop.js";
import type {
  EncodedEmbedding,
  VectorOwner,
  VectorQuery,
  VectorRow,
  VectorSubject,
  VectorsTable,
} from "../tables/vectors.js";
import { Ranking } from "./ranking.js";
import { VectorGroup } from "./vector-group.js";

/** Rows between two turns of the event loop: a few milliseconds, also where the JSON of each has to be parsed. */
const PAGE = 200;

/** The binary form of an embedding that somebody else wrote, worth keeping in the file. */
export interface MissingUnit {
  revision: number;
  unit: Float64Array;
}

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
  #groups: VectorGroup[] = [];
  /** Embeddings that cannot be read fail the searches that they would be part of, not those they would not. */
  readonly #unreadable = new Map<number, { owner: VectorOwner; error: CheckpointCorruptionError }>();
  #missingUnits: MissingUnit[] = [];
  #loadedThrough = 0;
  #deletions = 0;

  /** @param memoryLimit In bytes. */
  constructor(table: VectorsTable, memoryLimit: number) {
    this.#table = table;
    this.#memoryLimit = memoryLimit;
  }

  /** Best first, among equals the newest first. */
  async search(query: VectorQuery): Promise<Row[]> {
    for (;;) {
      while (!this.#loadPage()) {
        await nextTurn();
      }
      const score = await this.#score(query);
      if (score.comparable === 0 && score.otherDimensions !== undefined) {
        throw new VectorDimensionError(query.embedding.length, score.otherDimensions);
      }
      const matches = await this.#match(query, score.ranking);
      if (matches !== undefined) {
        return matches.map((match) => match.row);
      }
    }
  }

  /** Keeps the binary form of an embedding that has just been written; see {@link VectorsTable.keep}. */
  keep(owner: VectorOwner, id: string, encoded: EncodedEmbedding | null): void {
    this.#table.keep(owner, id, encoded);
  }

  keepUnits(units: readonly MissingUnit[]): void {
    for (const { revision, unit } of units) {
      this.#table.setUnit(revision, unit);
    }
  }

  /** What searches had to read from JSON since this was last called. */
  takeMissingUnits(): MissingUnit[] {
    return this.#missingUnits.splice(0);
  }

  /** Returns whether everything is loaded, or as much as there is room for. */
  #loadPage(): boolean {
    const state = this.#table.state();
    if (state.deletions !== this.#deletions) {
      this.#dropDeleted();
      this.#deletions = state.deletions;
    }
    if (state.newest <= this.#loadedThrough) {
      return true;
    }
    const page = this.#table.page(this.#loadedThrough, PAGE);
    return !page.every((row) => this.#keep(row)) || page.length < PAGE;
  }

  #dropDeleted(): void {
    const remaining = new Set(this.#table.revisions());
    for (const group of this.#groups) {
      for (const revision of [...group.revisions()].filter((held) => !remaining.has(held))) {
        group.delete(revision);
      }
    }
    for (const revision of [...this.#unreadable.keys()].filter((held) => !remaining.has(held))) {
      this.#unreadable.delete(revision);
    }
    this.#groups = this.#groups.filter((group) => group.count > 0);
  }

  /** Returns whether there was room for it. */
  #keep(row: VectorRow): boolean {
    try {
      const unit = this.#unitOf(row);
      if (unit !== undefined && !this.#addToGroup(row, unit)) {
        return false;
      }
    } catch (error) {
      if (!(error instanceof CheckpointCorruptionError)) {
        throw error;
      }
      this.#unreadable.set(row.revision, { owner: row.owner, error });
    }
    this.#loadedThrough = row.revision;
    return true;
  }

  #addToGroup(row: VectorRow, unit: ArrayLike<number>): boolean {
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

  /** `undefined` where the embedding is gone meanwhile. */
  #unitOf(row: VectorRow): ArrayLike<number> | undefined {
    if (row.unit !== null) {
      return row.unit;
    }
    const embedding = this.#table.embeddingOf(row.owner, row.id);
    if (embedding === undefined) {
      return undefined;
    }
    const unit = unitOf(embedding);
    this.#missingUnits.push({ revision: row.revision, unit });
    return unit;
  }

  async #score(query: VectorQuery): Promise<Score> {
    const unit = unitOf(query.embedding);
    const score: Score = {
      ranking: new Ranking(query.topK, query.threshold),
      comparable: 0,
      otherDimensions: undefined,
    };
    const revisions = this.#table.revisionsOf(query);
    this.#refuseUnreadable(query.owner, revisions);
    const groups = this.#groups.filter((group) => group.owner === query.owner);
    if (revisions === undefined) {
      scoreGroups(groups, unit, score);
      await this.#scoreRest(query.owner, unit, score);
    } else {
      await this.#scoreListed(revisions, groups, unit, score);
    }
    return score;
  }

  #refuseUnreadable(owner: VectorOwner, revisions: readonly number[] | undefined): void {
    for (const [revision, unreadable] of this.#unreadable) {
      if (unreadable.owner === owner && (revisions === undefined || revisions.includes(revision))) {
        throw unreadable.error;
      }
    }
  }

  /** Those that there was no room for in memory. */
  async #scoreRest(owner: VectorOwner, query: Float64Array, score: Score): Promise<void> {
    for (let after = this.#loadedThrough; ; await nextTurn()) {
      const page = this.#table.page(after, PAGE);
      for (const row of page.filter((each) => each.owner === owner)) {
        this.#scoreRow(row, query, score);
      }
      after = page.at(-1)?.revision ?? after;
      if (page.length < PAGE) {
        return;
      }
    }
  }

  async #scoreListed(
    revisions: readonly number[],
    groups: readonly VectorGroup[],
    query: Float64Array,
    score: Score,
  ): Promise<void> {
    let read = 0;
    for (const revision of revisions) {
      if (revision <= this.#loadedThrough) {
        scoreHeld(revision, groups, query, score);
        continue;
      }
      const row = this.#table.at(revision);
      if (row !== undefined) {
        this.#scoreRow(row, query, score);
      }
      if (++read % PAGE === 0) {
        await nextTurn();
      }
    }
  }

  #scoreRow(row: VectorRow, query: Float64Array, score: Score): void {
    const unit = this.#unitOf(row);
    if (unit === undefined) {
      return;
    }
    if (unit.length === query.length) {
      score.comparable += 1;
      score.ranking.offer(row.revision, dotAt(query, Float32Array.from(unit), 0));
    } else {
      score.otherDimensions = unit.length;
    }
  }

  /** Exactly, and in order; `undefined` where a row changed since it was scored, so that it may have displaced another. */
  async #match(query: VectorQuery, ranking: Ranking): Promise<Match[] | undefined> {
    let best: Match[] = [];
    let looked = 0;
    for (const candidate of ranking.candidates()) {
      const subject = this.#table.subjectAt(query.owner, candidate.revision);
      if (subject === undefined) {
        return undefined;
      }
      const similarity = cosine(query.embedding, subject.embedding);
      if (similarity >= query.threshold) {
        best.push({ ...subject, similarity });
      }
      if (++looked % PAGE === 0) {
        best = firstOf(best, query.topK);
        await nextTurn();
      }
    }
    return firstOf(best, query.topK);
  }
}

function scoreGroups(groups: readonly VectorGroup[], query: Float64Array, score: Score): void {
  for (const group of groups.filter((each) => each.count > 0)) {
    if (group.dimensions === query.length) {
      score.comparable += group.count;
      group.forEachSimilarity(query, (revision, similarity) => score.ranking.offer(revision, similarity));
    } else {
      score.otherDimensions = group.dimensions;
    }
  }
}

function scoreHeld(
  revision: number,
  groups: readonly VectorGroup[],
  query: Float64Array,
  score: Score,
): void {
  for (const group of groups) {
    if (group.dimensions !== query.length) {
      score.otherDimensions = group.has(revision) ? group.dimensions : score.otherDimensions;
      continue;
    }
    const similarity = group.similarityOf(revision, query);
    if (similarity !== undefined) {
      score.comparable += 1;
      score.ranking.offer(revision, similarity);
    }
  }
}

function firstOf(matches: Match[], count: number): Match[] {
  return matches.sort((a, b) => b.similarity - a.similarity || b.insertion - a.insertion).slice(0, count);
}
