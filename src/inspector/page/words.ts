/** The words that two texts do not share, in their order. */

export interface Words {
  kind: "same" | "added" | "removed";
  text: string;
}

/** Words of the differing middle; longer ones are one difference, because the comparison is quadratic. */
const MOST_WORDS = 600;

export function wordDifference(before: string, after: string): Words[] {
  const [left, right] = [wordsOf(before), wordsOf(after)];
  const start = commonStart(left, right);
  const end = commonStart(left.slice(start).reverse(), right.slice(start).reverse());
  const [oldMiddle, newMiddle] = [
    left.slice(start, left.length - end),
    right.slice(start, right.length - end),
  ];
  const middle =
    Math.max(oldMiddle.length, newMiddle.length) > MOST_WORDS
      ? [...asWords("removed", oldMiddle), ...asWords("added", newMiddle)]
      : longestCommon(oldMiddle, newMiddle);
  return joined([
    ...asWords("same", left.slice(0, start)),
    ...middle,
    ...asWords("same", left.slice(left.length - end)),
  ]);
}

function wordsOf(text: string): string[] {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

function commonStart(before: readonly string[], after: readonly string[]): number {
  let count = 0;
  while (count < before.length && count < after.length && before[count] === after[count]) {
    count += 1;
  }
  return count;
}

function asWords(kind: Words["kind"], words: readonly string[]): Words[] {
  return words.map((text) => ({ kind, text }));
}

/** By the lengths of the longest common subsequences of all ends. */
function longestCommon(before: readonly string[], after: readonly string[]): Words[] {
  const width = after.length + 1;
  const lengths = new Uint16Array((before.length + 1) * width);
  const at = (row: number, column: number) => lengths[row * width + column] ?? 0;
  for (let row = before.length - 1; row >= 0; row -= 1) {
    for (let column = after.length - 1; column >= 0; column -= 1) {
      lengths[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const words: Words[] = [];
  let [row, column] = [0, 0];
  while (row < before.length || column < after.length) {
    const [old = "", now = ""] = [before[row], after[column]];
    if (row < before.length && column < after.length && old === now) {
      words.push({ kind: "same", text: old });
      row += 1;
      column += 1;
    } else if (
      column >= after.length ||
      (row < before.length && at(row + 1, column) >= at(row, column + 1))
    ) {
      words.push({ kind: "removed", text: old });
      row += 1;
    } else {
      words.push({ kind: "added", text: now });
      column += 1;
    }
  }
  return words;
}

function joined(words: readonly Words[]): Words[] {
  const runs: Words[] = [];
  for (const word of words) {
    const last = runs.at(-1);
    if (last?.kind === word.kind) {
      last.text += word.text;
    } else {
      runs.push({ ...word });
    }
  }
  return runs;
}
