/** What the page keeps of earlier answers when a new one comes. */
import { describe, expect, test } from "bun:test";
import type { ConversationAnswer, RunAnswer } from "../../src/inspector/answers.js";
import {
  continuedConversation,
  continuedRun,
  withEarlierCheckpoints,
  withEarlierMessages,
} from "../../src/inspector/page/merge.js";

function run(from: number, to: number, fields: Partial<RunAnswer> = {}): RunAnswer {
  const zero = { value: 0, isCut: false };
  return {
    session: {
      ...{ id: "s", title: null, workspaceId: null, directory: ".", createdAt: 0, updatedAt: 0 },
      ...{ messages: zero, checkpoints: zero, bytes: zero, state: "finished", nodes: [] },
    },
    checkpoints: numbers(from, to).map((version) => ({
      ...{ id: `c${version}`, position: version, namespace: "", version, step: version, source: "loop" },
      ...{ createdAt: version, pending: [], changes: [], rowBytes: 1 },
    })),
    hasEarlier: from > 1,
    total: { value: to, isCut: false },
    forks: [],
    ...fields,
  };
}

function conversation(from: number, to: number, hasEarlier = from > 1): ConversationAnswer {
  return { messages: numbers(from, to).map((id) => ({ id, role: "user", createdAt: id })), hasEarlier };
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

const versions = ({ checkpoints }: RunAnswer) => checkpoints.map(({ version }) => version);
const ids = ({ messages }: ConversationAnswer) => messages.map(({ id }) => id);

describe("checkpoints", () => {
  test("that are new follow those that are there", () => {
    const answer = continuedRun(run(3, 5), run(6, 7, { isContinued: true, hasEarlier: true }));
    expect(versions(answer)).toEqual([3, 4, 5, 6, 7]);
  });

  test("that were loaded before stay if the newest are read again", () => {
    const answer = continuedRun(run(1, 5), run(4, 7));
    expect([versions(answer), answer.hasEarlier]).toEqual([numbers(1, 7), false]);
  });

  test("that were loaded before go if there are fewer in the file than would be shown, or others between", () => {
    const pruned = run(4, 7, { total: { value: 5, isCut: false } });
    expect(versions(continuedRun(run(1, 5), pruned))).toEqual([4, 5, 6, 7]);
    expect(versions(continuedRun(run(1, 5), run(4, 7, { hasEarlier: false })))).toEqual([4, 5, 6, 7]);
    expect(versions(continuedRun(run(1, 3), run(5, 7)))).toEqual([5, 6, 7]);
  });

  test("that are asked for twice are there once", () => {
    const once = withEarlierCheckpoints(run(4, 6), run(1, 3));
    expect(versions(withEarlierCheckpoints(once, run(1, 3)))).toEqual(numbers(1, 6));
    expect(once.hasEarlier).toBe(false);
  });
});

describe("messages", () => {
  test("between those that were loaded before and the newest stay", () => {
    const earlier = withEarlierMessages(conversation(4, 6), conversation(1, 3));
    const next = continuedConversation(earlier, conversation(5, 7));
    expect(ids(continuedConversation(next, conversation(7, 9)))).toEqual(numbers(1, 9));
    expect(next.hasEarlier).toBe(false);
  });

  test("are the newest alone if more came than one answer has", () => {
    const answer = continuedConversation(conversation(1, 6), conversation(9, 11));
    expect([ids(answer), answer.hasEarlier]).toEqual([[9, 10, 11], true]);
  });

  test("that are asked for twice are there once", () => {
    const once = withEarlierMessages(conversation(4, 6), conversation(1, 3));
    expect(ids(withEarlierMessages(once, conversation(1, 3)))).toEqual(numbers(1, 6));
  });
});
