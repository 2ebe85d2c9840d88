/**
 * Where the bytes of the file are, and when they came: reads every row's size, in steps that let other answers through.
 *
 * Limits: stats() reads one state of the file, so the write-ahead log cannot be reset before it has ended.
 */
import type { Row } from "../../database/connection.js";
import { stats } from "../../maintenance/stats.js";
import { nextTurn } from "../../runtime/event-loop.js";
import type { GrowthAnswer } from "../answers.js";
import { type InspectedFile, numberOf } from "./file.js";

/** Spans on the time axis. */
const SPANS = 48;

const ROWS_PER_STEP = 2_000;

/** Sessions in the plot. */
const MOST_SESSIONS = 20;

interface Scan {
  answer: Promise<GrowthAnswer>;
  controller: AbortController;
  waiting: number;
}

/** One scan at a time, for all that wait for it; it ends when nobody does. */
export class Growth {
  readonly #file: InspectedFile;
  #scan: Scan | undefined;

  constructor(file: InspectedFile) {
    this.#file = file;
  }

  async read(signal: AbortSignal): Promise<GrowthAnswer> {
    signal.throwIfAborted();
    this.#scan ??= this.#start();
    const scan = this.#scan;
    scan.waiting += 1;
    const leave = () => this.#leave(scan);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await scan.answer;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #start(): Scan {
    const controller = new AbortController();
    const answer = readGrowth(this.#file, controller.signal).finally(() => {
      if (this.#scan?.controller === controller) {
        this.#scan = undefined;
      }
    });
    return { answer, controller, waiting: 0 };
  }

  #leave(scan: Scan): void {
    scan.waiting -= 1;
    if (scan.waiting === 0) {
      scan.controller.abort();
      this.#scan = this.#scan === scan ? undefined : this.#scan;
    }
  }
}

async function readGrowth(file: InspectedFile, signal: AbortSignal): Promise<GrowthAnswer> {
  const { tables, sessions, sharing, fileBytes, freeBytes, logBytes } = await stats(file.path, {
    sessions: MOST_SESSIONS,
    signal,
  });
  const checkpoints = await readSizes(signal, (after) =>
    file.statements.checkpointTimes.all(after, ROWS_PER_STEP),
  );
  const messages = await readSizes(signal, (after) => file.statements.messageTimes.all(after, ROWS_PER_STEP));
  return {
    tables,
    sessions,
    sharing,
    fileBytes,
    freeBytes,
    logBytes,
    overTime: spansOf(checkpoints, messages),
  };
}

/** Bytes by second, so that memory does not grow with the rows of one. */
type Sizes = ReadonlyMap<number, number>;

async function readSizes(signal: AbortSignal, page: (after: number) => Row[]): Promise<Sizes> {
  const sizes = new Map<number, number>();
  let after = Number.MIN_SAFE_INTEGER;
  for (let rows = page(after); rows.length > 0; rows = page(after)) {
    for (const { created_at, bytes } of rows) {
      const second = Math.floor(numberOf(created_at) / 1_000);
      sizes.set(second, (sizes.get(second) ?? 0) + numberOf(bytes));
    }
    after = numberOf(rows.at(-1)?.position);
    await nextTurn();
    signal.throwIfAborted();
  }
  return sizes;
}

function spansOf(checkpoints: Sizes, messages: Sizes): GrowthAnswer["overTime"] {
  const [from, to] = bounds([checkpoints, messages]);
  if (from > to) {
    return [];
  }
  const step = Math.max(1, Math.ceil((to - from + 1) / SPANS));
  const spans = Array.from({ length: Math.ceil((to - from + 1) / step) }, (_, index) => ({
    from: (from + index * step) * 1_000,
    to: (from + (index + 1) * step) * 1_000,
    checkpoints: 0,
    messages: 0,
  }));
  for (const [kind, sizes] of [
    ["checkpoints", checkpoints],
    ["messages", messages],
  ] as const) {
    for (const [second, bytes] of sizes) {
      const span = spans[Math.floor((second - from) / step)];
      if (span !== undefined) {
        span[kind] += bytes;
      }
    }
  }
  return spans;
}

function bounds(all: readonly Sizes[]): [number, number] {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const second of all.flatMap((sizes) => [...sizes.keys()])) {
    [from, to] = [Math.min(from, second), Math.max(to, second)];
  }
  return [from, to];
}
