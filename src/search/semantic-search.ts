/**
 * Semantic search for the store: chooses which vectors a search reads, and what may stay in memory.
 *
 * There are three cases. Normally one index lives as long as the store. Inside a host's open transaction nothing may be cached,
 * because the host may roll it back. And a file from 0.2.3 that is opened read-only has no vectors: each search creates them in
 * the connection's temporary database.
 */
import type { Connection, Row } from "../database/connection.js";
import type { Scheduler } from "../scheduler/scheduler.js";
import { dropTemporaryVectors, fillTemporaryVectors, hasVectors } from "../schema/vectors.js";
import { type MissingUnit, UnsettledError, VectorIndex } from "./vector-index.js";
import { type VectorQuery, VectorsTable } from "./vectors-table.js";

export class SemanticSearch {
  readonly #connection: Connection;
  readonly #scheduler: Scheduler;
  readonly #memoryLimit: number;
  readonly #vectors: VectorsTable;
  #temporaryVectors: VectorsTable | undefined;
  #index: VectorIndex | undefined;

  /** @param memoryLimit Maximum memory for the vectors, in bytes. */
  constructor(connection: Connection, scheduler: Scheduler, memoryLimit: number) {
    this.#connection = connection;
    this.#scheduler = scheduler;
    this.#memoryLimit = memoryLimit;
    this.#vectors = new VectorsTable(connection);
  }

  /** Finds the most similar rows, best first, and maps them. It yields to the event loop. */
  async search<T>(query: VectorQuery, map: (row: Row) => T): Promise<T[]> {
    const rows = await this.#scheduler.readInSteps(() => this.#searchIndex(query));
    return rows.map(map);
  }

  async #searchIndex(query: VectorQuery): Promise<Row[]> {
    try {
      return await this.#indexForSearch().search(query);
    } catch (error) {
      if (!(error instanceof UnsettledError)) {
        throw error;
      }
      return this.#uncachedIndex().search(query);
    }
  }

  #indexForSearch(): VectorIndex {
    const isInTransaction = this.#connection.isInTransaction;
    if (this.#index !== undefined) {
      return isInTransaction ? this.#uncachedIndex() : this.#index;
    }
    if (!hasVectors(this.#connection)) {
      fillTemporaryVectors(this.#connection);
      this.#temporaryVectors ??= new VectorsTable(this.#connection, true);
      return this.#uncachedIndex(this.#temporaryVectors);
    }
    if (isInTransaction) {
      return this.#uncachedIndex();
    }
    if (this.#temporaryVectors !== undefined) {
      dropTemporaryVectors(this.#connection); // A host's tables with the same names are left alone.
    }
    this.#index = this.#cachedIndex();
    return this.#index;
  }

  #cachedIndex(): VectorIndex {
    return new VectorIndex(this.#vectors, {
      memoryLimit: this.#memoryLimit,
      saveUnits: (units) => {
        this.#writeUnits(units).catch(() => {}); // Nothing is lost: the next search reads the JSON again.
      },
      isUnsettled: () => this.#connection.isInTransaction,
    });
  }

  #uncachedIndex(vectors = this.#vectors): VectorIndex {
    return new VectorIndex(vectors, {
      memoryLimit: 0,
      saveUnits: () => {},
      isUnsettled: () => false,
    });
  }

  async #writeUnits(units: readonly MissingUnit[]): Promise<void> {
    await this.#scheduler.write(() => {
      for (const { revision, unit } of units) {
        this.#vectors.setUnit(revision, unit);
      }
    });
  }
}
