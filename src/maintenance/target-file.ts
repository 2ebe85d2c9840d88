/**
 * A file that is written under another name and renamed into place when it is whole: a backup, a restored or a salvaged file.
 *
 * Limits: a killed process leaves the unfinished file, with a name that ends in `.partial`. The next call for the same target
 * deletes it, once nothing was written to it for an hour: until then it may be that of a call that is running.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  truncateSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { checkPath } from "../database/files.js";
import { targetOf } from "../database/foreign-log.js";
import { CheckpointStoreError, DiskFullError, InvalidArgumentError, StorageError } from "../errors.js";
import { isInstance, messageOf } from "../values/describe.js";
import { newRowId } from "../values/ids.js";

/** What SQLite would replay over a database file of the same name. */
const LOGS = ["-wal", "-journal"] as const;

/** After the target's name and a point: the unfinished file, the copy of a source that was cut, and what SQLite puts beside them. */
const PARTIAL = /^[\da-z-]{8,}\.partial(-source)?(-wal|-shm|-journal)?$/i;

/** Milliseconds. A copy is written all the time, and then read by its checks for far less. */
const ABANDONED_AFTER = 60 * 60 * 1_000;

const FILES_BESIDE = [...LOGS, "-shm"] as const;

export class TargetFile {
  /** Where the file is written. */
  readonly partial: string;
  readonly #path: string;

  /**
   * @param to Where the file will be in the end.
   * @param source The file that is read; `null` if it is not one.
   * @param isOverwriting Whether a file that is there already may be replaced.
   * @throws {InvalidArgumentError} if something is in the way there.
   */
  constructor(
    to: string,
    source: string | null,
    readonly isOverwriting: boolean,
  ) {
    checkPath(to, false);
    this.#path = onFileSystem(() => targetOf(to));
    this.partial = `${this.#path}.${newRowId()}.partial`;
    onFileSystem(() => {
      if (source !== null) {
        refuseSame(this.#path, source);
      }
      this.#refuseObstacle();
    });
  }

  /** Creates the file for its owner alone, as SQLite would not. */
  create(): void {
    onFileSystem(() => {
      this.#deleteAbandoned();
      closeSync(openSync(this.partial, "wx", 0o600));
    });
  }

  /** What killed calls for this target left behind. Another call may be deleting the same. */
  #deleteAbandoned(): void {
    const [folder, name] = [dirname(this.#path), basename(this.#path)];
    const isPartial = (file: string) =>
      file.startsWith(`${name}.`) && PARTIAL.test(file.slice(name.length + 1));
    for (const file of readdirSync(folder).filter(isPartial)) {
      const path = join(folder, file);
      const writtenAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
      if (writtenAt < Date.now() - ABANDONED_AFTER) {
        rmSync(path, { force: true });
      }
    }
  }

  /** Where {@link keepExtended} puts its copy. */
  get extended(): string {
    return `${this.partial}-source`;
  }

  /** Copies a file that was cut, with its log, and extends it by zeros. */
  keepExtended(source: string, size: number): void {
    onFileSystem(() => {
      closeSync(openSync(this.extended, "wx", 0o600));
      copyFileSync(source, this.extended);
      if (existsSync(`${source}-wal`)) {
        copyFileSync(`${source}-wal`, `${this.extended}-wal`);
      }
      truncateSync(this.extended, size);
    });
  }

  get size(): number {
    return statSync(this.partial, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Puts the file into place, once all of it is on disk. */
  commit(): void {
    onFileSystem(() => {
      sync(this.partial, "r+");
      this.#refuseObstacle();
      for (const suffix of FILES_BESIDE) {
        rmSync(this.#path + suffix, { force: true }); // They are empty, or SQLite makes them anew.
      }
      renameSync(this.partial, this.#path);
      syncFolder(dirname(this.#path));
    });
  }

  /** Leaves nothing of an unfinished file. */
  discard(): void {
    for (const path of [this.partial, this.extended]) {
      for (const suffix of ["", ...FILES_BESIDE]) {
        rmSync(path + suffix, { force: true });
      }
    }
  }

  #refuseObstacle(): void {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    if (found !== undefined && !found.isFile()) {
      throw new InvalidArgumentError(
        "to",
        `is not a file: ${this.#path} is ${kindOf(found)}. Pass a file's path`,
      );
    }
    for (const suffix of LOGS) {
      const log = this.#path + suffix;
      if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0) {
        throw new InvalidArgumentError("to", `has the log of another database beside it: ${leftover(log)}`);
      }
    }
    if (found !== undefined && !this.isOverwriting) {
      throw new InvalidArgumentError(
        "to",
        `exists already: ${this.#path}. Pass another path, move that file away, or pass overwrite: true`,
      );
    }
  }
}

function kindOf(status: Stats): string {
  return status.isDirectory() ? "a directory" : "not a regular file";
}

function leftover(log: string): string {
  return (
    `${log} would be replayed over the new file. If a store has that file open, close it; after a crash, move the log away ` +
    'together with its file. See "Move or rename the file" in docs/operating.md'
  );
}

function refuseSame(path: string, source: string): void {
  const [found, other] = [path, source].map((each) =>
    statSync(each, { bigint: true, throwIfNoEntry: false }),
  );
  if (found !== undefined && found.dev === other?.dev && found.ino === other.ino) {
    throw new InvalidArgumentError("to", `is the file that is read itself: ${path}. Pass another path`);
  }
}

function sync(path: string, flags: string): void {
  const handle = openSync(path, flags);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The rename is on disk when its folder is. Windows has no handles of folders, and renames durably by itself. */
function syncFolder(folder: string): void {
  if (process.platform !== "win32") {
    sync(folder, "r");
  }
}

/** Runs calls of the file system; their errors become those of this package. */
function onFileSystem<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isInstance(error, CheckpointStoreError)) {
      throw error;
    }
    const cause = { cause: error };
    throw isDiskFull(error)
      ? new DiskFullError(cause)
      : new StorageError(`${messageOf(error)}. Check that the folder exists and may be written to.`, cause);
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
