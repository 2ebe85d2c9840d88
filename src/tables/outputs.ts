/**
 * The table `checkpoint_sqlite_outputs`: the texts of large outputs, once per session, by hash.
 *
 * A text of several kilobytes is kept in pieces whose borders its content decides, so two versions of it share most of them.
 * Its own row then lists the hashes of the pieces.
 */
import type { Connection, Row, Statements } from "../database/connection.js";
import { CheckpointCorruptionError } from "../errors.js";
import { decode } from "../json-plus/decode.js";
import type { OutputReader, SharedOutput } from "../outputs/node-results.js";
import { type CachedOutput, OutputCache } from "../outputs/output-cache.js";
import { hashOf, piecesOf } from "../outputs/pieces.js";
import { ignoredByTrigger } from "../rows/column-reader.js";
import { hashReferredToBy, nodesOf, OUTPUTS_TABLE, outputsFinder } from "../schema/outputs.js";
import { OutputsSweep } from "./outputs-sweep.js";

/** Node results as SQL's `json_each` takes them: what a damaged row is wrapped around may be no JSON. */
export const nodesToRead = (row: string) => {
  const nodes = nodesOf(row);
  return `CASE WHEN json_valid(${nodes}) THEN ${nodes} ELSE '{}' END`;
};

export const OUTPUTS_SQL = {
  insert: `
    INSERT INTO main.checkpoint_sqlite_outputs (session_id, hash, text, pieces)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (session_id, hash) DO NOTHING`,

  repair: `
    INSERT INTO main.checkpoint_sqlite_outputs (session_id, hash, text, pieces)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (session_id, hash) DO UPDATE
    SET text = excluded.text,
      pieces = excluded.pieces`,

  present: `
    SELECT outputs.hash
    FROM json_each(?2) AS wanted
    CROSS JOIN main.checkpoint_sqlite_outputs AS outputs
      ON outputs.session_id = +?1
      AND outputs.hash = wanted.value`,

  select: `
    SELECT outputs.hash, outputs.text, outputs.pieces
    FROM json_each(?2) AS wanted
    CROSS JOIN main.checkpoint_sqlite_outputs AS outputs
      ON outputs.session_id = +?1
      AND outputs.hash = wanted.value`,

  // What a checkpoint refers to, and the pieces of that.
  neededByCheckpoint: `
    WITH
      referred (hash) AS (
        SELECT DISTINCT ${hashReferredToBy("node")}
        FROM main.checkpoints AS saved
        JOIN json_each(${nodesToRead("saved")}) AS node
        WHERE saved.id = +?1
      ),
      needed (hash) AS (
        SELECT hash
        FROM referred
        WHERE hash IS NOT NULL
        UNION
        SELECT piece.value
        FROM referred
        CROSS JOIN main.checkpoint_sqlite_outputs AS whole
          ON whole.session_id = +?2
          AND whole.hash = referred.hash
        CROSS JOIN json_each(CASE WHEN json_valid(whole.pieces) THEN whole.pieces ELSE '[]' END) AS piece
      )
    SELECT outputs.hash
    FROM needed
    CROSS JOIN main.checkpoint_sqlite_outputs AS outputs
      ON outputs.session_id = +?2
      AND outputs.hash = needed.hash`,

  copy: `
    INSERT INTO main.checkpoint_sqlite_outputs (session_id, hash, text, pieces)
    SELECT ?2, outputs.hash, outputs.text, outputs.pieces
    FROM json_each(?3) AS needed
    CROSS JOIN main.checkpoint_sqlite_outputs AS outputs
      ON outputs.session_id = +?1
      AND outputs.hash = needed.value`,
};

/** How many hashes are remembered to be in the file: about 100 bytes of memory each. */
const MOST_KNOWN = 50_000;

export class OutputsTable {
  readonly #connection: Connection;
  readonly #statements: Statements<keyof typeof OUTPUTS_SQL>;
  readonly #sweep: OutputsSweep;
  readonly #isShared: boolean;
  /** By session: what is in the file for certain, because a transaction that wrote or saw it was committed. */
  readonly #known = new Map<string, Set<string>>();
  #knownCount = 0;
  /** By session: what could not be read, although a checkpoint refers to it. A save of the same output writes it again. */
  readonly #unreadable = new Map<string, Set<string>>();
  /** How often everything known was forgotten, and that number when outputs were inserted that are not remembered yet. */
  #timesForgotten = 0;
  readonly #insertedAt = new WeakMap<readonly SharedOutput[], number>();
  #dataVersion: unknown;
  readonly #hasTable: () => boolean;

