/**
 * The database and the log of a process that was killed, and what they hold when the log is damaged.
 *
 * What must be held is exact. Each transaction in the log adds the calls that were made together, in their order. So
 * the first so many frames hold the transactions that end in them: more of the calls with every transaction, nothing
 * more with a frame that ends none, and with all frames at least all that was acknowledged. Any damage is to leave what
 * the frames before it hold.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../support/random.js";
import { flipBit } from "./damage.js";
import type { History } from "./history.js";
import { RecordedWriter } from "./recorded-writer.js";
import { recover } from "./recovery.js";
import { FRAMES_BEFORE_COPYING_BACK, Wal } from "./wal.js";

const DATABASE = "store.db";
const LOG = "store.db-wal";
const MOST_ATTEMPTS = 20;

/** How many calls the files hold, if it is a number of whole batches; and what else is wrong. */
interface Held {
  calls: number | undefined;
  problems: string[];
}

export class DamagedLog {
  readonly #afterFrames = new Map<number, Held>();
  #borders: ReadonlyMap<string, number> = new Map();

  private constructor(
    readonly folder: string,
    readonly wal: Wal,
    readonly history: History,
  ) {}

  /** @param isRestarted Whether a WAL checkpoint is to have restarted the log before, so that its first frames are overwritten. */
  static async make(
    folder: string,
    frames: number,
    isRestarted: boolean,
    random: Random,
  ): Promise<DamagedLog> {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      const history = await writeUntil(folder, frames, isRestarted, random);
      const wal = new Wal(readFileSync(join(folder, LOG)));
      // Frames that a WAL checkpoint has copied must stay in the log until it is restarted: SQLite promises nothing else.
      if (wal.frames < FRAMES_BEFORE_COPYING_BACK && wal.isRestarted === isRestarted) {
        const log = new DamagedLog(folder, wal, history);
        await log.#learn();
        return log;
      }
    }
    throw new Error(`No log of ${frames} frames in ${MOST_ATTEMPTS} attempts`);
  }

  /** Each of these returns what is wrong. */
  async cutAfter(frames: number): Promise<string[]> {
    const { calls, problems } = await this.#heldAfter(frames);
    if (calls === undefined) return problems;
    const before = this.wal.lastEndWithin(frames - 1);
    const { calls: callsBefore = 0 } = before === undefined ? {} : await this.#heldAfter(before);
    const isEnd = this.wal.endsTransaction[frames - 1] === true;
    if (before === undefined || (isEnd ? calls > callsBefore : calls === callsBefore)) return problems;
    return [...problems, `${calls} calls after ${callsBefore} after frame ${before}`];
  }

  cutAt(byte: number): Promise<string[]> {
    return this.#mustHold(this.wal.framesBefore(byte), this.wal.bytes.subarray(0, byte));
  }

  flipAt(byte: number, random: Random): Promise<string[]> {
    return this.#mustHold(this.wal.framesBefore(byte), flipBit(this.wal.bytes, byte, random));
  }

  async #mustHold(frames: number, log: Uint8Array): Promise<string[]> {
    const expected = await this.#heldAfter(frames);
    const { calls, problems } = await this.#open(log);
    if (calls === expected.calls) return problems;
    return [...problems, `${calls} calls, although ${expected.calls} were in the ${frames} frames before`];
  }

  async #heldAfter(frames: number): Promise<Held> {
    const known = this.#afterFrames.get(frames);
    const held = known ?? (await this.#open(this.wal.bytes.subarray(0, this.wal.endOf(frames))));
    this.#afterFrames.set(frames, held);
    return held;
  }

  /** What the calls in flight did, and that nothing acknowledged is missing. */
  async #learn(): Promise<void> {
    const { state, problems } = await recover(this.#copy(this.wal.bytes));
    if (state === undefined) throw new Error(`The undamaged log cannot be read: ${problems.join("; ")}`);
    const { acknowledged } = this.history;
    this.history.learnFrom(state);
    this.#borders = this.history.borders();
    const calls = this.#borders.get(state.digest());
    if (calls === undefined) problems.push(this.history.explain(state, acknowledged));
    else if (calls < acknowledged) problems.push(`${acknowledged - calls} acknowledged writes are lost`);
    this.#afterFrames.set(this.wal.frames, { calls, problems });
  }

  async #open(log: Uint8Array): Promise<Held> {
    const { state, problems } = await recover(this.#copy(log));
    if (state === undefined) return { calls: undefined, problems };
    const calls = this.#borders.get(state.digest());
    return {
      calls,
      problems: calls === undefined ? [...problems, this.history.explain(state, 0)] : problems,
    };
  }

  #copy(log: Uint8Array): string {
    const copy = join(this.folder, "copy");
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy);
    copyFileSync(join(this.folder, DATABASE), join(copy, DATABASE));
    writeFileSync(join(copy, LOG), log);
    return join(copy, DATABASE);
  }
}

async function writeUntil(
  folder: string,
  frames: number,
  isRestarted: boolean,
  random: Random,
): Promise<History> {
  const path = join(folder, DATABASE);
  const child = new RecordedWriter({ path, seed: random.below(2 ** 32), synchronous: "normal" });
  const log = join(folder, LOG);
  const isReached = isRestarted ? () => generationOf(log) > 0 : () => framesOf(log) >= frames;
  while (!child.hasEnded && !isReached()) await Bun.sleep(1);
  if (isRestarted) await Bun.sleep(random.between(5, 60));
  await child.kill();
  return child.history();
}

function framesOf(log: string): number {
  const { size } = statSync(log, { throwIfNoEntry: false }) ?? { size: 0 };
  return Math.floor(size / 4_120);
}

/** How often the log was restarted. */
function generationOf(log: string): number {
  return framesOf(log) < FRAMES_BEFORE_COPYING_BACK ? 0 : readFileSync(log).readUInt32BE(12);
}
