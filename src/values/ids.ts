/**
 * A UUID of version 7. It starts with the time, so new rows go to the end of an index. A checkpoint with a random id would
 * cost its writer another page in the log and in the cache.
 */
export function newRowId(): string {
  return Bun.randomUUIDv7();
}

/**
 * A random UUID (version 4) for a session. People shorten session ids and search by prefix, and version 7 ids from the same
 * minute share a prefix. Sessions are few compared to their rows, so the place in the index matters little.
 */
export function newSessionId(): string {
  return crypto.randomUUID();
}
