/** From checkpoints to a picture, from two texts to their words: what the page computes before it draws. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { RunCheckpoint } from "../../src/inspector/answers.js";
import { ago, bytes, duration, number, visible } from "../../src/inspector/page/format.js";
import { pictureOf, timeScale, visibleLanes } from "../../src/inspector/page/lanes.js";
import { isFailed, signOf, statusClass } from "../../src/inspector/page/status.js";
import { wordDifference } from "../../src/inspector/page/words.js";

function checkpoint(version: number, fields: Partial<RunCheckpoint> = {}): RunCheckpoint {
  return {
    ...{ id: `c${version}`, position: version, namespace: "", version, step: version - 1, source: "loop" },
    ...{ createdAt: version * 1_000, pending: [], changes: [], rowBytes: 100 },
    ...fields,
  };
}

function ran(node: string, startedAt: number, completedAt: number, status = "completed") {
  return { node, status, startedAt, completedAt };
}

describe("a run's picture", () => {
  test("has a lane per node and a bar per visit, also of one that failed, and of those that are pending", () => {
    const { lanes } = pictureOf({
      checkpoints: [
        checkpoint(1, { changes: [ran("plan", 0, 900)], pending: ["write"] }),
        checkpoint(2, { changes: [ran("write", 1_000, 1_900, "failed")], pending: ["write"] }),
        checkpoint(3, { changes: [ran("write", 2_000, 2_800)], pending: ["publish"] }),
      ],
      forks: [],
    });
    expect(
      lanes.map(({ node, visits }) => [node, ...visits.map(({ status, from, to }) => [status, from, to])]),
    ).toEqual([
      ["plan", ["completed", 0, 900]],
      ["write", ["failed", 1_000, 1_900], ["completed", 2_000, 2_800]],
      ["publish", ["pending", 3_000, 3_000]],
    ]);
  });

  test("shows one visit whose end came in a later checkpoint than its start as one bar", () => {
    const { lanes } = pictureOf({
      checkpoints: [
        checkpoint(1, { changes: [{ node: "slow", status: "running", startedAt: 500 }] }),
        checkpoint(2, { changes: [ran("slow", 500, 1_900)] }),
      ],
      forks: [],
    });
    expect(lanes[0]?.visits.map(({ status, from, to }) => [status, from, to])).toEqual([
      ["completed", 500, 1_900],
    ]);
  });

  test("takes the times of checkpoints if nodes have none", () => {
    const { lanes } = pictureOf({
      checkpoints: [
        checkpoint(1, { changes: [{ node: "plan", status: "completed" }] }),
        checkpoint(2, { changes: [{ node: "write", status: "skipped" }] }),
      ],
      forks: [],
    });
    expect(lanes.map(({ visits: [visit] }) => [visit?.isTimed, visit?.from, visit?.to])).toEqual([
      [false, 1_000, 1_000],
      [false, 1_000, 2_000],
    ]);
  });

  test("has a loop from the node that decided to the one that runs again, once per iteration", () => {
    const loop = (iteration: number) => ({ cycle: { backEdge: "judge->write", iteration } });
    const { loops, marks } = pictureOf({
      checkpoints: [
        checkpoint(1, { changes: [ran("write", 0, 1)] }),
        checkpoint(2, { changes: [ran("judge", 1, 2)], ...loop(1) }),
        checkpoint(3, { changes: [ran("write", 2, 3)], ...loop(1) }),
        checkpoint(4, { changes: [ran("judge", 3, 4)], ...loop(2) }),
      ],
      forks: [],
    });
    expect(
      loops.map(({ mark, from, to, iteration }) => [mark.checkpoint.version, from, to, iteration]),
    ).toEqual([
      [2, '["","judge"]', '["","write"]', 1],
      [4, '["","judge"]', '["","write"]', 2],
    ]);
    expect(marks.map(({ iteration }) => iteration)).toEqual([undefined, 1, undefined, 2]);
  });

  test("has the lanes of a graph within a node below that node, if it is open", () => {
    const { lanes } = pictureOf({
      checkpoints: [
        checkpoint(1, { namespace: "write", changes: [ran("draft", 0, 400)] }),
        checkpoint(2, { changes: [ran("write", 0, 900)] }),
        checkpoint(3, { changes: [ran("publish", 900, 950)] }),
      ],
      forks: [],
    });
    const names = (open: readonly string[]) =>
      visibleLanes(lanes, new Set(open)).map(({ node, depth }) => `${depth} ${node}`);
    expect(names([])).toEqual(["0 write", "0 publish"]);
    expect(names(['["","write"]'])).toEqual(["0 write", "1 draft", "0 publish"]);
  });

  test("shortens long idle times, and says how long they were", () => {
    const picture = pictureOf({
      checkpoints: [
        checkpoint(1, { createdAt: 1_000, changes: [ran("plan", 0, 1_000)] }),
        checkpoint(2, { createdAt: 3_602_000, changes: [ran("write", 3_601_000, 3_602_000)] }),
      ],
      forks: [],
    });
    const { at, pauses } = timeScale(picture);
    expect(pauses.map(({ milliseconds }) => milliseconds)).toEqual([3_600_000]);
    expect([at(0), at(3_602_000)]).toEqual([0, 1]);
    expect(at(3_601_000) - at(1_000)).toBeLessThan(0.2);
  });

  test("puts every time between its ends, in order, whatever the times are", () => {
    const times = fc.array(fc.integer({ min: 0, max: 253_402_300_799_999 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(times, (starts) => {
        const checkpoints = starts.map((start, index) =>
          checkpoint(index + 1, { createdAt: start, changes: [ran("node", start, start + index)] }),
        );
        const picture = pictureOf({ checkpoints, forks: [] });
        const { at } = timeScale(picture);
        const places = starts.toSorted((one, other) => one - other).map(at);
        expect(places.every((place) => place >= 0 && place <= 1)).toBe(true);
        expect(places).toEqual(places.toSorted((one, other) => one - other));
      }),
    );
  });
});

describe("a picture of a damaged or hostile file", () => {
  test("has few marks of time, however far from now the times are", () => {
    for (const at of [1.7e18, 1e300, Number.MAX_VALUE, -1e300]) {
      const checkpoints = [
        checkpoint(1, { createdAt: at, changes: [ran("alone", at, at)] }),
        checkpoint(2, { changes: [ran("today", 1_000, 2_000)] }),
      ];
      for (const shown of [checkpoints.slice(0, 1), checkpoints]) {
        const { ticks } = timeScale(pictureOf({ checkpoints: shown, forks: [] }));
        expect(ticks.length).toBeLessThan(20);
      }
    }
  });

  test("has each lane once if the graphs within nodes name each other", () => {
    const names = Array.from({ length: 12 }, (_, index) => `graph ${index}`);
    const changes = names.map((name, index) => ran(name, index, index + 1));
    const { lanes } = pictureOf({
      checkpoints: [
        ...names.map((namespace, index) => checkpoint(index + 1, { namespace, changes })),
        checkpoint(20, { changes: [ran("graph 0", 0, 20)] }),
      ],
      forks: [],
    });
    const keys = (inner: typeof lanes): string[] =>
      inner.flatMap(({ key, children }) => [key, ...keys(children)]);
    expect(keys(lanes)).toHaveLength(12 * 12 + 1);
    expect(new Set(keys(lanes)).size).toBe(12 * 12 + 1);
  });

  test("has the lanes of graphs that only each other name", () => {
    const { lanes } = pictureOf({
      checkpoints: [
        checkpoint(1, { namespace: "one", changes: [ran("other", 0, 1)] }),
        checkpoint(2, { namespace: "other", changes: [ran("one", 1, 2)] }),
        checkpoint(3, { changes: [ran("plan", 2, 3)] }),
      ],
      forks: [],
    });
    expect(lanes.map(({ node }) => node)).toEqual(["plan", "other", "one"]);
  });
});

describe("the words that differ", () => {
  test("are marked, the others not", () => {
    expect(wordDifference("the old plan", "the new plan")).toEqual([
      { kind: "same", text: "the " },
      { kind: "removed", text: "old" },
      { kind: "added", text: "new" },
      { kind: "same", text: " plan" },
    ]);
  });

  test("give both texts back, whatever they are", () => {
    const text = fc.oneof(fc.string(), fc.array(fc.constantFrom("a", "b", " ", "é"), { maxLength: 30 }));
    fc.assert(
      fc.property(text, text, (one, other) => {
        const [before, after] = [[...one].join(""), [...other].join("")];
        const words = wordDifference(before, after);
        const side = (left: string) =>
          words.flatMap(({ kind, text }) => (kind === "same" || kind === left ? [text] : [])).join("");
        expect([side("removed"), side("added")]).toEqual([before, after]);
      }),
    );
  });
});

test("sizes and durations are short, and exact where it counts", () => {
  expect([0, 999, 1_000, 123_456, 5_300_000_000].map(bytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "123 kB",
    "5.3 GB",
  ]);
  expect([0, 999, 1_500, 61_000, 7_260_000, 259_200_000].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1.50 s",
    "1 min 1 s",
    "2 h 1 min",
    "3 days",
  ]);
  expect([999.6, 9_996, 59_960, 119_600, 7_199_600].map(duration)).toEqual([
    "1.00 s",
    "10.0 s",
    "1 min 0 s",
    "2 min 0 s",
    "2 h 0 min",
  ]);
});

test("numbers that a damaged file does not have are a dash", () => {
  expect([-1, Number.NaN].map(duration)).toEqual(["—", "—"]);
  expect([1_234, null, undefined].map(number)).toEqual(["1,234", "—", "—"]);
});

test("times are told by how long ago they were, and those to come by their date", () => {
  const now = Date.UTC(2026, 0, 31, 12);
  const before = (seconds: number) => ago(now - seconds * 1_000, now);
  expect([0, -3, 59, 3_580, 3_600 * 23].map(before)).toEqual([
    "just now",
    "just now",
    "59 s ago",
    "1 h ago",
    "23 h ago",
  ]);
  expect(before(-86_400 * 400)).toMatch(/2027/);
});

test("a status that is no known one is unknown, also if objects have a member of its name", () => {
  const statuses = ["complete", "FAILED", "__proto__", "constructor", "toString"];
  expect(statuses.map((status) => [statusClass(status), signOf(status)])).toEqual([
    ["completed", "✓"],
    ["failed", "✕"],
    ["unknown", "?"],
    ["unknown", "?"],
    ["unknown", "?"],
  ]);
  expect(statuses.map((status) => isFailed({ status }))).toEqual([false, true, false, false, false]);
});

test("characters that would hide or turn text are shown", () => {
  expect(visible("a\u202eb\u0000c\u200bd\u2066e\u061c")).toBe("a\\u202eb\\u0000c\\u200bd\\u2066e\\u061c");
  expect(visible("line\nnext\ttab é 漢 🙂")).toBe("line\nnext\ttab é 漢 🙂");
});
