/**
 * Loads `bun:sqlite`, or says in one sentence that this package needs Bun.
 *
 * A static `import … from "bun:sqlite"` would be resolved before any of our code runs, and Node would then
 * answer with its own error about an unsupported URL scheme.
 */
import { createRequire } from "node:module";

/**
 * The lowest Bun on which the whole test suite passes; `engines.bun` in package.json says the same. Earlier ones drop a byte
 * order mark at the beginning of a text that they read from SQLite.
 */
export const LOWEST_BUN_VERSION = "1.4.4";

if (process.versions.bun === undefined) {
  throw new Error(
    `@obsku/checkpoint-sqlite needs Bun ${LOWEST_BUN_VERSION} or later, because it is built on bun:sqlite, which this runtime does not have: run your program with \`bun\`.`,
  );
}

const bunSqlite: typeof import("bun:sqlite") = createRequire(import.meta.url)("bun:sqlite");

export const { Database, constants: sqliteConstants } = bunSqlite;
