/**
 * Counts the transactions in a write-ahead log by its format (https://sqlite.org/fileformat2.html#walformat): the last
 * frame of each has a size of the database in it. Only the log is read: closing a second handle on the database file
 * itself would drop this process's locks on it.
 */
import { existsSync, readFileSync } from "node:fs";

const HEADER = 32;
const FRAME_HEADER = 24;

/** The transactions committed since the log was started: it grows while a connection is open, up to a WAL checkpoint. */
export function countCommits(databasePath: string): number {
  const path = `${databasePath}-wal`;
  const log = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  if (log.length < HEADER) return 0;
  const frameLength = FRAME_HEADER + log.readUInt32BE(8);
  const salt = log.readBigUInt64BE(16);
  let commits = 0;
  for (let at = HEADER; at + frameLength <= log.length; at += frameLength) {
    if (log.readBigUInt64BE(at + 8) !== salt) break;
    if (log.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}
