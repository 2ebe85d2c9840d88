/** What a person sees: on a pseudo-terminal, and what changes in a pipe. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { createEmpty } from "./support/files.js";
import { HAS_TERMINALS, printed, run, runOnTerminal, withoutColours } from "./support/run.js";

const ESCAPE = "\u001b";
const HOSTILE = `${ESCAPE}[2J${ESCAPE}]0;gone\u0007\u202Eevil\u009b31m 日本語`;
const reason = HAS_TERMINALS ? "" : " (skipped: this Bun has no pseudo-terminals)";

let folder: TemporaryFolder;
let path: string;
let wide: string;

beforeAll(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  await using store = new SqliteCheckpointStore(path);
  for (let number = 0; number < 30; number += 1) {
    const { id } = await store.createSession(`./directory/${"deep/".repeat(number)}`, {
      title: number === 29 ? HOSTILE : `Session ${number}`,
      metadata: { number },
    });
    await store.addMessage(id, { sessionId: id, role: "user", content: `${HOSTILE}\nsecond line` });
    await store.saveCheckpoint({
      sessionId: id,
      namespace: HOSTILE,
      version: 1,
      step: 0,
      source: "loop",
      nodeResults: { [HOSTILE]: { status: "completed", output: HOSTILE } },
      pendingNodes: [HOSTILE],
    });
  }
});
beforeAll(async () => {
  wide = join(folder.path, "wide.db");
  await using store = new SqliteCheckpointStore(wide);
  const { id } = await store.createSession(".", { title: "Wide" });
  await store.addMessage(id, { sessionId: id, role: "user", content: "wide ".repeat(40) });
  for (const version of [1, 2]) {
    await store.saveCheckpoint({
      ...{ sessionId: id, namespace: "", version, step: version, source: "loop" },
      nodeResults: { node: { status: "completed", output: `${version} wide `.repeat(30) } },
      pendingNodes: Array.from({ length: 30 }, (_, number) => `pending-${version}-${number}`),
    });
  }
});
afterAll(() => folder.remove());

describe("text in a pipe", () => {
  test("has no colour, and nothing is cut", async () => {
    const output = await printed("sessions", path);
    expect(output).not.toContain(ESCAPE);
    expect(output).toContain("deep/".repeat(28));
  });

  test("has colour if FORCE_COLOR asks for it", async () => {
    const { stdout } = await run(["sessions", path], { env: { FORCE_COLOR: "1" } });
    expect(stdout).toContain(`${ESCAPE}[1m`);
    expect(withoutColours(stdout)).toBe(await printed("sessions", path));
  });

  test.each(["sessions", "tree", "show", "messages", "latest", "latest --full"])(
    "has control characters escaped: %s",
    async (line) => {
      const [command = "", ...options] = line.split(" ");
      const name = command === "sessions" || command === "tree" ? [] : [HOSTILE];
      const output = await printed(command, path, ...name, ...options);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none must be there
      expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      expect(output).toContain("\\x1b[2J\\x1b]0;gone\\x07\\u202eevil\\x9b31m 日本語");
    },
  );

  test.each([
    ["sessions", []],
    ["tree", []],
    ["show", [HOSTILE]],
    ["messages", [HOSTILE]],
    ["latest", [HOSTILE]],
    ["checkpoint", [`${HOSTILE}@latest`]],
  ] as const)("JSON has them escaped, and says the same: %s", async (command, name) => {
    const output = await printed(command, path, ...name, "--json");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none must be there
    expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    const texts: unknown[] = [];
    for (const line of output.trimEnd().split("\n")) {
      JSON.parse(line, (_, value) => {
        texts.push(value);
        return value;
      });
    }
    expect(texts.some((text) => typeof text === "string" && text.startsWith(HOSTILE))).toBe(true);
  });

  test("an id has them escaped", async () => {
    const file = join(folder.path, "ids.db");
    await createEmpty(file);
    const insert = "INSERT INTO sessions (id, title, directory, created_at, updated_at)";
    runOn(file, `${insert} VALUES ('${ESCAPE}[2Jid', 'Imported', '.', 0, 0)`);
    for (const args of [
      ["show", file, "Imported"],
      ["sessions", file],
      ["tree", file],
    ]) {
      const output = await printed(...args);
      expect(output).toContain("\\x1b[2Jid");
      expect(output).not.toContain(ESCAPE);
    }
  });

  test("an error has them escaped too", async () => {
    const { stderr } = await run(["show", path, `${ESCAPE}[2Jnobody`]);
    expect(stderr).not.toContain(ESCAPE);
    const unknown = await run(["show", path, "1", `--${ESCAPE}[2J`]);
    expect(unknown.stderr).toContain("unknown option '--\\x1b[2J'");
  });
});

describe.skipIf(!HAS_TERMINALS)(`on a terminal${reason}`, () => {
  test.each([40, 60, 80, 120])("a table fits the width: %d columns", async (columns) => {
    const { lines, exitCode } = await runOnTerminal(["sessions", path], { columns });
    expect(exitCode).toBe(0);
    expect(lines).toHaveLength(31);
    const widths = lines.map((line) => Bun.stringWidth(withoutColours(line)));
    expect(Math.max(...widths)).toBeLessThanOrEqual(Math.max(columns, 59));
  });

  test.each([
    ["show", 40],
    ["show", 100],
    ["tree", 40],
    ["tree", 100],
    ["diff", 60],
  ] as const)("%s fits %d columns, with and without colour", async (command, columns) => {
    const names = command === "diff" ? ["Wide:v1", "Wide:v2"] : ["Wide"];
    for (const NO_COLOR of ["", "1"]) {
      const { lines } = await runOnTerminal([command, wide, ...names], { columns, env: { NO_COLOR } });
      // Below the title `show` has the whole id and the directory.
      const cutLines = lines.map(withoutColours).slice(command === "show" ? 2 : 0);
      expect(Math.max(...cutLines.map((line) => Bun.stringWidth(line)))).toBe(columns);
      expect(cutLines.at(-1)).toEndWith("…");
      expect(lines.join("").includes(ESCAPE)).toBe(NO_COLOR === "");
    }
  });

  test.each(["show", "tree", "diff"])(
    "%s is whole if the terminal does not know its size",
    async (command) => {
      const names = command === "diff" ? ["Wide:v1", "Wide:v2"] : ["Wide"];
      const { lines } = await runOnTerminal([command, wide, ...names], { prepare: "stty cols 0 rows 0" });
      expect(lines.join("")).not.toContain("…");
    },
  );

  test("has colour, unless NO_COLOR or TERM=dumb says no", async () => {
    expect((await runOnTerminal(["sessions", path])).text).toContain(`${ESCAPE}[36m`);
    for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
      expect((await runOnTerminal(["sessions", path], { env })).text).not.toContain(ESCAPE);
    }
  });

  test("an export has control characters escaped", async () => {
    const { text } = await runOnTerminal(["export", path, HOSTILE]);
    expect(text).toContain("\\u202eevil\\u009b31m");
    expect(text).not.toMatch(/[\u007f-\u009f\u202e]/);
  });

  test("shortens ids, and finds the session by the short one", async () => {
    const { lines } = await runOnTerminal(["sessions", path, "--limit", "1"]);
    const id = withoutColours(lines[1] ?? "").split(" ")[0] ?? "";
    expect(id).toMatch(/^[0-9a-f]{8}$/);
    expect(await printed("show", path, id)).toContain(id);
  });

  test("long output goes through $PAGER, short output and --no-pager do not", async () => {
    const env = { PAGER: "sed 's/^/paged: /'" };
    const long = await runOnTerminal(["sessions", path], { rows: 10, env });
    expect(long.lines.every((line) => line.startsWith("paged: "))).toBe(true);
    expect(long.lines).toHaveLength(31);
    for (const [rows, options] of [
      [50, []],
      [10, ["--no-pager"]],
    ] as const) {
      expect((await runOnTerminal(["sessions", path, ...options], { rows, env })).text).not.toContain(
        "paged: ",
      );
    }
  });

  test("a pager that is missing is replaced by the terminal", async () => {
    const { exitCode, lines } = await runOnTerminal(["sessions", path], {
      rows: 10,
      env: { PAGER: "no-such-pager" },
    });
    expect({ exitCode, lines: lines.length }).toEqual({ exitCode: 0, lines: 32 });
    expect(lines[0]).toContain("no-such-pager");
  });

  test("Ctrl+C in the pager is the pager's", async () => {
    // The second one comes when it no longer can be the one that a launcher passed on.
    const PAGER = "cat > /dev/null; kill -INT $PPID; sleep 0.6; kill -INT $PPID; sleep 0.1; echo left";
    const { exitCode, lines } = await runOnTerminal(["sessions", path], { rows: 10, env: { PAGER } });
    expect({ exitCode, lines }).toEqual({ exitCode: 0, lines: ["left"] });
  });

  test("a pager that ends early is no error", async () => {
    const { exitCode, lines } = await runOnTerminal(["sessions", path], {
      rows: 10,
      env: { PAGER: "head -1" },
    });
    expect({ exitCode, lines: lines.length }).toEqual({ exitCode: 0, lines: 1 });
  });

  test("a command that changes the file asks, and does it only on yes", async () => {
    const file = join(folder.path, "asked.db");
    copyFileSync(path, file);
    const args = ["copy", file, "Session 1"];
    const to = "Continue? [y/N] ";
    const refused = await runOnTerminal(args, { columns: 200, answer: { to, type: "n" } });
    expect(refused.exitCode).toBe(1);
    expect(refused.text).toContain("This adds a copy of session ");
    expect(refused.text).toContain("Nothing was changed.");
    expect((await printed("sessions", file)).trimEnd().split("\n")).toHaveLength(31);
    const agreed = await runOnTerminal(args, { columns: 200, answer: { to, type: "y" } });
    expect(agreed.exitCode).toBe(0);
    expect((await printed("sessions", file)).trimEnd().split("\n")).toHaveLength(32);
  });

  test("an import needs a file or a pipe: nobody types an export", async () => {
    const { exitCode, lines } = await runOnTerminal(["import", path], { columns: 200 });
    expect({ exitCode, last: withoutColours(lines.at(-1) ?? "") }).toEqual({
      exitCode: 2,
      last: "error: Name the file that export wrote, or pipe it in: the standard input is a terminal.",
    });
  });

  test.each([
    ["Ctrl+C", "\u0003", 130],
    ["Ctrl+D", "\u0004", 1],
  ] as const)("%s in place of an answer changes nothing", async (_, type, code) => {
    const file = join(folder.path, `not-asked-${code}.db`);
    copyFileSync(path, file);
    const { exitCode, lines } = await runOnTerminal(["copy", file, "Session 1"], {
      columns: 200,
      answer: { to: "Continue? [y/N] ", type },
    });
    expect({ exitCode, last: withoutColours(lines.at(-1) ?? "") }).toEqual({
      exitCode: code,
      last: "error: Nothing was changed.",
    });
    expect((await printed("sessions", file)).trimEnd().split("\n")).toHaveLength(31);
  });
});
