/**
 * What a command prints: data on stdout, as text or as lines of JSON; notes and progress on stderr.
 *
 * JSON values are in the wire format, so `JsonPlusSerializer` reads them back as they are in the store.
 */
import { JsonPlusSerializer } from "../json-plus/json-plus-serializer.js";
import { ClosedPipe, CommandFailure } from "./failures.js";
import { shortener } from "./format.js";
import { page, pagerCommand } from "./pager.js";
import { type Column, tableLines } from "./table.js";
import { type Colours, coloursFor } from "./terminal.js";
import { cut, jsonLine } from "./text.js";

export interface OutputOptions {
  isJson: boolean;
  usesPager: boolean;
}

const serializer = new JsonPlusSerializer();

export class Output {
  readonly isJson: boolean;
  /** Whether people read along. */
  readonly isTerminal = process.stdout.isTTY === true;
  readonly colours: Colours = coloursFor(process.stdout);
  readonly #usesPager: boolean;
  #lines: string[] = [];
  #hasFlushed = false;
  #isPaging = false;

  constructor(options: OutputOptions) {
    this.isJson = options.isJson;
    this.#usesPager = options.usesPager;
  }

  /** Columns of the terminal; `undefined`: text is not cut. A terminal that does not know its size says 0. */
  get width(): number | undefined {
    return this.isTerminal && process.stdout.columns > 0 ? process.stdout.columns : undefined;
  }

  /** Short ids for people; whole ones in a pipe. */
  shortener(ids: readonly string[], part: "beginning" | "end"): (id: string) => string {
    return this.isTerminal ? shortener(ids, part) : (id) => id;
  }

  /** Whether the terminal is the pager's. */
  get isPaging(): boolean {
    return this.#isPaging;
  }

  line(text = ""): void {
    this.#lines.push(text);
  }

  /** Cut if the terminal is too narrow. */
  cutLine(text: string): void {
    this.line(this.width === undefined ? text : cut(text, this.width));
  }

  json(value: unknown): void {
    this.jsonLine(serializer.serialize(value));
  }

  /** What {@link json} prints, of a value that has been serialised before. */
  jsonLine(json: string): void {
    this.line(jsonLine(json));
  }

  /** Rows as lines of JSON, or as a table; `empty` goes to stderr if there are none. */
  list<T>(rows: readonly T[], columns: readonly Column<T>[], empty: string): void {
    if (this.isJson) {
      rows.forEach((row) => {
        this.json(row);
      });
    } else if (rows.length === 0) {
      note(empty);
    } else {
      this.table(rows, columns);
    }
  }

  table<T>(rows: readonly T[], columns: readonly Column<T>[]): void {
    for (const line of tableLines(rows, columns, this.colours, this.width)) {
      this.line(line);
    }
  }

  /** One value as JSON, or the lines that say the same. */
  report(value: unknown, lines: readonly string[]): void {
    if (this.isJson) {
      this.json(value);
    } else {
      lines.forEach((line) => {
        this.line(line);
      });
    }
  }

  /** Writes what was collected, without a pager; for output that comes piece by piece. */
  async flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    this.#hasFlushed = true;
    if (lines.length > 0) {
      await write(`${lines.join("\n")}\n`);
    }
  }

  /** Writes the rest; output that is longer than the terminal goes through the pager. */
  async end(): Promise<void> {
    const pager = this.#pager();
    if (pager === undefined || !(await this.#page(pager))) {
      await this.flush();
    }
  }

  async #page(pager: string): Promise<boolean> {
    this.#isPaging = true;
    try {
      return await page(`${this.#lines.join("\n")}\n`, pager);
    } finally {
      this.#isPaging = false;
    }
  }

  #pager(): string | undefined {
    const isLong = process.stdout.rows > 0 && this.#lines.length >= process.stdout.rows;
    const isPaged = this.#usesPager && this.isTerminal && process.stdin.isTTY === true && !this.#hasFlushed;
    return isPaged && isLong ? pagerCommand() : undefined;
  }
}

/** In place of a list that is empty. */
export const NO_SESSIONS = "There are no sessions.";

/** A line for people, on stderr. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Resolves when the text has been handed to the operating system.
 *
 * @throws {ClosedPipe} if nobody reads it any more.
 * @throws {CommandFailure} if it cannot be written, as on a full disk.
 */
export function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error === undefined || error === null) {
        resolve();
      } else {
        const isClosed = "code" in error && error.code === "EPIPE";
        reject(isClosed ? new ClosedPipe() : new CommandFailure(`The output was cut: ${error.message}.`));
      }
    });
  });
}
