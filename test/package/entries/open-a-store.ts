/** A second entry that needs everything that index.ts needs, so that all of it is in shared chunks. */
import "../../../src/runtime/bun.js";
import { SqliteCheckpointStore } from "../../../src/sqlite-checkpoint-store.js";

export function openAStore(): SqliteCheckpointStore {
  return new SqliteCheckpointStore();
}
