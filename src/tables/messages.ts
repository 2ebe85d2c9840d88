/** The table `messages`: its SQL, its row types and the mapper from a row to a {@link StoredMessage}. */
import type { Connection, Row, Statements } from "../database/connection.js";
import { codeOf, SQLITE } from "../database/sqlite-errors.js";
import { CheckpointCorruptionError } from "../errors.js";
import type { EncodedValue } from "../json-plus/text.js";
import { ColumnReader, ignoredByTrigger, setIfPresent } from "../rows/column-reader.js";
import type { MessageRole, StoredMessage } from "../types.js";
import {
  limit,
  mustBe,
  oneOf,
  optionalNonNegativeInteger,
  optionalObject,
  optionalProse,
  optionalStructured,
  optionalTime,
  requiredObject,
  text,
} from "../validation/arguments.js";
import { toolCalls, toolResults } from "../validation/schemas.js";
import { storedToolCalls } from "../validation/stored-schemas.js";

const COLUMNS = "id, session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at";

export const MESSAGES_SQL = {
  insert: `
    INSERT INTO main.messages (session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,

  list: `
    SELECT ${COLUMNS}
    FROM main.messages
    WHERE session_id = +?1
    ORDER BY created_at, id`,

  // Newest first, because the limit counts from the end of the conversation; the caller reverses them.
  page: `
    SELECT ${COLUMNS}
    FROM main.messages
    WHERE session_id = +?1
      AND created_at < +?2
    ORDER BY created_at DESC, id DESC
    LIMIT +?3`,

  // `?4` and `?5` are the time and id of the message that the page ends before.
  pageBefore: `
    SELECT ${COLUMNS}
    FROM main.messages
    WHERE session_id = +?1
      AND created_at < +?2
      AND (created_at, id) < (+?4, +?5)
    ORDER BY created_at DESC, id DESC
    LIMIT +?3`,

  position: `
    SELECT created_at
    FROM main.messages
    WHERE id = ?1
      AND session_id = ?2`,

  exists: `
    SELECT 1
    FROM main.messages
    WHERE id = ?1`,

  delete: `
    DELETE FROM main.messages
    WHERE id = ?1`,

  copyToFork: `
    INSERT INTO main.messages (session_id, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at)
    SELECT ?3, role, content, tool_calls, tool_results, tokens_in, tokens_out, created_at
    FROM main.messages
    WHERE session_id = +?1
      AND created_at <= +?2
    ORDER BY created_at, id`,
};

const SELECT_LAST_ID = `
  SELECT seq
  FROM main.sqlite_sequence
  WHERE name = 'messages'
    AND seq = 9223372036854775807`;

/** Later than every time that a store writes. */
const END_OF_TIME = Number.MAX_SAFE_INTEGER;

const ROLES: readonly MessageRole[] = ["user", "assistant", "system", "tool"];

/** Columns of a new row; the store adds id and times. */
export interface NewMessageRow {
  session_id: string;
  role: MessageRole;
  content: string | null;
  tool_calls: EncodedValue | null;
  tool_results: EncodedValue | null;
  tokens_in: number | null;
  tokens_out: number | null;
}

export interface EncodedMessagePage {
  /** `null`: up to the newest message. */
  before: number | null;
  /** `null`: up to the newest message. */
  beforeId: number | null;
  /** -1: all. */
  limit: number;
}

const FIELDS = ["role", "content", "toolCalls", "toolResults", "tokensIn", "tokensOut"] as const;

export function encodeMessage(sessionId: unknown, message: unknown): NewMessageRow {
  const given = requiredObject("message", message, FIELDS);
  return {
    session_id: text("sessionId", sessionId),
    role: oneOf("message.role", given.role, ROLES),
    content: optionalProse("message.content", given.content),
    tool_calls: optionalStructured("message.toolCalls", given.toolCalls, toolCalls),
    tool_results: optionalStructured("message.toolResults", given.toolResults, toolResults),
    tokens_in: optionalNonNegativeInteger("message.tokensIn", given.tokensIn),
    tokens_out: optionalNonNegativeInteger("message.tokensOut", given.tokensOut),
  };
}

export function encodeMessagePage(options: unknown): EncodedMessagePage {
  const given = optionalObject("options", options, ["before", "beforeId", "limit"]);
  return {
    before: optionalTime("options.before", given.before),
    beforeId: optionalNonNegativeInteger("options.beforeId", given.beforeId),
    limit: limit("options.limit", given.limit),
  };
}

const column = new ColumnReader("messages");

export function toMessage(row: Row): StoredMessage {
  const message: StoredMessage = {
    id: column.integer(row, "id"),
    sessionId: column.text(row, "session_id"),
    role: column.written(row, "role"),
    createdAt: column.written(row, "created_at"),
  };
  setIfPresent(message, "content", column.optionalWritten(row, "content"));
  setIfPresent(message, "toolCalls", column.optionalStructured(row, "tool_calls", storedToolCalls));
  setIfPresent(message, "toolResults", column.optionalStructured(row, "tool_results", toolResults));
  setIfPresent(message, "tokensIn", column.optionalWritten(row, "tokens_in"));
  setIfPresent(message, "tokensOut", column.optionalWritten(row, "tokens_out"));
  return message;
}

export class MessagesTable {
  readonly #connection: Connection;
  readonly #statements: Statements<keyof typeof MESSAGES_SQL>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#statements = connection.statements(MESSAGES_SQL);
  }

  insert(message: NewMessageRow, createdAt: number): StoredMessage {
    const { changes, lastInsertRowid } = this.#assigningIds(() =>
      this.#statements.insert.run(
        message.session_id,
        message.role,
        message.content,
        message.tool_calls?.text ?? null,
        message.tool_results?.text ?? null,
        message.tokens_in,
        message.tokens_out,
        createdAt,
      ),
    );
    if (changes === 0) {
      throw ignoredByTrigger("messages");
    }
    return toMessage({ ...message, id: Number(lastInsertRowid), created_at: createdAt });
  }

  /** Oldest first. */
  list(sessionId: string, page: EncodedMessagePage): StoredMessage[] {
    if (page.before === null && page.beforeId === null && page.limit === -1) {
      return this.#statements.list.all(sessionId).map(toMessage);
    }
    return this.#newestFirst(sessionId, page).reverse().map(toMessage);
  }

  #newestFirst(sessionId: string, { before, beforeId, limit: count }: EncodedMessagePage): Row[] {
    if (beforeId === null) {
      return this.#statements.page.all(sessionId, before ?? END_OF_TIME, count);
    }
    const found = this.#statements.position.values(beforeId, sessionId)[0];
    if (found === undefined) {
      throw mustBe("options.beforeId", `the id of a message of session ${sessionId}`, beforeId);
    }
    const [createdAt = null] = found;
    return this.#statements.pageBefore.all(sessionId, before ?? END_OF_TIME, count, createdAt, beforeId);
  }

  /** @throws {StorageError} if a trigger ignores the deletion. */
  delete(id: number): void {
    if (this.#statements.delete.run(id).changes === 0 && this.#statements.exists.get(id) !== null) {
      throw ignoredByTrigger("messages");
    }
  }

  /** Copies the messages up to and including a time. */
  copyToFork(originalId: string, upTo: number, forkId: string): void {
    this.#assigningIds(() => this.#statements.copyToFork.run(originalId, upTo, forkId));
  }

  /** SQLite also reports a full disk if no id above the last one is left. */
  #assigningIds<T>(insert: () => T): T {
    try {
      return insert();
    } catch (error) {
      if (codeOf(error) === SQLITE.FULL && this.#connection.queryOnce(SELECT_LAST_ID).length > 0) {
        throw new CheckpointCorruptionError(
          "table sqlite_sequence, name messages, column seq: a message has used the highest possible id, so the next message can " +
            "have none. Delete that message, and set seq to the highest remaining id.",
          { cause: error },
        );
      }
      throw error;
    }
  }
}
