/**
 * How fast the inspector is: `bun bench/inspector.ts [SESSIONS] [MEGABYTES]`. The figures are in docs/inspector.md.
 *
 * Needs a browser as `npm run test:browser` does, or its path in TEST_BROWSER. The file is deleted afterwards.
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { buildPage } from "../scripts/page.js";
import { SqliteCheckpointStore } from "../src/index.js";
import { inspect } from "../src/inspector/index.js";

const ROUNDS = 9;
const LONG_RUN = 1_000;
const NODES = 12;
/** Of one measurement of the writer's rate: several answers and drawings of a page fall into it. */
const WINDOW_MS = 4_000;
const WINDOWS = 9;
/** Opening a page is measured by itself. */
const OPENING_MS = 1_500;

const VIEWS: readonly (readonly [name: string, hashOf: (session: string) => string])[] = [
  ["a browser on the list of sessions", () => "#/"],
  ["a browser on its run", (session) => `#/session/${session}`],
];

if (process.argv[2] === "writer") {
  await write(process.argv[3] ?? "");
} else {
  await measure(Number(process.argv[2] ?? 100_000), Number(process.argv[3] ?? 1_000));
}

async function measure(sessions: number, megabytes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "checkpoint-sqlite-inspector-"));
  const path = join(folder, "runs.db");
  await buildPage();
  const browser = await chromium.launch({
    executablePath: process.env.TEST_BROWSER ?? "/usr/bin/chromium-headless-shell",
    args: ["--no-sandbox", "--enable-precise-memory-info"],
  });
  try {
    const long = await fill(path, sessions, (megabytes * 1e6) / sessions);
    console.log(`file: ${Math.round(statSync(path).size / 1e6)} MB, ${sessions} sessions`);
    await firstView(path, "in the operating system's cache", () => {});
    await firstView(path, "not in the cache", () => dropFromCache(path));
    await longRun(path, browser, long);
    await memory(path, browser);
    await besideWriter(path, browser);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sessions with a message and a checkpoint, so that the file has about the size; returns the id of a long one. */
async function fill(path: string, sessions: number, bytes: number): Promise<string> {
  const store = new SqliteCheckpointStore(path, { synchronous: "normal" });
  const { id } = await store.createSession("./agents", { title: "A long run" });
  const results: Record<
    string,
    { status: "completed"; output: string; startedAt: number; completedAt: number }
  > = {};
  for (let version = 1; version <= LONG_RUN; version += 1) {
    const completedAt = Date.now();
    const output = `wave ${version}`;
    results[`node-${version % NODES}`] = {
      status: "completed",
      output,
      startedAt: completedAt - 3,
      completedAt,
    };
    await store.saveCheckpoint({
      ...{ sessionId: id, namespace: "", version, step: version - 1, source: "loop", nodeResults: results },
      pendingNodes: [`node-${(version + 1) % NODES}`],
    });
  }
  await store.close();
  const database = new Database(path);
  const session = database.prepare(
    "INSERT INTO sessions (id, workspace_id, title, directory, created_at, updated_at) VALUES (?1, ?2, ?3, './agents', ?4, ?4)",
  );
  const message = database.prepare(
    "INSERT INTO messages (session_id, role, content, created_at) VALUES (?1, 'user', ?2, ?3)",
  );
  const checkpoint = database.prepare(
    "INSERT INTO checkpoints (id, session_id, namespace, version, step, node_results, pending_nodes, source, created_at) VALUES (?1, ?2, '', 1, 0, ?3, '[]', 'loop', ?4)",
  );
  const filling = "x".repeat(Math.max(100, Math.round(bytes) - 900));
  database.transaction(() => {
    for (let number = 0; number < sessions; number += 1) {
      const [sessionId, at] = [crypto.randomUUID(), 1_700_000_000_000 + number * 60_000];
      session.run(sessionId, `workspace-${number % 20}`, `Run ${number}`, at);
      message.run(sessionId, `Question ${number}`, at);
      const output = JSON.stringify({ plan: { status: "completed", output: `${number} ${filling}` } });
      checkpoint.run(crypto.randomUUID(), sessionId, output, at);
    }
  })();
  database.close();
  return id;
}

/** From the first request to the last byte of what the first view asks for. */
async function firstView(path: string, name: string, prepare: () => void): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    prepare();
    const began = performance.now();
    const inspector = await inspect(path, { port: 0 });
    const page = await fetch(inspector.url);
    const headers = { cookie: page.headers.get("set-cookie")?.split(";")[0] ?? "" };
    const ask = async (what: string) => (await fetch(new URL(what, inspector.url), { headers })).text();
    await Promise.all([page.text(), ask("/api/file"), ask("/api/sessions?offset=0&limit=100")]);
    times.push(performance.now() - began);
    await inspector.close();
  }
  console.log(`first view, opening included, ${name}: ${summary(times)}`);
}

