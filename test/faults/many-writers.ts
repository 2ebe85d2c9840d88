/** Many processes on one file: nothing acknowledged is lost or there twice, and nobody has to wait forever. */
import { join } from "node:path";
import { SqliteCheckpointStore, StoreBusyError } from "@obsku/checkpoint-sqlite";
import { buildCheckpoint, buildMessage } from "../support/builders.js";
import { Child, runTogether } from "../support/children.js";
import { rowsOf, withDatabase } from "../support/sql.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { Report, ReportRow, Scale, Scenario } from "./scenario.js";
import { outcomeOf, writeEarlier } from "./support/attempts.js";
import { type Delays, EventLoopDelay } from "./support/event-loop-delay.js";

/** The least share of what the busiest process wrote that every process must have written. */
const LEAST_SHARE = 0.1;
/** Over less time, in milliseconds, one lucky turn weighs too much to speak of starving. */
const LEAST_TIME = 3_000;
const BUSY_TIMEOUT = 300;

/** What one trial came to; only what applies to it. */
interface Outcome {
  readonly tried: string;
  readonly times: number;
  readonly acknowledged: number;
  readonly share?: string;
  readonly delays?: readonly Delays[];
  readonly cameOfIt?: string;
  readonly violations: readonly string[];
}

export const manyWriters: Scenario = {
  name: "many-writers",
  about:
    "Many processes write to one file: every acknowledged row is there once, none starves, and a lock held too long is told.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const outcomes: Outcome[] = [];
    for (const trial of trialsOf(scale)) {
      const outcome = await inFolder(trial);
      progress(outcome.tried);
      outcomes.push(outcome);
    }
    return {
      rows: outcomes.map(toRow),
      violations: outcomes.flatMap(({ tried, violations }) => violations.map((one) => `${tried}: ${one}`)),
    };
  },
};

type Trial = (path: string) => Promise<Outcome>;

function trialsOf(scale: Scale): Trial[] {
  const isFull = scale === "full";
  return [
    ...(isFull ? [2, 4, 8] : [4]).map(
      (processes): Trial =>
        (path) =>
          writeTogether(path, processes, isFull ? 3_000 : 600),
    ),
    (path) => openTogether(path, 16, isFull ? 10 : 1),
    (path) => holdTheLock(path, isFull ? 10 : 1),
    (path) => runInLockstep(path, isFull ? 200 : 20),
    (path) => runTwoProcesses(path, isFull ? 300 : 40, "error"),
    (path) => runTwoProcesses(path, isFull ? 300 : 40, "next"),
  ];
}

async function inFolder(trial: Trial): Promise<Outcome> {
  const folder = await createTemporaryFolder();
  try {
    const path = join(folder.path, "store.db");
    const outcome = await trial(path);
    return { ...outcome, violations: [...outcome.violations, ...faultsOfFile(path)] };
  } finally {
    await folder.remove();
  }
}

function toRow({ tried, times, acknowledged, share, delays, cameOfIt, violations }: Outcome): ReportRow {
  const worst = (field: keyof Delays) => Math.max(...(delays ?? []).map((one) => one[field])).toFixed(1);
  return {
    "what was tried": tried,
    times,
    acknowledged,
    "least / most of a process": share ?? "",
    "event loop delay of the worst process, ms: p50 / p99 / max":
      delays === undefined ? "" : `${worst("p50")} / ${worst("p99")} / ${worst("max")}`,
    "what came of it": cameOfIt ?? "",
    "lost, twice or starved": violations.length,
  };
}

