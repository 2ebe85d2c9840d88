/** The store of this repository, from its sources. */
import { SqliteCheckpointStore } from "../../src/index.js";
import type { Durability, StoreSubject } from "./subject.js";

export function openOurs(path: string, durability: Durability): StoreSubject {
  return new SqliteCheckpointStore(path, { synchronous: durability });
}

/** Every checkpoint is written whole, as before version 0.4. */
export function openUnshared(path: string, durability: Durability): StoreSubject {
  return new SqliteCheckpointStore(path, { synchronous: durability, shareOutputs: false });
}
