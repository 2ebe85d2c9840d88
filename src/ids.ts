/**
 * UUIDs of version 7, which begin with the time: new rows come at the end of an index, not somewhere in it. A checkpoint
 * with a random id costs its writer another page of the log, and of the file's cache.
 */
export function newId(): string {
  return Bun.randomUUIDv7();
}
