/** The frames of a write-ahead log, by its format: https://sqlite.org/fileformat2.html#walformat */

export const WAL_HEADER = 32;
const FRAME_HEADER = 24;

/** How many frames a log holds before a WAL checkpoint restarts it (`wal_autocheckpoint`). */
export const FRAMES_BEFORE_COPYING_BACK = 2_000;

export class Wal {
  /** Whether each frame of the log's present generation ends a transaction. */
  readonly endsTransaction: readonly boolean[];
  /** Whether frames of an earlier generation follow, which later ones would overwrite. */
  readonly isRestarted: boolean;
  readonly #frameLength: number;

  constructor(readonly bytes: Buffer) {
    this.#frameLength = FRAME_HEADER + bytes.readUInt32BE(8);
    const salt = bytes.readBigUInt64BE(16);
    const frames: boolean[] = [];
    let at = WAL_HEADER;
    for (; at + this.#frameLength <= bytes.length; at += this.#frameLength) {
      if (bytes.readBigUInt64BE(at + 8) !== salt) break;
      frames.push(bytes.readUInt32BE(at + 4) !== 0);
    }
    this.endsTransaction = frames;
    this.isRestarted = at + this.#frameLength <= bytes.length;
  }

  get frames(): number {
    return this.endsTransaction.length;
  }

  /** Where the first so many frames end. */
  endOf(frames: number): number {
    return WAL_HEADER + frames * this.#frameLength;
  }

  /** How many frames lie wholly before a byte. */
  framesBefore(byte: number): number {
    const whole = Math.floor((byte - WAL_HEADER) / this.#frameLength);
    return Math.min(this.frames, Math.max(0, whole));
  }

  /** How many of the first so many frames belong to whole transactions; `undefined` for less than none. */
  lastEndWithin(frames: number): number | undefined {
    return frames < 0 ? undefined : this.endsTransaction.slice(0, frames).lastIndexOf(true) + 1;
  }
}
