/**
 * UUIDs of version 7, which begin with the time: new rows come at the end of an index, not somewhere in it. A checkpoint
 * with a random id costs its writer another page of the log, and of the file's cache.
 */
export function newRowId(): string {
  return Bun.randomUUIDv7();
}

/**
 * A random UUID (version 4) for a session: people shorten these and search for the beginning, and the ids of version 7 of one
 * minute begin alike. Sessions are few beside their rows, so the place in the index matters little.
 */
export function newSessionId(): string {
  return crypto.randomUUID();
}
