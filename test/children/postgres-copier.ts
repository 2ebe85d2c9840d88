/**
 * A process that copies a file to PostgreSQL, or back, and can kill itself at the n-th report of its progress:
 * `bun postgres-copier.ts to|back PATH URL [N]`.
 */
import { copyFromPostgres, copyToPostgres } from "@obsku/checkpoint-sqlite/postgres";

const [direction, path = "", url = "", reports] = process.argv.slice(2);
let left = Number(reports);

function onProgress(): void {
  left -= 1;
  if (left === 0) process.kill(process.pid, "SIGKILL");
}

await (direction === "to"
  ? copyToPostgres(path, url, { onProgress })
  : copyFromPostgres(url, path, { onProgress }));
