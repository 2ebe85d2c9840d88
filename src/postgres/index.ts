/**
 * `@obsku/checkpoint-sqlite/postgres`: when one machine is no longer enough, to PostgreSQL, and back.
 *
 * Both functions use Bun's built-in `SQL` client.
 */
// First: on Node it says what is missing, before anything else can fail.
import "../runtime/bun.js";

export type { LongRunningOptions, Progress } from "../maintenance/options.js";
export {
  type CopyFromPostgresOptions,
  type CopyFromPostgresReport,
  copyFromPostgres,
} from "./copy-from-postgres.js";
export { type CopyToPostgresReport, copyToPostgres } from "./copy-to-postgres.js";
export { type CopyProblem, DoesNotFitError } from "./does-not-fit-error.js";
export type { CopyToPostgresOptions } from "./options.js";
export type { CopyDifference, RowCounts } from "./reports.js";
