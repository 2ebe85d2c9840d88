/** The examples, run as a user would run them: what they print, how they end, and what they leave behind. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { Ledger } from "../../examples/resume-after-crash/ledger.js";
import { NAMESPACE } from "../../examples/resume-after-crash/pipeline.js";
import type { StoredSession } from "../../examples/resume-after-crash/worker.js";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const EXAMPLES = join(import.meta.dir, "..", "..", "examples");

const SOURCE = join(import.meta.dir, "..", "..", "src");

const ESCAPE = "\u001b";

interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs an example with a temporary folder of its own, so that all it leaves behind is seen. */
function runExample(name: string, folder: TemporaryFolder, ...args: string[]): Promise<Ended> {
  return run([join(EXAMPLES, name), ...args], environmentOf(folder));
}

async function run(command: string[], env: Record<string, string>): Promise<Ended> {
  const child = Bun.spawn([process.execPath, ...command], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

function environmentOf(folder: TemporaryFolder, more: Record<string, string> = {}): Record<string, string> {
  const { NO_COLOR: _noColor, FORCE_COLOR: _forceColor, ...inherited } = Bun.env;
  const entries = Object.entries(inherited).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const temporary = { TMPDIR: folder.path, TMP: folder.path, TEMP: folder.path };
  return { ...Object.fromEntries(entries), ...temporary, TERM: "xterm-256color", ...more };
}

/** Every file below a folder, by its path within it. */
async function filesIn(folder: TemporaryFolder): Promise<string[]> {
  const entries = await readdir(folder.path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

describe("the demo: resume after a crash", () => {
  let folder: TemporaryFolder;
  let ended: Ended;
  let left: string[];

  beforeAll(async () => {
    folder = await createTemporaryFolder();
    ended = await runExample("resume-after-crash.ts", folder);
    left = await filesIn(folder); // Before any test opens the file it made.
  });
  afterAll(() => folder.remove());

  test("ends well and has nothing to complain of", () => {
    expect(ended.stderr).toBe("");
    expect(ended.exitCode).toBe(0);
  });

  test("prints plain lines if there is no terminal", () => {
    expect(ended.stdout).not.toContain(ESCAPE);
    expect(ended.stdout).not.toContain("\r");
  });

  test("tells the story: killed, survived, resumed, forked, drawn as a tree", () => {
    const inOrder = [
      /saved v4/,
      /write\/plan +saved v3 within write/,
      /✗ write\/polish +killed in the middle of draft 2/,
      /SIGKILL to process \d+/,
      /A new process opens the same file/,
      /messages +user, assistant, tool, tool, tool, assistant\n/,
      /checkpoints +v1, v2, v3, v4\n/,
      /within write +v1, v2, v3; its newest is newer than v4\n/,
      /the latest +v4, step 3, iteration 1 of critique->write/,
      /lookFor: Set\(2\) \{ 'sleep', 'skin' \}/,
      /search-papers +Map\(2\) \{/,
      /readAt: Date \d{4}-/,
      /→ write +pending again/,
      /Everything that was acknowledged survived/,
      /✓ write +\d+ ms +draft 2/,
      /saved v7 +nothing is pending/,
      /Not run again: plan, search-papers, search-films, search-keepers\./,
      /A new session begins at v2/,
      /bedtime story/,
      /├─ v2 .*search-papers, search-films, search-keepers\n.*╰─ fork: /,
      /├─ v4 .*↺ back to write, iteration 1\n.*✗ process \d+ was killed here/,
      /└─ v7 .*publish/,
      /Nothing that was acknowledged is missing/,
    ];
    let rest = ended.stdout;
    for (const line of inOrder) {
      expect(rest).toMatch(line);
      rest = rest.slice(rest.search(line));
    }
  });

  test("kills one process and resumes in another", () => {
    const processes = [...ended.stdout.matchAll(/─ process (\d+)/g)].map(([, pid]) => pid);
    const killed = /SIGKILL to process (\d+)/.exec(ended.stdout)?.[1];
    expect(processes[0]).toBe(killed);
    expect(new Set(processes).size).toBe(2);
  });

  test("leaves nothing behind but the file it names", () => {
    const named = /The file: +(.+)/.exec(ended.stdout)?.[1];
    expect(left).toEqual([named ?? "a line that names the file"]);
    expect(ended.stdout).toContain(`npm run inspect -- ${named}`);
  });

  test("the file it names holds both sessions", async () => {
    const path = /The file: +(.+)/.exec(ended.stdout)?.[1];
    await using store = new SqliteCheckpointStore(path ?? "", { readonly: true });
    const versions = new Map<string | undefined, number[]>();
    for (const session of await store.listSessions()) {
      const checkpoints = await store.listCheckpoints(session.id, { namespace: NAMESPACE });
      versions.set(
        session.title,
        checkpoints.map(({ version }) => version),
      );
    }
    expect(versions).toEqual(
      new Map([
        ["Do octopuses dream?", [7, 6, 5, 4, 3, 2, 1]],
        ["Do octopuses dream? (a bedtime story)", [5, 4, 3, 2]],
      ]),
    );
  });
});

describe("the demo over a store whose latest checkpoint is that of the graph within", () => {
  test("ends with 1", async () => {
    const folder = await createTemporaryFolder();
    const misleading = join(folder.path, "misleading.ts");
    writeFileSync(
      misleading,
      `import { SqliteCheckpointStore } from ${JSON.stringify(join(SOURCE, "index.ts"))};
       SqliteCheckpointStore.prototype.getLatestCheckpoint = async function (sessionId) {
         return (await this.listCheckpoints(sessionId, { limit: 1 }))[0];
       };`,
    );
    const env = environmentOf(folder, { BUN_OPTIONS: `--preload=${misleading}` });
    const { exitCode, stderr } = await run([join(EXAMPLES, "resume-after-crash.ts")], env);
    await folder.remove();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("The checkpoint names a node that the pipeline does not have: polish");
  });
});

describe("the demo over a store that forgets", () => {
  test("ends with 1 and names what was lost", async () => {
    const folder = await createTemporaryFolder();
    const forgetful = join(folder.path, "forgetful.ts");
    writeFileSync(
      forgetful,
      `import { SqliteCheckpointStore } from ${JSON.stringify(join(SOURCE, "index.ts"))};
       const addMessage = SqliteCheckpointStore.prototype.addMessage;
       SqliteCheckpointStore.prototype.addMessage = async function (sessionId, message) {
         return message.role === "tool"
           ? { ...message, id: 4711, createdAt: Date.now() }
           : addMessage.call(this, sessionId, message);
       };`,
    );
    const env = environmentOf(folder, { BUN_OPTIONS: `--preload=${forgetful}` });
    const { exitCode, stdout, stderr } = await run([join(EXAMPLES, "resume-after-crash.ts")], env);
    await folder.remove();
    expect(exitCode).toBe(1);
    expect(stdout).not.toContain("survived, equal");
    expect(stderr).toContain("Lost in the crash, although it was acknowledged: message 4711");
    expect(stderr).toMatch(/The file is left for you to look at: .*runs\.db/);
  });
});

describe("the demo with a path", () => {
  test("writes the file there", async () => {
    const folder = await createTemporaryFolder();
    const path = join(folder.path, "a folder", "it's mine.db");
    const { exitCode, stdout } = await runExample("resume-after-crash.ts", folder, path);
    const left = await filesIn(folder);
    await folder.remove();
    expect({ exitCode, left }).toEqual({ exitCode: 0, left: [path] });
    expect(stdout).toContain(`The file:    ${path}\n`);
  });

  test("leaves a file alone that is there already, and says so", async () => {
    const folder = await createTemporaryFolder();
    const path = join(folder.path, "notes.txt");
    writeFileSync(path, "mine");
    const { exitCode, stdout, stderr } = await runExample("resume-after-crash.ts", folder, path);
    const content = await readFile(path, "utf8");
    await folder.remove();
    expect({ exitCode, stdout, content }).toEqual({ exitCode: 1, stdout: "", content: "mine" });
    expect(stderr).toContain(`${path} exists.`);
  });
});

/** Bun has no pseudo-terminals on Windows. */
describe.skipIf(process.platform === "win32")("the demo in a terminal", () => {
  async function runInTerminal(more: Record<string, string>): Promise<string> {
    const folder = await createTemporaryFolder();
    const command = [process.execPath, join(EXAMPLES, "resume-after-crash.ts")];
    const run = "Terminal" in Bun ? runInBunTerminal : runInScript;
    const { exitCode, output } = await run(command, environmentOf(folder, more));
    await folder.remove();
    expect(exitCode).toBe(0);
    return output;
  }

  async function runInBunTerminal(command: string[], env: Record<string, string>) {
    const decoder = new TextDecoder();
    let output = "";
    const child = Bun.spawn(command, {
      env,
      terminal: {
        data: (_terminal, chunk) => {
          output += decoder.decode(chunk, { stream: true });
        },
      },
    });
    const exitCode = await child.exited;
    child.terminal?.close();
    return { exitCode, output };
  }

  /** Bun has no pseudo-terminals before 1.3.5; `script` of util-linux makes one. */
  async function runInScript(command: string[], env: Record<string, string>) {
    const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const child = Bun.spawn(["script", "--quiet", "--return", "--command", quoted, "/dev/null"], {
      env,
      stdin: "ignore",
      stdout: "pipe",
    });
    const output = await new Response(child.stdout).text();
    return { exitCode: await child.exited, output };
  }

  test("is coloured, and shows what is under way", async () => {
    const output = await runInTerminal({});
    expect(output).toContain(`${ESCAPE}[31mkilled in the middle of draft 2${ESCAPE}[0m`);
    expect(output).toContain(`${ESCAPE}[2msearch-papers, search-films, search-keepers`);
  });

  test("is plain if NO_COLOR asks for it", async () => {
    const output = await runInTerminal({ NO_COLOR: "1" });
    expect(output).toContain("killed in the middle of draft 2");
    expect(output).not.toContain(ESCAPE);
  });
});

describe("what the demo compares", () => {
  async function savedSession(): Promise<{ ledger: Ledger; stored: StoredSession }> {
    await using store = new SqliteCheckpointStore();
    const ledger = new Ledger();
    const session = await store.createSession("./here", { title: "Kept" });
    ledger.note({ type: "session-created", session });
    const message = await store.addMessage(session.id, buildMessage(session.id, { content: "hello" }));
    ledger.note({ type: "message-added", message });
    const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id, { namespace: NAMESPACE }));
    ledger.note({ type: "checkpoint-saved", checkpoint });
    return { ledger, stored: { session, messages: [message], checkpoints: [checkpoint] } };
  }

  test("finds nothing amiss if all is there", async () => {
    const { ledger, stored } = await savedSession();
    expect(ledger.missingFrom([stored])).toEqual([]);
    expect(ledger.unknownIn([stored])).toEqual([]);
  });

  test("names what is lost, altered, or was never acknowledged", async () => {
    const { ledger, stored } = await savedSession();
    const [checkpoint] = stored.checkpoints;
    const altered = stored.checkpoints.map((kept) => ({ ...kept, pendingNodes: [] }));
    expect(ledger.missingFrom([{ ...stored, messages: [] }])).toEqual([`message ${stored.messages[0]?.id}`]);
    expect(ledger.missingFrom([{ ...stored, checkpoints: [] }])).toEqual([
      `checkpoint v1 (${checkpoint?.id})`,
    ]);
    expect(ledger.missingFrom([{ ...stored, checkpoints: altered }])).toEqual([
      `checkpoint v1 (${checkpoint?.id})`,
    ]);
    expect(ledger.missingFrom([{ ...stored, session: { ...stored.session, title: "Other" } }])).toEqual([
      `session ${stored.session.id}`,
    ]);
    expect(ledger.missingFrom([])).toHaveLength(3);
    expect(new Ledger().unknownIn([stored])).toHaveLength(2);
  });

  test("names a node that is run although its result was saved", async () => {
    const { ledger } = await savedSession();
    const visit = { node: "plan", draft: 1 };
    ledger.note({ type: "node-finished", ...visit, note: "", milliseconds: 1 });
    const [checkpoint] = ledger.checkpoints;
    expect(checkpoint).toBeDefined();
    if (checkpoint !== undefined) {
      ledger.note({ type: "checkpoint-saved", checkpoint });
    }
    ledger.note({ type: "node-started", ...visit });
    expect(ledger.repeatedVisits).toEqual(["plan (draft 1)"]);
  });
});

describe("the short examples", () => {
  test("quick-start reads back what it saved, and cleans up", async () => {
    const folder = await createTemporaryFolder();
    const { exitCode, stdout, stderr } = await runExample("quick-start.ts", folder);
    const left = readdirSync(folder.path);
    await folder.remove();
    expect({ exitCode, stderr, left }).toEqual({ exitCode: 0, stderr: "", left: [] });
    expect(stdout).not.toContain(ESCAPE);
    expect(stdout).toContain('"Scan the login form", "Two findings."');
    expect(stdout).toMatch(/Set\(2\) \{\s+"CSRF",\s+"open redirect"/);
    expect(stdout).toContain('[ "report" ]');
  });

  test("fork-session leaves the original as it was, and nothing behind", async () => {
    const folder = await createTemporaryFolder();
    const { exitCode, stdout, stderr } = await runExample("fork-session.ts", folder);
    const left = readdirSync(folder.path);
    await folder.remove();
    expect({ exitCode, stderr, left }).toEqual({ exitCode: 0, stderr: "", left: [] });
    expect(stdout).not.toContain(ESCAPE);
    const [before, fork, after] = stdout.trimEnd().split("\n");
    expect(before).toContain("We leave on Friday. We take the train.  [v1 loop, v2 loop]");
    expect(fork).toContain("We leave on Friday. We take the boat.  [v1 fork, v2 loop]");
    expect(after?.split(": ")[1]).toBe(before?.split(": ")[1]);
  });
});
