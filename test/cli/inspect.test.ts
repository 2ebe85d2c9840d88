/** The command that opens a page on a file, until it is interrupted. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { buildPage } from "../../scripts/page.js";
import { linesOf } from "../support/lines.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { createEmpty } from "./support/files.js";
import { commandLine, run } from "./support/run.js";

let folder: TemporaryFolder;
let path: string;

beforeAll(buildPage);
beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  await createEmpty(path);
});
afterEach(() => folder.remove());

function start(...options: readonly string[]) {
  return Bun.spawn(commandLine("inspect", path, ...options), { stdout: "pipe", stderr: "pipe" });
}

async function firstLine(output: ReadableStream<Uint8Array>): Promise<string> {
  const { value } = await linesOf(output).next();
  return value ?? "";
}

describe("inspect", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "prints a link that opens the page, until %s, and leaves nothing behind",
    async (signal, code) => {
      const child = start("--port", "0");
      const page = await fetch(await firstLine(child.stdout));
      expect(page.status).toBe(200);
      expect(await page.text()).toContain("<title>Checkpoint inspector</title>");
      child.kill(signal);
      expect(await child.exited).toBe(code);
      expect(await child.stderr.text()).toBe("Whoever has this link can read the file. Ctrl+C closes it.\n");
      expect(readdirSync(folder.path)).toEqual(["runs.db"]);
    },
  );

  test("ends at a signal although a page listens to its events", async () => {
    const child = start("--port", "0", "--json");
    const { url } = JSON.parse(await firstLine(child.stdout));
    const cookie = (await fetch(url)).headers.get("set-cookie")?.split(";")[0] ?? "";
    const events = await fetch(new URL("/api/live", url), { headers: { cookie } });
    const reader = events.body?.getReader();
    await reader?.read();
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
  });

  test("gives the page the right to fork only with --allow-fork", async () => {
    for (const [options, forks] of [
      [[], false],
      [["--allow-fork"], true],
    ] as const) {
      const child = start("--port", "0", ...options);
      const url = await firstLine(child.stdout);
      const cookie = (await fetch(url)).headers.get("set-cookie")?.split(";")[0] ?? "";
      const answer = await fetch(new URL("/api/file", url), { headers: { cookie } });
      expect((await answer.text()).includes('"forkToken":')).toBe(forks);
      child.kill();
      await child.exited;
    }
  });

  test("warns if other machines may connect", async () => {
    const child = start("--port", "0", "--host", "0.0.0.0");
    expect(await firstLine(child.stdout)).toStartWith("http://127.0.0.1:");
    child.kill();
    expect(await child.stderr.text()).toContain("The inspector listens on 0.0.0.0");
  });

  test("says that a port is taken", async () => {
    using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const outcome = await run(["inspect", path, "--port", String(taken.port)]);
    expect(outcome).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `error: Invalid argument: options.port ${taken.port} cannot be listened on at 127.0.0.1 (EADDRINUSE): choose another, or 0 for a free one\n`,
    });
  });

  test("refuses a file that does not exist, and does not create it", async () => {
    const missing = join(folder.path, "missing.db");
    const { exitCode, stderr } = await run(["inspect", missing]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `error: There is no file ${JSON.stringify(missing)}.\n`,
    });
    expect(readdirSync(folder.path)).toEqual(["runs.db"]);
  });
});
