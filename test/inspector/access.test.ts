/** Who may ask the inspector, and what they cannot do. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { inspect } from "../../src/inspector/index.js";
import { rejectionOf } from "../support/outcomes.js";
import { checkpointOf, Inspected } from "./support/inspected.js";

let inspected: Inspected;
let checkpointId: string;

beforeAll(async () => {
  inspected = await Inspected.open({}, async (store) => {
    const session = await store.createSession("/work", { title: "Secret" });
    const saved = await store.saveCheckpoint(
      checkpointOf(session.id, 1, { plan: { status: "completed", output: 1 } }),
    );
    checkpointId = saved.id;
  });
});

afterAll(() => inspected[Symbol.asyncDispose]());

const asPage = async (headers: Record<string, string> = {}) => ({
  headers: { cookie: await inspected.cookie(), ...headers },
});

describe("the token", () => {
  test("is in the link, long and random", () => {
    expect(new URL(inspected.inspector.url).searchParams.get("token")).toMatch(/^[\w-]{32}$/);
  });

  test("becomes a cookie that no script reads and that is not sent along from other sites", async () => {
    const header = (await fetch(inspected.inspector.url)).headers.get("set-cookie");
    expect(header).toMatch(/^checkpoint_inspector_\d+=[\w-]{32}; HttpOnly; SameSite=Strict; Path=\/$/);
  });

  test.each(["/", "/api/file", "/api/sessions", "/api/live", "/api/nothing"])(
    "is needed for %s",
    async (path) => {
      const { status, body } = await inspected.send(path, {});
      expect(status).toBe(401);
      expect(JSON.stringify(body)).not.toContain("Secret");
    },
  );

  test("is not one that only begins alike", async () => {
    const wrong = inspected.inspector.url.slice(0, -1);
    expect((await fetch(wrong)).status).toBe(401);
    const cookie = (await inspected.cookie()).slice(0, -1);
    expect((await inspected.send("/api/file", { headers: { cookie } })).status).toBe(401);
  });
});

describe("requests with the cookie are refused", () => {
  test("under another name of this machine, as in DNS rebinding", async () => {
    const { status, body } = await inspected.send("/api/file", await asPage({ host: "evil.example" }));
    expect(status).toBe(403);
    expect(body.error).toContain('"evil.example"');
  });

  test("from another origin", async () => {
    const { status } = await inspected.send("/api/file", await asPage({ origin: "http://evil.example" }));
    expect(status).toBe(403);
  });

  test("from another port of this machine", async () => {
    const { status } = await inspected.send("/api/file", await asPage({ origin: "http://127.0.0.1:1" }));
    expect(status).toBe(403);
  });

  test("if the browser says that another site makes them", async () => {
    const { status } = await inspected.send("/api/file", await asPage({ "sec-fetch-site": "cross-site" }));
    expect(status).toBe(403);
  });

  test.each(["POST", "PUT", "DELETE", "PATCH"])("if they are a %s", async (method) => {
    expect((await inspected.send("/api/sessions", { method, ...(await asPage()) })).status).toBe(405);
    expect((await fetch(inspected.inspector.url, { method })).status).toBe(405);
  });
});

describe("the page", () => {
  test("allows its own script and styles by hash, and nothing else", async () => {
    const response = await fetch(inspected.inspector.url);
    const html = await response.text();
    const policy = response.headers.get("content-security-policy") ?? "";
    const [, script = ""] = /<script[^>]*>(.*?)<\/script>/s.exec(html) ?? [];
    expect(policy).toContain(`script-src 'sha256-${createHash("sha256").update(script).digest("base64")}'`);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    expect(html).not.toMatch(/ on\w+="|javascript:/);
  });

  test("is one file that loads nothing", async () => {
    const html = await (await fetch(inspected.inspector.url)).text();
    expect(html).not.toMatch(/(?:src|href)="(?!data:)/);
  });

  test("sends no referrer, is not framed, and is not kept", async () => {
    const stop = new AbortController();
    const live = await fetch(new URL("/api/live", inspected.origin), {
      ...(await asPage()),
      signal: stop.signal,
    });
    for (const { headers } of [await fetch(inspected.inspector.url), live]) {
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    stop.abort();
  });
});

describe("a fork", () => {
  test("is refused unless the inspector allows it, and the file stays as it is", async () => {
    const before = readFileSync(inspected.path);
    const { status, body } = await inspected.send(`/api/fork?id=${checkpointId}`, {
      method: "POST",
      ...(await asPage()),
    });
    expect(status).toBe(403);
    expect(body.error).toContain("--allow-fork");
    expect(readFileSync(inspected.path).equals(before)).toBe(true);
  });

  test("needs its own token in a header, and then makes a session", async () => {
    await using open = await Inspected.open({ allowFork: true }, async (store) => {
      const session = await store.createSession("/work", { title: "Original" });
      checkpointId = (await store.saveCheckpoint(checkpointOf(session.id, 1, {}))).id;
    });
    const cookie = await open.cookie();
    const post = (headers: Record<string, string>) =>
      open.send(`/api/fork?id=${checkpointId}`, { method: "POST", headers: { cookie, ...headers } });
    expect((await post({})).status).toBe(403);
    expect((await post({ "x-fork-token": "guess" })).status).toBe(403);
    const { forkToken } = (await open.ask("file")).body;
    const { status, body } = await post({ "x-fork-token": forkToken });
    expect(status).toBe(200);
    expect((await open.store.getSession(body.sessionId))?.title).toBe("Fork of Original");
  });

  test("of a file that was deleted is refused, and makes no new file", async () => {
    await using open = await Inspected.open({ allowFork: true });
    const { forkToken } = (await open.ask("file")).body;
    const headers = { cookie: await open.cookie(), "x-fork-token": forkToken };
    for (const end of ["", "-wal", "-shm"]) {
      rmSync(`${open.path}${end}`, { force: true });
    }
    const { status, body } = await open.send("/api/fork?id=any", { method: "POST", headers });
    expect(status).toBe(410);
    expect(body.code).toBe("FILE_GONE");
    expect(existsSync(open.path)).toBe(false);
  });

  test("of a checkpoint that is not there is reported", async () => {
    await using open = await Inspected.open({ allowFork: true });
    const { forkToken } = (await open.ask("file")).body;
    const headers = { cookie: await open.cookie(), "x-fork-token": forkToken };
    expect((await open.send("/api/fork?id=nobody", { method: "POST", headers })).status).toBe(404);
  });
});

describe("options", () => {
  test.each([
    [{ port: 70_000 }, "options.port"],
    [{ port: -1 }, "options.port"],
    [{ host: "" }, "options.host"],
    [{ host: " " }, "options.host"],
    [{ open: "yes" }, "options.open"],
    [{ allowFork: 1 }, "options.allowFork"],
    [{ signal: {} }, "options.signal"],
    [{ colour: "red" }, "colour"],
  ])("%o is rejected by name", async (options, name) => {
    const error = await rejectionOf(Reflect.apply(inspect, undefined, [inspected.path, options]));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain(name);
  });

  test("a file that does not exist is reported, and not created", async () => {
    const error = await rejectionOf(inspect(`${inspected.path}-none`, { port: 0 }));
    expect(error.code).toBe("CANNOT_OPEN");
    expect(error.message).toContain("does not exist");
  });

  test("a host that others can reach is warned about", async () => {
    const warned = new Promise<Error>((resolve) => {
      process.once("warning", resolve);
    });
    await using inspector = await inspect(inspected.path, { port: 0, host: "0.0.0.0" });
    expect(inspector.url).toStartWith("http://127.0.0.1:");
    expect((await warned).message).toContain("0.0.0.0");
  });

  test("the default port gives way to a free one if another inspector has it", async () => {
    await using first = await inspect(inspected.path);
    await using second = await inspect(inspected.path);
    expect(new URL(first.url).port).not.toBe(new URL(second.url).port);
  });

  test("a browser that cannot be opened does not stop the inspector", async () => {
    const { TMPDIR } = process.env;
    process.env.TMPDIR = `${inspected.path}/not-a-folder`;
    try {
      await using inspector = await inspect(inspected.path, { port: 0, open: true });
      expect((await fetch(inspector.url)).status).toBe(200);
    } finally {
      process.env.TMPDIR = TMPDIR ?? "";
      if (TMPDIR === undefined) {
        delete process.env.TMPDIR;
      }
    }
  });

  test("a signal closes the inspector", async () => {
    const controller = new AbortController();
    const inspector = await inspect(inspected.path, { port: 0, signal: controller.signal });
    controller.abort();
    await inspector.close();
    await expect(fetch(inspector.url)).rejects.toThrow();
  });

  test("closing twice is closing once", async () => {
    const inspector = await inspect(inspected.path, { port: 0 });
    await Promise.all([inspector.close(), inspector.close()]);
  });
});
