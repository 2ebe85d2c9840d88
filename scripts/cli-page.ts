/**
 * `npm run cli-page`: runs the commands of docs/cli.md, in their order, and writes what they print below them.
 *
 * A block of the language `console` has commands after `$ `. They run in one shell folder with the file `runs.db`.
 */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SqliteCheckpointStore } from "../src/index.js";

const root = resolve(import.meta.dir, "..");
const BLOCK = /^```console\n(.*?)^```$/gms;

/** The page with today's output. */
export async function withOutput(page: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cli-page-"));
  try {
    await createRuns(join(folder, "runs.db"));
    await createCommand(join(folder, "bin"));
    let written = "";
    let end = 0;
    for (const block of page.matchAll(BLOCK)) {
      written += `${page.slice(end, block.index)}\`\`\`console\n${await runBlock(block[1] ?? "", folder)}\`\`\``;
      end = block.index + block[0].length;
    }
    return written + page.slice(end);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runBlock(block: string, folder: string): Promise<string> {
  let text = "";
  for (const [line, command = ""] of block.matchAll(/^\$ (.*)$/gm)) {
    const child = Bun.spawn(["sh", "-c", `${command} 2>&1`], {
      cwd: folder,
      stdin: "ignore",
      stdout: "pipe",
      env: { PATH: `${join(folder, "bin")}:${process.env.PATH}`, TZ: "UTC" },
    });
    text += `${line}\n${await child.stdout.text()}`;
  }
  return text;
}

async function createCommand(bin: string): Promise<void> {
  const file = join(bin, "checkpoint-sqlite");
  await Bun.write(file, `#!/bin/sh\nexec "${process.execPath}" "${join(root, "src/cli/bin.ts")}" "$@"\n`);
  await chmod(file, 0o755);
}

/** A run that is asked twice, and its fork. */
async function createRuns(path: string): Promise<void> {
  let now = Date.UTC(2026, 0, 31, 9, 30);
  await using store = new SqliteCheckpointStore(path, {
    clock: () => {
      now += 1_500;
      return now;
    },
  });
  const { id: sessionId } = await store.createSession("./my-project", {
    title: "Security scan",
    workspaceId: "scans",
  });
  const say = (role: "user" | "assistant", content: string) =>
    store.addMessage(sessionId, { sessionId, role, content });
  const resolved = {
    resolve: {
      status: "completed",
      output: { hosts: new Set(["192.0.2.1"]), ttl: 300 },
      startedAt: now,
      completedAt: now + 340,
    },
  } as const;
  await say("user", "Scan example.com");
  const first = await store.saveCheckpoint({
    ...{ sessionId, namespace: "", version: 1, step: 0, source: "loop" },
    nodeResults: { ...resolved, probe: { status: "running" } },
    pendingNodes: ["probe"],
  });
  await say("assistant", "It has one address. I probe its ports.");
  await store.saveCheckpoint({
    ...{ sessionId, namespace: "", version: 2, step: 1, source: "loop", parentId: first.id },
    nodeResults: {
      resolve: { ...resolved.resolve, output: { hosts: new Set(["192.0.2.1", "192.0.2.7"]), ttl: 300 } },
      probe: { status: "completed", output: [22, 443], startedAt: now, completedAt: now + 2_100 },
    },
    pendingNodes: ["report"],
  });
  await store.fork(first.id, { title: "Scan without probing" });
  await store.createSession("./website", { title: "Write the changelog", workspaceId: "docs" });
}

if (import.meta.main) {
  const file = join(root, "docs/cli.md");
  await Bun.write(file, await withOutput(await Bun.file(file).text()));
}
