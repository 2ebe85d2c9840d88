/** Semantic search without any cleverness, to compare the store's with: plain arrays, cosine in float64. */
import type { Memory } from "./memory-kinds.js";

export interface NaiveQuery {
  readonly embedding: readonly number[];
  readonly threshold?: number | undefined;
  readonly topK?: number | undefined;
}

export interface NaiveAnswer<M> {
  readonly found: M[];
  /** The dimensions of all that could not be compared, if nothing could. */
  readonly incomparable: number[];
}

/** 0 if either is a zero vector. Squares and their product must stay in the range of a double. */
export function naiveCosine(a: readonly number[], b: readonly number[]): number {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : Math.max(-1, Math.min(1, dot(a, b) / lengths));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, component, index) => sum + component * (b[index] ?? Number.NaN), 0);
}

/** @param filtered What passes the filters, newest first. */
export function naiveSearch<M extends Memory>(
  filtered: readonly M[],
  { embedding, threshold = 0, topK = 10 }: NaiveQuery,
): NaiveAnswer<M> {
  const searched = filtered.flatMap((memory) =>
    memory.embedding === undefined ? [] : [{ memory, vector: memory.embedding }],
  );
  const comparable = searched.filter(({ vector }) => vector.length === embedding.length);
  if (comparable.length === 0) {
    return { found: [], incomparable: searched.map(({ vector }) => vector.length) };
  }
  // Sorting is stable: among equals the newest stay first.
  const found = comparable
    .map(({ memory, vector }) => ({ memory, similarity: naiveCosine(embedding, vector) }))
    .filter(({ similarity }) => similarity >= threshold)
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, topK)
    .map(({ memory }) => memory);
  return { found, incomparable: [] };
}
