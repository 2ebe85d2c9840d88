/** Reads all that is to be copied, and finds what does not fit, before anything is written. */
import type { LongWork } from "../maintenance/options.js";
import type { CopyProblem } from "./does-not-fit-error.js";
import { differencesOf, type Misfit, misfitsOf, type SourceRow, toWrite } from "./misfits.js";
import type { CopyDifference, RowCounts } from "./reports.js";
import type { PostgresServer } from "./server.js";
import type { ReadRow, Source } from "./source.js";
import { type Column, noRows, type Table, type TableName, totalOf, type Value } from "./tables.js";
import { existingIds, type TargetTable } from "./target.js";

export interface CheckSettings {
  onConflict: "error" | "skip";
  fix: boolean;
  renumberMessages: boolean;
  renumberSteps: boolean;
}

/** What the check found. */
export interface Findings {
  /** Of these, those without `fix` keep anything from being copied. */
  problems: CopyProblem[];
  differences: CopyDifference[];
  /** Rows to copy. */
  rows: RowCounts;
  /** Rows that are left out, because their session, or the fact, is there already. */
  skipped: RowCounts;
}

/** Rows that are checked before other work gets its turn, and whose ids are looked up there together. */
const STEP_ROWS = 1_000;
/** Large rows make short steps too. */
const STEP_CHARACTERS = 2_000_000;

export class Check {
  readonly findings: Findings = { problems: [], differences: [], rows: noRows(), skipped: noRows() };
  readonly #server: PostgresServer;
  readonly #source: Source;
  readonly #settings: CheckSettings;
  readonly #work: LongWork;
  readonly #skippedSessions = new Set<string>();
  readonly #skippedFacts = new Set<string>();
  #done = 0;
  readonly #total: number;

  constructor(server: PostgresServer, source: Source, settings: CheckSettings, work: LongWork) {
    this.#server = server;
    this.#source = source;
    this.#settings = settings;
    this.#work = work;
    this.#total = totalOf(source.counts());
  }

  async run(targets: readonly TargetTable[]): Promise<void> {
    this.#checkSteps();
    for (const target of targets) {
      for (const step of stepsOf(this.#source.rows(target.table))) {
        await this.#checkStep(target, step);
        this.#done += step.length;
        await this.#work.endStep({ done: this.#done, total: this.#total, unit: "rows checked" });
      }
    }
    this.#checkLastMessageId(targets);
  }

  /** The values to write; `undefined` if the row is left out. To be called after {@link run}. */
  valuesOf({ table, columns }: TargetTable, { row, isOrphan }: ReadRow): Value[] | undefined {
    if (this.#isSkipped(table, row) || (isOrphan && table.name !== "facts")) {
      return undefined;
    }
    const replacements = new Map<string, Value>();
    if (isOrphan) {
      replacements.set(table.sessionColumn, null);
    }
    if (this.#settings.fix) {
      for (const { column, replacement } of misfitsOf(table, this.#checkedColumns(table, columns), row)) {
        replacements.set(column, replacement ?? null);
      }
    }
    return columns.map((column) => toWrite(column, valueIn(column, row, replacements)));
  }

  async #checkStep({ table, columns, hasRows }: TargetTable, step: readonly ReadRow[]): Promise<void> {
    const present = hasRows ? await this.#presentIds(table, step) : new Set<string>();
    const checked = this.#checkedColumns(table, columns);
    for (const read of step) {
      if (this.#skips(table, read.row, present)) {
        this.findings.skipped[table.name] += 1;
      } else {
        this.#checkRow(table, checked, read);
      }
    }
  }

  /** New ids fit. */
  #checkedColumns({ name: table }: Table, columns: TargetTable["columns"]): TargetTable["columns"] {
    return table === "messages" && this.#settings.renumberMessages
      ? columns.filter(({ name }) => name !== "id")
      : columns;
  }

  #presentIds({ name }: Table, step: readonly ReadRow[]): Promise<Set<string>> {
    const ids = step.flatMap(({ row }) => (row.id === null || isUnspeakable(row.id) ? [] : [String(row.id)]));
    return existingIds(this.#server, name, ids);
  }

