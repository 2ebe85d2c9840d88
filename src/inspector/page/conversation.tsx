/** The messages of a session, the last ones first to be there. */
import { useEffect, useState } from "preact/hooks";
import type { ConversationAnswer, MessageItem } from "../answers.js";
import { ask, messageOf, useAnswer } from "./api.js";
import { number, visible } from "./format.js";
import { continuedConversation, withEarlierMessages } from "./merge.js";
import { Card, Loading, Problem, Time } from "./parts.js";
import { ValueTree } from "./value-tree.js";

const PAGE = 50;

export function Conversation({ session, until }: { session: string; until: number | undefined }) {
  const { data, error } = useAnswer<ConversationAnswer>("conversation", { session, limit: PAGE });
  /** All that was loaded, once earlier ones were asked for; until then the newest are enough. */
  const [loaded, setLoaded] = useState<ConversationAnswer>();
  const [problem, setProblem] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  useEffect(() => {
    if (data !== undefined) {
      setLoaded((last) => (last === undefined ? undefined : continuedConversation(last, data)));
    }
  }, [data]);
  const shown = data === undefined ? loaded : continuedConversation(loaded, data);
  const messages = shown?.messages ?? [];
  const loadEarlier = async () => {
    setAsking(true);
    try {
      const parameters = { session, before: messages[0]?.id, limit: PAGE };
      const more = await ask<ConversationAnswer>("conversation", parameters);
      setLoaded((last) => withEarlierMessages(last ?? shown ?? more, more));
      setProblem(undefined);
    } catch (failure) {
      setProblem(messageOf(failure));
    }
    setAsking(false);
  };
  return (
    <Card title="Conversation" class="conversation">
      <Problem error={error ?? problem} />
      {data === undefined && error === undefined && <Loading />}
      {data !== undefined && messages.length === 0 && <p class="empty">No messages.</p>}
      {shown?.hasEarlier === true && (
        <button type="button" class="small" disabled={isAsking} onClick={loadEarlier}>
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
      <ValueTree value={value} readBy="checkpoint-sqlite messages, or getMessages()" />
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
