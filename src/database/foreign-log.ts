/**
 * Refuses a file that lies beside the write-ahead log of another one, which SQLite would replay over it: after a backup was
 * restored over the file of a crashed process, or a file was moved without its log.
 *
 * SQLite itself compares nothing. What can be told is what the first page of the file tells, compared with the log's own images
 * of that page:
 * - A log belongs to no file that is missing, empty, or keeps a rollback journal, as every copy by `VACUUM INTO` does at first.
 * - Both have one page size.
 * - The first page is one that the log holds, or the one that its first transaction found: then its change counter is the same
 *   as in the log's first image, or one less, and the size in it is that of the transactions before that image.
 *
 * Limits: a former copy of the same database, or another file of the same age, passes if these numbers happen to be the same.
 * No log of the file itself is ever refused; while another process changes the two, nothing is compared.
 */
import {
  type BigIntStats,
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { StoreOpenError } from "../errors.js";
import {
  DATABASE_HEADER,
  type DatabaseHeader,
  type LoggedTransaction,
  LogReader,
  readAt,
  toDatabaseHeader,
} from "./write-ahead-log.js";

/** @throws {StoreOpenError} if what SQLite would replay is another file's. Nothing was changed. */
export function refuseForeignLog(path: string): void {
  const reason = reasonToRefuse(path);
  if (reason !== undefined) {
    throw new StoreOpenError(path, `${reason} Nothing was changed.`);
  }
}

function reasonToRefuse(path: string): string | undefined {
  try {
    const file = targetOf(path);
    const log = statusOf(`${file}-wal`);
    return log?.isFile() === true ? reasonOf(file, log, filesOpenHere()) : undefined;
  } catch {
    return undefined; // It cannot be read, or another process is deleting it. SQLite will say more.
  }
}

function reasonOf(
  file: string,
  log: BigIntStats,
  openHere: ReadonlySet<string> | undefined,
): string | undefined {
  if (isAmong(openHere, log)) {
    return isAmong(openHere, statusOf(file)) ? undefined : sharedLog(file);
  }
  // Twice: a file that another process is creating has its first page before its log has a transaction.
  if (isGone(file) && holdsTransaction(`${file}-wal`) && isGone(file)) {
    return lostFile(file);
  }
  // Closing a handle drops every lock that SQLite holds on the file in this process, for whomever, and another process could
  // then delete the log under a connection that uses it. Whoever has it open here has replayed the log already.
  const isSafeToRead = openHere !== undefined && !isAmong(openHere, statusOf(file));
  return isSafeToRead && isForeign(file, `${file}-wal`) ? foreignLog(file) : undefined;
}

/** In one process, connections to two files that share a log by its name do not even see each other's locks. */
function sharedLog(file: string): string {
  return `${file}-wal is in use by a store of this process whose file was moved or replaced. Close that store first.`;
}

function lostFile(file: string): string {
  return (
    `${file}-wal holds commits of a database file that is no longer there: ${file} is missing or empty. If that file was moved, move its log ` +
    "after it, to the file's new name with -wal at the end; delete the log only if nobody needs its commits. " +
    'See "Move or rename the file" in docs/operating.md.'
  );
}

function foreignLog(file: string): string {
  return (
    `${file}-wal is the log of another database file, and would be replayed over this one. If this is a restored backup, move ` +
    `${basename(file)}-wal and ${basename(file)}-shm away before you open it. See "Restore a backup" in docs/operating.md.`
  );
}

function isGone(file: string): boolean {
  const status = statusOf(file);
  return status === undefined || status.size === 0n;
}

function holdsTransaction(log: string): boolean {
  return reading(log, (handle) => new LogReader(handle).transactions(true).next().done !== true);
}

function isForeign(file: string, log: string): boolean {
  return reading(file, (fileHandle) =>
    reading(log, (logHandle) => {
      const page = readAt(fileHandle, 0, DATABASE_HEADER);
      const header = toDatabaseHeader(page);
      const reader = new LogReader(logHandle);
      if (header === undefined || canBelong(header, reader, false) || canBelong(header, reader, true)) {
        return false;
      }
      // Otherwise another process is at work on them.
      return readAt(fileHandle, 0, DATABASE_HEADER).equals(page) && reader.isUnchanged;
    }),
  );
}

/** @param isVerified See {@link LogReader.transactions}: computing checksums takes longer, and is rarely needed. */
function canBelong(header: DatabaseHeader, log: LogReader, isVerified: boolean): boolean {
  let first: LoggedTransaction | undefined;
  let isPastFirstImage = false;
  for (const transaction of log.transactions(isVerified)) {
    first ??= transaction;
    if (!header.isInWalMode || header.pageSize !== log.pageSize) {
      return false;
    }
    const image = transaction.header;
    if (image === undefined) {
      continue;
    }
    const isCopied = image.changeCounter === header.changeCounter && image.pages === header.pages;
    const isFound = !isPastFirstImage && isFoundBy(image, header) && hasSizeBefore(first, header);
    if (isCopied || isFound) {
      return true;
    }
    isPastFirstImage = true;
  }
  return !isPastFirstImage && (first === undefined || hasSizeBefore(first, header));
}

/** A connection counts on from the page as it read it, which may be before its own last commit. */
function isFoundBy(image: DatabaseHeader, file: DatabaseHeader): boolean {
  const difference = (image.changeCounter - file.changeCounter) >>> 0;
  return difference <= 1;
}

/** As long as no transaction writes the first page, the database keeps its size. */
function hasSizeBefore(first: LoggedTransaction, { pages }: DatabaseHeader): boolean {
  return first.header !== undefined || pages === undefined || pages === first.pages;
}

/** `undefined` if the system does not tell. */
function filesOpenHere(): ReadonlySet<string> | undefined {
  try {
    return new Set(readdirSync("/dev/fd").map(Number).map(identityOfHandle));
  } catch {
    return undefined;
  }
}

function identityOfHandle(handle: number): string {
  try {
    return identityOf(fstatSync(handle, { bigint: true }));
  } catch {
    return ""; // That of the folder, which is closed again.
  }
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function isAmong(files: ReadonlySet<string> | undefined, status: BigIntStats | undefined): boolean {
  return status !== undefined && files?.has(identityOf(status)) === true;
}

function statusOf(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function reading<T>(path: string, work: (handle: number) => T): T {
  const handle = openSync(path, "r");
  try {
    return work(handle);
  } finally {
    closeSync(handle);
  }
}

/** Where symbolic links lead, even if nothing is there yet: SQLite keeps the log beside that. */
export function targetOf(path: string): string {
  const folder = dirname(path);
  const name = join(existsSync(folder) ? realpathSync(folder) : resolve(folder), basename(path));
  const isLink = lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink ? targetOf(resolve(dirname(name), readlinkSync(name))) : name;
}
