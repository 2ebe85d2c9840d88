/** Maintenance functions in a child process that is killed. */
import { join } from "node:path";
import { rowsOf, withDatabase } from "../../support/sql.js";

const ENTRY = JSON.stringify(join(import.meta.dir, "../../../src/maintenance/index.ts"));

/** How often a child is killed, each time after it has made more progress. */
const KILLS = 8;

/**
 * Runs a program that calls maintenance functions, each time in a child that is killed after one more step than the last, until
 * one ends by itself. Returns how many were killed.
 */
export async function killRepeatedly(program: string, afterEach: () => void): Promise<number> {
  for (let kills = 0; kills < KILLS; kills++) {
    const child = Bun.spawn([process.execPath, "-e", scriptOf(program, kills)], {
      stdout: "pipe",
      stderr: "inherit",
    });
    await child.exited;
    afterEach();
    if (child.signalCode === null) {
      return kills;
    }
  }
  return KILLS;
}

/** The child kills itself inside the write transaction of its n-th step, or between two of them. */
function scriptOf(program: string, kills: number): string {
  const step = 1 + kills * 3 + (kills % 2);
  return `
    import { Database } from "bun:sqlite";
    let begun = 0;
    const prepare = Database.prototype.prepare;
    Database.prototype.prepare = function (sql, ...rest) {
      if (/^(BEGIN|COMMIT)/.test(sql) && ++begun === ${step}) process.kill(process.pid, "SIGKILL");
      return prepare.call(this, sql, ...rest);
    };
    const maintenance = await import(${ENTRY});
    const { prune, importSessions, copySession, compact, exportSessions } = maintenance;
    ${program}`;
}

/** What SQLite's own checks find wrong in a file. */
export function problemsIn(path: string): string[] {
  return withDatabase(path, (database) => [
    ...rowsOf<{ integrity_check: string }>(database, "PRAGMA integrity_check")
      .map((row) => row.integrity_check)
      .filter((answer) => answer !== "ok"),
    ...rowsOf(database, "PRAGMA foreign_key_check").map((row) => JSON.stringify(row)),
  ]);
}
