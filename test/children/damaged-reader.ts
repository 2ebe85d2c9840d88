/**
 * Reads one damaged copy of a database after the other: `bun damaged-reader.ts BASE DAMAGE SEED FIRST LAST`. Says the
 * number of each before it is opened, and what came of it after, so that it is known which one was the end of it.
 */
import { readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { CheckpointStoreError, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { DAMAGES, type Damage } from "../faults/crash/damage.js";
import type { DamagedLine } from "../faults/crash/damaged-files.js";
import { State } from "../faults/crash/state.js";
import { Random } from "../faults/support/random.js";

class Errors {
  readonly typed = new Set<string>();
  readonly untyped = new Set<string>();

  /** Resolves to `undefined` if it fails. */
  async catch<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof CheckpointStoreError) this.typed.add(error.name);
      else this.untyped.add(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
      return undefined;
    }
  }
}

const [base = "", damage = "", seed = "", first = "", last = ""] = process.argv.slice(2);
const path = `${base}-damaged`;
const intact = readFileSync(base);
const query = Array.from({ length: 16 }, (_, index) => index + 1);

const undamaged = await openCopy(intact);
const expected = (await State.read(undamaged)).digest();
const expectedFound = await search(undamaged);
const sessionIds = (await undamaged.listSessions()).map(({ id }) => id);
await undamaged.close();

for (let number = Number(first); number <= Number(last); number++) {
  say({ begun: number });
  const random = new Random(Number(seed) + number);
  const errors = new Errors();
  const isEqual = await read(DAMAGES[damage as Damage](intact, random), errors);
  say({ ended: number, isEqual, typed: [...errors.typed], untyped: [...errors.untyped] });
}

/** Every call is made, whatever the one before it came to; returns whether all that was read is as it was. */
async function read(file: Uint8Array, errors: Errors): Promise<boolean> {
  const store = await errors.catch(() => openCopy(file));
  if (store === undefined) return false;
  const state = await errors.catch(() => State.read(store));
  const found = await errors.catch(() => search(store));
  for (const id of sessionIds) await readSession(store, id, errors);
  const isEqual = state?.digest() === expected && found === expectedFound;
  await errors.catch(() => write(store));
  await errors.catch(() => store.close());
  return isEqual;
}

async function readSession(store: SqliteCheckpointStore, id: string, errors: Errors): Promise<void> {
  await errors.catch(() => store.getSession(id));
  await errors.catch(() => store.getMessages(id, { limit: 2 }));
  await errors.catch(() => store.getLatestCheckpoint(id));
  await errors.catch(() => store.listEntities({ sessionId: id }));
}

async function search(store: SqliteCheckpointStore): Promise<string> {
  const entities = await store.searchEntitiesSemantic(query);
  const facts = await store.searchFactsSemantic(query);
  return [...entities, ...facts].map(({ id }) => id).join(" ");
}

async function write(store: SqliteCheckpointStore): Promise<void> {
  const { id } = await store.createSession("/next");
  await store.addMessage(id, { sessionId: id, role: "user", content: "next" });
  for (const each of sessionIds.slice(0, 2)) await store.deleteSession(each);
}

async function openCopy(file: Uint8Array): Promise<SqliteCheckpointStore> {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
  writeFileSync(path, file);
  return new SqliteCheckpointStore(path, { synchronous: "normal" });
}

function say(line: DamagedLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
