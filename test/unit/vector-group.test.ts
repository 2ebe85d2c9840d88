import { expect, test } from "bun:test";
import { VectorGroup } from "../../src/search/vector-group.js";

test("the place of a vector that was deleted is used again", () => {
  const group = new VectorGroup("fact", 2);
  group.add(1, [1, 0]);
  const { bytes } = group;
  for (let revision = 1; revision < 2_000; revision++) {
    group.delete(revision);
    group.add(revision + 1, [0, 1]);
  }
  expect(group.count).toBe(1);
  expect(group.bytes).toBe(bytes);
  expect(group.bytesToAdd).toBe(0);
});
