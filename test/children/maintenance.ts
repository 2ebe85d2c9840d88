/** Runs one maintenance function to its end: `bun maintenance.ts NAME FROM TO`. Prints a line when it begins. */
import { writeSync } from "node:fs";
import { backup, restore, salvage } from "../../src/maintenance/index.js";

const COPYING = { backup, restore, salvage };

const [name = "", from = "", to = ""] = process.argv.slice(2);
const copy = COPYING[name as keyof typeof COPYING];
writeSync(1, "begun\n");
await copy(from, to);
writeSync(1, "ended\n");
