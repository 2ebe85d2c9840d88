import { expect, test } from "bun:test";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint } from "../support/builders.js";

test("sessions and forks have random ids of version 4, checkpoints ids of version 7", async () => {
  await using store = new SqliteCheckpointStore(":memory:");
  const session = await store.createSession("./d");
  const checkpoint = await store.saveCheckpoint(buildCheckpoint(session.id));
  const fork = await store.fork(checkpoint.id);
  expect([session.id[14], fork.id[14], checkpoint.id[14]]).toEqual(["4", "4", "7"]);
});
