/**
 * Files whose cells hold anything. A call that hangs may keep its whole process from ever running a timer, so the
 * cases are worked through by a child, which is ended and replaced if it stays in one case.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { commandOf } from "../support/children.js";
import { linesOf } from "../support/lines.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { Report, ReportRow, Scale, Scenario } from "./scenario.js";
import { type Counts, casesOf } from "./support/cell-fuzz.js";

/** Milliseconds without a word. */
const LONGEST_CASE = 5_000;
const LONGEST_LARGE_CASE = 120_000;

interface Line {
  readonly index: number;
  readonly doing?: string;
  readonly place?: string;
  readonly done?: boolean;
  readonly counts?: readonly [string, Counts][];
  readonly violations?: readonly string[];
}

/** What one child came to. */
interface Run {
  readonly results: Line | undefined;
  /** The case it was ended in. */
  readonly hung: Line | undefined;
}

export const hostileValues: Scenario = {
  name: "hostile-values",
  about:
    "Any cell of a file holds anything: every read gives the equal value, or names the corrupt cell; never anything else.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const folder = await createTemporaryFolder();
    try {
      return await runAll(scale, folder.path, progress);
    } finally {
      await folder.remove();
    }
  },
};

async function runAll(scale: Scale, folder: string, progress: (doing: string) => void): Promise<Report> {
  const runs: Run[] = [];
  const violations: string[] = [];
  for (let first: number | undefined = 0; first !== undefined; ) {
    const own = join(folder, `${runs.length}`);
    mkdirSync(own);
    const run = await runChild([scale, own, `${first}`], progress);
    runs.push(run);
    violations.push(...(run.results?.violations ?? []));
    if (run.hung !== undefined) violations.push(`${run.hung.doing}: no answer, or the process ended`);
    first = run.hung === undefined ? undefined : nextPlace(scale, run.hung);
  }
  return { rows: toRows(runs), violations };
}

async function runChild(list: string[], progress: (doing: string) => void): Promise<Run> {
  const child = Bun.spawn(commandOf("hostile-values.ts", list), {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  let current: Line | undefined;
  let results: Line | undefined;
  const limit = () => (current?.place?.includes(".") === true ? LONGEST_CASE : LONGEST_LARGE_CASE);
  let timer = setTimeout(() => child.kill("SIGKILL"), LONGEST_LARGE_CASE);
  for await (const text of linesOf(child.stdout)) {
    const line = JSON.parse(text) as Line;
    if (line.done === true) results = line;
    else current = line;
    progress(current?.place ?? "");
    clearTimeout(timer);
    timer = setTimeout(() => child.kill("SIGKILL"), limit());
  }
  clearTimeout(timer);
  const isWhole = (await child.exited) === 0;
  return { results, hung: isWhole ? undefined : current };
}

/** If one cell of a column hangs, others of it would too: each costs the whole time limit. */
function nextPlace(scale: Scale, hung: Line): number | undefined {
  const cases = casesOf(scale);
  const next = cases.findIndex(
    ({ place }, index) => index > hung.index && `${place.table}.${place.column}` !== hung.place,
  );
  return hung.index >= cases.length ? undefined : next === -1 ? cases.length : next;
}

function toRows(runs: readonly Run[]): ReportRow[] {
  const rows = new Map<string, Counts>();
  for (const [kind, counts] of runs.flatMap(({ results }) => results?.counts ?? [])) {
    const sum = rows.get(kind) ?? { cases: 0, equal: 0, corrupt: 0, refused: 0, wrong: 0 };
    rows.set(kind, {
      cases: sum.cases + counts.cases,
      equal: sum.equal + counts.equal,
      corrupt: sum.corrupt + counts.corrupt,
      refused: sum.refused + counts.refused,
      wrong: sum.wrong + counts.wrong,
    });
  }
  const hung = runs.filter((run) => run.hung !== undefined).length;
  rows.set("anything that never answered", { cases: hung, equal: 0, corrupt: 0, refused: 0, wrong: hung });
  return [...rows].map(([kind, counts]) => ({
    "what was in the cell": kind,
    cases: counts.cases,
    "read back equal": counts.equal,
    "named as corrupt": counts.corrupt,
    "refused by SQLite": counts.refused,
    wrong: counts.wrong,
  }));
}
