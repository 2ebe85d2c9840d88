/**
 * Reads a write-ahead log and the header of a database file as SQLite does.
 * https://sqlite.org/fileformat2.html#walformat
 *
 * Limits: synchronous, a few milliseconds per 1,000 pages of the log. A log from a big-endian machine counts as empty.
 */
import { fstatSync, readSync } from "node:fs";

const LOG_HEADER = 32;
const FRAME_HEADER = 24;
const FORMAT_VERSION = 3_007_000;
/** Marks a log with little-endian checksums; every machine that Bun runs on is little-endian. */
const MAGIC = 0x377f0682;
const SMALLEST_PAGE = 512;
const LARGEST_PAGE = 65_536;

/** Properties of a database, from its first page. */
export interface DatabaseHeader {
  pageSize: number;
  /** Whether commits use a write-ahead log, not a rollback journal. */
  isInWalMode: boolean;
  /** Grows by at most 1 with each commit that changes this page. */
  changeCounter: number;
  /** The size of the database in pages; `undefined` if the last writer did not know this field. */
  pages: number | undefined;
}

/** A transaction that SQLite would replay. */
export interface LoggedTransaction {
  /** The size of the database after this transaction, in pages. */
  pages: number;
  /** The header that this transaction wrote; `undefined` if it did not change the first page. */
  header: DatabaseHeader | undefined;
}

export const DATABASE_HEADER = 100;

/** Returns `undefined` if the bytes are not the start of a database. */
export function toDatabaseHeader(bytes: Uint8Array): DatabaseHeader | undefined {
  if (bytes.length < DATABASE_HEADER || !isDatabase(bytes)) {
    return undefined;
  }
  const view = viewOf(bytes);
  const pageSize = view.getUint16(16);
  const changeCounter = view.getUint32(24);
  const pages = view.getUint32(28);
  const isPagesValid = pages > 0 && view.getUint32(92) === changeCounter;
  return {
    pageSize: pageSize === 1 ? LARGEST_PAGE : pageSize,
    isInWalMode: view.getUint8(18) === 2 || view.getUint8(19) === 2,
    changeCounter,
    pages: isPagesValid ? pages : undefined,
  };
}

function isDatabase(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 16)) === "SQLite format 3\0";
}

/** Reads an open log, from its first transaction to the last one that SQLite would replay. */
export class LogReader {
  readonly #log: number;
  readonly #start: Buffer;
  readonly #header: DataView;

  /** @param log The file handle. */
  constructor(log: number) {
    this.#log = log;
    this.#start = readAt(log, 0, LOG_HEADER);
    this.#header = viewOf(this.#start);
  }

  get pageSize(): number {
    return this.#start.length === LOG_HEADER ? this.#header.getUint32(8) : 0;
  }

  /** Whether the log still has the same header. SQLite restarts a log once all of it is in the database file. */
  get isUnchanged(): boolean {
    return readAt(this.#log, 0, LOG_HEADER).equals(this.#start);
  }

  /** @param isVerified Whether to check checksums. Otherwise the last transactions may include some that SQLite would not replay. */
  *transactions(isVerified: boolean): Generator<LoggedTransaction> {
    let header: DatabaseHeader | undefined;
    for (const frame of isVerified ? this.#verifiedFrames() : this.#frames(FRAME_HEADER + DATABASE_HEADER)) {
      if (frame.getUint32(0) === 1) {
        header = toDatabaseHeader(new Uint8Array(frame.buffer, FRAME_HEADER, DATABASE_HEADER));
      }
      const pages = frame.getUint32(4);
      if (pages > 0) {
        yield { pages, header };
        header = undefined;
      }
    }
  }

  *#verifiedFrames(): Generator<DataView> {
    let checksum = this.#checksumOfHeader();
    for (const frame of this.#frames(FRAME_HEADER + this.pageSize)) {
      const words = new Uint32Array(frame.buffer);
      checksum = advanced(advanced(checksum, words, 0, 2), words, FRAME_HEADER / 4, words.length);
      if (!isChecksumAt(frame, 16, checksum)) {
        return;
      }
      yield frame;
    }
  }

  /** The start of each frame, in a reused view, up to the first frame left over from before the log was restarted. */
  *#frames(length: number): Generator<DataView> {
    if (!this.#isLog()) {
      return;
    }
    const bytes = new Uint8Array(length);
    const frame = viewOf(bytes);
    const salt = this.#header.getBigUint64(16);
    const [step, end] = [FRAME_HEADER + this.pageSize, fstatSync(this.#log).size];
    for (let at = LOG_HEADER; at + step <= end; at += step) {
      readSync(this.#log, bytes, 0, length, at);
      if (frame.getUint32(0) === 0 || frame.getBigUint64(8) !== salt) {
        return;
      }
      yield frame;
    }
  }

  #isLog(): boolean {
    const { pageSize } = this;
    return (
      pageSize >= SMALLEST_PAGE &&
      pageSize <= LARGEST_PAGE &&
      (pageSize & (pageSize - 1)) === 0 &&
      this.#header.getUint32(0) === MAGIC &&
      this.#header.getUint32(4) === FORMAT_VERSION &&
      isChecksumAt(this.#header, LOG_HEADER - 8, this.#checksumOfHeader())
    );
  }

  #checksumOfHeader(): Checksum {
    return advanced([0, 0], new Uint32Array(new Uint8Array(this.#start).buffer), 0, (LOG_HEADER - 8) / 4);
  }
}

/** Two 32-bit sums, which continue from frame to frame. */
type Checksum = readonly [number, number];

function advanced([first, second]: Checksum, words: Uint32Array, from: number, to: number): Checksum {
  for (let at = from; at < to; at += 2) {
    first = (first + (words[at] ?? 0) + second) | 0;
    second = (second + (words[at + 1] ?? 0) + first) | 0;
  }
  return [first, second];
}

function isChecksumAt(view: DataView, at: number, [first, second]: Checksum): boolean {
  return view.getInt32(at) === first && view.getInt32(at + 4) === second;
}

/** Reads up to `length` bytes: fewer at the end of the file. */
export function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
