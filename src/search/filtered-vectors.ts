import type { VectorGroup } from "./vector-group.js";
import type { VectorFilter, VectorsTable } from "./vectors-table.js";

/** The vectors that pass a filter. */
export interface FilteredList {
  /** The places of the vectors that are cached in memory. */
  cached: { group: VectorGroup; places: number[] }[];
  /** The revisions of the vectors that are not. */
  uncached: number[];
}

/**
 * Caches the list of vectors that pass the filter of the last search: an agent uses the same filter again and again, and for
 * 100,000 vectors listing takes longer than scoring.
 */
export class FilteredVectors {
  #key = "";
  #list: FilteredList | undefined;

  /** Returns `undefined` if the filter passes all of the owner's vectors. */
  list(
    filter: VectorFilter,
    loadedThrough: number,
    groups: readonly VectorGroup[],
    table: VectorsTable,
  ): FilteredList | undefined {
    const { owner, sessionId, workspaceId } = filter;
    const { newest, lastDeletion } = table.state();
    const key = JSON.stringify([owner, sessionId, workspaceId, loadedThrough, newest, lastDeletion]);
    if (key !== this.#key) {
      const revisions = table.revisionsOf(filter);
      this.#list = revisions === undefined ? undefined : located(revisions, groups);
      this.#key = key;
    }
    return this.#list;
  }

  clear(): void {
    this.#key = "";
  }
}

function located(revisions: readonly number[], groups: readonly VectorGroup[]): FilteredList {
  const cached = groups.map((group): FilteredList["cached"][number] => ({ group, places: [] }));
  const uncached = revisions.filter(
    (revision) => !cached.some(({ group, places }) => locate(revision, group, places)),
  );
  return { cached, uncached };
}

/** Appends the place of a vector if it is in this group; returns whether it is. */
function locate(revision: number, group: VectorGroup, places: number[]): boolean {
  const place = group.placeOf(revision);
  if (place === undefined) {
    return false;
  }
  places.push(place);
  return true;
}
