export * from "./errors.js";
export { JsonPlusSerializer } from "./json-plus-serializer.js";
export type { SqliteCheckpointStoreOptions } from "./options.js";
export { SqliteCheckpointStore } from "./sqlite-checkpoint-store.js";
export type * from "./types.js";
