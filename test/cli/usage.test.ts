/** Help, wrong command lines, and completion. */
import { describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { COMMANDS } from "../../src/cli/commands/index.js";
import { printed, run } from "./support/run.js";

const names = Object.keys(COMMANDS);
const { version } = await Bun.file(join(resolve(import.meta.dir, "../.."), "package.json")).json();

describe("help", () => {
  test("lists every command, an example and the version", async () => {
    const help = await printed("--help");
    for (const name of names) {
      expect(help).toMatch(new RegExp(`^  ${name} .*\\[options\\]`, "m"));
    }
    expect(help).toContain("checkpoint-sqlite sessions runs.db");
    expect(await printed("--version")).toBe(`${version}\n`);
  });

  test.each(names)("%s has an example, also as `help %s`", async (name) => {
    const help = await printed(name, "--help");
    expect(help).toStartWith(`Usage: checkpoint-sqlite ${name} [options]`);
    expect(help).toMatch(new RegExp(`Examples?:\n  checkpoint-sqlite ${name} \\S`));
    expect(await printed("help", name)).toBe(help);
  });
});

describe("a wrong command line exits with 2, says what is wrong on stderr, and names the help", () => {
  test.each(names)("%s: an unknown option, and no argument", async (name) => {
    const unknown = await run([name, "--jsn"]);
    expect(unknown).toMatchObject({ exitCode: 2, stdout: "" });
    expect(unknown.stderr).toBe(
      `error: unknown option '--jsn'\n(Did you mean --json?)\n(checkpoint-sqlite ${name} --help)\n`,
    );
    const missing = await run([name]);
    expect(missing).toMatchObject({ exitCode: 2, stdout: "" });
    expect(missing.stderr).toMatch(/^error: missing required argument '\w+'\n/);
  });

  test.each([
    ["an unknown command", "sesions runs.db", "Did you mean sessions?"],
    ["help of an unknown command", "help sesions", "Did you mean sessions?"],
    ["an unknown command with --help", "sesions --help", "Did you mean sessions?"],
    ["an option in front of the command", "--json sessions runs.db", "options follow the command"],
    ["no command", "", "Usage: checkpoint-sqlite"],
    ["an argument too many", "sessions a.db b.db", "too many arguments"],
    ["a number that is none", "sessions a.db --limit ten", "It must be a whole number."],
    ["a limit of 0", "messages a.db b --limit 0", "It must be at least 1."],
    ["an age that is none", "prune a.db --idle soon", "It must be an age such as"],
    ["a date that is none", "prune a.db --idle 2026-99-99", "It must be an age such as"],
    ["a day that no month has", "prune a.db --idle 2026-02-30", "It must be an age such as"],
    ["a time that no day has", "prune a.db --idle 2026-02-03T25:00", "It must be an age such as"],
    ["a prune without a rule", "prune a.db --workspace w", "add --keep, --older-than or --idle"],
    [
      "a rule that does not fit another",
      "prune a.db --idle 1d --namespace n",
      "cannot be given with --namespace",
    ],
    ["two opposites", "compact a.db --share-outputs --whole", "give one of them"],
    ["a choice that is none", "import a.db --on-conflict ask", "Allowed choices are error, skip, newIds"],
    ["a port too high", "inspect a.db --port 70000", "It must be at most 65535."],
    ["an unknown shell", "completion tcsh", "Allowed choices are bash, zsh, fish"],
  ])("%s", async (_, line, message) => {
    const { exitCode, stdout, stderr } = await run(line.split(" ").filter((word) => word !== ""));
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});

describe("completion", () => {
  /** What bash offers for the words, of which the last one is being typed. */
  async function offered(...words: readonly string[]): Promise<string[]> {
    const script = await printed("completion", "bash");
    const list = words.map((word) => `'${word}'`).join(" ");
    const child = Bun.spawn(
      [
        "bash",
        "-c",
        `${script}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; ` +
          `_checkpoint_sqlite checkpoint-sqlite '${words.at(-1)}' ''; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { stdout: "pipe", stderr: "inherit" },
    );
    return (await child.stdout.text()).trim().split("\n");
  }

  test("of bash offers commands, and the options of each", async () => {
    expect(await offered("checkpoint-sqlite", "")).toEqual([...names, "help"]);
    expect(await offered("checkpoint-sqlite", "se")).toEqual(["sessions"]);
    expect(await offered("checkpoint-sqlite", "prune", "--o")).toEqual(["--older-than"]);
    expect(await offered("checkpoint-sqlite", "prune", "runs.db", "--dr")).toEqual(["--dry-run"]);
  });

  test("of zsh and fish names every command and option", async () => {
    const [zsh, fish] = [await printed("completion", "zsh"), await printed("completion", "fish")];
    for (const name of [...names, "help"]) {
      expect(zsh).toContain(`'${name}:`);
      expect(fish).toContain(`-a ${name} `);
    }
    expect(zsh).toContain("'--older-than:");
    expect(fish).toContain("-l older-than");
  });
});
