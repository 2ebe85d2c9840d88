/** Every recorded run of the framework, made again on the store: the answers have to be the recorded ones. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import { readTrace, replayTrace } from "../support/trace.js";

const FOLDER = join(import.meta.dir, "..", "fixtures", "framework-traces");

const scenarios = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".jsonl"))
  .map((file) => file.replace(".jsonl", ""))
  .sort();

test("there are recorded runs to replay", () => {
  expect(scenarios.length).toBeGreaterThan(0);
});

describe.each(scenarios)("the recorded run %s", (scenario) => {
  const path = join(FOLDER, `${scenario}.jsonl`);

  test("is answered alike in memory", async () => {
    const store = new SqliteCheckpointStore(":memory:");
    const answered = await replayTrace(readTrace(path), { store }).finally(() => store.close());
    expectWhole(answered, path);
  });

  test("is answered alike in a file", async () => {
    const folder = await createTemporaryFolder();
    const store = new SqliteCheckpointStore(join(folder.path, "run.db"));
    const answered = await replayTrace(readTrace(path), { store })
      .finally(() => store.close())
      .finally(() => folder.remove());
    expectWhole(answered, path);
  });

  test("is answered alike in a file closed and reopened after every call", async () => {
    const folder = await createTemporaryFolder();
    const open = () => new SqliteCheckpointStore(join(folder.path, "run.db"));
    let store = open();
    let reopened = 0;
    const whenIdle = async () => {
      await store.close();
      reopened += 1;
      store = open();
      return store;
    };
    const answered = await replayTrace(readTrace(path), { store, whenIdle })
      .finally(() => store.close())
      .finally(() => folder.remove());
    expectWhole(answered, path);
    expect(reopened).toBeGreaterThan(0);
  });
});

/** The calls are counted in the file's text, not by the code that replays it. */
function expectWhole(answered: number, path: string): void {
  const calls = readFileSync(path, "utf8").match(/^\{"t":"call"/gm)?.length ?? 0;
  expect(calls).toBeGreaterThan(0);
  expect(answered).toBe(calls);
}
