/** A machine's clock that does not do what clocks should: a session's order must hold, and forks must be exact. */
import { join } from "node:path";
import type { Checkpoint, StoredMessage } from "@obsku/checkpoint-sqlite";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { difference } from "../support/difference.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { Report, ReportRow, Scale, Scenario } from "./scenario.js";
import { Random } from "./support/random.js";

interface Clock {
  readonly name: string;
  /** The time of the n-th call, of so many. */
  readonly at: (call: number, calls: number) => number;
}

const HOUR = 3_600_000;
const NOW = 1_750_000_000_000;
const random = new Random(4);

const CLOCKS: readonly Clock[] = [
  { name: "goes as it should", at: (call) => NOW + 7 * call },
  { name: "set back an hour half way", at: (call, calls) => NOW + call - (call > calls / 2 ? HOUR : 0) },
  { name: "set forward an hour half way", at: (call, calls) => NOW + call + (call > calls / 2 ? HOUR : 0) },
  { name: "back and forward by an hour, in turns", at: (call) => NOW + call + (call % 2) * HOUR },
  { name: "stands still", at: () => NOW },
  { name: "runs backwards", at: (call) => NOW - 10 * call },
  { name: "falls to 1970 half way", at: (call, calls) => (call > calls / 2 ? call : NOW + call) },
  { name: "any time within an hour", at: () => NOW + random.below(HOUR) },
  { name: "with fractions of a millisecond", at: (call) => NOW + call / 7 },
];

interface Saved {
  readonly checkpoint: Checkpoint;
  /** What had been added before it. */
  readonly messages: readonly StoredMessage[];
}

export const clockBack: Scenario = {
  name: "clock-back",
  about:
    "The clock is set back, forward, or stands still within a session: order is kept and forks are exact.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const rows: ReportRow[] = [];
    const violations: string[] = [];
    for (const clock of CLOCKS) {
      progress(clock.name);
      for (const stores of [1, 2]) {
        const { row, faults } = await tryClock(clock, stores, scale);
        rows.push(row);
        violations.push(...faults.map((fault) => `the clock ${clock.name}, ${stores} stores: ${fault}`));
      }
    }
    return { rows, violations };
  },
};

/** With two stores, every other call is made by one whose clock is right. */
async function tryClock(
  clock: Clock,
  count: number,
  scale: Scale,
): Promise<{ row: ReportRow; faults: string[] }> {
  const folder = await createTemporaryFolder();
  const calls = scale === "full" ? 400 : 40;
  const path = join(folder.path, "store.db");
  let ticks = 0;
  const stores = [
    new SqliteCheckpointStore(path, { clock: () => clock.at(ticks++, calls), synchronous: "normal" }),
    ...(count > 1
      ? [new SqliteCheckpointStore(path, { clock: () => NOW + ticks, synchronous: "normal" })]
      : []),
  ];
  try {
    const { messages, saved, faults } = await fill(stores, calls);
    const store = stores[0];
    if (store === undefined) throw new Error("There is no store");
    faults.push(...(await orderFaults(store, messages, saved)));
    const forks = saved.filter((_, index) => index % 3 === 0);
    for (const one of forks) faults.push(...(await forkFaults(store, one)));
    const row = {
      "the clock": clock.name,
      stores: count,
      messages: messages.length,
      checkpoints: saved.length,
      forks: forks.length,
      "out of order or inexact": faults.length,
    };
    return { row, faults };
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await folder.remove();
  }
}

async function fill(stores: readonly SqliteCheckpointStore[], calls: number) {
  const messages: StoredMessage[] = [];
  const saved: Saved[] = [];
  const faults: string[] = [];
  const id = (await stores[0]?.createSession("./clock"))?.id ?? "";
  for (let call = 0; call < calls; call++) {
    const store = stores[call % stores.length];
    if (store === undefined) break;
    const latest = Math.max(messages.at(-1)?.createdAt ?? 0, saved.at(-1)?.checkpoint.createdAt ?? 0);
    if (random.chance(0.3)) {
      const checkpoint = await store.saveCheckpoint(buildCheckpoint(id, { version: call }));
      if (checkpoint.createdAt < latest) faults.push(`checkpoint ${call} is before what was there`);
      saved.push({ checkpoint, messages: [...messages] });
    } else {
      const message = await store.addMessage(id, buildMessage(id, { content: `${call}` }));
      if (message.createdAt <= latest) faults.push(`message ${call} is not after what was there`);
      messages.push(message);
    }
  }
  return { messages, saved, faults };
}

async function orderFaults(
  store: SqliteCheckpointStore,
  messages: readonly StoredMessage[],
  saved: readonly Saved[],
): Promise<string[]> {
  const id = messages[0]?.sessionId ?? "";
  const listed = await store.listCheckpoints(id);
  const paged = await pageBackwards(store, id);
  return [
    difference(await store.getMessages(id), messages, "messages"),
    difference(paged, messages, "messages, paged backwards"),
    difference(listed, saved.map(({ checkpoint }) => checkpoint).toReversed(), "checkpoints"),
    difference(await store.getLatestCheckpoint(id), saved.at(-1)?.checkpoint, "the latest checkpoint"),
    difference(
      (await store.getSession(id))?.updatedAt,
      messages.at(-1)?.createdAt,
      "the session's updatedAt",
    ),
  ].filter((found) => found !== undefined);
}

async function pageBackwards(store: SqliteCheckpointStore, id: string): Promise<StoredMessage[]> {
  const all: StoredMessage[] = [];
  for (;;) {
    const before = all[0]?.createdAt;
    const page = await store.getMessages(id, before === undefined ? { limit: 7 } : { before, limit: 7 });
    if (page.length === 0) return all;
    all.unshift(...page);
  }
}

/** And what is added to the fork must come after what it took along. */
async function forkFaults(store: SqliteCheckpointStore, { checkpoint, messages }: Saved): Promise<string[]> {
  const fork = await store.fork(checkpoint.id);
  const copies = await store.getMessages(fork.id);
  const bare = (list: readonly StoredMessage[]) => list.map(({ id: _, sessionId: __, ...rest }) => rest);
  const found = difference(bare(copies), bare(messages), `the fork of version ${checkpoint.version}`);
  const next = await store.addMessage(fork.id, buildMessage(fork.id));
  const latest = (await store.getLatestCheckpoint(fork.id))?.createdAt ?? Number.POSITIVE_INFINITY;
  return [
    ...(found === undefined ? [] : [found]),
    ...(next.createdAt > latest
      ? []
      : [`a message added to the fork of version ${checkpoint.version} is before it`]),
  ];
}
