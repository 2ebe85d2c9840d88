/** Commands that read, on real files: as JSON compared with the API, as text, and without a trace. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { JsonPlusSerializer, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { exportSessions, stats, verify } from "@obsku/checkpoint-sqlite/maintenance";
import { assertSame } from "../support/difference.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import {
  copyPublished,
  createDamaged,
  createEmpty,
  createManySessions,
  createRecordedRuns,
} from "./support/files.js";
import { printed, run } from "./support/run.js";

const MANY = 100_000;
const serializer = new JsonPlusSerializer();

let folder: TemporaryFolder;
let damagedSession: string;
const path = (name: string) => join(folder.path, name, "runs.db");

beforeAll(async () => {
  folder = await createTemporaryFolder();
  await createRecordedRuns(path("recorded"));
  await createEmpty(path("empty"));
  await createManySessions(path("many"), MANY);
  ({ session: damagedSession } = await createDamaged(path("damaged")));
  await Bun.write(join(folder.path, "published/.keep"), "");
  copyPublished(path("published"));
});
afterAll(() => folder.remove());

function open(name: string): SqliteCheckpointStore {
  return new SqliteCheckpointStore(path(name), { readonly: true });
}

/** What the command prints as JSON, one value per line. */
async function values(...args: readonly string[]): Promise<unknown[]> {
  return valuesIn(await printed(...args, "--json"));
}

function valuesIn(text: string): unknown[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => serializer.deserialize(line));
}

/** Sessions with the most in them, so that each kind of row is met. */
async function sessionsOf(store: SqliteCheckpointStore): Promise<string[]> {
  const sessions = await store.listSessions();
  return sessions.slice(0, 3).map(({ id }) => id);
}

describe.each(["recorded", "published"])("as JSON, the commands print what the API returns: %s", (name) => {
  test("sessions", async () => {
    await using store = open(name);
    const sessions = await store.listSessions();
    expect(sessions.length).toBeGreaterThan(4);
    assertSame(await values("sessions", path(name)), sessions);
  });

  test("sessions of a workspace", async () => {
    await using store = open(name);
    const workspace = (await store.listSessions()).find(({ workspaceId }) => workspaceId)?.workspaceId ?? "";
    const sessions = await store.listSessions(workspace);
    assertSame(await values("sessions", path(name), "--workspace", workspace), sessions);
  });

  test("messages, all or the last", async () => {
    await using store = open(name);
    for (const id of await sessionsOf(store)) {
      assertSame(await values("messages", path(name), id), await store.getMessages(id));
    }
    const [id = ""] = await sessionsOf(store);
    const last = await store.getMessages(id, { limit: 2 });
    assertSame(await values("messages", path(name), id, "--limit", "2"), last);
  });

  test("show: the session, and every message and checkpoint once, in the order of their times", async () => {
    await using store = open(name);
    for (const id of await sessionsOf(store)) {
      const [session, ...entries] = await values("show", path(name), id);
      const messages = (await store.getMessages(id)).map((message) => ({ message }));
      const checkpoints = (await store.listCheckpoints(id)).reverse().map((checkpoint) => ({ checkpoint }));
      const timeOf = (entry: { message?: { createdAt: number }; checkpoint?: { createdAt: number } }) =>
        (entry.message ?? entry.checkpoint)?.createdAt ?? 0;
      assertSame(session, { session: await store.getSession(id) });
      assertSame(
        entries,
        [...messages, ...checkpoints].sort((a, b) => timeOf(a) - timeOf(b)),
      );
    }
  });

  test("checkpoint and latest", async () => {
    await using store = open(name);
    const sessions = await store.listSessions();
    const latest = await Promise.all(sessions.map(({ id }) => store.getLatestCheckpoint(id)));
    const checkpoint = latest.find((one) => one !== null) ?? undefined;
    assertSame(await values("latest", path(name), checkpoint?.sessionId ?? ""), [checkpoint]);
    assertSame(await values("checkpoint", path(name), checkpoint?.id ?? ""), [checkpoint]);
  });

  test("tree: every session once, a fork below the session that it was forked from", async () => {
    await using store = open(name);
    const nodes = (await values("tree", path(name))) as {
      depth: number;
      session: { id: string };
      forkedFrom: { checkpointId: string; sessionId: string | null } | null;
    }[];
    const ids = (await store.listSessions()).map(({ id }) => id);
    expect(nodes.map(({ session }) => session.id).sort()).toEqual(ids.sort());
    const forks = nodes.filter(({ depth }) => depth > 0);
    expect(forks.length).toBeGreaterThan(0);
    for (const { forkedFrom } of forks) {
      const origin = await store.getCheckpoint(forkedFrom?.checkpointId ?? "");
      expect(origin?.sessionId).toBe(forkedFrom?.sessionId ?? "");
    }
  });

  test("stats and verify", async () => {
    const reported = await values("stats", path(name), "--sessions", "100");
    const verified = await run(["verify", path(name), "--json"]);
    assertSame(valuesIn(verified.stdout), [await verify(path(name))]);
    assertSame(reported, [{ ...(await stats(path(name), { sessions: 100 })) }]);
  });

  test("export", async () => {
    const lines = await Array.fromAsync(exportSessions(path(name)));
    const [header, ...rows] = (await printed("export", path(name))).trimEnd().split("\n");
    expect(Object.keys(JSON.parse(header ?? ""))).toEqual(Object.keys(JSON.parse(lines[0] ?? "")));
    expect(rows).toEqual(lines.slice(1));
  });
});

