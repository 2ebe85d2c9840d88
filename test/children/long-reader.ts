/**
 * A process that stays in one read transaction until its input ends: `bun long-reader.ts PATH`. It answers with what it
 * counted at its beginning and at its end.
 */
import { Database } from "bun:sqlite";
import { rowsOf } from "../support/sql.js";

const database = new Database(process.argv[2], { readonly: true });
rowsOf(database, "PRAGMA busy_timeout = 5000");
rowsOf(database, "BEGIN");
const before = count();
console.log("ready");
await Bun.stdin.text();
const after = count();
rowsOf(database, "COMMIT");
database.close(true);
console.log(JSON.stringify({ before, after }));

function count(): unknown {
  return rowsOf(database, "SELECT count(*) AS messages, total(length(content)) AS characters FROM messages");
}
