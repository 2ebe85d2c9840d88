/**
 * Loads `bun:sqlite`, or throws an error that says which Bun this package needs.
 *
 * A static `import … from "bun:sqlite"` would be resolved before any of our code runs, and Node would report its own error
 * about an unsupported URL scheme.
 */
import { createRequire } from "node:module";

/** The oldest Bun that the whole test suite runs on; keep `engines.bun` in package.json equal. */
export const LOWEST_BUN_VERSION = "1.2.23";

const version = process.versions.bun;

if (version === undefined) {
  throw new Error(
    `@obsku/checkpoint-sqlite needs Bun ${LOWEST_BUN_VERSION} or later, because it is built on bun:sqlite, which this runtime does not have: run your program with \`bun\`.`,
  );
}
if (Bun.semver.order(version, LOWEST_BUN_VERSION) < 0) {
  throw new Error(
    `@obsku/checkpoint-sqlite needs Bun ${LOWEST_BUN_VERSION} or later, and this is Bun ${version}: run \`bun upgrade\`.`,
  );
}

const bunSqlite: typeof import("bun:sqlite") = createRequire(import.meta.url)("bun:sqlite");

/** @internal Left out of the declarations, so that they do not need Bun's types. */
export const { Database, constants: sqliteConstants } = bunSqlite;
