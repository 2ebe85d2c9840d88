import { LARGEST_ERROR } from "./cosine.js";

/** A vector that may be among the results, judged by its float32 similarity. */
export interface Candidate {
  revision: number;
  similarity: number;
}

/** Candidates are sorted once this many have been collected, and again each time their number has doubled. */
const LEAST_CAPACITY = 512;

/**
 * Finds all vectors that can be among the `topK` best, given similarities with an error of at most {@link LARGEST_ERROR}: those
 * that are not below the `topK`-th best by more than twice the error.
 */
export class Ranking {
  readonly #topK: number;
  #candidates: Candidate[] = [];
  #capacity: number;
  #floor: number;

  constructor(topK: number, threshold: number) {
    this.#topK = topK;
    this.#capacity = LEAST_CAPACITY;
    this.#floor = topK === 0 ? Number.POSITIVE_INFINITY : threshold - LARGEST_ERROR;
  }

  offer(revision: number, similarity: number): void {
    if (similarity >= this.#floor) {
      this.#candidates.push({ revision, similarity });
      if (this.#candidates.length >= this.#capacity) {
        this.#compact();
      }
    }
  }

  /** Best first. */
  candidates(): readonly Candidate[] {
    this.#compact();
    return this.#candidates;
  }

  #compact(): void {
    this.#candidates.sort((a, b) => b.similarity - a.similarity);
    const last = this.#candidates[this.#topK - 1];
    if (last !== undefined) {
      this.#floor = Math.max(this.#floor, last.similarity - 2 * LARGEST_ERROR);
      this.#candidates = this.#candidates.filter((candidate) => candidate.similarity >= this.#floor);
    }
    this.#capacity = Math.max(LEAST_CAPACITY, 2 * this.#candidates.length);
  }
}
