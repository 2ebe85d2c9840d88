/** Opens what a fault left behind, as an application would, and looks whether it is whole and can be used. */
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../../support/builders.js";
import { buildEntity } from "../../support/memory-builders.js";
import { rowsOf, withDatabase } from "../../support/sql.js";
import { State } from "./state.js";

export interface Recovery {
  /** What the file held, if it could be read. */
  state: State | undefined;
  problems: string[];
}

export async function recover(path: string): Promise<Recovery> {
  const recovery: Recovery = { state: undefined, problems: [] };
  try {
    const store = new SqliteCheckpointStore(path, { synchronous: "normal" });
    try {
      recovery.state = await State.read(store);
      await writeNext(store);
    } finally {
      await store.close();
    }
    recovery.problems.push(...problemsOf(path));
  } catch (error) {
    recovery.problems.push(String(error));
  }
  return recovery;
}

async function writeNext(store: SqliteCheckpointStore): Promise<void> {
  const { id } = await store.createSession("/next");
  const message = store.addMessage(id, buildMessage(id, { content: "next" }));
  const checkpoint = store.saveCheckpoint(buildCheckpoint(id));
  const entity = store.saveEntity(buildEntity(id, { embedding: [1, 2] }));
  await Promise.all([message, checkpoint, entity]);
  const fork = await store.fork((await checkpoint).id);
  const [copy] = await store.getMessages(fork.id);
  if (copy?.content !== "next") throw new Error("The next write cannot be read");
}

/** What must be in no file; each statement answers with what is wrong. */
const CHECKS = {
  integrity_check:
    "SELECT integrity_check AS wrong FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
  foreign_key_check: `SELECT "table" || ' ' || rowid AS wrong FROM pragma_foreign_key_check`,
  "a message newer than its session's updatedAt": `
    SELECT messages.id AS wrong
    FROM messages
    JOIN sessions ON sessions.id = session_id
    WHERE messages.created_at > updated_at`,
  "an embedding without its vector": `
    SELECT id AS wrong
    FROM (
      SELECT 'entity' AS owner, id FROM entities WHERE embedding IS NOT NULL
      UNION ALL
      SELECT 'fact', id FROM facts WHERE embedding IS NOT NULL
    )
    WHERE (owner, id) NOT IN (
      SELECT owner, id FROM checkpoint_sqlite_vectors WHERE unit IS NOT NULL
    )`,
  "a vector without its embedding": `
    SELECT id AS wrong
    FROM checkpoint_sqlite_vectors
    WHERE id NOT IN (SELECT id FROM entities UNION ALL SELECT id FROM facts)`,
} as const;

function problemsOf(path: string): string[] {
  return withDatabase(path, (database) =>
    Object.entries(CHECKS).flatMap(([name, sql]) =>
      rowsOf<{ wrong: unknown }>(database, sql).map(({ wrong }) => `${name}: ${String(wrong)}`),
    ),
  );
}
