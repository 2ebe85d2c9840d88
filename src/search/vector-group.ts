/** Unit vectors of one owner with the same number of dimensions, cached side by side in memory. */

import { dotAt } from "./cosine.js";
import type { VectorOwner } from "./vectors-table.js";

const VECTORS_PER_BLOCK = 256;

/** Memory per vector in addition to its numbers: its entries in a map and a list. */
const BOOKKEEPING_BYTES = 100;

/** Marks the place of a deleted vector; revisions start at 1. */
const VACANT = 0;

export class VectorGroup {
  readonly #blocks: Float32Array[] = [];
  readonly #revisions: number[] = [];
  readonly #places = new Map<number, number>();
  readonly #vacant: number[] = [];
  readonly #bytesPerBlock: number;

  constructor(
    readonly owner: VectorOwner,
    readonly dimensions: number,
  ) {
    this.#bytesPerBlock =
      VECTORS_PER_BLOCK * (dimensions * Float32Array.BYTES_PER_ELEMENT + BOOKKEEPING_BYTES);
  }

  get count(): number {
    return this.#places.size;
  }

  get bytes(): number {
    return this.#blocks.length * this.#bytesPerBlock;
  }

  /** Additional memory for the next vector: one block, or none. */
  get bytesToAdd(): number {
    const hasRoom =
      this.#vacant.length > 0 || this.#revisions.length < this.#blocks.length * VECTORS_PER_BLOCK;
    return hasRoom ? 0 : this.#bytesPerBlock;
  }

  add(revision: number, unit: ArrayLike<number>): void {
    const place = this.#vacant.pop() ?? this.#revisions.length;
    this.#revisions[place] = revision;
    this.#places.set(revision, place);
    const { block, offset } = this.#locate(place);
    block.set(unit, offset);
  }

  delete(revision: number): void {
    const place = this.#places.get(revision);
    if (place !== undefined) {
      this.#places.delete(revision);
      this.#revisions[place] = VACANT;
      this.#vacant.push(place);
    }
  }

  /** The place of a vector, fixed until it is deleted; `undefined` if it is not in this group. */
  placeOf(revision: number): number | undefined {
    return this.#places.get(revision);
  }

  revisionAt(place: number): number {
    return this.#revisions[place] ?? VACANT;
  }

  similarityAt(place: number, query: Float64Array): number {
    const { block, offset } = this.#locate(place);
    return dotAt(query, block, offset);
  }

  revisions(): Iterable<number> {
    return this.#places.keys();
  }

  forEachSimilarity(query: Float64Array, visit: (revision: number, similarity: number) => void): void {
    this.#blocks.forEach((block, blockIndex) => {
      const first = blockIndex * VECTORS_PER_BLOCK;
      const count = Math.min(VECTORS_PER_BLOCK, this.#revisions.length - first);
      for (let index = 0; index < count; index++) {
        const revision = this.#revisions[first + index] ?? VACANT;
        if (revision !== VACANT) {
          visit(revision, dotAt(query, block, index * this.dimensions));
        }
      }
    });
  }

  #locate(place: number): { block: Float32Array; offset: number } {
    const index = Math.floor(place / VECTORS_PER_BLOCK);
    const block = this.#blocks[index] ?? new Float32Array(VECTORS_PER_BLOCK * this.dimensions);
    this.#blocks[index] = block;
    return { block, offset: (place % VECTORS_PER_BLOCK) * this.dimensions };
  }
}
