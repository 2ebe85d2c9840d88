/**
 * `importSessions`: reads the lines of an export into a file, one session at a time.
 *
 * Limits: a session is written in one transaction, however large it is; the lines may come slowly, no lock is held meanwhile.
 */
import type { Connection, Row } from "../database/connection.js";
import { codeOf, SQLITE } from "../database/sqlite-errors.js";
import { mustBe, oneOf } from "../validation/arguments.js";
import {
  count,
  lineError,
  type ReadLine,
  ROW_TYPES,
  type RowCounts,
  readCounts,
  readHeader,
  readLine,
  readRow,
} from "./export-format.js";
import { openForWriting } from "./opening.js";
import { filePath, type LongRunningOptions, type LongWork, longRunning } from "./options.js";
import { StagedSession, type WrittenRows } from "./staging.js";
import { ShortTransactions, STEP_ROWS } from "./transactions.js";

export interface ImportOptions extends LongRunningOptions {
  /**
   * What to do with a session if its id, or the id of a checkpoint or entity in it, is in the file already; and with a fact.
   * `"error"`: rejects; that session is not imported, those before it are. `"skip"`: leaves it out, with everything in it.
   * `"newIds"`: imports it under new ids, for its checkpoints and entities too.
   * @default "error"
   */
  onConflict?: "error" | "skip" | "newIds" | undefined;
}

/** How many rows were written. */
export interface ImportReport {
  sessions: number;
  messages: number;
  checkpoints: number;
  entities: number;
  facts: number;
  /** Sessions that were left out because they are in the file already, and facts likewise. */
  skipped: number;
}

const ON_CONFLICT = ["error", "skip", "newIds"] as const;

/**
 * Imports sessions, each as a whole or not at all. Ids and times are kept. If the id of a message is taken by another session of the
 * file, all messages of its session get the next ones: these ids are counted per file.
 *
 * If it rejects, the sessions before the one that was being read are in the file: call it again with `onConflict: "skip"` to
 * finish.
 *
 * @param lines What `exportSessions` yields, with or without the empty line that a split file ends with.
 * @throws {InvalidArgumentError} for a line that is damaged, cut or missing, naming its number.
 * @throws {StorageError} if a trigger of another application keeps rows of a session out.
 * @throws {StoreOpenError} if there is no such file, or a store would not open it.
 *
 * @example
 * await importSessions("other.db", exportSessions("runs.db", { sessionIds: [id] }));
 */
export async function importSessions(
  path: string,
  lines: AsyncIterable<string> | Iterable<string>,
  options?: ImportOptions,
): Promise<ImportReport> {
  const file = filePath("path", path);
  const source = iterable(lines);
  const { given, work } = longRunning(options, ["onConflict"]);
  const onConflict = oneOf("options.onConflict", given.onConflict ?? "error", ON_CONFLICT);
  work.throwIfAborted();
  const connection = openForWriting(file, work.busyTimeout);
  try {
    const reading = new Import(connection, onConflict, work);
    let number = 0;
    for await (const text of source) {
      number += 1;
      work.throwIfAborted();
      if (text !== "") {
        await reading.take(readLine(text, number));
      }
    }
    return reading.end(number + 1);
  } finally {
    connection.close();
  }
}

function iterable(lines: unknown): AsyncIterable<unknown> | Iterable<unknown> {
  if (
    typeof lines === "object" &&
    lines !== null &&
    (Symbol.asyncIterator in lines || Symbol.iterator in lines)
  ) {
    return lines as AsyncIterable<unknown> | Iterable<unknown>;
  }
  throw mustBe("lines", "an iterable of lines, as exportSessions returns one", lines);
}

/** The session whose rows are being read. */
interface OpenSession {
  line: number;
  /** How many rows of each kind are still to come. */
  missing: RowCounts;
}

