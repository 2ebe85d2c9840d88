/**
 * A process that holds the write lock of a file until its input ends: `bun lock-holder.ts PATH [MILLISECONDS]`. After that
 * time it releases the lock anyway, so that whoever waits for it forever fails a test instead of hanging it.
 */
import { Database } from "bun:sqlite";

const [path = "", milliseconds = "5000"] = process.argv.slice(2);

const database = new Database(path);
database.run("PRAGMA busy_timeout = 5000");
database.run("BEGIN EXCLUSIVE");
console.log("ready");
await Promise.race([Bun.stdin.text(), Bun.sleep(Number(milliseconds))]);
database.run("ROLLBACK");
database.close(true);
console.log("{}");
process.exit();
