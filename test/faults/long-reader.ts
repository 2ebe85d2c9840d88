/** A reader that stays: the log cannot be cut while it does, and must be when it has left. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { Child } from "../support/children.js";
import { difference } from "../support/difference.js";
import { rowsOf, withDatabase } from "../support/sql.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { Report, ReportRow, Scenario } from "./scenario.js";
import { writeEarlier } from "./support/attempts.js";

const MIB = 2 ** 20;
/** What the store sets as journal_size_limit. */
const LOG_LIMIT = 16 * MIB;
/** In one message. */
const MESSAGE_LENGTH = 256 * 1024;
const MOST_COMMITS_UNTIL_CUT = 20;

interface Trial {
  readonly withReader: boolean;
  readonly messages: number;
}

export const longReader: Scenario = {
  name: "long-reader",
  about:
    "Another process stays in a read transaction while many MiB are written: the data is right, and the log is cut when it has left.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const messages = scale === "full" ? 300 : 100;
    const rows: ReportRow[] = [];
    const violations: string[] = [];
    for (const withReader of [false, true]) {
      progress(withReader ? "with a reader" : "without a reader");
      rows.push(await tryOnce({ withReader, messages }, violations));
    }
    return { rows, violations };
  },
};

async function tryOnce({ withReader, messages }: Trial, violations: string[]): Promise<ReportRow> {
  const folder = await createTemporaryFolder();
  const path = join(folder.path, "store.db");
  const store = new SqliteCheckpointStore(path);
  const before = violations.length;
  try {
    const { session } = await writeEarlier(store);
    const reader = withReader ? Child.start("long-reader.ts", [path]) : undefined;
    await reader?.ready();
    const written = await writeMany(store, session.id, messages);
    const highest = Math.max(...written.sizes);
    if (reader !== undefined) violations.push(...snapshotFaults(await reader.answer()));
    const { commits, size } = await commitUntilCut(store, session.id, path);
    if (size > LOG_LIMIT)
      violations.push(`the log is ${size} bytes ${commits} commits after the reader left`);
    if (withReader && highest <= LOG_LIMIT)
      violations.push("the log never grew beyond its limit: nothing was tried");
    const read = (await store.getMessages(session.id)).filter(({ content }) => content?.startsWith("big"));
    const found = difference(read, written.messages, "messages");
    if (found !== undefined) violations.push(found);
    await store.close();
    violations.push(...fileFaults(path));
    return {
      "what was tried": withReader ? "one reader stays all the time" : "no reader",
      "MiB written": ((messages * MESSAGE_LENGTH) / MIB).toFixed(0),
      "log at most, MiB": (highest / MIB).toFixed(1),
      "log after the reader left, MiB": (size / MIB).toFixed(1),
      "commits until then": commits,
      "file at the end, MiB": (statSync(path).size / MIB).toFixed(1),
      "wrong or lost": violations.length - before,
    };
  } finally {
    await store.close();
    await folder.remove();
  }

  async function writeMany(writer: SqliteCheckpointStore, sessionId: string, count: number) {
    const stored = [];
    const sizes: number[] = [];
    for (let index = 0; index < count; index++) {
      const content = `big ${index} `.padEnd(MESSAGE_LENGTH, String(index));
      stored.push(await writer.addMessage(sessionId, { sessionId, role: "user", content }));
      sizes.push(sizeOfLog(path));
    }
    return { messages: stored, sizes };
  }
}

async function commitUntilCut(store: SqliteCheckpointStore, sessionId: string, path: string) {
  let commits = 0;
  while (commits < MOST_COMMITS_UNTIL_CUT && (commits === 0 || sizeOfLog(path) > LOG_LIMIT)) {
    await store.addMessage(sessionId, { sessionId, role: "user", content: "small" });
    commits += 1;
  }
  return { commits, size: sizeOfLog(path) };
}

/** What the reader saw at its end must be what it saw at its beginning. */
function snapshotFaults(answer: unknown): string[] {
  const { before, after } = answer as { before: unknown; after: unknown };
  const found = difference(after, before, "the reader's snapshot");
  return found === undefined ? [] : [found];
}

function sizeOfLog(path: string): number {
  return existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0;
}

function fileFaults(path: string): string[] {
  const integrity = withDatabase(path, (database) =>
    JSON.stringify(rowsOf(database, "PRAGMA integrity_check")),
  );
  const left = sizeOfLog(path) > 0 ? ["a log was left after closing"] : [];
  return integrity === '[{"integrity_check":"ok"}]' ? left : [...left, `integrity_check: ${integrity}`];
}
