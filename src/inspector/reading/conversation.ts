/** The messages of a session, a page at a time, each text cut to what a page shows. */
import type { Row } from "../../database/connection.js";
import type { ConversationAnswer, MessageItem, ValueNode } from "../answers.js";
import { type InspectedFile, numberOf, textOf } from "./file.js";
import { parse } from "./node-results.js";
import { toValueNode } from "./wire.js";

/** Messages of one answer. */
export const MOST_MESSAGES = 200;

/** Characters of a message's content in one answer. */
const LONGEST_CONTENT = 20_000;

/** Characters of a message's columns that are read from the file. */
const LONGEST_READ = 1_000_000;

/** @param before Only messages with a smaller id. */
export function readConversation(
  file: InspectedFile,
  sessionId: string,
  { before, limit }: { before: number | undefined; limit: number },
): ConversationAnswer {
  const count = Math.min(limit, MOST_MESSAGES);
  const rows = file.statements.messages.all(
    sessionId,
    before ?? Number.MAX_SAFE_INTEGER,
    count + 1,
    LONGEST_READ,
  );
  return { messages: rows.slice(0, count).reverse().map(toMessageItem), hasEarlier: rows.length > count };
}

function toMessageItem(row: Row): MessageItem {
  const message: MessageItem = {
    id: numberOf(row.id),
    role: textOf(row.role),
    createdAt: numberOf(row.created_at),
  };
  if (row.content !== null) {
    message.content = {
      text: textOf(row.content).slice(0, LONGEST_CONTENT),
      size: numberOf(row.content_size),
    };
  }
  const [toolCalls, toolResults] = [structured(row.tool_calls), structured(row.tool_results)];
  return {
    ...message,
    ...(toolCalls === undefined ? {} : { toolCalls }),
    ...(toolResults === undefined ? {} : { toolResults }),
    ...(typeof row.tokens_in === "number" ? { tokensIn: row.tokens_in } : {}),
    ...(typeof row.tokens_out === "number" ? { tokensOut: row.tokens_out } : {}),
  };
}

function structured(text: unknown): ValueNode | undefined {
  if (text === null || text === undefined) {
    return undefined;
  }
  try {
    return toValueNode(parse(text, "the column"));
  } catch {
    const isCut = textOf(text).length >= LONGEST_READ;
    return { type: "unread", text: isCut ? "too large to be shown here" : "not JSON: the file is damaged" };
  }
}
