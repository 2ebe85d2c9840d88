/** Rewrites all checkpoints of a file in the shared form or the whole one, in short transactions. */
import type { Connection, Row, Statements } from "../database/connection.js";
import { OutputCache } from "../outputs/output-cache.js";
import { ColumnReader, ignoredByTrigger } from "../rows/column-reader.js";
import { OutputsTable } from "../tables/outputs.js";
import type { LongWork } from "./options.js";
import { sharedForm, wholeForm } from "./output-forms.js";
import { requireProgress } from "./paging.js";
import { Sweeping } from "./sweeping.js";
import { type ShortTransactions, STEP_BYTES, STEP_ROWS } from "./transactions.js";

export type Form = "shared" | "whole";

export const REWRITING_SQL = {
  count: `
    SELECT count(*) AS count
    FROM main.checkpoints`,

  next: `
    SELECT id, rowid AS position, session_id, node_results
    FROM main.checkpoints
    WHERE rowid > +?1
    ORDER BY rowid
    LIMIT 1`,

  update: `
    UPDATE main.checkpoints
    SET node_results = ?2
    WHERE rowid = ?1`,

  nextSession: `
    SELECT id
    FROM main.sessions
    WHERE id > +?1
    ORDER BY id
    LIMIT 1`,
};

const checkpoints = new ColumnReader("checkpoints");
/** What one transaction did. */
interface Step {
  rows: number;
  rewritten: number;
  /** The last row's. */
  position: number;
}

export class Rewriting {
  readonly #statements: Statements<keyof typeof REWRITING_SQL>;
  readonly #outputs: OutputsTable;
  readonly #sweeping: Sweeping;
  readonly #transactions: ShortTransactions;
  readonly #work: LongWork;

  constructor(connection: Connection, transactions: ShortTransactions, work: LongWork) {
    this.#statements = connection.statements(REWRITING_SQL);
    this.#outputs = new OutputsTable(connection, new OutputCache(0));
    this.#sweeping = new Sweeping(connection, transactions);
    this.#transactions = transactions;
    this.#work = work;
  }

  /** Returns how many checkpoints were changed. */
  async rewriteAll(form: Form): Promise<number> {
    const total = checkpoints.integer(this.#statements.count.get() ?? {}, "count");
    let [rewritten, done, last] = [0, 0, Number.MIN_SAFE_INTEGER];
    for (;;) {
      const after = last;
      const step = await this.#transactions.run(() => this.#rewriteStep(after, form));
      if (step.rows === 0) {
        break;
      }
      rewritten += step.rewritten;
      done += step.rows;
      last = step.position;
      await this.#work.endStep({ done, total: Math.max(total, done), unit: "checkpoints" });
    }
    if (form === "whole") {
      await this.#sweepAll();
    }
    return rewritten;
  }

  /** Rewrites the rows after a position, as many as one transaction takes. What is whole can be far larger than what is shared. */
  #rewriteStep(after: number, form: Form): Step {
    const step = { rows: 0, rewritten: 0, position: after };
    for (let bytes = 0; step.rows < STEP_ROWS && bytes < STEP_BYTES; ) {
      const row = this.#statements.next.get(step.position);
      if (row === null) {
        break;
      }
      step.position = requireProgress("checkpoints", step.position, checkpoints.integer(row, "position"));
      const written = this.#rewrite(row, form);
      step.rows += 1;
      step.rewritten += written === undefined ? 0 : 1;
      bytes += (written ?? String(row.node_results)).length;
    }
    return step;
  }

  /** Returns the larger form, which was read or written; `undefined`: the row stays as it is. */
  #rewrite(row: Row, form: Form): string | undefined {
    const sessionId = checkpoints.text(row, "session_id");
    const text = checkpoints.text(row, "node_results");
    const rewritten =
      form === "shared" ? this.#share(sessionId, text) : wholeForm(text, sessionId, this.#outputs);
    if (rewritten === text) {
      return undefined;
    }
    const { changes } = this.#statements.update.run(checkpoints.integer(row, "position"), rewritten);
    if (changes === 0) {
      throw ignoredByTrigger("checkpoints");
    }
    return form === "shared" ? text : rewritten;
  }

  #share(sessionId: string, nodeResults: string): string {
    const { text, outputs } = sharedForm(nodeResults);
    this.#outputs.insertMissing(sessionId, outputs);
    return text;
  }

  async #sweepAll(): Promise<void> {
    let id = "";
    for (let next = this.#nextSession(id); next !== undefined; next = this.#nextSession(id)) {
      id = requireProgress("sessions", id, next);
      await this.#sweeping.deleteUnused(id, () => this.#work.throwIfAborted());
      this.#work.throwIfAborted();
    }
  }

  #nextSession(after: string): string | undefined {
    const row = this.#statements.nextSession.get(after);
    return row === null ? undefined : checkpoints.text(row, "id");
  }
}
