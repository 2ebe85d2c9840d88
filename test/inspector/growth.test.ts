/** Growth is read by one scan for all that wait. */
import { expect, test } from "bun:test";
import { InspectedFile } from "../../src/inspector/reading/file.js";
import { Growth } from "../../src/inspector/reading/growth.js";
import { Inspected } from "./support/inspected.js";

test("those who ask while a scan runs get its answer, also if the first goes away", async () => {
  await using inspected = await Inspected.open();
  const file = new InspectedFile(inspected.path);
  const growth = new Growth(file);
  const first = new AbortController();
  const answers = [growth.read(first.signal), growth.read(new AbortController().signal)];
  first.abort();
  const [one, other] = await Promise.all(answers);
  expect(one).toBe(other);
  expect(await growth.read(new AbortController().signal)).not.toBe(one);
  file.close();
});

test("a scan ends when nobody waits, and the next begins another", async () => {
  await using inspected = await Inspected.open();
  const file = new InspectedFile(inspected.path);
  const growth = new Growth(file);
  const gone = new AbortController();
  const ended = growth.read(gone.signal);
  gone.abort();
  const next = growth.read(new AbortController().signal);
  await expect(ended).rejects.toThrow();
  expect((await next).tables.length).toBeGreaterThan(0);
  file.close();
});
