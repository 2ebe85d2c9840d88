/** Signals, closed pipes, and messages as they come. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { verify } from "@obsku/checkpoint-sqlite/maintenance";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { linesOf } from "../support/lines.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { createManySessions } from "./support/files.js";
import { commandLine, run } from "./support/run.js";

let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
});
afterEach(() => folder.remove());

describe("messages --follow", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("prints messages as they come, until %s, and leaves nothing behind", async (signal, code) => {
    const { id } = await withStore((store) => store.createSession("./followed"));
    await withStore((store) => store.addMessage(id, buildMessage(id, { content: "before" })));
    const child = Bun.spawn(commandLine("messages", path, id, "--follow", "--json"), {
      stdout: "pipe",
      stderr: "pipe",
    });
    const lines = linesOf(child.stdout);
    const contents = [];
    contents.push(await nextContent(lines));
    for (let number = 0; number < 20; number += 1) {
      await withStore((store) => store.addMessage(id, buildMessage(id, { content: `new ${number}` })));
    }
    for (let number = 0; number < 20; number += 1) {
      contents.push(await nextContent(lines));
    }
    child.kill(signal);
    expect({ code: await child.exited, errors: await child.stderr.text() }).toEqual({ code, errors: "" });
    expect(contents).toEqual(["before", ...Array.from({ length: 20 }, (_, number) => `new ${number}`)]);
    expect(readdirSync(folder.path)).toEqual(["runs.db"]);
  });
});

async function nextContent(lines: AsyncGenerator<string>): Promise<string> {
  const { value } = await lines.next();
  return JSON.parse(value ?? "null")?.content;
}

async function withStore<T>(work: (store: SqliteCheckpointStore) => Promise<T>): Promise<T> {
  await using store = new SqliteCheckpointStore(path);
  return await work(store);
}

describe("SIGINT", () => {
  test.each(["show", "messages", "tree", "sessions"])("ends a command that reads: %s", async (command) => {
    await createManySessions(path, 50_000);
    runOn(
      path,
      "INSERT INTO sessions (id, title, directory, created_at, updated_at) VALUES ('long', 'Long', '.', 0, 0)",
      `INSERT INTO messages (session_id, role, content, created_at)
       SELECT 'long', 'user', title, created_at
       FROM sessions`,
    );
    const name = command === "show" || command === "messages" ? ["Long"] : [];
    const child = Bun.spawn(commandLine(command, path, ...name), { stdout: "pipe", stderr: "pipe" });
    while (!existsSync(`${path}-shm`)) {
      await Bun.sleep(1); // Until it opens the file.
    }
    child.kill("SIGINT");
    const [output, errors] = [await child.stdout.text(), await child.stderr.text()];
    expect({ code: await child.exited, lines: output.split("\n").length, errors }).toEqual({
      code: 130,
      lines: 1,
      errors: "",
    });
    expect(readdirSync(folder.path)).toEqual(["runs.db"]);
  });

  const before = 20;

  /** Deleting any but the first one takes a second or so, whatever the disk: time enough for a signal. */
  function makeDeletingSlow(): void {
    runOn(
      path,
      `CREATE TRIGGER slow AFTER DELETE ON sessions WHEN (SELECT count(*) FROM sessions) = ${before - 2}
       BEGIN
         SELECT count(*) FROM (
           WITH RECURSIVE counter(number) AS (
             SELECT 1
             UNION ALL
             SELECT number + 1 FROM counter WHERE number < 5000000
           )
           SELECT number FROM counter
         );
       END`,
    );
  }

  test("stops a long prune between two transactions, and another one finishes it", async () => {
    await createManySessions(path, before);
    makeDeletingSlow();
    const child = Bun.spawn(commandLine("prune", path, "--idle", "1d", "--yes"), {
      stdout: "pipe",
      stderr: "pipe",
    });
    await using store = new SqliteCheckpointStore(path);
    while ((await store.listSessions()).length === before) {
      await Bun.sleep(1); // Until its first transaction is in the file.
    }
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(await child.stderr.text()).toBe("error: Interrupted: what was committed before stays.\n");
    const left = (await store.listSessions()).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(before);
    expect((await verify(path)).ok).toBe(true);
    expect((await run(["prune", path, "--idle", "1d", "--yes"])).exitCode).toBe(0);
    expect(await store.listSessions()).toEqual([]);
  });
});

describe("a pipe that is closed early", () => {
  test.each(["sessions FILE", "sessions FILE --json", "export FILE", "tree FILE"])(
    "ends the command quietly: %s",
    async (line) => {
      await createManySessions(path, 20_000);
      await withStore(async (store) => {
        const { id } = await store.createSession("./last");
        await store.saveCheckpoint(buildCheckpoint(id));
      });
      const command = commandLine(...line.split(" ").map((word) => (word === "FILE" ? path : word)));
      const script = `${command.map((word) => `'${word}'`).join(" ")} | head -1; echo "\${PIPESTATUS[0]}"`;
      const child = Bun.spawn(["bash", "-c", script], { stdout: "pipe", stderr: "pipe" });
      const [output, errors] = [await child.stdout.text(), await child.stderr.text()];
      expect(errors).toBe("");
      expect(output.trimEnd().split("\n").at(-1)).toBe("0");
      expect(readdirSync(folder.path)).toEqual(["runs.db"]);
    },
  );
});
