/** `to-postgres` and `from-postgres` on a real server. */
import { beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run, runOnTerminal } from "../cli/support/run.js";
import { difference } from "../support/difference.js";
import { runOn } from "../support/sql.js";
import type { TemporaryFolder } from "../support/temporary-folder.js";
import { describeWithServer, onServer, useServer } from "./support/cluster.js";
import { CuttingProxy } from "./support/cutting-proxy.js";
import { fill } from "./support/files.js";
import { type AllRows, rowsOfFile, rowsOfServer } from "./support/rows.js";

describeWithServer("the command line with PostgreSQL", () => {
  const server = useServer();
  let folder: TemporaryFolder;
  let path: string;
  let url: string;

  beforeEach(async () => {
    ({ folder, path, url } = await server.newPlace());
    await fill(path, true);
  });

  test("copies there and back", async () => {
    const to = await run(["to-postgres", path, url, "--yes"]);
    expect(to).toMatchObject({ exitCode: 0, stderr: "" });
    expect(to.stdout).toEndWith("Copied 3 sessions; left out 0 rows that are there.\n");
    const back = join(folder.path, "back.db");
    const from = await run(["from-postgres", back], { env: { POSTGRES_URL: url } });
    expect(from).toMatchObject({ exitCode: 0, stderr: "" });
    expect(difference(rowsOfFile(back), rowsOfFile(path))).toBeUndefined();
  });

  test("copies one session that is named by its title", async () => {
    const { stdout } = await run(["to-postgres", path, url, "--session", "Scan", "--yes", "--json"]);
    expect(JSON.parse(stdout).rows).toMatchObject({ sessions: 1, messages: 12 });
  });

  test("copies a workspace, and leaves out what is there on demand", async () => {
    const workspace = ["to-postgres", path, url, "--workspace", "ws-1", "--yes"];
    expect((await run(workspace)).stdout).toEndWith("Copied 1 session; left out 0 rows that are there.\n");
    const { exitCode, stdout, stderr } = await run(workspace);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^sessions \S+ id is taken there already: pass .*--skip-existing/m);
    expect(stderr).toMatch(/^error: \d+ problems to solve first\. Nothing was written to PostgreSQL\.\n$/);
    const rest = await run(["to-postgres", path, url, "--skip-existing", "--yes", "--json"]);
    expect(JSON.parse(rest.stdout)).toMatchObject({ rows: { sessions: 2 }, skipped: { sessions: 1 } });
    expect(difference(await rowsOfServer(url), rowsOfFile(path))).toBeUndefined();
  });

  test("counts the steps through, and says of which sessions", async () => {
    const lines = /^sessions \S+ checkpoints\.step .*$/gm;
    const dry = await run(["to-postgres", path, url, "--dry-run"]);
    expect(dry.exitCode).toBe(0);
    expect(dry.stdout.match(lines)?.[0]).toContain("pass renumberSteps: true (--renumber-steps)");
    expect(dry.stdout).toEndWith("Would copy 3 sessions; left out 0 rows that are there.\n");
    const { stdout } = await run(["to-postgres", path, url, "--renumber-steps", "--yes"]);
    expect(stdout.match(lines)).toHaveLength(dry.stdout.match(lines)?.length ?? 0);
    const stepsOf = (rows: AllRows) => rows.checkpoints?.map(({ step }) => Number(step)) ?? [];
    expect(Math.max(...stepsOf(rowsOfFile(path)))).toBe(5);
    expect(Math.max(...stepsOf(await rowsOfServer(url)))).toBe(11);
  });

  test("gives the messages of a second file the next ids", async () => {
    const other = join(folder.path, "other.db");
    await fill(other, true);
    await run(["to-postgres", path, url, "--yes"]);
    expect(await run(["to-postgres", other, url, "--renumber-messages", "--yes"])).toMatchObject({
      exitCode: 0,
    });
    expect((await rowsOfServer(url)).messages).toHaveLength(26);
  });

  test("asks on a terminal before it writes, and shows no password", async () => {
    await using proxy = await CuttingProxy.start(server.cluster.socket, "never");
    const args = ["to-postgres", path, proxy.through(url)];
    const to = "Continue? [y/N] ";
    const refused = await runOnTerminal(args, { columns: 200, answer: { to, type: "n" } });
    expect(refused.exitCode).toBe(1);
    expect(refused.text).toContain("This writes what is in ");
    await onServer(url, async (sql) =>
      expect([...(await sql.unsafe("SELECT to_regclass('sessions') AS found"))]).toEqual([{ found: null }]),
    );
    const agreed = await runOnTerminal(args, { columns: 200, answer: { to, type: "y" } });
    expect(agreed.exitCode).toBe(0);
    expect(difference(await rowsOfServer(url), rowsOfFile(path))).toBeUndefined();
    expect(refused.text + agreed.text).not.toContain("secret");
  });

  test.each([
    ["postgres://agent:secret@127.0.0.1:1/agents", "PostgreSQL: "],
    ["postgres://agent:secret@localhost:port/agents", "url cannot be read: "],
    ["mysql://agent:secret@localhost/agents", "url must be the URL of a PostgreSQL database"],
  ])("fails with %p, and repeats no password", async (bad, message) => {
    const back = join(folder.path, "back.db");
    for (const args of [
      ["to-postgres", path, bad, "--yes"],
      ["from-postgres", back, bad],
    ]) {
      const { exitCode, stdout, stderr } = await run([...args, "--debug"]);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(message);
      expect(stdout + stderr).not.toContain("secret");
    }
    expect(existsSync(back)).toBe(false);
  });

  test("needs --yes without a terminal, and a URL", async () => {
    expect(await run(["to-postgres", path, url])).toMatchObject({ exitCode: 2, stdout: "" });
    const { exitCode, stderr } = await run(["from-postgres", join(folder.path, "x.db")], {
      env: { POSTGRES_URL: "" },
    });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: "error: There is no URL of a PostgreSQL database: name one, or set POSTGRES_URL.\n",
    });
    expect(existsSync(join(folder.path, "x.db"))).toBe(false);
  });

  test("lists all that does not fit, on a line each, and fails; with --fix what was replaced", async () => {
    runOn(path, "UPDATE messages SET content = char(0) WHERE id <= 5");
    for (const args of [["--dry-run"], ["--yes"]]) {
      const { exitCode, stdout } = await run(["to-postgres", path, url, ...args]);
      expect(exitCode).toBe(1);
      expect(
        stdout.match(/^messages \d+ content contains a NUL character: pass fix: true \(--fix\)/gm),
      ).toHaveLength(5);
    }
    const { exitCode, stdout } = await run(["to-postgres", path, url, "--fix", "--yes"]);
    expect(exitCode).toBe(0);
    expect(stdout.match(/content contains a NUL character: fixed: "\uFFFD"$/gm)).toHaveLength(5);
    expect((await rowsOfServer(url)).messages?.length).toBe(13);
  });
});
