/** Files of one run: made when they are first asked for, and deleted with their folder at the end. */
import { cpSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Scratch {
  readonly #folder = mkdtempSync(join(tmpdir(), "checkpoint-sqlite-bench-"));
  readonly #filled = new Map<string, Promise<string>>();
  #count = 0;

  /** A path where there is no file yet. */
  newPath(): string {
    return join(this.#folder, `${++this.#count}.db`);
  }

  /** The file of that name: filled once a run. */
  filled(name: string, fill: (path: string) => Promise<void>): Promise<string> {
    const known = this.#filled.get(name);
    if (known !== undefined) {
      return known;
    }
    const path = this.newPath();
    const filling = fill(path).then(() => path);
    this.#filled.set(name, filling);
    return filling;
  }

  /** Of a file that nobody has open. */
  copy(from: string, to: string): void {
    cpSync(from, to);
  }

  /** Free space where the files are, in bytes. */
  get room(): number {
    const { bavail, bsize } = statfsSync(this.#folder);
    return bavail * bsize;
  }

  delete(path: string): void {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) {
      rmSync(path + suffix, { force: true });
    }
  }

  deleteAll(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
