/**
 * Files whose cells hold anything: every read gives the equal value, or says in which cell it is corrupt.
 *
 * It works through numbered cases, so that a process which hangs in one can be replaced by another that continues after it.
 */
import { Database } from "bun:sqlite";
import { copyFileSync, rmSync } from "node:fs";
import {
  CheckpointCorruptionError,
  JsonPlusSerializer,
  SessionNotFoundError,
  SqliteCheckpointStore,
  StoreOpenError,
  VectorDimensionError,
} from "@obsku/checkpoint-sqlite";
import { buildFullCheckpoint, buildFullMessage } from "../../support/builders.js";
import { difference } from "../../support/difference.js";
import { buildWave, longText } from "../../support/large-outputs.js";
import { buildFullEntity, buildFullFact } from "../../support/memory-builders.js";
import { rowsOf } from "../../support/sql.js";
import type { Scale } from "../scenario.js";
import { changed, HOSTILE_CELLS, type HostileCell, randomCell } from "./hostile-cells.js";
import { Random } from "./random.js";
import { type Expected, type ReadJson, ReferenceReader, TABLES } from "./reference-reader.js";

const SEED = 20_261_123;
const LONGEST_CALL = 10_000;
const LONGEST_MESSAGE = 1_000;
const EMBEDDING = [0.1, -0.2, 0.3];
/** Columns apart from the contract's, which hold no values of the caller's. */
const OWN_TABLES: Readonly<Record<string, readonly string[]>> = {
  checkpoint_sqlite_vectors: ["revision", "owner", "id", "session_id", "workspace_id", "unit"],
  checkpoint_sqlite_vector_deletions: ["deletions"],
  checkpoint_sqlite_migrations: ["version", "name", "applied_at"],
  checkpoint_sqlite_outputs: ["session_id", "hash", "text", "pieces"],
};

export interface Counts {
  cases: number;
  equal: number;
  corrupt: number;
  refused: number;
  wrong: number;
}

/** A cell to be overwritten. */
export interface Place {
  readonly table: string;
  readonly column: string;
}

export interface Case {
  readonly place: Place;
  readonly cell: HostileCell;
}

/** A read, and the rows that its answer must be made of. */
interface Read {
  readonly name: string;
  readonly call: (store: SqliteCheckpointStore) => Promise<unknown>;
  readonly expected: readonly Expected[];
  readonly isList: boolean;
  /** Whether an answer without rows must be SessionNotFoundError. */
  readonly isSessionGone?: boolean;
}

export class CellFuzz {
  readonly violations: string[] = [];
  readonly #counts = new Map<string, Counts>();
  readonly #random = new Random(SEED);
  readonly #prototypes = prototypesNow();
  #ids: Record<string, string[]> = {};

  constructor(
    readonly goodPath: string,
    readonly path: string,
  ) {}

  async prepare(): Promise<void> {
    await using store = new SqliteCheckpointStore(this.goodPath);
    const ids: Record<string, string[]> = { sessions: [], checkpoints: [], entities: [], facts: [] };
    for (const title of ["one", "other"]) {
      const { id } = await store.createSession("./d", {
        title,
        workspaceId: "ws-1",
        metadata: { a: [1, new Date(5)] },
      });
      ids.sessions?.push(id);
      for (let times = 0; times < 2; times++) {
        await store.addMessage(id, buildFullMessage(id));
        ids.checkpoints?.push(
          (await store.saveCheckpoint({ ...buildFullCheckpoint(id), version: times })).id,
        );
        // The first session's row is a text, the second one's, which is the last, a list of pieces.
        const outputs = { large: longText(times, title === "one" ? 2_000 : 30_000) };
        ids.checkpoints?.push((await store.saveCheckpoint(buildWave(id, times, outputs))).id);
        ids.entities?.push((await store.saveEntity(buildFullEntity(id))).id);
        ids.facts?.push((await store.saveFact(buildFullFact(id))).id);
      }
    }
    this.#ids = ids;
  }

  async tryCell({ place, cell }: Case): Promise<void> {
    await this.#tryCell(place, cell);
  }

