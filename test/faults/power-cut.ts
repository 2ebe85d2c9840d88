/** Power cuts: what a process wrote and synced is replayed up to a point, and what was not synced is lost in part. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import { CUT_STYLES, type CutStyle, Disk } from "./crash/disk.js";
import type { History } from "./crash/history.js";
import { RecordedWriter } from "./crash/recorded-writer.js";
import { recover } from "./crash/recovery.js";
import { seedFor } from "./crash/seed.js";
import { type DiskEvent, missingForTracing, readTrace, tracing } from "./crash/strace.js";
import type { Line } from "./crash/writes.js";
import type { Report, ReportRow, Scale, Scenario } from "./scenario.js";
import { Random } from "./support/random.js";

type Synchronous = "full" | "normal";

interface Extent {
  recordings: number;
  /** Of each recording. In the full form they fill the log more than once, so that WAL checkpoints restart it. */
  calls: number;
  /** Of each recording. */
  cuts: number;
}

const EXTENT: Record<Scale, Extent> = {
  short: { recordings: 1, calls: 60, cuts: 20 },
  full: { recordings: 4, calls: 700, cuts: 150 },
};

const DATABASE = "store.db";

export const powerCut: Scenario = {
  name: "power-cut",
  about:
    "The power is cut, unsynced writes are kept, dropped or torn: at full no acknowledged write is lost; at normal the last may be, and are counted; nothing is torn or corrupt at either.",
  missing: missingForTracing,
  async run(scale, progress): Promise<Report> {
    const seed = seedFor(scale);
    const random = new Random(seed);
    const violations: string[] = [];
    const rows: ReportRow[] = [];
    const folder = await createTemporaryFolder();
    try {
      for (const synchronous of ["full", "normal"] as const) {
        const tallies = new Map(
          CUT_STYLES.map((style) => [style, new Tally(synchronous, style, seed, violations)]),
        );
        for (let index = 1; index <= EXTENT[scale].recordings; index++) {
          progress(`${synchronous}: recording ${index}`);
          const recording = await record(
            synchronous,
            join(folder.path, "record"),
            EXTENT[scale].calls,
            random,
          );
          progress(`${synchronous}: cuts of recording ${index}`);
          await cutAtRandom(recording, join(folder.path, "cut"), EXTENT[scale].cuts, random, tallies);
        }
        rows.push(...[...tallies.values()].map((tally) => tally.row()));
      }
    } finally {
      await folder.remove();
    }
    return { rows, violations };
  },
};

class Tally {
  #cuts = 0;
  #acknowledged = 0;
  #cutsThatLost = 0;
  #lost = 0;
  #mostLost = 0;
  #violations = 0;

  constructor(
    readonly synchronous: Synchronous,
    readonly style: CutStyle,
    readonly seed: number,
    readonly violations: string[],
  ) {}

  cut(acknowledged: number): void {
    this.#cuts += 1;
    this.#acknowledged += acknowledged;
  }

  lost(acknowledged: number): void {
    this.#cutsThatLost += 1;
    this.#lost += acknowledged;
    this.#mostLost = Math.max(this.#mostLost, acknowledged);
  }

  violation(what: string): void {
    this.#violations += 1;
    this.violations.push(
      `${this.synchronous}, ${this.style}, cut ${this.#cuts} of seed ${this.seed}: ${what}`,
    );
  }

  row(): ReportRow {
    return {
      synchronous: this.synchronous,
      "unsynced writes": this.style,
      cuts: this.#cuts,
      "writes acknowledged before": this.#acknowledged,
      "cuts that lost some": this.#cutsThatLost,
      "acknowledged and lost": this.#lost,
      "most in one cut": this.#mostLost,
      violations: this.#violations,
      seed: this.seed,
    };
  }
}

interface Recording {
  events: DiskEvent[];
  history: History;
  /** How many calls a state holds, by its digest. */
  borders: Map<string, number>;
}

async function record(
  synchronous: Synchronous,
  folder: string,
  calls: number,
  random: Random,
): Promise<Recording> {
  mkdirSync(folder);
  const path = join(folder, DATABASE);
  const child = new RecordedWriter({ path, seed: random.below(2 ** 32), synchronous, calls }, tracing(path));
  const problem = await child.ended();
  const history = child.history();
  if (problem !== undefined || history.failures.length > 0) {
    throw new Error(`Nothing was recorded: ${problem ?? history.failures.join("; ")}`);
  }
  const events = readTrace(path);
  rmSync(folder, { recursive: true });
  return { events, history, borders: history.borders() };
}

async function cutAtRandom(
  recording: Recording,
  folder: string,
  cuts: number,
  random: Random,
  tallies: ReadonlyMap<CutStyle, Tally>,
): Promise<void> {
  const disk = new Disk();
  const points = momentsOf(recording.events, cuts, random);
  let acknowledged = 0;
  for (let done = 0; done <= recording.events.length; done++) {
    for (; points[0] === done; points.shift()) {
      const style = random.pick(CUT_STYLES);
      const tally = tallies.get(style);
      if (tally === undefined) continue;
      tally.cut(acknowledged);
      await check(disk.cut(style, random), folder, recording, acknowledged, tally);
    }
    const event = recording.events[done];
    if (event === undefined) return;
    disk.apply(event);
    acknowledged = Math.max(acknowledged, acknowledgedBy(event));
  }
}

/** Half of them anywhere, half around the rarer events: syncs, files that come and go, and the log's copying back. */
function momentsOf(events: readonly DiskEvent[], count: number, random: Random): number[] {
  const rare = [...events.keys()].filter((index) => isRare(events, index));
  const moments = Array.from({ length: count }, () =>
    random.chance(0.5) ? random.below(events.length + 1) : random.pick(rare) + random.between(0, 2),
  );
  return moments.map((moment) => Math.min(moment, events.length)).sort((a, b) => a - b);
}

function isRare(events: readonly DiskEvent[], index: number): boolean {
  const [event, before] = [events[index], events[index - 1]];
  if (event === undefined || event.kind === "say") return false;
  // The beginning and the end of what is written to one file without a break.
  return event.kind !== "write" || before?.kind !== "write" || before.file !== event.file;
}

function acknowledgedBy(event: DiskEvent): number {
  if (event.kind !== "say") return 0;
  const lines = event.text.trimEnd().split("\n");
  return Math.max(
    ...lines.map((text) => {
      const line: Line = JSON.parse(text);
      return "effect" in line ? line.call : 0;
    }),
  );
}

async function check(
  files: ReadonlyMap<string, Uint8Array>,
  folder: string,
  { history, borders }: Recording,
  acknowledged: number,
  tally: Tally,
): Promise<void> {
  mkdirSync(folder);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  const { state, problems } = await recover(join(folder, DATABASE));
  rmSync(folder, { recursive: true });
  for (const problem of problems) tally.violation(problem);
  if (state === undefined) return;
  const held = borders.get(state.digest());
  if (held === undefined) {
    tally.violation(history.explain(state, acknowledged));
  } else if (held < acknowledged) {
    tally.lost(acknowledged - held);
    if (tally.synchronous === "full") {
      tally.violation(`${acknowledged} writes were acknowledged and ${acknowledged - held} of them are lost`);
    }
  }
}
