/** Damages the log of a process that was killed, and database files: what is read is right, or an error of ours. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import { DAMAGES, type Damage } from "./crash/damage.js";
import { type DamagedEnd, type DamagedOutcome, readDamaged } from "./crash/damaged-files.js";
import { DamagedLog } from "./crash/damaged-log.js";
import { RecordedWriter } from "./crash/recorded-writer.js";
import { seedFor } from "./crash/seed.js";
import { WAL_HEADER } from "./crash/wal.js";
import type { Report, ReportRow, Scale, Scenario } from "./scenario.js";
import { Random } from "./support/random.js";

interface Extent {
  /** The processes are killed when their logs have so many frames. */
  logs: readonly number[];
  /** Further logs, which WAL checkpoints have restarted. */
  logsBegunAnew: number;
  /** Every so manieth frame's border. */
  borderStep: number;
  /** Of each log. */
  bytes: number;
  flips: number;
  /** Of each kind of damage. */
  files: number;
}

const EXTENT: Record<Scale, Extent> = {
  short: { logs: [60], logsBegunAnew: 0, borderStep: 4, bytes: 12, flips: 12, files: 8 },
  full: { logs: [300], logsBegunAnew: 1, borderStep: 1, bytes: 100, flips: 150, files: 60 },
};

export const walDamage: Scenario = {
  name: "wal-damage",
  about:
    "A log is cut or its bits are flipped: the file holds all that was committed before the damage, and the next write works. A database file is cut or its bits are flipped: it reads equal, or as an error of this package.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const damager = new Damager(scale, progress);
    const folder = await createTemporaryFolder();
    try {
      for (const frames of EXTENT[scale].logs) await damager.damageLog(folder.path, frames, false);
      for (let log = 0; log < EXTENT[scale].logsBegunAnew; log++) {
        await damager.damageLog(folder.path, 0, true);
      }
      await damager.damageFiles(folder.path);
    } finally {
      await folder.remove();
    }
    return { rows: damager.rows(), violations: damager.violations };
  },
};

class Tally {
  tried = 0;
  right = 0;
  otherData = 0;
  violations = 0;
  readonly errors = new Map<string, number>();
}

class Damager {
  readonly violations: string[] = [];
  readonly #seed: number;
  readonly #random: Random;
  readonly #tallies = new Map<string, Tally>();

  constructor(
    readonly scale: Scale,
    readonly progress: (doing: string) => void,
  ) {
    this.#seed = seedFor(scale);
    this.#random = new Random(this.#seed);
  }

  async damageLog(folder: string, frames: number, isRestarted: boolean): Promise<void> {
    const { bytes, flips, borderStep } = EXTENT[this.scale];
    const log = await DamagedLog.make(join(folder, "log"), frames, isRestarted, this.#random);
    const kind = isRestarted ? "log begun anew" : "log";
    const { wal } = log;
    for (let border = wal.frames; border >= 0; border -= borderStep) {
      this.progress(`${kind} cut after frame ${border} of ${wal.frames}`);
      await this.#try(`${kind}: cut at a frame's border`, `frame ${border}`, () => log.cutAfter(border));
    }
    for (let count = 0; count < bytes; count++) {
      this.progress(`${kind} cut at a byte: ${count} of ${bytes}`);
      const byte = this.#random.below(wal.bytes.length);
      await this.#try(`${kind}: cut at a byte`, `byte ${byte}`, () => log.cutAt(byte));
    }
    for (let count = 0; count < flips; count++) {
      this.progress(`${kind} with a bit flipped: ${count} of ${flips}`);
      const byte = this.#random.below(this.#random.chance(0.1) ? WAL_HEADER : wal.bytes.length);
      await this.#try(`${kind}: one bit flipped`, `byte ${byte}`, () => log.flipAt(byte, this.#random));
    }
    rmSync(log.folder, { recursive: true });
  }

  async damageFiles(folder: string): Promise<void> {
    const base = await writeDatabase(join(folder, "file"), this.#random);
    const count = EXTENT[this.scale].files;
    for (const damage of Object.keys(DAMAGES) as Damage[]) {
      this.progress(`file: ${damage}`);
      const tally = this.#tally(`file: ${damage}`);
      for await (const outcome of readDamaged(base, damage, this.#seed, count)) {
        tally.tried += 1;
        const problem = countOutcome(tally, damage, outcome);
        if (problem !== undefined) this.#violation(tally, `file: ${damage}, ${problem}`);
      }
    }
  }

  rows(): ReportRow[] {
    return [...this.#tallies].map(([damage, tally]) => ({
      damage,
      tried: tally.tried,
      "all before the damage, or equal": tally.right,
      "errors of this package": [...tally.errors].map(([name, count]) => `${count} ${name}`).join(", "),
      "other data, no error": tally.otherData,
      violations: tally.violations,
      seed: this.#seed,
    }));
  }

  async #try(damage: string, where: string, attempt: () => Promise<string[]>): Promise<void> {
    const tally = this.#tally(damage);
    tally.tried += 1;
    const problems = await attempt();
    if (problems.length === 0) tally.right += 1;
    for (const problem of problems) this.#violation(tally, `${damage}, ${where}: ${problem}`);
  }

  #tally(damage: string): Tally {
    const tally = this.#tallies.get(damage) ?? new Tally();
    this.#tallies.set(damage, tally);
    return tally;
  }

  #violation(tally: Tally, what: string): void {
    tally.violations += 1;
    this.violations.push(`${what} (seed ${this.#seed})`);
  }
}

/**
 * Returns what must not be. SQLite has no checksums: a bit that is flipped in a value may leave another valid value.
 * That is counted, and no violation. Nothing excuses data that is missing from a file that was cut.
 */
function countOutcome(
  tally: Tally,
  damage: Damage,
  outcome: DamagedOutcome | DamagedEnd,
): string | undefined {
  if ("died" in outcome) return `number ${outcome.died}: ${outcome.how}`;
  const { ended, isEqual, typed, untyped } = outcome;
  if (untyped.length > 0) return `number ${ended}: ${untyped.join("; ")}`;
  if (typed.length > 0) {
    const names = typed.toSorted().join(" + ");
    tally.errors.set(names, (tally.errors.get(names) ?? 0) + 1);
  } else if (isEqual) {
    tally.right += 1;
  } else {
    tally.otherData += 1;
    if (damage.startsWith("cut")) return `number ${ended}: data is missing without an error`;
  }
  return undefined;
}

/** A closed file without a log. */
async function writeDatabase(folder: string, random: Random): Promise<string> {
  mkdirSync(folder);
  const path = join(folder, "store.db");
  const child = new RecordedWriter({ path, seed: random.below(2 ** 32), synchronous: "normal", calls: 150 });
  const problem = await child.ended();
  if (problem !== undefined) throw new Error(problem);
  return path;
}
