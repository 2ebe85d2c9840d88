/** The floor of a search: unit vectors in one array, and a plain loop over it. */
export class ResidentVectors {
  readonly #rowids: number[] = [];
  readonly #units: Float32Array;
  readonly #dimensions: number;

  /** @param rows Pairs of a rowid and an embedding as JSON, all of the same number of dimensions. */
  constructor(rows: readonly (readonly unknown[])[]) {
    const [first] = rows;
    this.#dimensions = first === undefined ? 0 : embeddingOf(first).length;
    this.#units = new Float32Array(rows.length * this.#dimensions);
    for (const [index, row] of rows.entries()) {
      this.#rowids.push(Number(row[0]));
      this.#units.set(unit(embeddingOf(row)), index * this.#dimensions);
    }
  }

  /** The rowids of the most similar, best first. */
  nearest(query: readonly number[], count: number): number[] {
    const wanted = Float32Array.from(unit(query));
    const best: { rowid: number; similarity: number }[] = [];
    for (const [index, rowid] of this.#rowids.entries()) {
      const similarity = this.#similarity(wanted, index);
      if (best.length < count || similarity > (best.at(-1)?.similarity ?? 0)) {
        best.push({ rowid, similarity });
        best.sort((a, b) => b.similarity - a.similarity);
        best.length = Math.min(best.length, count);
      }
    }
    return best.map(({ rowid }) => rowid);
  }

  #similarity(query: Float32Array, index: number): number {
    const units = this.#units;
    const start = index * this.#dimensions;
    let sum = 0;
    for (let i = 0; i < query.length; i++) {
      sum += (query[i] ?? 0) * (units[start + i] ?? 0);
    }
    return sum;
  }
}

function embeddingOf(row: readonly unknown[]): number[] {
  return JSON.parse(String(row[1]));
}

function unit(numbers: readonly number[]): number[] {
  const norm = Math.hypot(...numbers);
  return numbers.map((number) => number / norm);
}
