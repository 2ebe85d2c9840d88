// First: on Node it says what is missing, before anything else can fail.
import "./runtime/bun.js";

export * from "./errors.js";
export { JsonPlusSerializer } from "./json-plus/json-plus-serializer.js";
export type { HostDatabase, SqliteCheckpointStoreOptions } from "./options.js";
export { SqliteCheckpointStore } from "./sqlite-checkpoint-store.js";
export type * from "./types.js";
