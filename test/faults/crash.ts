/** Kills a process that writes, at random moments and at named points of the write path. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { History } from "./crash/history.js";
import { RecordedWriter } from "./crash/recorded-writer.js";
import { recover } from "./crash/recovery.js";
import { seedFor } from "./crash/seed.js";
import { KILL_POINTS, type KillPoint, type WriterSettings } from "./crash/writes.js";
import type { Report, ReportRow, Scale, Scenario } from "./scenario.js";
import { Random } from "./support/random.js";

const RANDOM_MOMENT = "a random moment";
type Moment = KillPoint | typeof RANDOM_MOMENT;

const KILLS: Record<Scale, { random: number; eachPoint: number }> = {
  short: { random: 2, eachPoint: 1 },
  full: { random: 120, eachPoint: 12 },
};

/** A child that has not come to its point by then never will. */
const LONGEST_WAIT = 20_000;

export const sigkill: Scenario = {
  name: "sigkill",
  about:
    "A process that writes, with several calls in flight, is killed: every acknowledged write is there and equal, nothing is half there, and the next write works.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const seed = seedFor(scale);
    const random = new Random(seed);
    const violations: string[] = [];
    const rows: ReportRow[] = [];
    const folder = await createTemporaryFolder();
    try {
      for (const moment of [RANDOM_MOMENT, ...KILL_POINTS] as const) {
        const tally = new Tally(moment, seed, violations);
        const count = moment === RANDOM_MOMENT ? KILLS[scale].random : KILLS[scale].eachPoint;
        for (let index = 1; index <= count; index++) {
          progress(`killed at ${moment}: ${index} of ${count}`);
          await killOnce(moment, join(folder.path, "kill"), random, tally);
        }
        rows.push(tally.row());
      }
    } finally {
      await folder.remove();
    }
    return { rows, violations };
  },
};

class Tally {
  #kills = 0;
  #acknowledged = 0;
  #inFlight = 0;
  #inFlightHeld = 0;
  #violations = 0;

  constructor(
    readonly moment: Moment,
    readonly seed: number,
    readonly violations: string[],
  ) {}

  kill(history: History): void {
    this.#kills += 1;
    this.#acknowledged += history.acknowledged;
    this.#inFlight += history.calls.length - history.acknowledged;
  }

  held(callsInFlight: number): void {
    this.#inFlightHeld += callsInFlight;
  }

  violation(what: string): void {
    this.#violations += 1;
    this.violations.push(`killed at ${this.moment}, kill ${this.#kills} of seed ${this.seed}: ${what}`);
  }

  row(): ReportRow {
    return {
      "killed at": this.moment,
      kills: this.#kills,
      "writes acknowledged": this.#acknowledged,
      "in flight": this.#inFlight,
      "of these in the file": this.#inFlightHeld,
      violations: this.#violations,
      seed: this.seed,
    };
  }
}

async function killOnce(moment: Moment, folder: string, random: Random, tally: Tally): Promise<void> {
  mkdirSync(folder);
  const settings = settingsFor(moment, join(folder, "store.db"), random);
  const child = new RecordedWriter(settings);
  const problem = await (moment === RANDOM_MOMENT ? killLater(child, random) : waitForItsEnd(child));
  const history = child.history();
  tally.kill(history);
  for (const failure of [...(problem ? [problem] : []), ...history.failures]) tally.violation(failure);
  await check(settings.path, history, tally);
  rmSync(folder, { recursive: true });
}

function settingsFor(moment: Moment, path: string, random: Random): WriterSettings {
  // The process alone dies, so that the setting must not matter.
  const settings: WriterSettings = {
    path,
    seed: random.below(2 ** 32),
    synchronous: random.pick(["full", "normal"]),
  };
  if (moment === RANDOM_MOMENT) return settings;
  const kill = { point: moment, transaction: random.between(2, 40), statement: random.between(1, 14) };
  return { ...settings, kill };
}

/** Some while it opens the file, most while it writes. */
async function killLater(child: RecordedWriter, random: Random): Promise<string | undefined> {
  if (random.chance(0.15)) {
    await Bun.sleep(random.between(10, 90));
  } else {
    while (!child.hasSpoken && !child.hasEnded) await Bun.sleep(1);
    await Bun.sleep(random.fraction() * 250);
  }
  const problem = child.hasEnded ? "the child ended before it was killed" : undefined;
  await child.kill();
  return problem;
}

async function waitForItsEnd(child: RecordedWriter): Promise<string | undefined> {
  const ended = await Promise.race([
    child.ended(),
    Bun.sleep(LONGEST_WAIT).then(() => "it never came to the point"),
  ]);
  await child.kill();
  return ended;
}

async function check(path: string, history: History, tally: Tally): Promise<void> {
  const { state, problems } = await recover(path);
  for (const problem of problems) tally.violation(problem);
  if (state === undefined) return;
  const { acknowledged } = history;
  history.learnFrom(state);
  const held = history.borders(acknowledged).get(state.digest());
  if (held === undefined) tally.violation(history.explain(state, acknowledged));
  else tally.held(held - acknowledged);
  const problem = held === undefined ? undefined : wrongSide(tally.moment, held - acknowledged);
  if (problem !== undefined) tally.violation(problem);
}

/** A transaction is in the file from its COMMIT on, and not before. */
function wrongSide(moment: Moment, callsInFlight: number): string | undefined {
  if (moment === RANDOM_MOMENT) return undefined;
  const isCommitted = moment === "after COMMIT";
  return isCommitted === callsInFlight > 0 ? undefined : `${callsInFlight} calls in flight are in the file`;
}
