/** The published `@obsku/checkpoint-postgres@0.2.3` works on what was copied, and answers as the store of the file does. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { CheckpointBackend, MemoryStore } from "@obsku/checkpoint-sqlite";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { copyToPostgres } from "@obsku/checkpoint-sqlite/postgres";
import { PostgresCheckpointStore } from "published-checkpoint-postgres";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { commandOf } from "../support/children.js";
import { linesOf } from "../support/lines.js";
import { describeWithServer, onServer, useServer } from "./support/cluster.js";
import { FILES } from "./support/files.js";

type Store = CheckpointBackend & MemoryStore;

/** What a store answers to every question about a file's contents. */
async function answersOf(store: Store, sessionIds: readonly string[]): Promise<unknown> {
  const answers = [];
  for (const id of sessionIds) {
    // The published store lists them by their steps.
    const checkpoints = (await store.listCheckpoints(id)).toSorted((one, other) =>
      one.id < other.id ? -1 : 1,
    );
    answers.push({
      session: await store.getSession(id),
      messages: await store.getMessages(id),
      checkpoints,
      each: await Promise.all(checkpoints.map((checkpoint) => store.getCheckpoint(checkpoint.id))),
      entities: await store.listEntities({ sessionId: id }),
    });
  }
  // The published store needs an argument.
  const facts = await store.listFacts({});
  return { answers, facts: facts.toSorted((one, other) => (one.id < other.id ? -1 : 1)) };
}

/** A graph is run twice in one session: steps begin again, versions go on, as the framework counts them. */
async function runTwice(path: string): Promise<string> {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./twice");
  for (const [index, step] of [0, 1, 2, 3, 0, 1].entries()) {
    await store.saveCheckpoint(buildCheckpoint(id, { namespace: "", version: index + 1, step }));
  }
  return id;
}

/** Goes on from the latest checkpoint, as a run does. */
async function saveNext(store: Store, sessionId: string): Promise<number> {
  const latest = await store.getLatestCheckpoint(sessionId);
  const { version } = await store.saveCheckpoint(
    buildCheckpoint(sessionId, {
      namespace: "",
      version: (latest?.version ?? 0) + 1,
      step: (latest?.step ?? 0) + 1,
    }),
  );
  return version;
}