  async #tryCell(place: Place, cell: HostileCell): Promise<void> {
    const counts = this.#countsOf(cell.kind);
    counts.cases += 1;
    copyFileSync(this.goodPath, this.path);
    const database = new Database(this.path, { readwrite: true });
    const before = this.violations.length;
    try {
      rowsOf(database, "PRAGMA foreign_keys = OFF");
      if (!overwrite(database, place, cell)) {
        counts.refused += 1;
        return;
      }
      await this.#readEverything(database, place, cell, counts);
    } finally {
      database.close(true);
      for (const suffix of ["", "-wal", "-shm"]) rmSync(this.path + suffix, { force: true });
      if (this.violations.length > before) counts.wrong += 1;
    }
  }

  async #readEverything(database: Database, place: Place, cell: HostileCell, counts: Counts): Promise<void> {
    const where = describeCase({ place, cell });
    let store: SqliteCheckpointStore;
    try {
      store = new SqliteCheckpointStore(this.path, { synchronous: "normal" });
    } catch (error) {
      const mayBe = error instanceof StoreOpenError && place.table === "checkpoint_sqlite_migrations";
      if (!mayBe) this.violations.push(`${where}: cannot be opened: ${String(error)}`);
      counts.corrupt += 1;
      return;
    }
    const found = { corrupt: false };
    try {
      for (const read of this.#reads(database, readJsonOf(cell))) {
        const fault = await judge(read, withinTime(read.call(store)), found);
        if (fault !== undefined) this.violations.push(`${where}: ${read.name}: ${fault}`);
      }
      for (const fault of await searchFaults(store, place, found)) this.violations.push(`${where}: ${fault}`);
    } finally {
      await store.close();
    }
    if (prototypesNow() !== this.#prototypes) this.violations.push(`${where}: a prototype was polluted`);
    counts[found.corrupt ? "corrupt" : "equal"] += 1;
  }

  #reads(database: Database, readJson: ReadJson): Read[] {
    const reader = new ReferenceReader(database, readJson);
    const { sessions = [], checkpoints = [], entities = [], facts = [] } = this.#ids;
    const single =
      (table: string, call: (store: SqliteCheckpointStore, id: string) => Promise<unknown>) =>
      (id: string): Read => ({
        name: `one of ${table}`,
        call: (store) => call(store, id),
        expected: reader.read(table, "WHERE id = ?", id),
        isList: false,
      });
    return [
      list(
        "listSessions",
        (store) => store.listSessions(),
        reader.read("sessions", "ORDER BY updated_at DESC, rowid DESC"),
      ),
      list("listEntities", (store) => store.listEntities(), reader.read("entities", "ORDER BY rowid DESC")),
      list("listFacts", (store) => store.listFacts(), reader.read("facts", "ORDER BY rowid DESC")),
      ...sessions.map(single("sessions", (store, id) => store.getSession(id))),
      ...checkpoints.map(single("checkpoints", (store, id) => store.getCheckpoint(id))),
      ...entities.map(single("entities", (store, id) => store.getEntity(id))),
      ...facts.map(single("facts", (store, id) => store.getFact(id))),
      ...sessions.flatMap((id) => readsOfSession(reader, id)),
    ];
  }

  /** The serializer by itself: what it reads must survive being written and read again. */
  tryTexts(times: number): void {
    const serializer = new JsonPlusSerializer();
    const counts = this.#countsOf("changed texts to JsonPlusSerializer");
    for (let time = 0; time < times; time++) {
      const text = changed(this.#random);
      counts.cases += 1;
      try {
        const value = serializer.deserialize(text);
        counts.equal += 1;
        if (difference(serializer.deserialize(serializer.serialize(value)), value) !== undefined)
          this.#wrong(counts, text, "changed on its way");
      } catch (error) {
        counts.corrupt += 1;
        if (!(error instanceof CheckpointCorruptionError)) this.#wrong(counts, text, String(error));
      }
    }
    if (prototypesNow() !== this.#prototypes)
      this.#wrong(counts, "changed texts", "a prototype was polluted");
  }

  async tryLargePayloads(size: number): Promise<void> {
    const counts = this.#countsOf(`payloads of ${size / 2 ** 20} MiB`);
    const payloads = [
      { text: "é\u0000🚀x".repeat(size / 8) },
      { bytes: Buffer.alloc(size, 7) },
      { list: Array.from({ length: size / 100 }, (_, index) => ({ index, text: "y".repeat(60) })) },
    ];
    for (const payload of payloads) {
      counts.cases += 1;
      await using store = new SqliteCheckpointStore(this.path);
      const { id } = await store.createSession("./large", { metadata: payload });
      await store.addMessage(id, {
        sessionId: id,
        role: "tool",
        content: payload.text ?? "",
        toolCalls: [{ name: "n", toolUseId: "t", input: payload }],
      });
      await store.saveCheckpoint({
        ...buildFullCheckpoint(id),
        nodeResults: { n: { status: "completed", output: payload } },
      });
      const [message] = await store.getMessages(id);
      const read = [
        (await store.getSession(id))?.metadata,
        message?.toolCalls?.[0]?.input,
        (await store.getLatestCheckpoint(id))?.nodeResults.n?.output,
      ];
      if (
        read.every((one) => difference(one, payload) === undefined) &&
        message?.content === (payload.text ?? "")
      )
        counts.equal += 1;
      else this.#wrong(counts, Object.keys(payload).join(), "changed on its way");
    }
    rmSync(this.path);
  }

  counts(): [string, Counts][] {
    return [...this.#counts];
  }

  #wrong(counts: Counts, text: string, what: string): void {
    counts.wrong += 1;
    this.violations.push(`${describe(text)}: ${what}`);
  }

  #countsOf(kind: string): Counts {
    const counts = this.#counts.get(kind) ?? { cases: 0, equal: 0, corrupt: 0, refused: 0, wrong: 0 };
    this.#counts.set(kind, counts);
    return counts;
  }
}

