/**
 * Recorded runs of the framework, made again as fast as the store answers: each call where it was made, each answer awaited
 * where it came back. Answers are not compared (the tests do that); only the ids in them are kept.
 */
import { readFileSync } from "node:fs";
import { JsonPlusSerializer } from "../../src/index.js";

type Event =
  | { t: "call"; op: number; method: string; args: readonly unknown[] }
  | { t: "return"; op: number; result: unknown }
  | { t: "throw"; op: number };

export type Recording = readonly Event[];

const PLACEHOLDER = /^\$(session|message|checkpoint|entity|fact):\d+$/;

export function readRecording(path: string): Recording {
  const serializer = new JsonPlusSerializer();
  const [, ...lines] = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) => serializer.deserialize(line) as Event);
}

export async function replay(recording: Recording, store: object): Promise<void> {
  const ids = new Map<string, unknown>();
  const running = new Map<number, Promise<unknown>>();
  for (const event of recording) {
    if (event.t === "call") {
      running.set(event.op, call(store, event.method, filled(event.args, ids)));
    } else if (event.t === "return") {
      learn(event.result, await running.get(event.op), ids);
    } else {
      await running.get(event.op)?.catch(() => {}); // It failed when it was recorded, too.
    }
  }
}

async function call(store: object, method: string, args: unknown): Promise<unknown> {
  const found: unknown = Reflect.get(store, method);
  if (typeof found !== "function" || !Array.isArray(args)) {
    throw new Error(`There is no ${method} to call`);
  }
  return found.apply(store, args);
}

/** Puts this run's ids where the recording has placeholders. */
function filled(value: unknown, ids: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === "string" && PLACEHOLDER.test(value)) {
    return ids.get(value);
  }
  if (Array.isArray(value)) {
    return value.map((item: unknown) => filled(item, ids));
  }
  if (!isPlain(value)) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, filled(field, ids)]));
}

function learn(recorded: unknown, answer: unknown, ids: Map<string, unknown>): void {
  if (Array.isArray(recorded) && Array.isArray(answer)) {
    for (const [index, item] of recorded.entries()) {
      learn(item, answer[index], ids);
    }
  } else if (isPlain(recorded) && isPlain(answer) && typeof recorded.id === "string") {
    ids.set(recorded.id, answer.id);
  }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
