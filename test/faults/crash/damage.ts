/** Ways in which a database file is damaged. One that is cut to nothing is left out: to SQLite it is a new file. */
import type { Random } from "../support/random.js";

const PAGE = 4_096;
const SECTOR = 512;
const FILE_HEADER = 100;

type Damager = (file: Uint8Array, random: Random) => Uint8Array;

export const DAMAGES = {
  "cut at a page": (file, random) =>
    file.subarray(0, PAGE * random.between(1, Math.floor(file.length / PAGE) - 1)),
  "cut at a byte": (file, random) => file.subarray(0, random.between(1, file.length - 1)),
  "one bit flipped": (file, random) => flipBit(file, random.below(file.length), random),
  "one bit of the header flipped": (file, random) => flipBit(file, random.below(FILE_HEADER), random),
  "one bit of the schema flipped": (file, random) => flipBit(file, random.below(PAGE), random),
  "a sector of noise": (file, random) => overwrite(file, SECTOR, random.bytes(SECTOR), random),
  "a page of zeros": (file, random) => overwrite(file, PAGE, new Uint8Array(PAGE), random),
} as const satisfies Record<string, Damager>;

export type Damage = keyof typeof DAMAGES;

export function flipBit(file: Uint8Array, at: number, random: Random): Uint8Array {
  const flipped = Uint8Array.from(file);
  flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
  return flipped;
}

function overwrite(file: Uint8Array, unit: number, bytes: Uint8Array, random: Random): Uint8Array {
  const overwritten = Uint8Array.from(file);
  overwritten.set(bytes, unit * random.below(Math.floor(file.length / unit)));
  return overwritten;
}
