/** The conformance suite itself: it needs nothing of a runner but `describe` and `test`, and a faulty store fails it. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type MemoryStore, type Session, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import {
  type ConformanceOptions,
  describeCheckpointStoreConformance,
  describeMemoryStoreConformance,
  type TestRunner,
} from "./conformance-suite.js";

class ForgetsTitles extends SqliteCheckpointStore {
  override async getSession(sessionId: string): Promise<Session | null> {
    const session = await super.getSession(sessionId);
    if (session !== null) delete session.title;
    return session;
  }
}

/** The least that a runner can be: it lists the cases by their full names. */
class Listing implements TestRunner {
  readonly cases = new Map<string, () => Promise<void>>();
  #group = "";

  readonly describe = (name: string, body: () => void): void => {
    const outer = this.#group;
    this.#group = `${outer}${name} > `;
    body();
    this.#group = outer;
  };

  readonly test = (name: string, body: () => Promise<void>): void => {
    this.cases.set(this.#group + name, body);
  };

  async failures(): Promise<string[]> {
    const failed: string[] = [];
    for (const [name, body] of this.cases) await body().catch(() => failed.push(name));
    return failed;
  }
}

function list(
  describeConformance: (options: ConformanceOptions<MemoryStore>) => void,
  open: () => MemoryStore,
): Listing {
  const runner = new Listing();
  const createStore = () => {
    const store = open();
    return { store, dispose: () => store.close() };
  };
  describeConformance({ name: "listed", runner, createStore });
  return runner;
}

describe("a runner that has only describe and test", () => {
  test("gets every case, and each passes on our store", async () => {
    const open = () => new SqliteCheckpointStore();
    const store = list(describeCheckpointStoreConformance, open);
    const memory = list(describeMemoryStoreConformance, open);
    expect(store.cases.size).toBeGreaterThan(400);
    expect(memory.cases.size).toBeGreaterThan(250);
    expect([...(await store.failures()), ...(await memory.failures())]).toEqual([]);
  });

  test("sees the cases fail that a faulty store breaks", async () => {
    const store = list(describeCheckpointStoreConformance, () => new ForgetsTitles());
    expect(await store.failures()).toContain(
      "checkpoint store: listed > sessions > a session reads back as it was returned when it was created",
    );
  });
});

test("the suite imports no runner, and nothing but types of the package", () => {
  const found = importsFrom(join(import.meta.dir, "conformance-suite.ts"));
  expect([...found].filter((path) => !path.startsWith("/")).toSorted()).toEqual(["node:assert/strict"]);
});

/** All that a module and the modules it imports import; types are erased before. */
function importsFrom(file: string, found = new Set<string>()): Set<string> {
  const imports = new Bun.Transpiler({ loader: "ts" }).scanImports(readFileSync(file, "utf8"));
  for (const { path } of imports) {
    const target = path.startsWith(".") ? join(dirname(file), path.replace(/\.js$/, ".ts")) : path;
    if (found.has(target)) continue;
    found.add(target);
    if (path.startsWith(".")) importsFrom(target, found);
  }
  return found;
}
