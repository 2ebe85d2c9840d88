import type { VectorGroup } from "./vector-group.js";
import type { VectorFilter, VectorsTable } from "./vectors-table.js";

/** The vectors that pass a filter. */
export interface FilteredList {
  /** Where they are held in memory. */
  held: { group: VectorGroup; places: number[] }[];
  /** The revisions of those that are not. */
  others: number[];
}

/**
 * The vectors that pass the filter of the last search: an agent searches with the same one again and again, and for
 * 100,000 vectors the list costs more than scoring them.
 */
export class FilteredVectors {
  #key = "";
  #list: FilteredList | undefined;

  /** `undefined`: the filter lets all of the owner's vectors through. */
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
  const held = groups.map((group): FilteredList["held"][number] => ({ group, places: [] }));
  const others = revisions.filter(
    (revision) => !held.some(({ group, places }) => locate(revision, group, places)),
  );
  return { held, others };
}

/** Notes the place of a vector, if it is in this group; returns whether it is. */
function locate(revision: number, group: VectorGroup, places: number[]): boolean {
  const place = group.placeOf(revision);
  if (place === undefined) {
    return false;
  }
  places.push(place);
  return true;
}
