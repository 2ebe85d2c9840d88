/** What people come for: a run, its cause, its differences and its forks, as they would find them. */
import { beforeAll, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import type { Page } from "playwright-core";
import { SAMPLE, writeSampleRuns } from "../../scripts/sample-runs.js";
import { createManySessions } from "../cli/support/files.js";
import { checkpointOf } from "../inspector/support/inspected.js";
import { describeInBrowser, newContext, OpenPage, useFolder } from "./support/browser.js";
import { placesIn } from "./support/file.js";

const DEMO = resolve(import.meta.dir, "../../examples/resume-after-crash.ts");

/** As if another tab were looked at. */
function hide(page: Page): Promise<void> {
  return page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
}

describeInBrowser("the inspector in a browser", () => {
  const folder = useFolder();
  let path = "";
  beforeAll(async () => {
    path = join(folder.path, "sample.db");
    await writeSampleRuns(path, Date.now());
  });

  test("shows a failed run with its cause, and the list as it was when one goes back", async () => {
    await using opened = await OpenPage.on(path);
    const { page } = opened;
    await page.getByLabel("State").selectOption("Failed");
    await page.getByText("1 session", { exact: true }).waitFor();
    await page.getByRole("link", { name: SAMPLE.failed }).click();
    const checkpoint = page.getByRole("region", { name: "Checkpoint v2" });
    expect(await checkpoint.locator("details").first().innerText()).toContain(
      "RateLimitError: 429 Too Many Requests",
    );
    expect(await page.title()).toStartWith(SAMPLE.failed);
    await page.goBack();
    await page.getByText("1 session", { exact: true }).waitFor();
    expect(await page.getByLabel("State").inputValue()).toBe("failed");
    expect(opened.problems).toEqual([]);
  });

  test("compares two iterations of a loop", async () => {
    const places = await placesIn(path);
    await using opened = await OpenPage.on(path, { hash: places.session(SAMPLE.looped) });
    const { page } = opened;
    await page.getByRole("link", { name: /^v5: probe completed/ }).click();
    await page.getByRole("link", { name: "Compare with v3, when probe ran before" }).click();
    const changed = page.getByRole("region", { name: "probe" });
    await changed.waitFor();
    const rows = await changed.locator("tbody tr").allInnerTexts();
    expect(rows.map((row) => row.replaceAll(/\s+/g, " "))).toEqual([
      "$.open[2] added absent 8080",
      "$.filtered[0] removed 8080 absent",
    ]);
    expect(await page.getByRole("region", { name: "The same" }).innerText()).toContain("resolve, whois");
    expect(opened.problems).toEqual([]);
  });

  test("opens the lanes of the graph within a node", async () => {
    const places = await placesIn(path);
    await using opened = await OpenPage.on(path, { hash: places.session(SAMPLE.looped) });
    const { page } = opened;
    const names = page.locator(".lane-name .name");
    await page.getByRole("button", { name: "probe" }).click();
    await page.locator(".lane-name", { hasText: "banner" }).waitFor();
    expect(await names.allInnerTexts()).toEqual([
      "resolve",
      "whois",
      "probe",
      "connect",
      "banner",
      "verify",
      "report",
    ]);
    expect(await page.locator(".bar").count()).toBe(11);
    await page.getByRole("button", { name: "probe" }).press("Enter");
    await page.locator(".lane-name", { hasText: "banner" }).waitFor({ state: "detached" });
  });

  test("follows a run while it goes on", async () => {
    const live = join(folder.path, "live.db");
    await using store = new SqliteCheckpointStore(live);
    const { id } = await store.createSession("./live", { title: "A run that goes on" });
    const save = (version: number, nodes: string[], pendingNodes: string[]) =>
      store.saveCheckpoint(
        checkpointOf(
          id,
          version,
          Object.fromEntries(nodes.map((node) => [node, { status: "completed" as const, output: node }])),
          { pendingNodes },
        ),
      );
    await save(1, ["plan"], ["search"]);
    await using opened = await OpenPage.on(live);
    const { page } = opened;
    const row = page.getByRole("link", { name: "A run that goes on" });
    await row.getByText("pending: search").waitFor();
    await save(2, ["plan", "search"], ["write"]);
    await row.getByText("pending: write").waitFor();
    await row.click();
    await page.getByRole("link", { name: /^v2: search completed/ }).waitFor();
    const drawing = page.getByRole("application");
    expect(await drawing.locator(".mark").count()).toBe(2);
    await store.addMessage(id, { sessionId: id, role: "assistant", content: "Almost done." });
    await page.getByRole("region", { name: "Conversation" }).getByText("Almost done.").waitFor();
    await save(3, ["plan", "search", "write"], []);
    await page.getByRole("link", { name: /^v3: write completed/ }).waitFor();
    expect(await drawing.locator(".mark").count()).toBe(3);
    await page.locator(".head").getByText("finished").waitFor();
    // What is selected by itself follows the run.
    await page.getByRole("region", { name: "Checkpoint v3" }).waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("asks for nothing while nobody looks at it, and then for all at once", async () => {
    const live = join(folder.path, "unseen.db");
    await using store = new SqliteCheckpointStore(live);
    await store.createSession("./live", { title: "Seen" });
    await using opened = await OpenPage.on(live);
    const { page, context } = opened;
    await page.getByRole("link", { name: "Seen" }).waitFor();
    // Its stream ends too: a browser has six connections to one host, for all of its tabs.
    const ended = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/api/live"));
    await hide(page);
    await ended;
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await store.createSession("./live", { title: "Unseen" });
    const other = await context.newPage();
    await other.goto(opened.origin);
    await other.getByRole("link", { name: "Unseen" }).waitFor();
    await store.createSession("./live", { title: "Also unseen" });
    await other.getByRole("link", { name: "Also unseen" }).waitFor();
    expect(requests).toEqual([]);
    await page.evaluate(() => {
      Reflect.deleteProperty(document, "hidden");
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.getByRole("link", { name: "Also unseen" }).waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("walks a fork tree with the arrow keys, and compares how two runs ended", async () => {
    const forked = join(folder.path, "forked.db");
    await using store = new SqliteCheckpointStore(forked);
    const { id } = await store.createSession("./forked", { title: "Root" });
    const first = await store.saveCheckpoint(
      checkpointOf(id, 1, { plan: { status: "completed", output: 1 } }),
    );
    const second = await store.saveCheckpoint(
      checkpointOf(id, 2, { plan: { status: "completed", output: 2 } }),
    );
    await store.fork(first.id, { title: "Fork of v1" });
    const fork = await store.fork(second.id, { title: "Fork of v2" });
    const copied = await store.getLatestCheckpoint(fork.id);
    await store.fork(copied?.id ?? "", { title: "Fork of a fork" });

    await using opened = await OpenPage.on(forked, { hash: `#/session/${id}/forks` });
    const { page } = opened;
    const focused = () =>
      page.evaluate(() => document.activeElement?.querySelector(".title")?.textContent ?? "");
    await page.getByRole("treeitem", { name: /Root/ }).focus();
    const walked = [await focused()];
    for (const key of ["ArrowRight", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowLeft", "End", "Home"]) {
      await page.keyboard.press(key);
      walked.push(await focused());
    }
    expect(walked).toEqual([
      "Root",
      "Fork of v1",
      "Fork of v2",
      "Fork of a fork",
      "Fork of v2",
      "Root",
      "Fork of a fork",
      "Root",
    ]);
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowDown");
    await page.getByRole("link", { name: "Compare how it ended with Root" }).click();
    await page.getByRole("heading", { name: "Before: v2" }).waitFor();
    await page.getByRole("heading", { name: "After: v1" }).waitFor();
    await page.goBack();
    await page.getByRole("treeitem", { name: /Fork of a fork/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Fork of a fork", level: 1 }).waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("tells of the demo's run why `write` ran twice, and what its fork did otherwise", async () => {
    const demo = join(folder.path, "demo.db");
    const run = Bun.spawn([process.execPath, DEMO, demo], { stdout: "ignore" });
    expect(await run.exited).toBe(0);
    await using opened = await OpenPage.on(demo);
    const { page } = opened;
    await page.getByRole("link", { name: /Do octopuses dream\?(?! \()/ }).click();
    const lane = page.locator(".lane-name", { hasText: "write" });
    await lane.getByText("×2").waitFor();
    expect(await page.locator(".loop title").textContent()).toBe("Back by critique->write, iteration 1");
    const reason = page.getByRole("link", {
      name: /^v4: critique completed .* went back by critique->write/,
    });
    await reason.click();
    const critique = page.getByRole("region", { name: "Checkpoint v4" }).locator("details", {
      hasText: "critique",
    });
    expect(await critique.first().innerText()).toMatch(/score: 62[\s\S]*"no example"/);

    await page.getByRole("link", { name: "Fork tree" }).click();
    await page.getByRole("link", { name: /Compare how it ended/ }).click();
    const text = page.getByRole("region", { name: "write" }).locator("tbody tr").first();
    expect(await text.innerText()).toMatch(/\$\.text[\s\S]*Perhaps they do[\s\S]*Tilly curled up/);
    expect(await page.getByRole("region", { name: "The same" }).innerText()).toContain(
      "plan, search-papers, search-films, search-keepers",
    );
    expect(opened.problems).toEqual([]);
  });

  test("reads pages of the list again that were out of sight when the file changed", async () => {
    const some = join(folder.path, "some.db");
    await createManySessions(some, 300);
    await using store = new SqliteCheckpointStore(some);
    await using opened = await OpenPage.on(some);
    const { page } = opened;
    const rows = page.getByRole("list", { name: "Sessions, newest first" });
    await page.getByRole("link", { name: "Session 299" }).waitFor();
    await rows.evaluate((list) => list.scrollTo(0, list.scrollHeight));
    await page.getByRole("link", { name: "Session 0 ", exact: false }).last().waitFor();
    await store.createSession("./new", { title: "Saved meanwhile" });
    await page.getByText("301 sessions", { exact: true }).waitFor();
    // It hears of no other change, which would have it read what is in sight then.
    await hide(page);
    await rows.evaluate((list) => list.scrollTo(0, 0));
    await page.getByRole("link", { name: "Saved meanwhile" }).waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("tells nodes that failed in between from those that finished, and what changed beside the output", async () => {
    const path = join(folder.path, "compared.db");
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./compared", { title: "Compared" });
    const save = (version: number, results: Parameters<typeof checkpointOf>[2]) =>
      store.saveCheckpoint(checkpointOf(id, version, results));
    const long = (last: number) => Array.from({ length: 150 }, (_, index) => (index < 149 ? index : last));
    const first = await save(1, { plan: { status: "completed", output: 1 } });
    const second = await save(2, {
      plan: { status: "skipped", output: 1 },
      search: { status: "completed", output: long(1) },
      write: { status: "failed", output: undefined },
    });
    const third = await save(3, { search: { status: "completed", output: { found: long(2) } } });
    await using opened = await OpenPage.on(path, { hash: `#/compare/${first.id}/${second.id}` });
    const { page } = opened;
    const failed = page.getByRole("region", { name: "Only after: failed in between" });
    expect(await failed.innerText()).toContain("write");
    const finished = page.getByRole("region", { name: "Only after: finished in between" });
    expect(await finished.innerText()).not.toContain("write");
    expect(await page.getByRole("region", { name: "plan" }).innerText()).toContain("The output is the same.");

    await opened.go(`#/compare/${second.id}/${third.id}`);
    const search = page.getByRole("region", { name: "search" });
    await search.getByRole("button", { name: "array 150 items" }).first().click();
    await search.getByText(/50 more not shown here: checkpoint-sqlite checkpoint … --full/).waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("loads earlier checkpoints once, keeps them, and names one among them that is compared", async () => {
    const long = join(folder.path, "long.db");
    await using store = new SqliteCheckpointStore(long);
    const { id } = await store.createSession("./long", { title: "Long" });
    const save = (version: number) =>
      store.saveCheckpoint(checkpointOf(id, version, { plan: { status: "completed", output: version } }));
    const saved = await Promise.all(Array.from({ length: 1_005 }, (_, index) => save(index + 1)));
    await using opened = await OpenPage.on(long, { hash: `#/session/${id}` });
    const { page } = opened;
    const marks = page.getByRole("application").locator(".mark");
    const earlier = page.getByRole("button", { name: "Earlier checkpoints" });
    await earlier.evaluate((button: HTMLElement) => {
      button.click();
      button.click();
    });
    await earlier.waitFor({ state: "detached" });
    expect(await marks.count()).toBe(1_005);
    await save(1_006);
    await page.getByRole("link", { name: /^v1006/ }).waitFor();
    expect(await marks.count()).toBe(1_006);

    await opened.go(`#/compare/${saved[0]?.id}/${saved.at(-1)?.id}`);
    const before = page.getByRole("region", { name: "Before" }).getByLabel("Checkpoint");
    await before.locator("option", { hasText: "v1006" }).waitFor({ state: "attached" });
    expect(await before.evaluate((select: HTMLSelectElement) => select.selectedOptions[0]?.textContent)).toBe(
      "v1",
    );
    expect(opened.problems).toEqual([]);
  });

  test("scrolls through 100,000 sessions with few rows in the page, and finds one", async () => {
    const many = join(folder.path, "many.db");
    await createManySessions(many, 100_000);
    await using opened = await OpenPage.on(many);
    const { page } = opened;
    await page.getByText("100,000 sessions", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Session 99999" }).waitFor();
    const rows = page.getByRole("list", { name: "Sessions, newest first" });
    for (const part of [0.25, 0.5, 0.75, 1]) {
      await rows.evaluate((list, at) => list.scrollTo(0, list.scrollHeight * at), part);
    }
    await page.getByRole("link", { name: "Session 0 ", exact: false }).last().waitFor();
    expect(await rows.locator("li").count()).toBeLessThan(60);
    await page.getByRole("searchbox").fill("session 54321");
    await page.getByText("1 session", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Session 54321" }).waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("can be used with the keyboard alone", async () => {
    await using opened = await OpenPage.on(path);
    const { page } = opened;
    await page.getByRole("link", { name: SAMPLE.fork }).focus();
    await page.keyboard.press("ArrowDown");
    await page.locator('[data-row="1"]:focus').waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: SAMPLE.looped, level: 1 }).waitFor();
    await page.getByRole("application").focus();
    await page.keyboard.press("Home");
    await page.getByRole("region", { name: "Checkpoint v1" }).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("region", { name: "Checkpoint v2" }).waitFor();
    await page.getByRole("link", { name: SAMPLE.fork }).first().waitFor();
    await page.keyboard.press("End");
    await page.getByRole("region", { name: "Checkpoint v7" }).waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("shows Maps, Buffers and bigints as such, loads what is large when it is opened, and copies JSON", async () => {
    const places = await placesIn(path);
    await using opened = await OpenPage.on(path, { hash: places.session(SAMPLE.pending) });
    const { page, context } = opened;
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: opened.origin });
    const embed = page.locator("details", { hasText: "embed" }).first();
    expect(await embed.innerText()).toMatch(/vectors: Buffer 6\.0 kB: 00 25 4a 6f/);
    const load = page.locator("details.node", { hasText: "load" });
    await load.locator("summary").click();
    expect(await load.innerText()).toMatch(/bytes: bigint 4812330n/);
    await load.getByRole("button", { name: "Map 40 entries" }).click();
    await load.getByText('"page-39"').waitFor();
    await load.getByRole("button", { name: "Copy as JSON" }).click();
    await load.getByText("Copied").waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(JSON.parse(copied).bytes).toEqual({ __type: "js:bigint", value: "4812330" });
    expect(opened.problems).toEqual([]);
  });

  test("has links that lead another person with the same file to the same place", async () => {
    const places = await placesIn(path);
    await using opened = await OpenPage.on(path, { hash: places.session(SAMPLE.looped) });
    await opened.page.getByRole("link", { name: /^v4: verify completed/ }).click();
    await opened.page.getByRole("region", { name: "Checkpoint v4" }).waitFor();
    const { hash, search } = new URL(opened.page.url());
    expect(search).toBe("");
    // For somebody whose browser has the cookie: in the address bar, not from a link on a page of another site.
    const pasted = await opened.context.newPage();
    await pasted.goto(opened.page.url());
    await pasted.getByRole("region", { name: "Checkpoint v4" }).waitFor();
    await pasted.goto("about:blank");
    await pasted.setContent(`<a href="${opened.page.url()}">mail</a>`);
    const answered = pasted.waitForResponse(`${opened.origin}/`);
    await pasted.getByRole("link", { name: "mail" }).click();
    expect((await answered).status()).toBe(401);
    await using other = await OpenPage.on(path, { hash });
    await other.page.getByRole("region", { name: "Checkpoint v4" }).waitFor();
    // Without the token the link opens nothing.
    const stranger = await newContext();
    const page = await stranger.newPage();
    expect((await page.goto(opened.page.url()))?.status()).toBe(401);
    await stranger.close();
  });

  test("shows what to do when the file disappears, and when the inspector was stopped", async () => {
    const short = join(folder.path, "short.db");
    await writeSampleRuns(short, Date.now());
    await using opened = await OpenPage.on(short);
    const { page, inspector } = opened;
    await page.getByRole("link", { name: SAMPLE.looped, exact: false }).first().waitFor();
    await Bun.file(short).delete();
    await page.getByRole("alert").getByText("The file was deleted, renamed or replaced").waitFor();
    expect(await page.getByRole("link", { name: SAMPLE.failed }).count()).toBe(1);
    await inspector.close();
    await page.getByRole("alert").getByText("The inspector was stopped").waitFor();
  });

  test("says so when a file is empty, and when a session is not in it", async () => {
    const empty = join(folder.path, "empty.db");
    await new SqliteCheckpointStore(empty).close();
    await using opened = await OpenPage.on(empty);
    const { page } = opened;
    await page.getByText("No session was saved yet").waitFor();
    await opened.go("#/session/unknown");
    await page.getByRole("alert").getByText("not in the file").waitFor();
    await page.getByRole("link", { name: "Growth" }).click();
    await page.getByRole("heading", { name: "Tables" }).waitFor();
  });
});
