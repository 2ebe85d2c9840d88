import { CheckpointStoreError } from "../errors.js";

/** Something of a row that PostgreSQL would not take as it is. */
export interface CopyProblem {
  table: string;
  /** The row's id; `null` if it has none. */
  id: string | null;
  column: string;
  problem: string;
  /** What to do. */
  remedy: string;
  /** What `fix` did, or would do in a dry run; absent without `fix`, and if nothing can be done. */
  fix?: string;
}

const MOST_NAMED = 3;

/** The file has rows that do not fit into the PostgreSQL database. `problems` lists all; nothing was written there. */
export class DoesNotFitError extends CheckpointStoreError {
  readonly _tag = "DoesNotFitError";
  override readonly name = "DoesNotFitError";
  readonly code = "DOES_NOT_FIT";

  constructor(readonly problems: readonly CopyProblem[]) {
    const named = problems.slice(0, MOST_NAMED).map(textOf).join(" ");
    const rest = problems.length - MOST_NAMED;
    super(
      `Does not fit into PostgreSQL: ${named}${rest > 0 ? ` And ${rest} more.` : ""} Nothing was written there.`,
    );
  }
}

function textOf({ table, id, column, problem, remedy }: CopyProblem): string {
  return `${table}, id ${JSON.stringify(id)}, column ${column} ${problem}: ${remedy}.`;
}
