/** New answers put together with those that the page has. */
import type { ConversationAnswer, RunAnswer } from "../answers.js";

/** The newest checkpoints, after those that were loaded before: if they go on from them. */
export function continuedRun(last: RunAnswer, answer: RunAnswer): RunAnswer {
  if (answer.isContinued === true) {
    const checkpoints = [...last.checkpoints, ...answer.checkpoints];
    return { ...answer, checkpoints, hasEarlier: last.hasEarlier };
  }
  const [first] = answer.checkpoints;
  const position = last.checkpoints.findIndex(({ id }) => id === first?.id);
  const { value, isCut } = answer.total;
  // Fewer than those that are shown: earlier ones were deleted.
  const isPossible = isCut || position + answer.checkpoints.length <= value;
  return position > 0 && answer.hasEarlier && isPossible
    ? {
        ...answer,
        checkpoints: [...last.checkpoints.slice(0, position), ...answer.checkpoints],
        hasEarlier: last.hasEarlier,
      }
    : answer;
}

export function withEarlierCheckpoints(last: RunAnswer, answer: RunAnswer): RunAnswer {
  const known = new Set(last.checkpoints.map(({ id }) => id));
  const earlier = answer.checkpoints.filter(({ id }) => !known.has(id));
  return { ...last, checkpoints: [...earlier, ...last.checkpoints], hasEarlier: answer.hasEarlier };
}

/** The newest messages, after those that the page has; alone if there may be others in between. */
export function continuedConversation(
  last: ConversationAnswer | undefined,
  answer: ConversationAnswer,
): ConversationAnswer {
  const [first] = answer.messages;
  if (last === undefined || first === undefined || !last.messages.some(({ id }) => id === first.id)) {
    return answer;
  }
  const earlier = last.messages.filter(({ id }) => id < first.id);
  return { messages: [...earlier, ...answer.messages], hasEarlier: last.hasEarlier };
}

export function withEarlierMessages(
  last: ConversationAnswer,
  answer: ConversationAnswer,
): ConversationAnswer {
  const first = last.messages[0]?.id ?? Number.POSITIVE_INFINITY;
  const earlier = answer.messages.filter(({ id }) => id < first);
  return { messages: [...earlier, ...last.messages], hasEarlier: answer.hasEarlier };
}
