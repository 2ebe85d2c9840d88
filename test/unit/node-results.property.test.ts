/** Which outputs leave their row: what decides is the length of their text alone, however it is found out. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeNodeResults, SHARING } from "../../src/outputs/node-results.js";
import { OutputCache } from "../../src/outputs/output-cache.js";
import { nodeResults } from "../../src/validation/schemas.js";

/** Texts of every kind of character, and values that are nested, of about the threshold's length. */
const longTexts = fc.string({
  unit: fc.constantFrom("a", " ", '"', "\\", "\n", "\u0000", "é", "界", "\ud83d\ude00", "\ud800"),
  minLength: 0,
  maxLength: SHARING.threshold + 10,
  size: "max",
});
const outputs = fc.oneof(
  longTexts,
  fc.record({ text: longTexts, more: fc.jsonValue() }),
  fc.array(fc.record({ id: fc.integer(), score: fc.double({ noNaN: true }), done: fc.boolean() }), {
    maxLength: 40,
    size: "max",
  }),
  fc.dictionary(longTexts, fc.constantFrom(null, true, "", -1.234567890123456e-300), { maxKeys: 5 }),
);

function leavesRow(output: unknown): boolean {
  const node = { status: "completed", output } as const;
  const encoded = encodeNodeResults("nodeResults", { node }, nodeResults, new OutputCache());
  return encoded.outputs.length === 1;
}

test.each<[string, (length: number) => unknown]>([
  ["a text", (length) => "a".repeat(length - 2)],
  ["a text with quotes", (length) => `"${"a".repeat(length - 4)}`],
  ["a record", (length) => ({ '"': "a".repeat(length - 9) })],
  ["a record of words", (length) => ({ word: false, text: "a".repeat(length - 24) })],
  ["a list of words", (length) => [...Array.from({ length: 100 }, () => false), "a".repeat(length - 604)]],
])("%s leaves its row from the threshold's length on", (_, outputOf) => {
  for (const length of [SHARING.threshold - 1, SHARING.threshold]) {
    expect(JSON.stringify(outputOf(length))).toHaveLength(length);
    expect(leavesRow(outputOf(length))).toBe(length === SHARING.threshold);
  }
});

test("an output leaves its row exactly if its text has the threshold's length, and is referred to in its place", () => {
  fc.assert(
    fc.property(fc.array(outputs, { maxLength: 4 }), (given) => {
      const plain: unknown[] = JSON.parse(JSON.stringify(given));
      const value = Object.fromEntries(
        plain.map((output, node) => [`node ${node}`, { status: "completed", output, startedAt: 1 } as const]),
      );
      const encoded = encodeNodeResults("nodeResults", value, nodeResults, new OutputCache());
      const large = plain
        .map((output) => JSON.stringify(output))
        .filter((text) => text.length >= SHARING.threshold);
      expect(encoded.outputs.map((output) => output.text())).toEqual(large);
      const hashes = new Map(encoded.outputs.map(({ hash, text }) => [text(), hash]));
      const row = Object.fromEntries(
        plain.map((output, node) => {
          const hash = hashes.get(JSON.stringify(output));
          const written = hash === undefined ? output : { __type: "Map", value: hash };
          return [`node ${node}`, { status: "completed", output: written, startedAt: 1 }];
        }),
      );
      expect(encoded.text).toBe(JSON.stringify(row));
      expect(encoded.value).toEqual(value);
    }),
  );
});
