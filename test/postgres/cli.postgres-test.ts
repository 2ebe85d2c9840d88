/** `to-postgres` and `from-postgres` on a real server. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "../cli/support/run.js";
import { difference } from "../support/difference.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { Cluster, describeWithServer } from "./support/cluster.js";
import { fill } from "./support/files.js";
import { rowsOfFile, rowsOfServer } from "./support/rows.js";

describeWithServer("the command line with PostgreSQL", () => {
  let cluster: Cluster;
  let folder: TemporaryFolder;
  let path: string;
  let url: string;

  beforeAll(async () => {
    cluster = await Cluster.start();
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    folder = await createTemporaryFolder();
    path = join(folder.path, "runs.db");
    url = await cluster.createDatabase();
    await fill(path, true);
  });
  afterEach(() => folder.remove());

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
