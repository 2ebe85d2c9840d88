/** Everything that the store holds of this process, compared with the model. */
import type { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { rowsOf, withDatabase } from "../../support/sql.js";
import { type Soak, WORKER_WORKSPACE } from "./context.js";

export async function compareEverything(soak: Soak, store: SqliteCheckpointStore): Promise<void> {
  const { model } = soak;
  const listed = await store.listSessions();
  soak.compare("audit: sessions", listed.filter(isOwn), model.listSessions());
  for (const { session, messages, checkpoints } of model.sessions.values()) {
    soak.compare("audit: messages", await store.getMessages(session.id), messages);
    soak.compare("audit: checkpoints", await store.listCheckpoints(session.id), checkpoints.toReversed());
  }
  const entities = await store.listEntities();
  soak.compare(
    "audit: entities",
    entities.filter(isOwn),
    model.listEntities(() => true),
  );
  soak.compare(
    "audit: facts",
    await store.listFacts(),
    model.listFacts(() => true),
  );
}

function isOwn({ workspaceId }: { workspaceId?: string }): boolean {
  return workspaceId !== WORKER_WORKSPACE;
}

export function checkFile(soak: Soak): void {
  withDatabase(soak.path, (database) => {
    const integrity = rowsOf(database, "PRAGMA integrity_check");
    soak.compare("integrity_check", integrity, [{ integrity_check: "ok" }]);
    soak.compare("foreign_key_check", rowsOf(database, "PRAGMA foreign_key_check"), []);
  });
}