/** Only the pages of this file. */
function dropFromCache(path: string): void {
  Bun.spawnSync(["dd", `of=${path}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"]);
}

async function open(path: string, browser: Browser) {
  const inspector = await inspect(path, { port: 0 });
  const page = await browser.newPage();
  await page.goto(inspector.url);
  await page.locator("a.session-row").first().waitFor();
  return { page, close: async () => page.close().then(() => inspector.close()) };
}

/** From the change of the address to the frame after all checkpoints are in the picture. */
async function longRun(path: string, browser: Browser, session: string): Promise<void> {
  const { page, close } = await open(path, browser);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    times.push(await drawn(page, session));
    await page.evaluate("location.hash = '#/'");
    await page.locator("a.session-row").first().waitFor();
  }
  await close();
  console.log(
    `a session of ${LONG_RUN} checkpoints, drawn: first ${Math.round(times[0] ?? 0)} ms, ${summary(times)}`,
  );
}

function drawn(page: Page, session: string): Promise<number> {
  return page.evaluate(`new Promise((resolve) => {
    const began = performance.now();
    location.hash = "#/session/${session}";
    const look = () => document.querySelectorAll(".mark").length < ${LONG_RUN}
      ? requestAnimationFrame(look)
      : requestAnimationFrame(() => resolve(performance.now() - began));
    look();
  })`);
}

async function memory(path: string, browser: Browser): Promise<void> {
  const { page, close } = await open(path, browser);
  const session = await page.context().newCDPSession(page);
  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return Math.round(((await session.send("Runtime.getHeapUsage")).usedSize / 1e6) * 10) / 10;
  };
  const before = await heap();
  await page.evaluate(`(async () => {
    const list = document.querySelector(".rows");
    for (let part = 0; part <= 1; part += 0.01) {
      list.scrollTop = list.scrollHeight * part;
      await new Promise((done) => setTimeout(done, 60));
    }
  })()`);
  console.log(`the page's heap: ${before} MB, after scrolling through all sessions ${await heap()} MB`);
  await close();
}

/** Windows with and without an open page alternate, so that what else the machine does falls on both. */
async function besideWriter(path: string, browser: Browser): Promise<void> {
  const writer = new Writer(path);
  const inspector = await inspect(path, { port: 0 });
  const page = await browser.newPage();
  const show = async (hash: string) => {
    await page.goto("about:blank");
    await page.goto(inspector.url + hash);
    await page
      .locator(hash === "#/" ? "a.session-row" : ".mark")
      .first()
      .waitFor();
  };
  const report = async (name: string, begin: (session: string) => Promise<() => unknown>) => {
    const ratios: number[] = [];
    for (let round = 0; round < WINDOWS; round += 1) {
      const session = await writer.startSession();
      await Bun.sleep(50); // Something is in it.
      const end = await begin(session);
      await Bun.sleep(OPENING_MS);
      const beside = await writer.rate();
      await end();
      ratios.push((beside / (await writer.rate())) * 100);
    }
    console.log(`a writer's rate beside ${name}, of its rate without: ${summary(ratios, " %")}`);
  };
  await report("nothing", async () => () => {});
  await report("the inspector, asked as by a page", async () => askAsPage(inspector.url));
  for (const [name, hashOf] of VIEWS) {
    await report(name, async (session) => {
      await show(hashOf(session));
      return () => page.goto("about:blank");
    });
  }
  await page.close();
  await inspector.close();
  writer.stop();
}

/** Listens, and asks for the list of sessions after a change, as often as the page does. */
async function askAsPage(link: string): Promise<() => void> {
  const cookie = (await fetch(link)).headers.get("set-cookie")?.split(";")[0] ?? "";
  const stop = new AbortController();
  const ask = (path: string) =>
    fetch(new URL(path, link), { headers: { cookie }, signal: stop.signal }).then((answer) => answer.text());
  const events = await fetch(new URL("/api/live", link), { headers: { cookie }, signal: stop.signal });
  const reader = events.body?.getReader();
  const follow = async () => {
    while ((await reader?.read())?.done === false) {
      await ask("/api/sessions?offset=0&limit=50");
      await Bun.sleep(500);
    }
  };
  follow().catch(() => {}); // It was stopped.
  return () => stop.abort();
}

/** A process that saves one checkpoint after the other. */
class Writer {
  readonly #child;
  #resolve: (answer: string) => void = () => {};

  constructor(path: string) {
    this.#child = Bun.spawn([process.execPath, import.meta.path, "writer", path], {
      stdout: "inherit",
      ipc: (answer) => this.#resolve(String(answer)),
    });
  }

  startSession(): Promise<string> {
    return this.#ask("session");
  }

  /** Saves per second. */
  async rate(): Promise<number> {
    const [began, before] = [performance.now(), Number(await this.#ask("saves"))];
    await Bun.sleep(WINDOW_MS);
    return ((Number(await this.#ask("saves")) - before) / (performance.now() - began)) * 1_000;
  }

  stop(): void {
    this.#child.kill();
  }

  #ask(question: "session" | "saves"): Promise<string> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#child.send(question);
    });
  }
}

async function write(path: string): Promise<void> {
  await using store = new SqliteCheckpointStore(path);
  let [saves, version, session] = [0, 0, await store.createSession("./writer", { title: "The writer" })];
  process.on("message", async (question) => {
    if (question === "session") {
      session = await store.createSession("./writer", { title: "The writer" });
      version = 0;
    }
    process.send?.(question === "session" ? session.id : String(saves));
  });
  for (;;) {
    version += 1;
    await store.saveCheckpoint({
      ...{
        sessionId: session.id,
        namespace: "",
        version,
        step: version,
        source: "loop",
        pendingNodes: ["next"],
      },
      nodeResults: { work: { status: "completed", output: `wave ${version}` } },
    });
    saves += 1;
  }
}

function summary(values: readonly number[], unit = " ms"): string {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (part: number) =>
    (sorted[Math.round((sorted.length - 1) * part)] ?? 0).toFixed(unit === " %" ? 1 : 0);
  return `median ${at(0.5)}${unit}, half of them from ${at(0.25)} to ${at(0.75)}, all from ${at(0)} to ${at(1)}`;
}
