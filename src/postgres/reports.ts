/** What the functions answer. */

/** Rows by table. */
export interface RowCounts {
  sessions: number;
  messages: number;
  checkpoints: number;
  entities: number;
  facts: number;
}

/** Something that will be different there. */
export interface CopyDifference {
  table: string;
  id: string | null;
  column: string;
  difference: string;
}
