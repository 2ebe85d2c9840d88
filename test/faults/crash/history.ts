/**
 * What a recorded child called and what was acknowledged to it, and how much of that a file holds.
 *
 * Writes are committed in the order of their calls, all that are called in one turn in one transaction. So a file must
 * hold exactly the first so many calls, and the border must not lie within a batch.
 */
import { difference } from "../../support/difference.js";
import { State } from "./state.js";
import type { CallLine, Effect, Line, Write } from "./writes.js";

export class History {
  readonly calls: CallLine[] = [];
  readonly failures: string[] = [];
  readonly #effects = new Map<number, Effect>();

  /** @param output All that the child wrote; its last line may be cut. */
  constructor(output: string) {
    for (const text of output.slice(0, output.lastIndexOf("\n") + 1).split("\n")) {
      if (text === "") continue;
      const line: Line = JSON.parse(text);
      if ("write" in line) this.calls.push(line);
      else if ("effect" in line) this.#effects.set(line.call, line.effect);
      else this.failures.push(`call ${line.call} failed: ${line.failed}`);
    }
  }

  /** The number of the last call that was acknowledged. */
  get acknowledged(): number {
    return Math.max(0, ...this.#effects.keys());
  }

  /** Takes what calls in flight did from a file, so that it is known of every call that the file holds. */
  learnFrom(state: State): void {
    for (const { call, write } of this.calls) {
      if (!this.#effects.has(call)) this.#effects.set(call, effectIn(state, write));
    }
  }

  /** How many calls a state holds, by its digest; only those that end a batch, from `least` on. */
  borders(least = 0): Map<string, number> {
    const borders = new Map<string, number>();
    const state = new State();
    if (least === 0) borders.set(state.digest(), 0);
    for (const [index, { call, batch }] of this.calls.entries()) {
      const effect = this.#effects.get(call);
      if (effect) state.apply(effect);
      if (call >= least && this.calls[index + 1]?.batch !== batch) borders.set(state.digest(), call);
    }
    return borders;
  }

  /** The state after the first so many calls. */
  after(calls: number): State {
    const state = new State();
    for (const { call } of this.calls.slice(0, calls)) {
      const effect = this.#effects.get(call);
      if (effect) state.apply(effect);
    }
    return state;
  }

  /** Says how a state that holds no border differs from what the last acknowledgement promised. */
  explain(state: State, acknowledged: number): string {
    const found = difference(state.toPlain(), this.after(acknowledged).toPlain(), "file");
    return `it holds no prefix of the calls; beside the first ${acknowledged}, which were acknowledged: ${found}`;
  }
}

/** What a call in flight left in the file; if that is nothing, a row that no file holds. */
function effectIn(state: State, write: Write): Effect {
  const sessions = [...state.sessions.values()];
  const unknown = { id: "not in the file", createdAt: 0, updatedAt: 0 };
  switch (write.kind) {
    case "session":
    case "fork": {
      const found = sessions.find(({ session }) => session.title === write.title)?.session;
      return { ...write, session: found ?? { ...unknown, directory: "/work", title: write.title } };
    }
    case "message": {
      const found = sessions.flatMap(({ messages }) => messages).find(isOf(write.message));
      return { kind: "message", message: found ?? { ...unknown, ...write.message, id: 0 } };
    }
    case "checkpoint": {
      const found = sessions.flatMap(({ checkpoints }) => checkpoints).find(isOf(write.checkpoint));
      return { kind: "checkpoint", checkpoint: found ?? { ...unknown, ...write.checkpoint } };
    }
    case "entity": {
      const found = sessions.flatMap(({ entities }) => entities).find(isOf(write.entity));
      return { kind: "entity", entity: found ?? { ...unknown, ...write.entity } };
    }
    case "fact": {
      const { sourceSessionId: _, ...lasting } = write.fact;
      const found = [...state.facts.values()].find(isOf(lasting));
      return { kind: "fact", fact: found ?? { ...unknown, ...write.fact } };
    }
    case "deleteSession":
    case "deleteEntity":
      return write;
  }
}

/** Whether a row has every field as it was called. */
function isOf(called: object): (row: object) => boolean {
  return (row) => difference({ ...row, ...called }, row) === undefined;
}
