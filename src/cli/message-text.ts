/** Messages in words. */
import type { StoredMessage } from "../types.js";
import { valueText } from "./checkpoint-text.js";
import { time } from "./format.js";
import type { Output } from "./output.js";
import { linesOf, oneLine } from "./text.js";

/** A message on one line. */
export function messageText({ content, toolCalls, toolResults }: StoredMessage): string {
  return [
    ...(content === undefined ? [] : [content]),
    ...(toolCalls ?? []).map(({ name, input }) => `calls ${name} ${valueText(input)}`),
    ...(toolResults ?? []).map(({ content: result, status }) => `result${statusText(status)}: ${result}`),
  ].join("  ");
}

/** A message with all its lines. */
export function printMessage(message: StoredMessage, output: Output): void {
  if (output.isJson) {
    output.json(message);
    return;
  }
  const { bold, dim } = output.colours;
  const tokens = [message.tokensIn, message.tokensOut].some((count) => count !== undefined)
    ? `  ${message.tokensIn ?? 0} tokens in, ${message.tokensOut ?? 0} out`
    : "";
  output.line(
    `${bold(oneLine(message.role))}  ${dim(`${time(message.createdAt)}  #${message.id}${tokens}`)}`,
  );
  for (const line of bodyOf(message)) {
    output.line(line === "" ? "" : `  ${line}`);
  }
  output.line();
}

function bodyOf({ content, toolCalls, toolResults }: StoredMessage): string[] {
  return [
    ...(content === undefined ? [] : linesOf(content)),
    ...(toolCalls ?? []).map(
      ({ name, toolUseId, input }) => `calls ${oneLine(`${name} (${toolUseId}): ${valueText(input)}`)}`,
    ),
    ...(toolResults ?? []).flatMap(({ toolUseId, content: result, status, fullOutputRef }) => [
      `result of ${oneLine(toolUseId)}${oneLine(statusText(status))}${fullOutputRef === undefined ? "" : `, in full at ${oneLine(fullOutputRef)}`}:`,
      ...linesOf(result).map((line) => `  ${line}`),
    ]),
  ];
}

function statusText(status: string | undefined): string {
  return status === undefined ? "" : ` (${status})`;
}
