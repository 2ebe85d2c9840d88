/** The messages of a session, the last ones first to be there. */
import { useEffect, useState } from "preact/hooks";
import type { ConversationAnswer, MessageItem } from "../answers.js";
import { ask, messageOf, useAnswer } from "./api.js";
import { number, visible } from "./format.js";
import { Card, Loading, Problem, Time } from "./parts.js";
import { ValueTree } from "./value-tree.js";

const PAGE = 50;

export function Conversation({ session, until }: { session: string; until: number | undefined }) {
  const { data, error } = useAnswer<ConversationAnswer>("conversation", { session, limit: PAGE });
  const [earlier, setEarlier] = useState<{ messages: MessageItem[]; hasEarlier: boolean }>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => setEarlier(undefined), [session]);
  const messages = merged(earlier?.messages ?? [], data?.messages ?? []);
  const hasEarlier = earlier?.hasEarlier ?? data?.hasEarlier ?? false;
  const loadEarlier = () =>
    ask<ConversationAnswer>("conversation", { session, before: messages[0]?.id, limit: PAGE }).then(
      (more) => setEarlier({ messages: merged(more.messages, messages), hasEarlier: more.hasEarlier }),
      (failure: unknown) => setProblem(messageOf(failure)),
    );
  return (
    <Card title="Conversation" class="conversation">
      <Problem error={error ?? problem} />
      {data === undefined && error === undefined && <Loading />}
      {data !== undefined && messages.length === 0 && <p class="empty">No messages.</p>}
      {hasEarlier && (
        <button type="button" class="small" onClick={loadEarlier}>
          Earlier messages
        </button>
      )}
      <ol class="messages">
        {messages.map((message) => (
          <Message
            key={message.id}
            message={message}
            isLater={until !== undefined && message.createdAt > until}
          />
        ))}
      </ol>
    </Card>
  );
}

function merged(earlier: readonly MessageItem[], later: readonly MessageItem[]): MessageItem[] {
  const first = later[0]?.id ?? Number.POSITIVE_INFINITY;
  return [...earlier.filter(({ id }) => id < first), ...later];
}

function Message({ message, isLater }: { message: MessageItem; isLater: boolean }) {
  const { role, createdAt, content, toolCalls, toolResults, tokensIn, tokensOut } = message;
  const tokens = [
    tokensIn === undefined ? "" : `${number(tokensIn)} in`,
    tokensOut === undefined ? "" : `${number(tokensOut)} out`,
  ]
    .filter((part) => part !== "")
    .join(", ");
  return (
    <li class={`message ${/^[a-z]+$/.test(role) ? role : "other"}${isLater ? " later" : ""}`}>
      <p class="message-head">
        <strong>{visible(role)}</strong> <Time at={createdAt} />
        {tokens !== "" && <span class="quiet">{tokens} tokens</span>}
        {isLater && <span class="quiet">after this checkpoint</span>}
      </p>
      {content !== undefined && (
        <p class="content">
          {visible(content.text)}
          {content.size > content.text.length && (
            <span class="quiet">… cut here; it has {number(content.size)} characters</span>
          )}
        </p>
      )}
      {toolCalls !== undefined && <Structured label="Tool calls" value={toolCalls} />}
      {toolResults !== undefined && <Structured label="Tool results" value={toolResults} />}
    </li>
  );
}

function Structured({ label, value }: { label: string; value: NonNullable<MessageItem["toolCalls"]> }) {
  return (
    <details>
      <summary>
        {label} <span class="quiet">{summaryOf(value)}</span>
      </summary>
      <ValueTree value={value} />
    </details>
  );
}

/** The names of the tools, or the first result. */
function summaryOf({ parts = [] }: NonNullable<MessageItem["toolCalls"]>): string {
  const names = parts.map(({ value }) => {
    const named =
      value.parts?.find(({ key }) => key === "name") ?? value.parts?.find(({ key }) => key === "content");
    return named?.value.text ?? "";
  });
  return visible(names.filter((name) => name !== "").join(", ")).slice(0, 80);
}
