/**
 * A process that holds the write lock of a file until its input ends: `bun lock-holder-child.ts PATH`. At most for some
 * seconds: whoever waits for it without end then fails a test instead of hanging it.
 */
import { Database } from "bun:sqlite";

const LONGEST_HOLD = 5_000;

const database = new Database(process.argv[2]);
database.run("BEGIN EXCLUSIVE");
console.log("ready");
await Promise.race([Bun.stdin.text(), Bun.sleep(LONGEST_HOLD)]);
database.run("ROLLBACK");
database.close(true);
console.log("{}");
process.exit();
