/** Prepares a file before SQLite opens it: checks its path and status, and creates it if it is missing. */
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readlinkSync,
  type Stats,
  statSync,
} from "node:fs";
import { devNull } from "node:os";
import { dirname, resolve } from "node:path";
import { InvalidArgumentError, StoreOpenError } from "../errors.js";
import { messageOf } from "../values/describe.js";
import { IN_MEMORY } from "./connection.js";
import { refuseForeignLog, targetOf } from "./foreign-log.js";

export function checkPath(path: string, readonly: boolean): void {
  if (path.trim() !== path) {
    throw new InvalidArgumentError(
      "path",
      "must not start or end with whitespace: bun:sqlite would open another file",
    );
  }
  if (readonly && path === IN_MEMORY) {
    throw new InvalidArgumentError(
      "options.readonly",
      'cannot be given with ":memory:", which starts empty: leave it out',
    );
  }
  if (path === "") {
    throw new InvalidArgumentError(
      "path",
      'is empty, which makes SQLite open a temporary database: pass a file\'s path, or ":memory:"',
    );
  }
  if (path.includes("\0") || path.startsWith("file:")) {
    throw new InvalidArgumentError(
      "path",
      'must be the plain path of a file, not a URL (use "./file:…" for a file with such a name), without NUL characters',
    );
  }
}

/** SQLite's limit on Unix is 512, of which it reserves 8 for the suffixes of its other files. */
const LONGEST_PATH = 504;

/** If a link cannot be followed, for lack of file handles or permissions, opening the file reports it. */
function absoluteTargetOf(path: string): string {
  try {
    return targetOf(path);
  } catch {
    return resolve(path);
  }
}

/** Called first, so that no file is created that SQLite cannot open. */
function checkLength(path: string): void {
  const length = Buffer.byteLength(absoluteTargetOf(path));
  if (length > LONGEST_PATH) {
    throw new StoreOpenError(
      path,
      `its absolute path has ${length} bytes, and SQLite takes at most ${LONGEST_PATH}: use a shorter one.`,
    );
  }
}

/** Creates a missing file, and rejects one that SQLite would misread, silently open read-only, or wait for. */
export function readyFile(path: string, readonly: boolean): void {
  const found = statusOf(path);
  checkLength(path);
  if (found === undefined) {
    if (readonly) {
      throw new StoreOpenError(path, "the file does not exist, and readonly does not create it.");
    }
    refuseForeignLog(path);
    createPrivately(path);
    return;
  }
  if (!found.isFile()) {
    throw new StoreOpenError(
      path,
      `it is ${found.isDirectory() ? "a directory" : "not a regular file"}: pass a file's path.`,
    );
  }
  if (found.nlink > 1) {
    throw new StoreOpenError(path, SEVERAL_NAMES);
  }
  if (found.size === 1) {
    // SQLite treats it as an empty database and would overwrite it.
    throw new StoreOpenError(path, NOT_A_DATABASE);
  }
  try {
    accessSync(path, readonly ? constants.R_OK : constants.R_OK | constants.W_OK);
  } catch (error) {
    const remedy = readonly ? "" : ", or open it with readonly: true";
    throw new StoreOpenError(path, `no permission (${messageOf(error)}): change the file's mode${remedy}.`, {
      cause: error,
    });
  }
  refuseForeignLog(path);
}

function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new StoreOpenError(path, `${messageOf(error)}.`, { cause: error });
  }
}

/**
 * SQLite would create the file readable by everyone. This creates it exclusively and never opens an existing file, because
 * closing a second handle on an open database drops SQLite's POSIX locks in this process.
 */
function createPrivately(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      createTarget(path); // It is a dangling link, or another process has just created the file with the same mode.
      return;
    }
    const reason = isOutOfHandles(error)
      ? OUT_OF_HANDLES
      : `the file or its folder cannot be created (${messageOf(error)}).`;
    throw new StoreOpenError(path, reason, { cause: error });
  }
}

/** Through a dangling symbolic link SQLite would create the file readable by everyone. */
function createTarget(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    createPrivately(resolve(dirname(path), readlinkSync(path)));
  }
}

/** The file, its log and the log's index. SQLite does not report that it ran out of handles. */
const HANDLES_OF_A_STORE = 3;

/** Whether the process has fewer file handles left than a store needs. */
export function lacksHandles(): boolean {
  const handles: number[] = [];
  try {
    while (handles.length < HANDLES_OF_A_STORE) {
      handles.push(openSync(devNull, "r"));
    }
    return false;
  } catch (error) {
    return isOutOfHandles(error);
  } finally {
    handles.forEach(closeSync);
  }
}

function isOutOfHandles(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE");
}

export const OUT_OF_HANDLES =
  "the process is out of file handles: a store needs three. Close files that are not needed, or raise the limit (ulimit -n).";

const SEVERAL_NAMES =
  "the file has a second name (a hard link). SQLite names the write-ahead log after the file, so a program that uses the other name " +
  "neither sees nor keeps these commits. Remove one of the names, or copy the file. For a container, mount the folder, not the file.";

export const NOT_A_DATABASE = "it is not a SQLite database: pass another path.";