class Import {
  readonly #onConflict: (typeof ON_CONFLICT)[number];
  readonly #work: LongWork;
  readonly #transactions: ShortTransactions;
  readonly #staged: StagedSession;
  readonly #report: ImportReport = {
    sessions: 0,
    messages: 0,
    checkpoints: 0,
    entities: 0,
    facts: 0,
    skipped: 0,
  };
  /** `undefined` before the header. */
  #total: number | undefined;
  #session: OpenSession | undefined;
  #sessionsRead = 0;
  #otherFactsRead = 0;
  #otherFactsStaged = 0;
  #hasEnded = false;

  constructor(connection: Connection, onConflict: (typeof ON_CONFLICT)[number], work: LongWork) {
    this.#onConflict = onConflict;
    this.#work = work;
    this.#transactions = new ShortTransactions(connection, work.busyTimeout);
    this.#staged = new StagedSession(connection);
  }

  async take(line: ReadLine): Promise<void> {
    if (this.#hasEnded) {
      throw lineError(line.number, "comes after the end of the export");
    }
    if (this.#total === undefined) {
      this.#total = readHeader(line);
    } else if (this.#session !== undefined) {
      await this.#takeRow(this.#session, line);
    } else {
      await this.#takeNext(line);
    }
  }

  /** @param number Of the line that would be the next. */
  end(number: number): ImportReport {
    if (!this.#hasEnded) {
      throw lineError(number, "is missing: the export is cut");
    }
    return this.#report;
  }

  async #takeNext(line: ReadLine): Promise<void> {
    switch (line.value.type) {
      case "session":
        return this.#beginSession(line);
      case "fact":
        return this.#takeOtherFact(line);
      case "end":
        return this.#takeEnd(line);
      default:
        throw lineError(line.number, 'must be of type "session", "fact" or "end"');
    }
  }

  async #beginSession(line: ReadLine): Promise<void> {
    if (this.#otherFactsRead > 0) {
      throw lineError(line.number, "is a session after the facts of no session");
    }
    this.#staged.clear();
    this.#staged.add("session", readRow("session", line));
    this.#session = { line: line.number, missing: readCounts(line) };
    await this.#endSessionIfWhole(this.#session);
  }

  async #takeRow(session: OpenSession, line: ReadLine): Promise<void> {
    const type = ROW_TYPES.find((kind) => session.missing[kind] > 0);
    if (type === undefined || line.value.type !== type) {
      throw lineError(
        line.number,
        `must be of type "${type}": the session of line ${session.line} is not whole`,
      );
    }
    this.#stage(type, line);
    session.missing[type] -= 1;
    await this.#endSessionIfWhole(session);
  }

  #stage(type: (typeof ROW_TYPES)[number], line: ReadLine): void {
    try {
      this.#stageRow(type, readRow(type, line));
    } catch (error) {
      if (codeOf(error) === SQLITE.CONSTRAINT) {
        throw lineError(
          line.number,
          "repeats the id, or the namespace and version, of an earlier line",
          error,
        );
      }
      throw error;
    }
  }

  #stageRow(type: (typeof ROW_TYPES)[number], row: Row): void {
    if (type === "checkpoint") {
      this.#staged.addSharing(row);
    } else {
      this.#staged.add(type, row);
    }
  }

  async #endSessionIfWhole(session: OpenSession): Promise<void> {
    if (ROW_TYPES.some((type) => session.missing[type] > 0)) {
      return;
    }
    this.#session = undefined;
    const written = await this.#transactions.run(() => this.#write(session));
    this.#sessionsRead += 1;
    if (written === undefined) {
      this.#report.skipped += 1;
    } else {
      this.#report.sessions += 1;
      this.#countRows(written);
    }
    await this.#endStep();
  }

  /** `undefined`: skipped. */
  #write(session: OpenSession): (WrittenRows & { skipped: number }) | undefined {
    const conflict = this.#staged.conflict();
    if (conflict !== undefined && !this.#resolve(session, conflict)) {
      return undefined;
    }
    const skipped = this.#resolveFacts(session.line);
    return { ...this.#staged.write().written, skipped };
  }

  /** Returns whether the session is to be written. */
  #resolve(session: OpenSession, conflict: string): boolean {
    switch (this.#onConflict) {
      case "error":
        throw lineError(
          session.line,
          `is a session that cannot be imported, because ${conflict} is in the file already: pass onConflict "skip" or "newIds"`,
        );
      case "newIds":
        this.#staged.giveNewIds();
        return true;
      case "skip":
        return false;
    }
  }

  /** Facts outlive their sessions, so one may be there although its session is not. Returns how many are left out. */
  #resolveFacts(line: number): number {
    const existing = this.#staged.existingFacts();
    const [first] = existing;
    if (first !== undefined && this.#onConflict === "error") {
      throw lineError(
        line,
        `brings fact ${first}, which is in the file already: pass onConflict "skip" or "newIds"`,
      );
    }
    for (const id of existing) {
      if (this.#onConflict === "skip") {
        this.#staged.unstageFact(id);
      } else {
        this.#staged.giveFactNewId(id);
      }
    }
    return this.#onConflict === "skip" ? existing.length : 0;
  }

  async #takeOtherFact(line: ReadLine): Promise<void> {
    if (this.#otherFactsStaged === 0) {
      this.#staged.clear();
    }
    this.#stage("fact", line);
    this.#otherFactsRead += 1;
    this.#otherFactsStaged += 1;
    if (this.#otherFactsStaged === STEP_ROWS) {
      await this.#writeOtherFacts(line.number);
    }
  }

  async #writeOtherFacts(line: number): Promise<void> {
    const { facts, skipped } = await this.#transactions.run(() => {
      const skipped = this.#resolveFacts(line);
      return { facts: this.#staged.writeFacts(null), skipped };
    });
    this.#otherFactsStaged = 0;
    this.#countRows({ messages: 0, checkpoints: 0, entities: 0, facts, skipped });
    await this.#endStep();
  }

  async #takeEnd(line: ReadLine): Promise<void> {
    const [sessions, facts] = [
      count(line.value.sessions, "sessions", line.number),
      count(line.value.facts, "facts", line.number),
    ];
    if (sessions !== this.#sessionsRead || facts !== this.#otherFactsRead) {
      throw lineError(
        line.number,
        `tells of ${sessions} sessions and ${facts} facts of no session, but ${this.#sessionsRead} and ${this.#otherFactsRead} were read: lines are missing`,
      );
    }
    if (this.#otherFactsStaged > 0) {
      await this.#writeOtherFacts(line.number);
    }
    this.#hasEnded = true;
  }

  #countRows({ messages, checkpoints, entities, facts, skipped }: WrittenRows & { skipped: number }): void {
    this.#report.messages += messages;
    this.#report.checkpoints += checkpoints;
    this.#report.entities += entities;
    this.#report.facts += facts;
    this.#report.skipped += skipped;
  }

  #endStep(): Promise<void> {
    return this.#work.endStep({ done: this.#sessionsRead, total: this.#total ?? 0, unit: "sessions" });
  }
}