describeWithServer("@obsku/checkpoint-postgres 0.2.3 on a copy", () => {
  const server = useServer();
  let path: string;
  let url: string;
  let there: PostgresCheckpointStore;

  beforeEach(async () => {
    ({ path, url } = await server.newPlace());
    there = new PostgresCheckpointStore(url);
  });
  afterEach(() => there.close());

  test.each(["from 0.2.3", "with whole outputs", "with outputs kept once"])(
    "answers the same questions with the same sessions, messages, checkpoints and memory, of a file %s",
    async (kind) => {
      await FILES[kind]?.(path);
      await copyToPostgres(path, url);
      await there.setup();
      await using here = new SqliteCheckpointStore(path);
      const ids = (await here.listSessions()).map(({ id }) => id);
      expect(ids.length).toBeGreaterThan(2);
      expect((await there.listSessions()).map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
      expect(await answersOf(there, ids)).toEqual(await answersOf(here, ids));
    },
  );

  test("forks a copied checkpoint, with the messages before it", async () => {
    await FILES["with outputs kept once"]?.(path);
    await copyToPostgres(path, url);
    await using here = new SqliteCheckpointStore(path);
    const [session] = (await here.listSessions()).filter(({ title }) => title === "Scan");
    const [, , third] = await here.listCheckpoints(session?.id ?? "");
    const forks = await Promise.all(
      [here, there].map((store) => store.fork(third?.id ?? "", { title: "fork" })),
    );
    const counts = [];
    for (const [index, store] of [here, there].entries()) {
      const id = forks[index]?.id ?? "";
      counts.push([(await store.getMessages(id)).length, (await store.getLatestCheckpoint(id))?.nodeResults]);
    }
    expect(counts[1]).toEqual(counts[0]);
  });

  test("saves the next message and the next version", async () => {
    await using here = new SqliteCheckpointStore(path);
    const { id } = await here.createSession("./once");
    await here.addMessage(id, buildMessage(id));
    await here.saveCheckpoint(buildCheckpoint(id, { namespace: "" }));
    await copyToPostgres(path, url);
    expect(await saveNext(there, id)).toBe(2);
    expect((await there.addMessage(id, buildMessage(id))).id).toBe(2);
  });

  test("ends the process when the server drops an idle connection", async () => {
    await FILES["that is new"]?.(path);
    await copyToPostgres(path, url);
    const child = Bun.spawn(commandOf("postgres-idler.ts", [url]), { stdout: "pipe", stderr: "ignore" });
    const { value } = await linesOf(child.stdout).next();
    expect(value).toBe("idle");
    await onServer(url, (sql) =>
      sql.unsafe(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      ),
    );
    expect(await child.exited).toBe(1);
  });

  test("resumes from a subgraph if no namespace is named, and needs an argument to list facts and entities", async () => {
    await using here = new SqliteCheckpointStore(path);
    const { id } = await here.createSession("./nested");
    await here.saveCheckpoint(buildCheckpoint(id, { namespace: "graph", version: 1, step: 1 }));
    // The namespace of a subgraph is the node that runs it.
    await here.saveCheckpoint(
      buildCheckpoint(id, { namespace: "end", version: 1, step: 2, pendingNodes: [] }),
    );
    await copyToPostgres(path, url);
    expect((await here.getLatestCheckpoint(id))?.namespace).toBe("graph");
    expect((await there.getLatestCheckpoint(id))?.namespace).toBe("end");
    expect((await there.getLatestCheckpoint(id, "graph"))?.namespace).toBe("graph");
    expect(
      await Promise.allSettled([
        Reflect.apply(there.listFacts, there, []),
        Reflect.apply(there.listEntities, there, []),
      ]),
    ).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
  });

  test("cannot save after a second run in a session, of which a copy tells", async () => {
    const id = await runTwice(path);
    const { differences } = await copyToPostgres(path, url);
    expect(differences).toMatchObject([{ table: "sessions", id, column: "checkpoints.step" }]);
    expect(differences[0]?.difference).toContain("renumberSteps: true");
    expect((await there.getLatestCheckpoint(id))?.version).toBe(4);
    expect((await there.listCheckpoints(id)).map(({ step }) => step)).toEqual([3, 2, 1, 1, 0, 0]);
    expect(await Promise.allSettled([saveNext(there, id)])).toMatchObject([{ status: "rejected" }]);
  });

  test("saves after a second run if the steps were renumbered, and those of other sessions stay", async () => {
    const id = await runTwice(path);
    await using here = new SqliteCheckpointStore(path);
    const other = await here.createSession("./other");
    await here.saveCheckpoint(buildCheckpoint(other.id, { version: 1, step: 7 }));
    await here.saveCheckpoint(buildCheckpoint(other.id, { version: 2, step: 9 }));
    const { differences } = await copyToPostgres(path, url, { renumberSteps: true });
    expect(differences).toMatchObject([{ id, column: "checkpoints.step" }]);
    const stepsOf = async (sessionId: string) =>
      (await there.listCheckpoints(sessionId)).map(({ version, step }) => [version, step]).toSorted();
    expect(await stepsOf(id)).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
      [5, 4],
      [6, 5],
    ]);
    expect(await stepsOf(other.id)).toEqual([
      [1, 7],
      [2, 9],
    ]);
    expect((await there.getLatestCheckpoint(id))?.version).toBe(6);
    expect(await saveNext(there, id)).toBe(7);
    expect((await here.listCheckpoints(id)).map(({ step }) => step)).toEqual([1, 0, 3, 2, 1, 0]);
    const versionsOf = async (store: Store) =>
      (await store.listCheckpoints(id)).map(({ version }) => version);
    expect(await versionsOf(there)).toEqual([7, ...(await versionsOf(here))]);
  });
});
