/** What a hostile file or another site could try. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { checkpointOf } from "../inspector/support/inspected.js";
import { describeInBrowser, FOREIGN_NAME, newContext, OpenPage, useFolder } from "./support/browser.js";
import { placesIn } from "./support/file.js";

const SCRIPT = '<img src=x onerror="globalThis.hacked = 1"><script>globalThis.hacked = 1</script>';
const BREAKING = `"'><svg onload=alert(1)>\u202e\u0000\u0007]]>\${globalThis.hacked=1}`;

describeInBrowser("the inspector, attacked in a browser", () => {
  const folder = useFolder();

  async function createHostile(): Promise<string> {
    const path = join(folder.path, `${crypto.randomUUID()}.db`);
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession(SCRIPT, {
      title: SCRIPT,
      workspaceId: BREAKING,
      metadata: { [SCRIPT]: BREAKING },
    });
    await store.addMessage(id, { sessionId: id, role: "user", content: `${SCRIPT}${BREAKING}` });
    const output = JSON.parse(
      `{"__proto__": {"polluted": 1}, "constructor": 1, "long": "${"x".repeat(50_000)}"}`,
    );
    const nodes = {
      [SCRIPT]: { status: "failed" as const, error: `${SCRIPT}\n${BREAKING}` },
      [BREAKING]: {
        status: "completed" as const,
        output: { ...output, [SCRIPT]: new Map([[SCRIPT, BREAKING]]) },
      },
      __proto__x: { status: "completed" as const, output },
    };
    const saved = await store.saveCheckpoint(
      checkpointOf(id, 1, nodes, { pendingNodes: [SCRIPT, BREAKING], nodeId: SCRIPT }),
    );
    await store.saveCheckpoint(
      checkpointOf(id, 2, { ...nodes, [BREAKING]: { status: "completed", output: { [SCRIPT]: SCRIPT } } }),
    );
    await store.fork(saved.id, { title: BREAKING });
    return path;
  }

  test("text that would be a script or markup is text in every view", async () => {
    const path = await createHostile();
    const views = (await placesIn(path)).views(SCRIPT);
    await using opened = await OpenPage.on(path);
    const { page } = opened;
    for (const [name, hash] of Object.entries(views)) {
      await opened.go(hash);
      await page.locator("main").getByText("<img src=x").first().waitFor();
      const found = await page.evaluate(() => ({
        hacked: "hacked" in globalThis || "polluted" in {},
        elements: document.querySelectorAll("main img, main script, main svg[onload], main iframe").length,
      }));
      expect({ name, ...found }).toEqual({ name, hacked: false, elements: 0 });
    }
    await opened.go("#/");
    await page.getByRole("link", { name: "\\u202e\\u0000\\u0007", exact: false }).first().waitFor();
    expect(opened.problems).toEqual([]);
  });

  test("a status named as a member of every object, and times beyond all clocks, are drawn as they are", async () => {
    const path = join(folder.path, "damaged.db");
    await using store = new SqliteCheckpointStore(path);
    const { id } = await store.createSession("./damaged", { title: "Damaged" });
    await store.saveCheckpoint(checkpointOf(id, 1, { plan: { status: "completed", output: 1 } }));
    using writer = new Database(path);
    const plan = { status: "__proto__", output: 1, startedAt: 1e300, completedAt: 1e300 };
    writer.run("UPDATE checkpoints SET node_results = ?, created_at = 1e300, step = 1e999", [
      JSON.stringify({ plan }),
    ]);
    await using opened = await OpenPage.on(path, { hash: `#/session/${id}` });
    const { page } = opened;
    const checkpoint = page.getByRole("region", { name: "Checkpoint v1" });
    await checkpoint.getByText("__proto__").waitFor();
    expect(await page.getByRole("application").locator(".bar.unknown").count()).toBe(1);
    expect(await page.evaluate(() => Reflect.ownKeys(Object.prototype).join())).not.toMatch(
      /__[a-z]\b|props/,
    );
    expect(opened.problems).toEqual([]);
  });

  test("the page runs no script but its own, even if one got in", async () => {
    const path = await createHostile();
    await using opened = await OpenPage.on(path);
    const { page } = opened;
    await page.locator("a.session-row").first().waitFor();
    const attempts = await page.evaluate(async () => {
      const outcome: Record<string, string> = {};
      const attempt = (name: string, act: () => void) => {
        try {
          act();
          outcome[name] = "no error";
        } catch (error) {
          outcome[name] = error instanceof Error ? error.name : "thrown";
        }
      };
      attempt("markup", () => {
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='globalThis.hacked = 1'>");
      });
      attempt("script", () => {
        const script = document.createElement("script");
        script.append("globalThis.hacked = 1");
        document.body.append(script);
      });
      // Later, because the debugger allows it while it evaluates.
      await new Promise<void>((done) => {
        setTimeout(() => {
          // biome-ignore lint/security/noGlobalEval: it must not work.
          attempt("eval", () => globalThis.eval("globalThis.hacked = 1"));
          done();
        });
      });
      outcome.elsewhere = await fetch("http://127.0.0.1:9/").then(
        () => "answered",
        () => "refused",
      );
      return { outcome, hacked: "hacked" in globalThis };
    });
    expect(attempts).toEqual({
      outcome: { markup: "TypeError", eval: "EvalError", script: expect.any(String), elsewhere: "refused" },
      hacked: false,
    });
    expect(opened.problems.filter((text) => text.includes("Content Security Policy")).length).toBeGreaterThan(
      0,
    );
  });

  test("the token becomes a cookie that scripts and other sites do not get, and leaves the address", async () => {
    const path = await createHostile();
    await using opened = await OpenPage.on(path);
    await opened.page.locator("a.session-row").first().waitFor();
    const [cookie] = await opened.context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", domain: "127.0.0.1" });
    expect(opened.page.url()).not.toContain("token");
    expect(await opened.page.evaluate(() => document.cookie)).toBe("");
  });

  test("another site reads nothing, sends nothing and frames nothing", async () => {
    const path = await createHostile();
    await using opened = await OpenPage.on(path, { allowFork: true });
    await opened.page.locator("a.session-row").first().waitFor();
    const { context, origin } = opened;
    using attacker = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("<!doctype html><body>attack", { headers: { "content-type": "text/html" } }),
    });
    const page = await context.newPage();
    // Both names of this machine: the second is another site, the first only another origin.
    for (const host of ["127.0.0.1", "localhost"]) {
      await page.goto(`http://${host}:${attacker.port}/`);
      const outcome = await page.evaluate(async (target) => {
        const read = (mode: RequestMode, method: string) =>
          fetch(`${target}/api/sessions`, { credentials: "include", mode, method }).then(
            (response) => `${response.type} ${response.status}`,
            () => "refused",
          );
        const frame = document.createElement("iframe");
        frame.src = `${target}/`;
        const loaded = new Promise<void>((done) => {
          frame.onload = () => done();
        });
        document.body.append(frame);
        await loaded;
        let framed = "blocked";
        try {
          framed = frame.contentDocument?.title ?? "blocked";
        } catch {
          framed = "blocked";
        }
        return { get: await read("cors", "GET"), post: await read("cors", "POST"), framed };
      }, origin);
      expect(outcome).toEqual({ get: "refused", post: "refused", framed: "blocked" });
      const posted = await page.evaluate(
        (target) =>
          fetch(`${target}/api/fork?id=x`, { method: "POST", mode: "no-cors", credentials: "include" }).then(
            ({ status }) => status,
            () => 0,
          ),
        origin,
      );
      expect(posted).toBe(0);
    }
    await using store = new SqliteCheckpointStore(path, { readonly: true });
    expect(await store.listSessions()).toHaveLength(2);
  });

  test("a name of another site that leads to this machine gets nothing, even with the token", async () => {
    const path = await createHostile();
    await using opened = await OpenPage.on(path);
    const url = new URL(opened.inspector.url);
    url.hostname = FOREIGN_NAME;
    const context = await newContext();
    const page = await context.newPage();
    const answer = await page.goto(url.href);
    expect(answer?.status()).toBe(403);
    expect(await answer?.text()).toContain("The Host header");
    expect(await context.cookies()).toEqual([]);
    await context.close();
  });

  test("a fork is one button, if it is allowed, and opens the new session", async () => {
    const path = await createHostile();
    const { session } = (await placesIn(path)).views(SCRIPT);
    await using reading = await OpenPage.on(path, { hash: session ?? "" });
    await reading.page.locator(".checkpoint").waitFor();
    expect(await reading.page.getByRole("button", { name: "Fork from here" }).count()).toBe(0);
    await using opened = await OpenPage.on(path, { hash: session ?? "", allowFork: true });
    await opened.page.getByRole("button", { name: "Fork from here" }).click();
    await opened.page.getByRole("link", { name: /^Forked from v1/ }).waitFor();
    await using store = new SqliteCheckpointStore(path, { readonly: true });
    expect(await store.listSessions()).toHaveLength(3);
    expect(opened.problems).toEqual([]);
  });
});
