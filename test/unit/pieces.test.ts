import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { cut, hashOf, MAX_PIECE, MIN_PIECE } from "../../src/outputs/pieces.js";

const encoder = new TextEncoder();
const MAX_LENGTH = 60_000;

/** Never to be changed, like the algorithm itself: see "the borders of known content". */
const KNOWN_TEXT = JSON.stringify(
  Array.from({ length: 400 }, (_, index) => ({
    id: index,
    square: index ** 2,
    text: `entry ${index} — 项目 🎈`,
  })),
);

/** Bytes that look random, of a seed: quicker to make, and to shrink, than a long array of fast-check. */
function noise(seed: number, length: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 24;
  });
}

function piecesOf(bytes: Uint8Array): Uint8Array[] {
  const ends = cut(bytes);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

function expectWithinLimits(bytes: Uint8Array): void {
  const pieces = piecesOf(bytes);
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  expect(pieces.length).toBeLessThanOrEqual(Math.floor(bytes.length / MIN_PIECE) + 1);
  for (const piece of pieces) {
    expect(piece.length).toBeLessThanOrEqual(MAX_PIECE);
  }
  for (const piece of pieces.slice(0, -1)) {
    expect(piece.length).toBeGreaterThanOrEqual(MIN_PIECE);
  }
}

/** How many pieces of `after` are not among those of `before`. */
function newPieces(before: Uint8Array, after: Uint8Array): number {
  const known = new Set(piecesOf(before).map(hashOf));
  return piecesOf(after).filter((piece) => !known.has(hashOf(piece))).length;
}

const contents = fc.record({ seed: fc.integer(), length: fc.nat({ max: MAX_LENGTH }) });

describe("borders", () => {
  test("the borders of known content are those of every earlier version", () => {
    const bytes = encoder.encode(KNOWN_TEXT);
    expect(cut(bytes)).toEqual([4154, 8910, 13013, 17619, 21846, 24118]);
    expect(cut(noise(11, 60_000))).toEqual([
      3475, 7623, 12787, 17233, 20199, 24552, 30828, 35014, 40525, 44671, 49170, 54993, 60000,
    ]);
  });

  test("nothing has no pieces, and up to the minimum is one piece", () => {
    expect(cut(new Uint8Array(0))).toEqual([]);
    expect(cut(noise(1, 1))).toEqual([1]);
    expect(cut(noise(1, MIN_PIECE))).toEqual([MIN_PIECE]);
  });

  test("equal content has equal borders, wherever its bytes lie in memory", () => {
    fc.assert(
      fc.property(contents, fc.nat({ max: 100 }), ({ seed, length }, offset) => {
        const bytes = noise(seed, length);
        const elsewhere = Buffer.concat([noise(seed + 1, offset), bytes, noise(seed + 2, 50)]);
        expect(cut(elsewhere.subarray(offset, offset + length))).toEqual(cut(bytes));
      }),
    );
  });

  test("pieces joined give the bytes back, and their sizes are within the limits", () => {
    fc.assert(fc.property(contents, ({ seed, length }) => expectWithinLimits(noise(seed, length))));
  });

  test("a piece that is cut again stays one piece, so its row is the same whoever stores it", () => {
    fc.assert(
      fc.property(contents, ({ seed, length }) => {
        for (const piece of piecesOf(noise(seed, length))) expect(cut(piece)).toEqual([piece.length]);
      }),
    );
  });

  test("pieces of ordinary content are about 4.4 KB on average", () => {
    const average = 1_000_000 / cut(noise(5, 1_000_000)).length;
    expect(average).toBeGreaterThan(4_096);
    expect(average).toBeLessThan(4_800);
  });
});

describe("edits", () => {
  test("an edit changes the pieces that it touches and few more: most of 135 stay", () => {
    const edits = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      removed: fc.nat({ max: 3_000 }),
      inserted: fc.nat({ max: 3_000 }),
    });
    fc.assert(
      fc.property(fc.integer(), edits, (seed, { at, removed, inserted }) => {
        const before = noise(seed, 600_000);
        const position = Math.floor(at * before.length);
        const after = Buffer.concat([
          before.subarray(0, position),
          noise(seed + 1, inserted),
          before.subarray(position + removed),
        ]);
        expect(newPieces(before, after)).toBeLessThanOrEqual(40);
      }),
      { numRuns: 50 },
    );
  });

  test("text appended leaves all pieces but the last as they were", () => {
    fc.assert(
      fc.property(contents, fc.nat({ max: 5_000 }), ({ seed, length }, appended) => {
        const after = noise(seed, length + appended);
        const endsBefore = cut(after.subarray(0, length)).slice(0, -1);
        expect(cut(after).slice(0, endsBefore.length)).toEqual(endsBefore);
      }),
    );
  });
});

