/** The text format of COPY, and what a REAL makes of a number: without a server. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fieldsOf, lineOf, linesIn } from "../../src/postgres/copy-text.js";
import { longLine, shortestOfReal } from "../../src/postgres/misfits.js";

const field = fc.option(
  fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: fc.constantFrom(..."\\NtnrxbA.\t\n\r\b\f\v") }),
  ),
  { nil: null },
);

async function* cutIntoChunks(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

describe("the text format of COPY", () => {
  test("brings back every row of texts and NULLs, wherever the chunks are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        async (rows, size) => {
          const read: (string | null)[][] = [];
          for await (const line of linesIn(cutIntoChunks(rows.map(lineOf).join(""), size)))
            read.push(fieldsOf(line));
          expect(read).toEqual(rows);
        },
      ),
    );
  });

  test("writes integers, numbers and bytes as PostgreSQL reads them", () => {
    expect(lineOf([2n ** 63n - 1n, 0.5, new Uint8Array([0, 255]), null])).toBe(
      "9223372036854775807\t0.5\t\\\\x00ff\t\\N\n",
    );
  });

  test("reads the escapes that PostgreSQL writes", () => {
    expect(fieldsOf("\\b\\f\\n\\r\\t\\v\\\\\t\\N\t")).toEqual(["\b\f\n\r\t\v\\", null, ""]);
  });
});

describe("a row that is too long for PostgreSQL", () => {
  const columns = [{ name: "id" }, { name: "content" }];

  test.each([
    ["ASCII", "x".repeat(97), 100],
    ["escapes", "\n".repeat(48), 99],
    ["three bytes each", "日".repeat(32), 99],
    ["bytes", new Uint8Array(46), 98],
  ])("is one that has a byte more than fits, in %s", (_, content, bytes) => {
    const row = { id: 1n, content };
    expect(longLine(columns, row, bytes)).toEqual([]);
    expect(longLine(columns, row, bytes - 1)).toMatchObject([
      { column: "id, content", problem: expect.stringContaining(`have ${bytes} bytes together`) },
    ]);
  });
});

describe("the shortest number that a REAL reads as", () => {
  test.each([
    [0.9, 0.9],
    [1, 1],
    [0, 0],
    [0.123456789012, 0.12345679],
    [1 / 3, 0.33333334],
    [16777217, 16777216],
  ])("of %p is %p", (number, expected) => {
    expect(shortestOfReal(number)).toBe(expected);
  });

  test("is the same REAL, and itself the shortest of it", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const shortest = shortestOfReal(number);
        expect(Math.fround(shortest)).toBe(Math.fround(number) + 0);
        expect(shortestOfReal(shortest)).toBe(shortest);
      }),
    );
  });
});
