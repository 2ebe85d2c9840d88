/**
 * A process that saves, changes and deletes memories while others search: `bun memory-writer.ts PATH SESSION
 * ROUNDS`. It answers with the names of the entities and the contents of the facts that it left there.
 */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildEntity, buildFact } from "../support/memory-builders.js";
import { namedVector } from "../support/named-vector.js";

const [path = "", sessionId = "", rounds = ""] = process.argv.slice(2);

console.log("ready");
await Bun.stdin.text();

const store = new SqliteCheckpointStore(path, { busyTimeout: 25_000 });
const names: string[] = [];
const contents: string[] = [];
for (let round = 0; round < Number(rounds); round++) {
  await Promise.all([leaveEntity(`a-${round}`), leaveEntity(`b-${round}`), passEntity(`c-${round}`)]);
  await Promise.all([leaveFact(`a-${round}`), passFact(`b-${round}`)]);
}
await store.close();
console.log(JSON.stringify({ names, contents }));

/** Saved under one name and vector, and then given another of both. */
async function leaveEntity(name: string): Promise<void> {
  const before = `${name} before`;
  const saved = await store.saveEntity(
    buildEntity(sessionId, { name: before, embedding: namedVector(before) }),
  );
  await store.updateEntity(saved.id, { name, embedding: namedVector(name) });
  names.push(name);
}

async function passEntity(name: string): Promise<void> {
  const saved = await store.saveEntity(buildEntity(sessionId, { name, embedding: namedVector(name) }));
  await store.deleteEntity(saved.id);
}

async function leaveFact(content: string): Promise<void> {
  await store.saveFact(buildFact({ content, embedding: namedVector(content) }));
  contents.push(content);
}

async function passFact(content: string): Promise<void> {
  const saved = await store.saveFact(buildFact({ content, embedding: namedVector(content) }));
  await store.deleteFact(saved.id);
}
