/** The PostgreSQL of the machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const DEBIAN = "/usr/lib/postgresql";

/** The folder of its programs. */
export const PROGRAMS =
  process.env.POSTGRES_BIN ?? newestProgramsOfDebian() ?? folderOf(Bun.which("postgres"));

/** Why no server can be started here; `undefined` if one can. */
export const WHY_NOT = whyNot();

function newestProgramsOfDebian(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined;
  const found = [...new Bun.Glob("*/bin/postgres").scanSync({ cwd: DEBIAN, onlyFiles: false })];
  const [newest] = found.toSorted((one, other) => Number.parseInt(other, 10) - Number.parseInt(one, 10));
  return newest === undefined ? undefined : join(DEBIAN, newest, "..");
}

function folderOf(program: string | null): string | undefined {
  return program === null ? undefined : join(program, "..");
}

function whyNot(): string | undefined {
  if (PROGRAMS === undefined || !existsSync(join(PROGRAMS, "initdb"))) {
    return "there is no PostgreSQL: apt-get install --no-install-recommends postgresql, or set POSTGRES_BIN";
  }
  return process.getuid?.() === 0 && Bun.which("setpriv") === null
    ? "PostgreSQL does not run as root, and there is no setpriv"
    : undefined;
}
