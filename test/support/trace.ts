/**
 * Reads a recorded run and makes its calls again. A call is started where it was started in the recording and its
 * answer awaited where it came back then, so that calls which overlapped overlap again. Answers are compared
 * after the ids and times that the store chose have been replaced by placeholders, numbered as they first appear.
 */
import { readFileSync } from "node:fs";
import { JsonPlusSerializer } from "@obsku/checkpoint-sqlite";
import { difference } from "./difference.js";
import { callUntyped } from "./untyped-call.js";

type Fields = Readonly<Record<string, unknown>>;

export type TraceEvent =
  | { readonly t: "call"; readonly op: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly t: "return"; readonly op: number; readonly result: unknown }
  | { readonly t: "throw"; readonly op: number; readonly error: unknown };

export interface Trace {
  readonly scenario: string;
  readonly about: string;
  readonly events: readonly TraceEvent[];
}

/** Where the calls go: any store, called by the methods' names. */
export interface ReplayTarget {
  readonly store: object;
  /** Called whenever an answer has come and no call is in flight; gives the store to continue with. */
  whenIdle?(): Promise<object>;
}

type Outcome = { readonly returned: unknown } | { readonly thrown: unknown };
type Running = { readonly method: string; readonly outcome: Promise<Outcome> };

export function readTrace(path: string): Trace {
  const serializer = new JsonPlusSerializer();
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const [header, ...events] = lines.map((line) => asFields(serializer.deserialize(line)));
  return { scenario: String(header?.scenario), about: String(header?.about), events: events.map(asEvent) };
}

/** Resolves to the number of calls made and answered as recorded; rejects at the first answer that differs. */
export async function replayTrace(trace: Trace, target: ReplayTarget): Promise<number> {
  const placeholders = new Placeholders();
  const running = new Map<number, Running>();
  let store = target.store;
  let answered = 0;
  for (const event of trace.events) {
    if (event.t === "call") {
      running.set(event.op, start(store, event.method, placeholders.fill(event.args)));
      continue;
    }
    const call = running.get(event.op);
    if (call === undefined) throw new Error(`Call ${event.op} was answered before it was made`);
    compare(event, call.method, await call.outcome, placeholders);
    running.delete(event.op);
    answered += 1;
    if (running.size === 0 && target.whenIdle) store = await target.whenIdle();
  }
  if (running.size > 0) throw new Error(`Calls without a recorded answer: ${[...running.keys()].join(", ")}`);
  return answered;
}

function start(store: object, method: string, args: unknown): Running {
  if (!Array.isArray(args)) throw new TypeError(`The arguments of ${method} are no list`);
  const outcome = callUntyped(store, method, args).then(
    (returned): Outcome => ({ returned }),
    (thrown: unknown): Outcome => ({ thrown }),
  );
  return { method, outcome };
}

function compare(
  event: Exclude<TraceEvent, { t: "call" }>,
  method: string,
  outcome: Outcome,
  placeholders: Placeholders,
): void {
  const place = `${method} (call ${event.op})`;
  if (event.t === "return") {
    if ("thrown" in outcome)
      throw new Error(`${place} failed: ${String(outcome.thrown)}`, { cause: outcome.thrown });
    const answer = placeholders.mask(outcome.returned, kindOf(method));
    const found = difference(answer ?? null, event.result ?? null, place);
    if (found !== undefined) throw new Error(found);
    return;
  }
  if ("returned" in outcome) throw new Error(`${place} should have failed`);
  const found = differenceOfErrors(placeholders.maskText(outcome.thrown), event.error, place);
  if (found !== undefined) throw new Error(found);
}

/** Of an error, what the recording has of it is compared. */
function differenceOfErrors(thrown: Fields, recorded: unknown, place: string): string | undefined {
  const expected = recorded instanceof Error ? { name: recorded.name, message: recorded.message } : recorded;
  if (typeof expected === "string") return difference(thrown.message, expected, place);
  const keys = ["_tag", "name", "message"].filter((key) => asFields(expected)[key] !== undefined);
  const pick = (fields: Fields) => Object.fromEntries(keys.map((key) => [key, fields[key]]));
  return difference(pick(thrown), pick(asFields(expected)), place);
}

type Kind = "session" | "message" | "checkpoint" | "entity" | "fact";

/** Whose rows a method answers with. */
function kindOf(method: string): Kind {
  if (method === "fork" || method.includes("Session")) return "session";
  if (method.includes("Message")) return "message";
  if (method.includes("Entit")) return "entity";
  return method.includes("Fact") ? "fact" : "checkpoint";
}

const REFERENCES = ["sessionId", "parentId", "sourceSessionId"];
const TIMES = ["createdAt", "updatedAt"];
const PLACEHOLDER = /^\$(session|message|checkpoint|entity|fact):\d+$/;

/** Which id of this run stands for which placeholder of the recording. */
class Placeholders {
  readonly #idOf = new Map<string, unknown>();
  readonly #nameOf = new Map<unknown, string>();
  readonly #count = new Map<Kind, number>();

  /** Puts this run's ids in the places of a recorded argument's placeholders. */
  fill(value: unknown): unknown {
    if (typeof value === "string" && PLACEHOLDER.test(value)) return this.#idFor(value);
    if (Array.isArray(value)) return value.map((item: unknown) => this.fill(item));
    if (!isPlain(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, this.fill(field)]));
  }

  /** Puts placeholders in the places of the ids and times in a row, a list of rows or no row. */
  mask(answer: unknown, kind: Kind): unknown {
    if (Array.isArray(answer)) return answer.map((row: unknown) => this.mask(row, kind));
    if (!isPlain(answer)) return answer;
    return Object.fromEntries(
      Object.entries(answer).map(([key, field]) => [key, this.#maskField(key, field, kind)]),
    );
  }

  maskText(error: unknown): Fields {
    if (!(error instanceof Error)) throw new Error(`Not an Error was thrown: ${String(error)}`);
    let message = error.message;
    for (const [id, name] of this.#nameOf) message = message.replaceAll(String(id), name);
    return { _tag: Reflect.get(error, "_tag"), name: error.name, message };
  }

  #maskField(key: string, field: unknown, kind: Kind): unknown {
    if (key === "id") return this.#nameFor(field, kind);
    if (REFERENCES.includes(key)) return this.#nameOf.get(field) ?? field;
    return TIMES.includes(key) && Number.isSafeInteger(field) ? "$time" : field;
  }

  #nameFor(id: unknown, kind: Kind): string {
    const known = this.#nameOf.get(id);
    if (known !== undefined) return known;
    const number = (this.#count.get(kind) ?? 0) + 1;
    const name = `$${kind}:${number}`;
    this.#count.set(kind, number);
    this.#nameOf.set(id, name);
    this.#idOf.set(name, id);
    return name;
  }

  #idFor(name: string): unknown {
    if (!this.#idOf.has(name)) throw new Error(`${name} is used before it appeared in an answer`);
    return this.#idOf.get(name);
  }
}

function asEvent(fields: Fields): TraceEvent {
  const { t, op, method, args, result, error } = fields;
  if (typeof op === "number") {
    if (t === "call" && typeof method === "string" && Array.isArray(args)) return { t, op, method, args };
    if (t === "return") return { t, op, result };
    if (t === "throw") return { t, op, error };
  }
  throw new TypeError(`Not an event of a trace: ${JSON.stringify(fields)}`);
}

function isPlain(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function asFields(value: unknown): Fields {
  if (!isPlain(value)) throw new TypeError(`Not a record: ${String(value)}`);
  return value;
}