/** All of them, the same at every call. Every hostile cell and some random ones in the full form, few in the short one. */
export function casesOf(scale: Scale): Case[] {
  const random = new Random(SEED);
  const columns = Object.entries(TABLES).map(([table, own]) => [table, Object.keys(own)] as const);
  const places = [...columns, ...Object.entries(OWN_TABLES)].flatMap(([table, names]) =>
    names.map((column): Place => ({ table, column })),
  );
  return places.flatMap((place) => {
    const fixed = scale === "full" ? cellsFor(place) : [random.pick(cellsFor(place))];
    const cells = [...fixed, ...Array.from({ length: scale === "full" ? 8 : 1 }, () => randomCell(random))];
    return cells.map((cell) => ({ place, cell }));
  });
}

/**
 * All, if any value may be; every third in the other structured columns, which are read by the same code; and in the
 * rest, if any text is as good as another, few of those that are text.
 */
function cellsFor({ table, column }: Place): readonly HostileCell[] {
  const isStructured = TABLES[table]?.[column]?.kind.startsWith("json") === true;
  const isOpen = ["metadata", "node_results", "attributes"].includes(column);
  const step = isOpen ? 1 : isStructured ? 3 : 20;
  return HOSTILE_CELLS.filter(({ content }, index) => typeof content !== "string" || index % step === 0);
}

export function describeCase({ place, cell }: Case): string {
  return `${place.table}.${place.column} = ${describe(cell.content)}`;
}

function readsOfSession(reader: ReferenceReader, id: string): Read[] {
  const isSessionGone = reader.read("sessions", "WHERE id = ?", id).length === 0;
  const messages = reader.read("messages", "WHERE session_id = ? ORDER BY created_at, id", id);
  const saved = reader.read("checkpoints", "WHERE session_id = ? ORDER BY created_at DESC, rowid DESC", id);
  return [
    { ...list("getMessages", (store) => store.getMessages(id), messages), isSessionGone },
    { ...list("listCheckpoints", (store) => store.listCheckpoints(id), saved), isSessionGone },
    {
      name: "getLatestCheckpoint",
      call: (store) => store.getLatestCheckpoint(id),
      expected: saved.slice(0, 1),
      isList: false,
    },
    list(
      "listEntities of a session",
      (store) => store.listEntities({ sessionId: id }),
      reader.read("entities", "WHERE session_id = ? ORDER BY rowid DESC", id),
    ),
  ];
}

function list(name: string, call: Read["call"], expected: readonly Expected[]): Read {
  return { name, call, expected, isList: true };
}

/** The fault of an answer; `undefined` if it is as it must be. */
async function judge(
  read: Read,
  answering: Promise<unknown>,
  found: { corrupt: boolean },
): Promise<string | undefined> {
  const { expected, isList, isSessionGone = false } = read;
  const answer = await answering.catch((error: unknown) => new Rejection(error));
  if (answer instanceof Rejection) {
    if (expected.length === 0 && isSessionGone && answer.error instanceof SessionNotFoundError)
      return undefined;
    found.corrupt = true;
    return faultOfCorruption(answer.error, expected);
  }
  const certain = expected.find(({ corrupt }) => corrupt.length > 0);
  if (certain !== undefined) return `should have named ${certain.corrupt.join()} as corrupt`;
  const values = expected.map(({ value }) => value);
  const wanted = isList ? values : (values[0] ?? null);
  try {
    return difference(answer, wanted);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return isEqualJson(answer, wanted) ? undefined : "differs, deep down";
  }
}