async function writeTogether(path: string, processes: number, milliseconds: number): Promise<Outcome> {
  const calls = 16;
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./shared");
  const answers = await runTogether(
    "busy-writer.ts",
    Array.from({ length: processes }, (_, index) => [path, id, `w${index}`, `${milliseconds}`, `${calls}`]),
  );
  const results = answers as { acknowledged: string[]; delays: Delays }[];
  const counts = results.map(({ acknowledged }) => acknowledged.length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const violations: string[] = [];
  const isStarved = milliseconds >= LEAST_TIME ? least < most * LEAST_SHARE : least === 0;
  if (isStarved) violations.push(`a process was starved: it wrote ${least}, another ${most}`);
  const acknowledged = results.flatMap((result) => result.acknowledged);
  const read = (await store.getMessages(id)).map((message) => `${message.id} ${message.content}`);
  violations.push(...differencesOf(acknowledged, read));
  return {
    tried: `${processes} processes, ${calls} calls in flight each, ${milliseconds / 1000} s`,
    times: 1,
    acknowledged: acknowledged.length,
    share: `${least} / ${most}`,
    delays: results.map(({ delays }) => delays),
    cameOfIt: `${Math.round(acknowledged.length / (milliseconds / 1000))} a second`,
    violations,
  };
}

function differencesOf(acknowledged: readonly string[], read: readonly string[]): string[] {
  const there = new Set(read);
  const lost = acknowledged.filter((line) => !there.has(line));
  const violations = lost.length > 0 ? [`${lost.length} acknowledged rows are gone, such as ${lost[0]}`] : [];
  const contents = new Set(read.map((line) => line.slice(line.indexOf(" ") + 1)));
  if (contents.size !== read.length) violations.push(`${read.length - contents.size} rows are there twice`);
  if (read.length !== acknowledged.length) {
    violations.push(`${read.length} rows are there where ${acknowledged.length} were acknowledged`);
  }
  return violations;
}

async function openTogether(path: string, processes: number, times: number): Promise<Outcome> {
  const violations: string[] = [];
  let opened = 0;
  for (let time = 0; time < times; time++) {
    const file = `${path}-${time}.db`;
    const answers = await runTogether(
      "open-store.ts",
      Array.from({ length: processes }, () => [file, "{}", "write"]),
    );
    const failed = answers.filter((answer) => JSON.stringify(answer).includes("error"));
    violations.push(...failed.map((answer) => `opening failed: ${JSON.stringify(answer)}`));
    opened += answers.length - failed.length;
    await using store = new SqliteCheckpointStore(file);
    const sessions = (await store.listSessions()).length;
    if (sessions !== processes) violations.push(`${sessions} sessions where ${processes} were written`);
    violations.push(...faultsOfFile(file));
  }
  return {
    tried: `${processes} processes open one new file at once and write to it`,
    times,
    acknowledged: opened,
    violations,
  };
}

async function holdTheLock(path: string, times: number): Promise<Outcome> {
  const violations: string[] = [];
  const delay = new EventLoopDelay();
  await using store = new SqliteCheckpointStore(path, { busyTimeout: BUSY_TIMEOUT });
  const earlier = await writeEarlier(store);
  const { id } = earlier.session;
  const write = () => [
    store.addMessage(id, buildMessage(id, { content: "waits" })),
    store.fork(earlier.checkpoint.id),
    store.saveCheckpoint(buildCheckpoint(id, { namespace: "waits" })),
  ];
  let longest = 0;
  for (let time = 0; time < times; time++) {
    const holder = Child.start("lock-holder.ts", [path]);
    try {
      await holder.ready();
      const started = performance.now();
      const results = await Promise.allSettled(write());
      longest = Math.max(longest, performance.now() - started);
      violations.push(...results.flatMap(refusalFault));
      violations.push(...(await countFaults(store, id, 0)));
      await holder.answer();
    } finally {
      await holder.stop();
    }
  }
  const outcomes = await Promise.all(write().map(outcomeOf));
  if (outcomes.some((outcome) => outcome !== "ok"))
    violations.push(`after the release: ${outcomes.join(", ")}`);
  violations.push(...(await countFaults(store, id, 1)));
  if (longest > BUSY_TIMEOUT * 5) violations.push(`a call waited for ${longest.toFixed(0)} ms`);
  return {
    tried: `another process holds the write lock for longer than a busyTimeout of ${BUSY_TIMEOUT} ms`,
    times,
    acknowledged: outcomes.length,
    delays: [delay.stop()],
    cameOfIt: `${times * 3} StoreBusyError after at most ${longest.toFixed(0)} ms; then all written`,
    violations,
  };
}

function refusalFault(result: PromiseSettledResult<unknown>): string[] {
  if (result.status === "fulfilled") return ["a write was acknowledged in spite of the lock"];
  const error: unknown = result.reason;
  return error instanceof StoreBusyError && error.retryable ? [] : [`rejected with ${String(error)}`];
}

/** Of each of the three writes there must be so many. */
async function countFaults(store: SqliteCheckpointStore, id: string, expected: number): Promise<string[]> {
  const messages = (await store.getMessages(id)).filter(({ content }) => content === "waits").length;
  const forks = (await store.listSessions()).length - 1;
  const checkpoints = (await store.listCheckpoints(id, { namespace: "waits" })).length;
  const counts = [messages, forks, checkpoints];
  return counts.every((count) => count === expected)
    ? []
    : [`${counts.join(", ")} written, not ${expected} each`];
}

/** Both read before either writes: the worst moment. */
async function runInLockstep(path: string, waves: number): Promise<Outcome> {
  await using one = new SqliteCheckpointStore(path);
  await using other = new SqliteCheckpointStore(path);
  const { id } = await one.createSession("./shared");
  const violations: string[] = [];
  for (let step = 0; step < waves; step++) {
    const options = { namespace: "graph", limit: 1 };
    const newest = await Promise.all([one, other].map((store) => store.listCheckpoints(id, options)));
    const outcomes = await Promise.all(
      [one, other].map((store, index) => {
        const version = (newest[index]?.[0]?.version ?? 0) + 1;
        return outcomeOf(store.saveCheckpoint(buildCheckpoint(id, { step, version })));
      }),
    );
    if (outcomes.toSorted().join(" ") !== "CheckpointVersionConflictError ok") {
      violations.push(`wave ${step}: ${outcomes.join(", ")}`);
    }
  }
  const versions = (await one.listCheckpoints(id)).map(({ version }) => version);
  if (!isOneTo(versions, waves)) violations.push(`the versions are ${versions.join(", ")}`);
  return {
    tried: "two runs in one session and namespace, wave by wave at once",
    times: waves,
    acknowledged: versions.length,
    cameOfIt: `${waves} CheckpointVersionConflictError, one a wave`,
    violations,
  };
}

async function runTwoProcesses(path: string, waves: number, conflict: "error" | "next"): Promise<Outcome> {
  await using store = new SqliteCheckpointStore(path);
  const { id } = await store.createSession("./shared");
  const argumentList = [path, id, `${waves}`, conflict];
  const answers = await runTogether("graph-run.ts", [argumentList, argumentList]);
  const results = answers as { saved: number[]; outcome: string }[];
  const outcomes = results.map(({ outcome }) => outcome).toSorted();
  const saved = results.flatMap((result) => result.saved);
  const listed = (await store.listCheckpoints(id)).map(({ version }) => version);
  const violations: string[] = [];
  if (!isOneTo(listed, saved.length) || !isOneTo(saved, saved.length)) {
    violations.push(`versions saved: ${saved.join(", ")}; listed: ${listed.join(", ")}`);
  }
  const expected = conflict === "next" ? "ok ok" : "CheckpointVersionConflictError ok";
  if (outcomes.join(" ") !== expected) violations.push(`the runs ended with ${outcomes.join(" and ")}`);
  if (conflict === "next" && saved.length !== 2 * waves)
    violations.push(`${saved.length} versions were saved`);
  return {
    tried: `two runs in one session and namespace, in two processes, versionConflict "${conflict}"`,
    times: 1,
    acknowledged: saved.length,
    share: results
      .map((result) => result.saved.length)
      .toSorted((a, b) => a - b)
      .join(" / "),
    cameOfIt: outcomes.map((outcome) => (outcome === "ok" ? "completed" : outcome)).join(" and "),
    violations,
  };
}

function isOneTo(versions: readonly number[], count: number): boolean {
  const sorted = versions.toSorted((a, b) => a - b);
  return sorted.length === count && sorted.every((version, index) => version === index + 1);
}

/** A connection of SQLite's own: nothing else may read a file that this process has open. */
function faultsOfFile(path: string): string[] {
  return withDatabase(path, (database) => {
    const integrity = JSON.stringify(rowsOf(database, "PRAGMA integrity_check"));
    const dangling = rowsOf(database, "PRAGMA foreign_key_check").length;
    return [
      ...(integrity === '[{"integrity_check":"ok"}]' ? [] : [`integrity_check: ${integrity}`]),
      ...(dangling === 0 ? [] : [`foreign_key_check: ${dangling} rows`]),
    ];
  });
}
