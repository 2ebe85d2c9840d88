/**
 * Cuts a text into pieces whose borders its content decides (content-defined chunking), and names them by their hash.
 *
 * An edit moves only the borders near it: the pieces before it stay, and after it the borders are soon the same again. So
 * two versions of a text share most of their pieces.
 *
 * The algorithm is FastCDC (Xia et al., USENIX ATC 2016): a gear hash, a minimum that is skipped, and a stricter condition
 * before the normal size than after it. One difference: the hash starts {@link WINDOW} bytes before the minimum, so whether
 * a condition holds at a place depends on those bytes only, not on where the piece starts.
 *
 * Limits: a piece has {@link MIN_PIECE} to {@link MAX_PIECE} bytes (the last one can be shorter), so n bytes are at most
 * n / {@link MIN_PIECE} + 1 pieces, whatever they hold. Whoever chooses the content can choose the borders too. A piece
 * can begin with U+FEFF, which a `TextDecoder` drops unless told `ignoreBOM`, and SQLite unless bound with `keepingMarks`.
 *
 * Measured on Bun 1.4: 0.3 ms per MB, 1.0 with encoding and SHA-256. Of the npm packages tried, `rabin-rs` takes 1.8 for
 * the borders alone and `rabin-wasm` 3.9; none found implements FastCDC.
 */

/**
 * In bytes; 4.4 KB on average. Smaller pieces share more of an edited text, but each costs a row, a hash and a lookup, and
 * rows of 1.5 to 4 KB fill SQLite's pages of 4 KB badly: pieces of 2.2 KB made the file 1.5 times their size, these 1.15.
 */
export const MIN_PIECE = 2_048;
const NORMAL_PIECE = 4_096;
export const MAX_PIECE = 16_384;

/** The hash is shifted left by one bit per byte: after 32 bytes nothing is left of the first. */
const WINDOW = 32;

/** A border needs zeros in the high bits, which all bytes of the window reach: one place in 8,192, later one in 1,024. */
const STRICT_MASK = 0xfff8_0000 | 0;
const LOOSE_MASK = 0xffc0_0000 | 0;

const MAX_CHARACTER = 4;

const GEAR_SEED = 0x6f62_736b; // "obsk"

/** Never to be changed: with other numbers, new pieces would no longer match those already in the file. */
const GEAR = gearTable(GEAR_SEED);

/** 256 numbers that look random: a Weyl sequence through the finalizer of MurmurHash3 (32 bit). */
function gearTable(seed: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let mixed = (seed + Math.imul(byte + 1, 0x9e37_79b9)) | 0;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
    return mixed ^ (mixed >>> 16);
  });
}

/**
 * Where the pieces end, in bytes; the last end is `bytes.length`. Empty input has no pieces.
 *
 * @param bytes UTF-8: then each piece is UTF-8 too. Any other bytes are cut within the same limits. `TextEncoder` writes a
 *   lone surrogate as U+FFFD, as bun:sqlite does when it binds a text. `JSON.stringify` escapes them, except inside a
 *   `JSON.rawJSON`.
 */
export function cut(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    start = endOfPiece(bytes, start);
    ends.push(start);
  }
  return ends;
}

function endOfPiece(bytes: Uint8Array, start: number): number {
  return bytes.length - start <= MIN_PIECE ? bytes.length : endOfCharacter(bytes, findBorder(bytes, start));
}

/**
 * The first border after the minimum, and at the latest one that leaves room to finish a character.
 *
 * The hot loop of a save. The casts stand for a check of every index.
 */
function findBorder(bytes: Uint8Array, start: number): number {
  const earliest = start + MIN_PIECE;
  const normal = Math.min(start + NORMAL_PIECE, bytes.length);
  const latest = Math.min(start + MAX_PIECE - (MAX_CHARACTER - 1), bytes.length);
  let hash = 0;
  let index = earliest - WINDOW;
  for (; index < earliest; index++) {
    hash = ((hash << 1) + (GEAR[bytes[index] as number] as number)) | 0;
  }
  for (; index < normal; index++) {
    if ((hash & STRICT_MASK) === 0) {
      return index;
    }
    hash = ((hash << 1) + (GEAR[bytes[index] as number] as number)) | 0;
  }
  for (; index < latest; index++) {
    if ((hash & LOOSE_MASK) === 0) {
      return index;
    }
    hash = ((hash << 1) + (GEAR[bytes[index] as number] as number)) | 0;
  }
  return index;
}

/** `index`, or the end of the character that it lies inside. */
function endOfCharacter(bytes: Uint8Array, index: number): number {
  const limit = Math.min(index + MAX_CHARACTER - 1, bytes.length);
  let end = index;
  while (end < limit && ((bytes[end] as number) & 0xc0) === 0x80) {
    end++;
  }
  return end;
}

const encoder = new TextEncoder();
/** Reused, because a new array per text takes longer than all the rest. */
let scratch = new Uint8Array(64 * 1024);
const LARGEST_SCRATCH = 1024 * 1024;

/** The pieces of a text, which together are the text. One that is too short to be cut is its only piece. */
export function piecesOf(text: string): string[] {
  if (text.length <= MIN_PIECE / MAX_UTF8_PER_UNIT) {
    return [text];
  }
  const bytes = encode(text);
  const isAscii = bytes.length === text.length;
  let start = 0;
  return cut(bytes).map((end) => {
    const piece = isAscii ? text.slice(start, end) : decode(bytes, start, end);
    start = end;
    return piece;
  });
}

/** One code unit of a string takes up to three bytes, and two that belong together take four. */
const MAX_UTF8_PER_UNIT = 3;

/** @returns Bytes that are valid until the next call. */
function encode(text: string): Uint8Array {
  const room = text.length <= scratch.length ? scratch : withRoom(text.length);
  const { read, written } = encoder.encodeInto(text, room);
  if (read === text.length) {
    return room.subarray(0, written);
  }
  const ample = withRoom(text.length * MAX_UTF8_PER_UNIT);
  return ample.subarray(0, encoder.encodeInto(text, ample).written);
}

function withRoom(length: number): Uint8Array<ArrayBuffer> {
  if (length > LARGEST_SCRATCH) {
    return new Uint8Array(length);
  }
  scratch = length > scratch.length ? new Uint8Array(length) : scratch;
  return scratch;
}

/** `Buffer` keeps a byte order mark at the beginning, which `TextDecoder` drops. */
function decode(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}

/** 22 characters of base64url hold 132 bits of the SHA-256. */
export const HASH_LENGTH = 22;

/** The beginning of the SHA-256 in base64url: short, because rows refer to pieces by it, and text, because JSON holds it. */
export function hashOf(text: string | Uint8Array): string {
  return Bun.SHA256.hash(text, "base64url").slice(0, HASH_LENGTH);
}