/** Without recursion, for values that are nested too deep for it. */
function isEqualJson(left: unknown, right: unknown): boolean {
  const pairs: [unknown, unknown][] = [[left, right]];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [one, other] = pair;
    if (Object.is(one, other)) continue;
    if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
    if (Object.keys(one).length !== Object.keys(other).length) return false;
    for (const key of Object.keys(one)) pairs.push([Reflect.get(one, key), Reflect.get(other, key)]);
  }
  return true;
}

class Rejection {
  constructor(readonly error: unknown) {}
}

/** It must be the store's error for this, and name a place that is corrupt. */
function faultOfCorruption(error: unknown, expected: readonly Expected[]): string | undefined {
  if (!(error instanceof CheckpointCorruptionError)) return `rejected with ${String(error)}`;
  const places = expected.flatMap(({ table, id, corrupt, perhapsCorrupt }) =>
    [...corrupt, ...perhapsCorrupt].map((column) => `table ${table}, id ${String(id)}, column ${column}: `),
  );
  const place = places.find((candidate) => error.message.includes(candidate));
  if (place === undefined) return `names no corrupt place: ${error.message.slice(0, 200)}`;
  const isShort = error.message.length - place.length <= LONGEST_MESSAGE;
  return isShort ? undefined : `says too much: ${error.message.length} characters`;
}

/** Which cells a search looks at is its own affair: its results must be readable, or the error one of those. */
async function searchFaults(
  store: SqliteCheckpointStore,
  place: Place,
  found: { corrupt: boolean },
): Promise<string[]> {
  const searches = [store.searchEntitiesSemantic(EMBEDDING), store.searchFactsSemantic(EMBEDDING)];
  const outcomes = await Promise.allSettled(searches.map((search) => withinTime<unknown>(search)));
  return outcomes.flatMap((outcome) => {
    if (outcome.status === "fulfilled") return [];
    const error: unknown = outcome.reason;
    found.corrupt ||= error instanceof CheckpointCorruptionError;
    const isKnown = error instanceof CheckpointCorruptionError || error instanceof VectorDimensionError;
    const mayFail = [...Object.keys(OWN_TABLES), "entities", "facts"].includes(place.table);
    return isKnown && mayFail ? [] : [`search: ${String(error)}`];
  });
}

/** Returns whether SQLite lets it in. */
function overwrite(database: Database, { table, column }: Place, { content }: HostileCell): boolean {
  const last = `(SELECT max(rowid) FROM ${table})`;
  try {
    rowsOf(database, `UPDATE ${table} SET ${column} = ? WHERE rowid = ${last}`, content);
    return true;
  } catch {
    return false;
  }
}

/** Text without tags is plain JSON; with tags, what is known of the cell decides, or else the serializer, which is tried by itself. */
function readJsonOf(cell: HostileCell): ReadJson {
  const serializer = new JsonPlusSerializer();
  return (text) => {
    if (text === cell.content && cell.value !== undefined) return { value: cell.value, mayBeCorrupt: true };
    try {
      const plain: unknown = JSON.parse(text);
      const value = text.includes("__type") ? serializer.deserialize(text) : plain;
      // A number that was put into a column of text is its digits there.
      return { value, mayBeCorrupt: text === cell.content || typeof value === "number" };
    } catch {
      return undefined;
    }
  };
}

async function withinTime<T>(call: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer after ${LONGEST_CALL} ms`)), LONGEST_CALL);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

function prototypesNow(): string {
  const prototypes = [
    Object.prototype,
    Array.prototype,
    Function.prototype,
    Map.prototype,
    Date.prototype,
    Error.prototype,
  ];
  return prototypes.map((prototype) => Reflect.ownKeys(prototype).map(String).join()).join(";");
}

function describe(content: unknown): string {
  const text =
    typeof content === "string"
      ? JSON.stringify(content)
      : content instanceof Uint8Array
        ? `blob ${Buffer.from(content).toString("hex")}`
        : String(content);
  return text.length > 120 ? `${text.slice(0, 120)}… (${text.length})` : text;
}
