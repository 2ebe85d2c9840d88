/** A session's rows page by page, so that not all of them are in memory at once. */
import type { SqliteCheckpointStore } from "../sqlite-checkpoint-store.js";
import type { Checkpoint, StoredMessage } from "../types.js";

const CHECKPOINTS_PER_PAGE = 20;
const MESSAGES_PER_PAGE = 200;

/** The last saved first. */
export async function* checkpointsOf(
  store: SqliteCheckpointStore,
  sessionId: string,
): AsyncGenerator<Checkpoint> {
  let beforeId: string | undefined;
  for (;;) {
    const page = await store.listCheckpoints(sessionId, { limit: CHECKPOINTS_PER_PAGE, beforeId });
    yield* page;
    beforeId = page.at(-1)?.id;
    if (beforeId === undefined) {
      return;
    }
  }
}

/** The last added first. */
export async function* messagesOf(
  store: SqliteCheckpointStore,
  sessionId: string,
): AsyncGenerator<StoredMessage> {
  let beforeId: number | undefined;
  for (;;) {
    const page = await store.getMessages(sessionId, { limit: MESSAGES_PER_PAGE, beforeId });
    yield* page.toReversed();
    beforeId = page[0]?.id;
    if (beforeId === undefined) {
      return;
    }
  }
}