  /** @param cache May hold outputs that are not in the file; give one without room to read what is. */
  constructor(
    connection: Connection,
    readonly cache: OutputCache = new OutputCache(),
  ) {
    this.#connection = connection;
    this.#statements = connection.statements(OUTPUTS_SQL);
    this.#sweep = new OutputsSweep(connection);
    this.#hasTable = outputsFinder(connection);
    this.#isShared = !connection.isOwned;
  }

  /** Writes what the session does not have yet. */
  insertMissing(sessionId: string, outputs: readonly SharedOutput[]): void {
    this.#forgetWhatOthersChanged();
    this.#insertedAt.set(outputs, this.#timesForgotten);
    this.#repair(sessionId, outputs);
    const known = this.#known.get(sessionId);
    const unknown = outputs.filter(({ hash }) => known?.has(hash) !== true);
    if (unknown.length === 0) {
      return;
    }
    const hashes = JSON.stringify(unknown.map(({ hash }) => hash));
    const present = new Set(this.#statements.present.values(sessionId, hashes).map(([hash]) => hash));
    for (const output of unknown) {
      if (!present.has(output.hash)) {
        this.#insert(sessionId, output.hash, output.text());
        present.add(output.hash);
      }
    }
  }

  /** Other rows that are there are not looked at: to read all of them would cost more than to write them. */
  #repair(sessionId: string, outputs: readonly SharedOutput[]): void {
    const unreadable = this.#unreadable.get(sessionId);
    if (unreadable === undefined) {
      return;
    }
    for (const output of outputs.filter(({ hash }) => unreadable.has(hash))) {
      for (const { hash, text, pieces } of rowsOf(output.hash, output.text())) {
        if (this.#statements.repair.run(sessionId, hash, text, pieces).changes === 0) {
          throw ignoredByTrigger(OUTPUTS_TABLE);
        }
      }
    }
  }

