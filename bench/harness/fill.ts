/**
 * Fills a file whose schema is in place by SQL in one transaction: a million rows in seconds. It goes through a connection
 * of its own, and leaves the file's journal mode as it was.
 */
import { Database } from "bun:sqlite";
import { messageOf, prose } from "./data.js";

const DIMENSIONS = 384;
const START = 1_700_000_000_000;

/** 0 up to ?1. */
const COUNT = "WITH RECURSIVE count (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM count WHERE i + 1 < ?1)";

export const NAMESPACES = ["", "research", "review", "publish"] as const;

/** The id of the n-th session that `sessions` makes. */
export function sessionId(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
}

/** Fifty sessions to a workspace. */
export function workspaceId(session: number): string {
  return `workspace-${Math.floor(session / 50)}`;
}

export class Filling {
  readonly #database: Database;
  readonly #journalMode: string;

  constructor(path: string) {
    this.#database = new Database(path, { strict: true });
    this.#journalMode = String(this.#pragma("journal_mode"));
    this.#pragma("journal_mode = OFF");
    this.#pragma("synchronous = OFF");
    this.#pragma("cache_size = -262144");
    this.#database.run("BEGIN");
  }

  sessions(count: number): this {
    this.#database
      .query(
        `${COUNT} INSERT INTO sessions SELECT printf('00000000-0000-4000-8000-%012d', i),
           'workspace-' || (i / 50), 'Session ' || i, './project', ${START} + i, ${START} + i, NULL FROM count`,
      )
      .run(count);
    return this;
  }

  /** So many checkpoints in each of the sessions, session by session, its namespaces in turn. */
  checkpoints(sessions: number, each: number): this {
    const nodeResults = JSON.stringify({ node: { status: "completed", output: prose(180) } });
    this.#database
      .query(
        `${COUNT} INSERT INTO checkpoints SELECT
           printf('%08x-0000-4000-8000-%012x', i, i), printf('00000000-0000-4000-8000-%012d', i / ?2),
           CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN 'research' WHEN 2 THEN 'review' ELSE 'publish' END,
           NULL, i % ?2 / 4 + 1, i % ?2, NULL, ?3, '["review"]', NULL, 'loop', ${START} + i FROM count`,
      )
      .run(sessions * each, each, nodeResults);
    return this;
  }

  /** One conversation. */
  messages(sessionId: string, count: number): this {
    const { content = null, toolCalls } = messageOf(sessionId, 1);
    this.#database
      .query(
        `${COUNT} INSERT INTO messages
           (session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at)
         SELECT ?2, CASE i % 2 WHEN 0 THEN 'user' ELSE 'assistant' END, ?3,
           CASE i % 4 WHEN 1 THEN ?4 END, NULL, 812, 96, ${START} + i FROM count`,
      )
      .run(count, sessionId, content, JSON.stringify(toolCalls));
    return this;
  }

  session(sessionId: string): this {
    this.#database
      .query(`INSERT INTO sessions VALUES (?, NULL, 'Long', './project', ${START}, ${START}, NULL)`)
      .run(sessionId);
    return this;
  }

  /** A checkpoint after all of the session's messages. */
  checkpointAtEnd(checkpointId: string, sessionId: string): this {
    this.#database
      .query(
        `INSERT INTO checkpoints SELECT ?1, ?2, '', NULL, 1, 1, NULL, '{}', '[]', NULL, 'loop',
           max(created_at) FROM messages WHERE session_id = ?2`,
      )
      .run(checkpointId, sessionId);
    return this;
  }

  facts(count: number): this {
    const insert = this.#database.query(
      "INSERT INTO facts (id, content, confidence, created_at, embedding) VALUES (?, ?, 0.9, ?, ?)",
    );
    const pieces = embeddingPieces();
    for (let index = 0; index < count; index++) {
      insert.run(`fact-${index}`, prose(80, index), START + index, embeddingText(pieces, index));
    }
    return this;
  }

  /** Messages of 1 MB, so that the file is about that large. */
  bulk(sessionId: string, bytes: number): this {
    this.#database
      .query(
        `${COUNT} INSERT INTO messages (session_id, role, content, created_at)
         SELECT ?2, 'user', ?3, ${START} + i FROM count`,
      )
      .run(Math.ceil(bytes / 1_000_000), sessionId, prose(1_000_000));
    return this;
  }

  done(): void {
    this.#database.run("COMMIT");
    this.#pragma(`journal_mode = ${this.#journalMode}`);
    this.#database.close(true);
  }

  #pragma(pragma: string): unknown {
    const row: unknown = this.#database.query(`PRAGMA ${pragma}`).get();
    return typeof row === "object" && row !== null ? Object.values(row)[0] : undefined;
  }
}

const PIECE = 48;

/** Embeddings are put together from pieces, because writing 100,000 × 384 numbers one by one takes longer than all else. */
function embeddingPieces(): string[] {
  const random = seededRandom(1);
  return Array.from({ length: 997 }, () =>
    Array.from({ length: PIECE }, () => (random() * 2 - 1).toFixed(5)).join(","),
  );
}

function embeddingText(pieces: readonly string[], index: number): string {
  const chosen = Array.from(
    { length: DIMENSIONS / PIECE },
    (_, place) => pieces[(index * (place + 1) * 31 + place * 7 + Math.floor(index / 997)) % pieces.length],
  );
  return `[${chosen.join(",")}]`;
}

export function queryEmbedding(): number[] {
  const random = seededRandom(2);
  return Array.from({ length: DIMENSIONS }, () => random() * 2 - 1);
}

/** The same numbers in every run (a linear congruential generator). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}
