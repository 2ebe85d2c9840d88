/**
 * Rejects a file that lies next to the write-ahead log of another file, which SQLite would replay over it. This happens after
 * a backup was restored over the file of a crashed process, or a file was moved without its log.
 *
 * SQLite does not check this. The log belongs to the file if all of these hold for the file's first page and the log's images
 * of that page:
 * - The file is not missing, not empty, and in WAL mode. A copy by `VACUUM INTO` starts with a rollback journal.
 * - Both have the same page size.
 * - The first page equals an image in the log, or precedes the log's first image: its change counter is the same or one less,
 *   and its size is that of the transactions before that image.
 *
 * Limits: an older copy of the same database, or another file of the same age, passes if these numbers happen to match. The
 * file's own log is never rejected. Nothing is compared while another process changes the file or the log.
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

/** @throws {StoreOpenError} if SQLite would replay the log of another file. Nothing was changed. */
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
    return undefined; // The log cannot be read, or another process is deleting it. SQLite will report more.
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
  // Checked twice: a file that another process is creating gets its first page before its log has a transaction.
  if (isGone(file) && holdsTransaction(`${file}-wal`) && isGone(file)) {
    return lostFile(file);
  }
  // Closing a handle drops every lock that SQLite holds on the file in this process, and another process could then delete the
  // log while a connection uses it. A connection of this process that has the file open has replayed the log already.
  const isSafeToRead = openHere !== undefined && !isAmong(openHere, statusOf(file));
  return isSafeToRead && isForeign(file, `${file}-wal`) ? foreignLog(file) : undefined;
}

/** In one process, connections to two files with the same log path do not see each other's locks. */
function sharedLog(file: string): string {
  return `${file}-wal is in use by a store in this process whose file was moved or replaced. Close that store first.`;
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
  return withFile(log, (handle) => new LogReader(handle).transactions(true).next().done !== true);
}

function isForeign(file: string, log: string): boolean {
  return withFile(file, (fileHandle) =>
    withFile(log, (logHandle) => {
      const page = readAt(fileHandle, 0, DATABASE_HEADER);
      const header = toDatabaseHeader(page);
      const reader = new LogReader(logHandle);
      if (header === undefined || canBelong(header, reader, false) || canBelong(header, reader, true)) {
        return false;
      }
      // If either has changed, another process is working on them.
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

/** A connection increments the counter of the page that it read, which may be older than its own last commit. */
function isFoundBy(image: DatabaseHeader, file: DatabaseHeader): boolean {
  const difference = (image.changeCounter - file.changeCounter) >>> 0;
  return difference <= 1;
}

/** While no transaction writes the first page, the size of the database stays the same. */
function hasSizeBefore(first: LoggedTransaction, { pages }: DatabaseHeader): boolean {
  return first.header !== undefined || pages === undefined || pages === first.pages;
}

/** Returns `undefined` if the operating system does not list open files. */
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
    return ""; // The handle of the listed folder, which is already closed.
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

function withFile<T>(path: string, work: (handle: number) => T): T {
  const handle = openSync(path, "r");
  try {
    return work(handle);
  } finally {
    closeSync(handle);
  }
}

/** The path that symbolic links lead to, even if no file exists there yet: SQLite keeps the log next to it. */
export function targetOf(path: string): string {
  const folder = dirname(path);
  const name = join(existsSync(folder) ? realpathSync(folder) : resolve(folder), basename(path));
  const isLink = lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink ? targetOf(resolve(dirname(name), readlinkSync(name))) : name;
}