describe("reading leaves nothing behind", () => {
  const READS = ["sessions", "tree", "stats", "verify", "export", "prune --keep 1 --dry-run"];

  test.each(READS)("%s", async (line) => {
    const [command = "", ...options] = line.split(" ");
    for (const name of ["recorded", "published", "empty"]) {
      const before = { files: readdirSync(join(folder.path, name)), hash: hashOf(path(name)) };
      const { exitCode } = await run([command, path(name), ...options]);
      expect(exitCode).toBeLessThan(2);
      expect({ files: readdirSync(join(folder.path, name)), hash: hashOf(path(name)) }).toEqual(before);
    }
  });

  test("and leaves the log of a store that has the file open", async () => {
    const file = join(folder.path, "open", "runs.db");
    await using store = new SqliteCheckpointStore(file);
    await store.createSession("./open");
    const files = readdirSync(join(folder.path, "open")).sort();
    expect(files).toEqual(["runs.db", "runs.db-shm", "runs.db-wal"]);
    expect(await printed("sessions", file)).toContain("./open");
    expect(readdirSync(join(folder.path, "open")).sort()).toEqual(files);
    await store.createSession("./still-works");
    expect(await store.listSessions()).toHaveLength(2);
  });
});

function hashOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

describe("an empty file", () => {
  test("has no sessions: nothing on stdout, a note on stderr", async () => {
    const outcome = await run(["sessions", path("empty")]);
    expect(outcome).toEqual({ exitCode: 0, stdout: "", stderr: "There are no sessions.\n" });
    expect(await run(["tree", path("empty")])).toEqual(outcome);
    expect(await printed("sessions", path("empty"), "--json")).toBe("");
    expect(await printed("tree", path("empty"), "--json")).toBe("");
  });

  test("a filter that fits none says so, and so do messages of a session that has none", async () => {
    const none = await run(["sessions", path("many"), "--title", "nothing"]);
    expect(none).toEqual({ exitCode: 0, stdout: "", stderr: "No session matches.\n" });
    const empty = await run(["messages", path("many"), "Session 77"]);
    expect(empty).toEqual({ exitCode: 0, stdout: "", stderr: "The session has no messages.\n" });
    expect(await printed("messages", path("many"), "Session 77", "--json")).toBe("");
  });
});

describe("a file with 100,000 sessions", () => {
  test("is listed whole, and filtered", async () => {
    const lines = (await printed("sessions", path("many"))).trimEnd().split("\n");
    expect(lines).toHaveLength(MANY + 1);
    expect(lines[1]).toContain("Session 99999");
    const filtered = await printed("sessions", path("many"), "--title", "session 4242", "--limit", "3");
    expect(filtered.trimEnd().split("\n").slice(1).map(titleOf)).toEqual([
      "Session 42429",
      "Session 42428",
      "Session 42427",
    ]);
  });

  test("finds a title, and lists some of the candidates of an ambiguous name", async () => {
    expect(await printed("show", path("many"), "Session 77")).toStartWith("Session 77\n");
    const { exitCode, stderr } = await run(["show", path("many"), "0"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('"0" names more than 10 sessions');
    expect(stderr.trimEnd().split("\n")).toHaveLength(11);
  });
});

function titleOf(line: string): string | undefined {
  return /Session \d+/.exec(line)?.[0];
}

describe("a damaged file", () => {
  test("verify names the row and what to do, and exits with 1", async () => {
    const { exitCode, stdout } = await run(["verify", path("damaged")]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("messages 2 tool_calls");
    expect(stdout).toContain("1 problem found.");
  });

  test("a command that meets the row says which one it is, in one line and without a stack", async () => {
    const { exitCode, stdout, stderr } = await run(["messages", path("damaged"), damagedSession]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toStartWith("error: Checkpoint data is corrupted or invalid: ");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("--debug shows the stack", async () => {
    const { stderr } = await run(["messages", path("damaged"), damagedSession, "--debug"]);
    expect(stderr).toContain("    at ");
  });

  test("an export into a file that fails leaves no part of it", async () => {
    const to = join(folder.path, "part.jsonl");
    const { exitCode, stderr } = await run(["export", path("damaged"), "--output", to]);
    expect(exitCode).toBe(1);
    expect(stderr).toStartWith("error: Checkpoint data is corrupted or invalid: ");
    expect(await Bun.file(to).exists()).toBe(false);
  });

  test("salvage copies the rest, and lists what is lost", async () => {
    const to = join(folder.path, "salvaged.db");
    const output = await printed("salvage", path("damaged"), to);
    expect(output).toContain("1 row lost.");
    expect(output).toMatch(/lost: messages 2/);
    expect(valuesIn(await printed("messages", to, damagedSession, "--json"))).toEqual([
      expect.objectContaining({ content: "readable" }),
    ]);
  });

  test("one that is no database is refused", async () => {
    const file = join(folder.path, "text.db");
    await Bun.write(file, "This is a text, and no database at all. ".repeat(30));
    const { exitCode, stderr } = await run(["sessions", file]);
    expect(exitCode).toBe(1);
    expect(stderr).toStartWith("error: Cannot open the store at ");
  });

  test("one that does not exist is not created", async () => {
    const file = join(folder.path, "missing.db");
    for (const command of ["sessions", "verify", "stats", "compact --yes", "export"]) {
      const [name = "", ...options] = command.split(" ");
      const { exitCode, stderr } = await run([name, file, ...options]);
      expect({ command, exitCode }).toEqual({ command, exitCode: 1 });
      expect(stderr).toContain("missing.db");
    }
    expect(await Bun.file(file).exists()).toBe(false);
  });
});