describe("hostile content", () => {
  test("one byte repeated, whichever it is, stays within the limits", () => {
    for (let byte = 0; byte < 256; byte++) {
      expectWithinLimits(new Uint8Array(MAX_LENGTH).fill(byte));
    }
  });

  test("a pattern repeated stays within the limits", () => {
    const patterns = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(patterns, (pattern) =>
        expectWithinLimits(new Uint8Array(Buffer.alloc(MAX_LENGTH, pattern))),
      ),
    );
  });

  test("content made to have a border at every minimum has one there, and none before", () => {
    const count = 100;
    const window = windowBeforeBorder(noise(3, 500_000).map((byte) => byte & 0x7f));
    const pattern = Buffer.concat([Buffer.alloc(MIN_PIECE - window.length, "x"), window]);
    const bytes = new Uint8Array(Buffer.alloc(MIN_PIECE * count, pattern));
    expectWithinLimits(bytes);
    expect(cut(bytes)).toEqual(Array.from({ length: count }, (_, index) => MIN_PIECE * (index + 1)));
  });
});

/** The 32 bytes that decide a border which came soon enough to have met the strict condition. */
function windowBeforeBorder(bytes: Uint8Array): Uint8Array {
  const early = piecesOf(bytes).find((piece) => piece.length > MIN_PIECE && piece.length < 2 * MIN_PIECE);
  if (early === undefined) {
    throw new Error("the content has no border that is early enough");
  }
  return early.subarray(-32);
}

describe("characters", () => {
  const characters = ["a", "é", "项", "🎈", "👩‍👩‍👧", '"', "\\u0000"];
  const mixed = fc
    .integer()
    .map((seed) => Array.from(noise(seed, 10_000), (byte) => characters[byte % characters.length]).join(""));
  const runs = fc
    .array(fc.tuple(fc.constantFrom(...characters), fc.integer({ min: 1, max: 4_000 })), { maxLength: 8 })
    .map((each) => each.map(([character, times]) => character.repeat(times)).join(""));

  test("each piece of a text is text: no character is cut", () => {
    fc.assert(
      fc.property(fc.oneof(mixed, runs), (text) => {
        const bytes = encoder.encode(text);
        const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
        expectWithinLimits(bytes);
        expect(
          piecesOf(bytes)
            .map((piece) => decoder.decode(piece))
            .join(""),
        ).toBe(text);
      }),
    );
  });

  test("a border that falls inside of a character moves to its end, wherever in the character it falls", () => {
    for (let shift = 0; shift < 4; shift++) {
      const bytes = encoder.encode("a".repeat(shift) + "🎈".repeat(10_000));
      for (const end of cut(bytes).slice(0, -1)) {
        expect((end - shift) % 4).toBe(0);
      }
    }
  });

  test("bytes that are no UTF-8 stay within the limits", () => {
    expectWithinLimits(new Uint8Array(MAX_LENGTH).fill(0x80));
    expectWithinLimits(new Uint8Array(MAX_PIECE + 1).fill(0xbf));
  });
});

describe("hashes", () => {
  test("a hash is the beginning of the SHA-256 in base64url", () => {
    const expected = createHash("sha256").update("piece").digest("base64url").slice(0, 22);
    expect(hashOf(encoder.encode("piece"))).toBe(expected);
  });

  test("a part of a buffer hashes as its own bytes do", () => {
    expect(hashOf(encoder.encode("one piece").subarray(4))).toBe(hashOf(encoder.encode("piece")));
  });
});