  /** Whether a row is left out; if it is there and must not be, that is a problem. */
  #skips(table: Table, row: SourceRow, present: ReadonlySet<string>): boolean {
    const id = String(row.id);
    const isRenumbered = table.name === "messages" && this.#settings.renumberMessages;
    if (this.#isSkipped(table, row)) {
      return true;
    }
    if (isRenumbered || !present.has(id)) {
      return false;
    }
    if (this.#settings.onConflict === "skip" && table.name === "sessions") {
      this.#skippedSessions.add(id);
      return true;
    }
    if (this.#settings.onConflict === "skip" && table.name === "facts") {
      this.#skippedFacts.add(id);
      return true;
    }
    this.#add(table, row, {
      column: "id",
      problem: "is taken there already",
      remedy: conflictRemedy(table.name),
    });
    return false;
  }

  #isSkipped({ name, sessionColumn }: Table, row: SourceRow): boolean {
    return (
      this.#skippedSessions.has(String(row[sessionColumn])) ||
      (name === "facts" && this.#skippedFacts.has(String(row.id)))
    );
  }

  #checkRow(table: Table, columns: TargetTable["columns"], { row, isOrphan, damage }: ReadRow): void {
    if (isOrphan) {
      this.#addOrphan(table, row);
    }
    if (isOrphan && table.name !== "facts") {
      return;
    }
    for (const misfit of damage === undefined ? misfitsOf(table, columns, row) : [damage]) {
      this.#add(table, row, misfit);
    }
    for (const difference of differencesOf(columns, row)) {
      this.findings.differences.push({ table: table.name, id: idOf(row), ...difference });
    }
    this.findings.rows[table.name] += 1;
  }

  #addOrphan(table: Table, row: SourceRow): void {
    const problem = `names a session that does not exist: ${JSON.stringify(String(row[table.sessionColumn]))}`;
    const isKept = table.name === "facts";
    const remedy = `pass fix: true (--fix) to ${isKept ? "write NULL" : "leave the row out"}, or delete the row from the file`;
    this.#push(table, row, { column: table.sessionColumn, problem, remedy }, isKept ? "NULL" : "left out");
  }

  #add(table: Table, row: SourceRow, misfit: Misfit): void {
    const { replacement } = misfit;
    const fix =
      replacement === undefined
        ? undefined
        : typeof replacement === "string"
          ? shown(replacement)
          : String(replacement);
    this.#push(table, row, misfit, fix);
  }

  #push(table: Table, row: SourceRow, { column, problem, remedy }: Misfit, fix: string | undefined): void {
    this.findings.problems.push({
      table: table.name,
      id: idOf(row),
      column,
      problem,
      remedy,
      ...(this.#settings.fix && fix !== undefined ? { fix } : {}),
    });
  }

  #checkSteps(): void {
    const difference = this.#settings.renumberSteps
      ? "is counted from 0 through the session in the order of saving: highest is newest"
      : "is not highest in the newest checkpoint, which is where @obsku/checkpoint-postgres@0.2.3 resumes: " +
        "pass renumberSteps: true (--renumber-steps)";
    for (const id of this.#source.unorderedSessions()) {
      this.findings.differences.push({ table: "sessions", id, column: "checkpoints.step", difference });
    }
  }

  /** The counter of ids may be above all messages that are left. */
  #checkLastMessageId(targets: readonly TargetTable[]): void {
    const type = targets
      .find(({ table }) => table.name === "messages")
      ?.columns.find(({ name }) => name === "id")?.type;
    const last = this.#source.lastMessageId();
    if (type === "integer" && last >= LAST_INTEGER && !this.#settings.renumberMessages) {
      this.findings.problems.push({
        table: "messages",
        id: null,
        column: "id",
        problem: `has reached ${last} in the file, and the column there takes up to ${LAST_INTEGER}`,
        remedy: "pass renumberMessages: true (--renumber-messages), or make the column there a BIGINT",
      });
    }
  }
}

const LAST_INTEGER = 2n ** 31n - 1n;

const LONGEST_SHOWN = 60;

function shown(text: string): string {
  return JSON.stringify(text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text);
}

function valueIn({ name }: Column, row: SourceRow, replacements: ReadonlyMap<string, Value>): Value {
  return (replacements.has(name) ? replacements.get(name) : row[name]) ?? null;
}

function idOf({ id }: SourceRow): string | null {
  return id === null || id === undefined ? null : String(id);
}

/** What cannot be there, and cannot be asked for. */
function isUnspeakable(id: Value | undefined): boolean {
  return id === undefined || (typeof id === "string" && id.includes("\0"));
}

function conflictRemedy(table: TableName): string {
  switch (table) {
    case "messages":
      return "pass renumberMessages: true (--renumber-messages) to give messages the next ids there";
    case "sessions":
    case "facts":
      return 'pass onConflict: "skip" (--skip-existing) to leave out what is there, or copy into another database';
    default:
      return "copy into another database";
  }
}

function* stepsOf(rows: Iterable<ReadRow>): Generator<ReadRow[], void, undefined> {
  let step: ReadRow[] = [];
  let characters = 0;
  for (const read of rows) {
    step.push(read);
    characters += sizeOf(read.row);
    if (step.length >= STEP_ROWS || characters >= STEP_CHARACTERS) {
      yield step;
      step = [];
      characters = 0;
    }
  }
  if (step.length > 0) {
    yield step;
  }
}

function sizeOf(row: SourceRow): number {
  return Object.values(row).reduce<number>(
    (size, value) => size + (typeof value === "string" || value instanceof Uint8Array ? value.length : 0),
    0,
  );
}
