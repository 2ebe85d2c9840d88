/** How sessions and checkpoints are named. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Checkpoint, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint } from "../support/builders.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";
import { printed, run } from "./support/run.js";

const FIRST = "aaaaaaaa-0000-4000-8000-000000000001";
const SECOND = "aaaabbbb-0000-4000-8000-000000000002";
const THIRD = "cccccccc-0000-4000-8000-000000000003";

let folder: TemporaryFolder;
let path: string;
let saved: Checkpoint[];

beforeAll(async () => {
  folder = await createTemporaryFolder();
  path = join(folder.path, "runs.db");
  await new SqliteCheckpointStore(path).close();
  const insert = (id: string, title: string) =>
    `INSERT INTO sessions (id, title, directory, created_at, updated_at) VALUES ('${id}', '${title}', '.', 0, 0)`;
  runOn(path, insert(FIRST, "Twice"), insert(SECOND, "Twice"), insert(THIRD, "aaaa: once"));
  await using store = new SqliteCheckpointStore(path);
  saved = [
    await store.saveCheckpoint(buildCheckpoint(FIRST, { version: 1 })),
    await store.saveCheckpoint(buildCheckpoint(FIRST, { version: 7, namespace: "" })),
    await store.saveCheckpoint(buildCheckpoint(FIRST, { version: 7, namespace: "inner" })),
    await store.saveCheckpoint(buildCheckpoint(THIRD, { version: 3 })),
  ];
});
afterAll(() => folder.remove());

async function sessionCalled(name: string): Promise<string> {
  return JSON.parse((await printed("show", path, name, "--json")).split("\n")[0] ?? "").session.id;
}

async function checkpointCalled(name: string): Promise<string> {
  return JSON.parse(await printed("checkpoint", path, name, "--json")).id;
}

async function refusal(command: string, name: string): Promise<string> {
  const { exitCode, stdout, stderr } = await run([command, path, name]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  return stderr;
}

describe("a session is named by", () => {
  test.each([
    ["its id", FIRST, FIRST],
    ["the beginning of its id", "aaaab", SECOND],
    ["the end of its id", "03", THIRD],
    ["its title", "aaaa: once", THIRD],
  ])("%s", async (_, name, id) => {
    expect(await sessionCalled(name)).toBe(id);
  });

  test("a title that several have, or the beginning of several ids, lists them", async () => {
    for (const name of ["Twice", "aaaa"]) {
      const message = await refusal("show", name);
      expect(message).toStartWith(`error: "${name}" names 2 sessions: write more of the id.\n`);
      expect(message).toContain(`  ${FIRST}  `);
      expect(message).toContain(`  ${SECOND}  `);
    }
  });

  test("an unknown or an empty name is refused", async () => {
    expect(await refusal("show", "nobody")).toBe(
      'error: No session has the id or title "nobody": list them with "checkpoint-sqlite sessions", by part of a title with --title.\n',
    );
    expect(await refusal("show", "")).toContain('No session has the id or title ""');
    expect(await refusal("show", "%")).toContain('No session has the id or title "%"');
  });
});

describe("a checkpoint is named by", () => {
  test("its id, or the end of its id", async () => {
    const id = saved[0]?.id ?? "";
    expect(await checkpointCalled(id)).toBe(id);
    expect(await checkpointCalled(id.slice(-12))).toBe(id);
  });

  test("its session and version, or its session's latest", async () => {
    expect(await checkpointCalled("aaaaa:v1")).toBe(saved[0]?.id ?? "");
    expect(await checkpointCalled("aaaa: once:v3")).toBe(saved[3]?.id ?? "");
    expect(await checkpointCalled("aaaaa@latest:inner")).toBe(saved[2]?.id ?? "");
    expect(await checkpointCalled("aaaa: once@latest")).toBe(saved[3]?.id ?? "");
  });

  test("the namespace too, if several have the version", async () => {
    const message = await refusal("checkpoint", "aaaaa:v7");
    expect(message).toBe(
      'error: "aaaaa:v7" names 2 checkpoints: write the namespace too.\n  aaaaa:v7:\n  aaaaa:v7:inner\n',
    );
    expect(await checkpointCalled("aaaaa:v7:inner")).toBe(saved[2]?.id ?? "");
    expect(await checkpointCalled("aaaaa:v7:")).toBe(saved[1]?.id ?? "");
  });

  test("its namespace, whatever that looks like", async () => {
    await using store = new SqliteCheckpointStore(path);
    const session = await store.createSession(".", { title: "Inner" });
    const saved = await store.saveCheckpoint(buildCheckpoint(session.id, { namespace: "inner:v1" }));
    const latest = await printed("latest", path, "Inner", "--namespace", "inner:v1", "--json");
    expect(JSON.parse(latest).id).toBe(saved.id);
    await store.deleteSession(session.id);
  });

  test("a session in its place is refused with what to write", async () => {
    expect(await refusal("checkpoint", "aaaa: once")).toContain('write "aaaa: once@latest"');
    expect(await refusal("latest", "aaaab")).toContain("has no checkpoint");
    const lists = 'list those of a session with "checkpoint-sqlite show".\n';
    expect(await refusal("checkpoint", "aaaaa:v9")).toBe(
      `error: There is no checkpoint "aaaaa:v9": ${lists}`,
    );
    expect(await refusal("checkpoint", "nothing")).toBe(`error: There is no checkpoint "nothing": ${lists}`);
  });
});
