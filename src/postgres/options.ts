import type { LongRunningOptions } from "../maintenance/options.js";

/** What to copy to PostgreSQL, and how. */
export interface CopyToPostgresOptions extends LongRunningOptions {
  /** Only these sessions, with the facts that were learned in them. */
  sessionIds?: readonly string[] | undefined;
  /** Only the sessions of this workspace, and its facts. */
  workspaceId?: string | undefined;
  /**
   * What to do with a session, or a fact, whose id is there already. `"error"`: rejects. `"skip"`: leaves it out, with
   * everything in it.
   * @default "error"
   */
  onConflict?: "error" | "skip" | undefined;
  /**
   * Replaces what does not fit and can be replaced, and leaves out rows whose session does not exist; the report lists each.
   * @default false
   */
  fix?: boolean | undefined;
  /**
   * Counts the steps of a session through, in the order of saving, if they do not rise already or one is no 32-bit integer.
   * `@obsku/checkpoint-postgres@0.2.3` resumes from the highest step.
   * @default false
   */
  renumberSteps?: boolean | undefined;
  /**
   * Gives every message the next id there, in the same order: for the second of several files.
   * @default false
   */
  renumberMessages?: boolean | undefined;
  /**
   * Checks only, and writes nothing.
   * @default false
   */
  dryRun?: boolean | undefined;
}