  #insert(sessionId: string, output: string, wholeText: string): void {
    for (const row of rowsOf(output, wholeText)) {
      this.#insertRow(sessionId, row);
    }
  }

  /** @throws {StorageError} if a trigger keeps the row out. A row that is there already is not one of those. */
  #insertRow(sessionId: string, { hash, text, pieces }: OutputRow): void {
    const { changes } = this.#statements.insert.run(sessionId, hash, text, pieces);
    if (changes === 0 && this.#statements.present.values(sessionId, JSON.stringify([hash])).length === 0) {
      throw ignoredByTrigger(OUTPUTS_TABLE);
    }
  }

  /** To be called once the transaction that called {@link insertMissing} is committed. */
  remember(sessionId: string, outputs: readonly SharedOutput[]): void {
    for (const { hash, text } of outputs) {
      if (this.cache.get(hash) === undefined) {
        this.cache.add(hash, text());
      }
      this.#unreadable.get(sessionId)?.delete(hash);
    }
    // A later write of the same transaction may have deleted them.
    const areThere = this.#insertedAt.get(outputs) === this.#timesForgotten;
    if (!this.#isShared && outputs.length > 0 && areThere) {
      this.#know(sessionId, outputs);
    }
  }

  #know(sessionId: string, outputs: readonly SharedOutput[]): void {
    if (this.#knownCount > MOST_KNOWN) {
      this.#forgetAll();
    }
    const known = this.#known.get(sessionId) ?? new Set();
    const before = known.size;
    for (const { hash } of outputs) {
      known.add(hash);
    }
    this.#knownCount += known.size - before;
    this.#known.set(sessionId, known);
  }

  /** Copies what a checkpoint of a session refers to. */
  copyToFork(checkpointId: string, originalId: string, forkId: string): void {
    const needed = this.#statements.neededByCheckpoint.values(checkpointId, originalId);
    this.#copy(originalId, forkId, needed.flat());
  }

  /** Copies what the checkpoints of a session refer to, and no more. */
  copyToSession(originalId: string, copyId: string): void {
    this.#copy(originalId, copyId, this.#sweep.needed(originalId));
  }

  /** @throws {StorageError} if a trigger keeps one out. */
  #copy(originalId: string, copyId: string, needed: readonly unknown[]): void {
    if (needed.length === 0) {
      return;
    }
    const hashes = JSON.stringify(needed);
    this.#statements.copy.run(originalId, copyId, hashes);
    if (this.#statements.present.values(copyId, hashes).length < needed.length) {
      throw ignoredByTrigger(OUTPUTS_TABLE);
    }
  }

  /**
   * Deletes what no checkpoint of the session refers to any more.
   *
   * @param most How many outputs at most: writers wait for it.
   */
  deleteUnused(sessionId: string, most = Number.POSITIVE_INFINITY): SweepResult {
    const { outputs, checkpointsRead } = this.#sweep.unused(sessionId);
    this.#sweep.delete(sessionId, outputs.slice(0, most));
    this.#forgetAll();
    return { checkpointsRead, isDone: outputs.length <= most };
  }

  /** Reads each output of a session at most once, as long as it is used. */
  reader(sessionId: string): OutputReader {
    const loaded = new Map<string, CachedOutput>();
    return {
      load: (hashes) => this.#load(sessionId, hashes, loaded),
      read: (hash) => {
        const output = loaded.get(hash);
        if (output === undefined) {
          throw new CheckpointCorruptionError(
            "table checkpoint_sqlite_outputs does not have its text, or has a different one",
          );
        }
        return "value" in output ? output.value : decode(output.text);
      },
    };
  }

  #load(sessionId: string, hashes: readonly string[], loaded: Map<string, CachedOutput>): void {
    const missing = new Set<string>();
    for (const hash of hashes) {
      const output = loaded.get(hash) ?? this.cache.get(hash);
      if (output === undefined) {
        missing.add(hash);
      } else {
        loaded.set(hash, output);
      }
    }
    for (const [hash, text] of this.texts(sessionId, missing)) {
      loaded.set(hash, this.cache.add(hash, text));
      missing.delete(hash);
    }
    if (missing.size > 0) {
      this.#unreadable.set(sessionId, new Set([...(this.#unreadable.get(sessionId) ?? []), ...missing]));
    }
  }

  /** By hash, the whole texts that the file has of a session, as far as their hash is right. */
  texts(sessionId: string, hashes: ReadonlySet<string>): Map<string, string> {
    const rows = this.#select(sessionId, [...hashes]);
    const lists = new Map(
      rows.flatMap(({ hash, pieces }) => (pieces === null ? [] : [[hash, listIn(pieces)] as const])),
    );
    const pieces = new Map(
      this.#select(sessionId, [...new Set([...lists.values()].flat())]).map(({ hash, text }) => [hash, text]),
    );
    const texts = rows.map(({ hash, text }) => {
      const list = lists.get(String(hash));
      return [
        String(hash),
        list === undefined ? text : list.map((piece) => pieces.get(piece)).join(""),
      ] as const;
    });
    return new Map(
      texts.flatMap(([hash, text]) =>
        typeof text === "string" && hashOf(text) === hash ? [[hash, text]] : [],
      ),
    );
  }

  #select(sessionId: string, hashes: readonly string[]): Row[] {
    if (hashes.length === 0 || !this.#hasTable()) {
      return [];
    }
    return this.#statements.select.all(sessionId, JSON.stringify(hashes));
  }

  #forgetWhatOthersChanged(): void {
    const { dataVersion } = this.#connection;
    if (dataVersion !== this.#dataVersion) {
      this.#forgetAll();
      this.#dataVersion = dataVersion;
    }
  }

  #forgetAll(): void {
    this.#timesForgotten++;
    this.#known.clear();
    this.#knownCount = 0;
  }
}

export interface SweepResult {
  checkpointsRead: number;
  /** Not if more outputs were found than were deleted. */
  isDone: boolean;
}

/** A row of the table, without its session. */
export interface OutputRow {
  hash: string;
  /** `null`: it is in pieces. */
  text: string | null;
  /** A list of hashes, as JSON. */
  pieces: string | null;
}

/** How an output is stored: in one row, or in one for each of its pieces and one that lists them. */
export function rowsOf(hash: string, text: string): OutputRow[] {
  const pieces = piecesOf(text);
  if (pieces.length < 2) {
    return [{ hash, text, pieces: null }];
  }
  const rows = pieces.map((piece) => ({ hash: hashOf(piece), text: piece, pieces: null }));
  return [...rows, { hash, text: null, pieces: JSON.stringify(rows.map((row) => row.hash)) }];
}

function listIn(pieces: unknown): string[] {
  try {
    const list: unknown = JSON.parse(String(pieces));
    return Array.isArray(list) ? list.map(String) : [];
  } catch {
    return []; // Damaged: then the hash is not that of the text either.
  }
}
