/** A process that holds the write lock of a file until its input ends: `bun lock-holder.ts PATH`. */
import { Database } from "bun:sqlite";

const database = new Database(process.argv[2]);
database.run("PRAGMA busy_timeout = 5000");
database.run("BEGIN IMMEDIATE");
console.log("ready");
await Bun.stdin.text();
database.run("ROLLBACK");
database.close(true);
console.log("{}");
