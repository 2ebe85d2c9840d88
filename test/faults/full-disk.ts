/**
 * No room, and storage that fails: each call must be rejected with the right error or be done, nothing may be half
 * written, what was there before stays, and the store works again when the fault is gone.
 */
import { Database } from "bun:sqlite";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { JsonPlusSerializer, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { asNobody, canRunAsNobody, commandOf, NOBODY } from "../support/children.js";
import { rowsOf } from "../support/sql.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { Report, ReportRow, Scale, Scenario } from "./scenario.js";
import { type Attempt, attempt, type Earlier, inspectAftermath, writeEarlier } from "./support/attempts.js";
import { missingMount, mount } from "./support/mounting.js";

/** One way to take the room away, or to make storage fail. */
interface Fault {
  readonly name: string;
  /** With which errors calls may be rejected; at least one of all runs must be, unless the list is empty. */
  readonly errors: readonly string[];
  /** How many runs; each is given its number, from 1. What takes long and is much like another is left out of the short form. */
  readonly runs: Readonly<Record<Scale, number>>;
  missing(): string | undefined;
  /** Makes the calls in a folder of its own. */
  run(folder: string, run: number): Promise<Trial>;
}

/** A run: the calls made, and where to look afterwards. */
interface Trial {
  readonly path: string;
  readonly earlier: Earlier;
  readonly attempts: readonly Attempt[];
  /** Looks at the file; by default when the fault is gone. */
  readonly cleanUp?: () => void;
}

const FILE_NAME = "store.db";
/** Enough calls for a WAL checkpoint while they are made. */
const MANY = { repeat: "+", calls: 240 };

const FAULTS: readonly Fault[] = [
  {
    name: "a file system of 1 MiB is full, then made larger",
    errors: ["DiskFullError"],
    runs: { short: 1, full: 10 },
    missing: missingMount,
    run: fillFileSystem,
  },
  {
    name: "PRAGMA max_page_count of a host's Database, then raised",
    errors: ["DiskFullError"],
    runs: { short: 1, full: 10 },
    missing: () => undefined,
    run: fillPages,
  },
  {
    name: "PRAGMA query_only of a host's Database, then off",
    errors: ["StoreReadonlyError"],
    runs: { short: 1, full: 1 },
    missing: () => undefined,
    run: forbidWriting,
  },
  {
    name: "the file-size limit of a process",
    errors: ["OutcomeUnknownError", "StorageError"],
    runs: { short: 1, full: 10 },
    missing: () => (process.platform === "win32" ? "needs ulimit" : undefined),
    run: (folder, run) =>
      withChild(folder, (command) => [
        "sh",
        "-c",
        `ulimit -f ${200 + 37 * run}; exec "$@"`,
        "sh",
        ...command,
      ]),
  },
  {
    name: "file and folder become read-only under an open store",
    errors: [],
    runs: { short: 1, full: 2 },
    missing: missingNobody,
    run: takeRightsAway,
  },
  {
    name: "file and folder are read-only when the store is opened",
    errors: ["StoreOpenError"],
    runs: { short: 1, full: 2 },
    missing: missingNobody,
    run: openWithoutRights,
  },
  injected("ENOSPC from one write to the log", "-wal", "pwrite64:error=ENOSPC", 3, ["DiskFullError"], 15),
  injected(
    "ENOSPC from every write to the log from some write on",
    "-wal",
    "pwrite64:error=ENOSPC",
    3,
    ["DiskFullError"],
    8,
    { repeat: "+" },
  ),
  injected(
    "EIO from one write to the log",
    "-wal",
    "pwrite64:error=EIO",
    3,
    ["OutcomeUnknownError", "StorageError"],
    15,
  ),
  injected(
    "EIO from one fsync of the log",
    "-wal",
    "fsync,fdatasync:error=EIO",
    1,
    ["OutcomeUnknownError"],
    8,
  ),
  injected(
    "EIO from every fsync of the log from some fsync on",
    "-wal",
    "fsync,fdatasync:error=EIO",
    1,
    ["OutcomeUnknownError"],
    4,
    { repeat: "+" },
  ),
  injected("EIO from every write to the database file", "", "pwrite64:error=EIO", 1, [], 3, MANY),
  injected("EIO from every fsync of the database file", "", "fsync,fdatasync:error=EIO", 1, [], 2, {
    ...MANY,
    short: 0,
  }),
];

export const fullDisk: Scenario = {
  name: "full-disk",
  about:
    "No room is left or storage fails: the right error, nothing half written, earlier data intact, and the store goes on.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const rows: ReportRow[] = [];
    const violations: string[] = [];
    for (const fault of FAULTS) {
      progress(fault.name);
      rows.push(await runFault(fault, scale, violations));
    }
    return { rows, violations };
  },
};

async function runFault(fault: Fault, scale: Scale, violations: string[]): Promise<ReportRow> {
  const missing = fault.missing();
  const attempts: Attempt[] = [];
  const unknown = { there: 0, gone: 0 };
  const before = violations.length;
  const runs = missing === undefined ? fault.runs[scale] : 0;
  for (let run = 1; run <= runs; run++) {
    const found = await runOnce(fault, run);
    attempts.push(...found.attempts);
    unknown.there += found.unknownThere;
    unknown.gone += found.unknownGone;
    violations.push(...found.violations.map((violation) => `${fault.name}, run ${run}: ${violation}`));
  }
  const rejected = attempts.filter(({ outcome }) => outcome !== "ok").map(({ outcome }) => outcome);
  if (runs > 0 && fault.errors.length > 0 && rejected.length === 0) {
    violations.push(`${fault.name}: no call was rejected, so nothing was tried`);
  }
  return {
    fault: missing === undefined ? fault.name : `${fault.name} (skipped: ${missing})`,
    runs,
    calls: attempts.length,
    acknowledged: attempts.length - rejected.length,
    rejected: countsOf(rejected),
    "unknown: there / not there": `${unknown.there} / ${unknown.gone}`,
    "lost, half written or wrong error": violations.length - before,
  };
}

async function runOnce(fault: Fault, run: number) {
  const folder = await createTemporaryFolder();
  let trial: Trial | undefined;
  try {
    trial = await fault.run(folder.path, run);
    const { attempts, earlier, path } = trial;
    const aftermath = await inspectAftermath(path, earlier, attempts);
    const wrong = attempts
      .filter(({ outcome }) => outcome !== "ok" && !fault.errors.includes(outcome))
      .map(({ key, outcome }) => `${key.slice(0, 20)} was rejected with ${outcome}`);
    return { ...aftermath, attempts, violations: [...wrong, ...aftermath.violations] };
  } finally {
    trial?.cleanUp?.();
    await folder.remove();
  }
}

async function fillFileSystem(folder: string, run: number): Promise<Trial> {
  const mounted = join(folder, "small");
  mkdirSync(mounted);
  if (!mount(mounted, "size=1m")) throw new Error("The file system could not be mounted");
  const cleanUp = () => void Bun.spawnSync(["umount", "--lazy", mounted]);
  try {
    const path = join(mounted, FILE_NAME);
    const store = new SqliteCheckpointStore(path);
    const earlier = await writeEarlier(store);
    const length = 1_000 * run;
    const attempts = await fillUp(store, earlier, length);
    // The log and the file it is copied into must both have room, so a little more would not do.
    if (!mount(mounted, "remount,size=8m")) throw new Error("The file system could not be made larger");
    attempts.push(...(await goOn(store, earlier, length)));
    await store.close();
    return { path, earlier, attempts, cleanUp };
  } catch (error) {
    cleanUp();
    throw error;
  }
}

async function fillPages(folder: string, run: number): Promise<Trial> {
  return withHost(folder, async (database, store, earlier) => {
    const [pages] = rowsOf<{ page_count: number }>(database, "PRAGMA page_count");
    rowsOf(database, `PRAGMA max_page_count = ${(pages?.page_count ?? 0) + 20 * run}`);
    const attempts = await fillUp(store, earlier, 500 * run);
    rowsOf(database, "PRAGMA max_page_count = 1000000");
    return [...attempts, ...(await goOn(store, earlier, 500 * run))];
  });
}

async function forbidWriting(folder: string): Promise<Trial> {
  return withHost(folder, async (database, store, earlier) => {
    rowsOf(database, "PRAGMA query_only = ON");
    const attempts = [await attempt(store, earlier, 0, 100), await attempt(store, earlier, 3, 100)];
    rowsOf(database, "PRAGMA query_only = OFF");
    return [...attempts, ...(await goOn(store, earlier, 100))];
  });
}

async function withHost(
  folder: string,
  work: (database: Database, store: SqliteCheckpointStore, earlier: Earlier) => Promise<Attempt[]>,
): Promise<Trial> {
  const path = join(folder, FILE_NAME);
  const database = new Database(path, { readwrite: true, create: true });
  try {
    rowsOf(database, "PRAGMA foreign_keys = ON");
    rowsOf(database, "PRAGMA journal_mode = WAL");
    const store = new SqliteCheckpointStore(database);
    const earlier = await writeEarlier(store);
    const attempts = await work(database, store, earlier);
    await store.close();
    return { path, earlier, attempts };
  } finally {
    database.close(true);
  }
}

/** Until calls of both kinds have been rejected, some together. */
async function fillUp(store: SqliteCheckpointStore, earlier: Earlier, length: number): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  const isRejected = (kind: string) => attempts.some((one) => one.kind === kind && one.outcome !== "ok");
  for (let call = 0; call < 4_000 && !(isRejected("message") && isRejected("fork")); call += 4) {
    const calls = [call, call + 1, call + 2, call + 3];
    attempts.push(...(await Promise.all(calls.map((number) => attempt(store, earlier, number, length)))));
  }
  return attempts;
}

/** The same store, when the fault is gone: it must do all of them. */
async function goOn(store: SqliteCheckpointStore, earlier: Earlier, length: number): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (let call = 10_000; call < 10_004; call++) attempts.push(await attempt(store, earlier, call, length));
  const rejected = attempts.filter(({ outcome }) => outcome !== "ok");
  return [
    ...attempts,
    ...rejected.map(({ kind, outcome }) => ({ kind, key: "after the fault", outcome: `still ${outcome}` })),
  ];
}

/** A child makes the calls; `wrap` puts it under the fault. */
async function withChild(
  folder: string,
  wrap: (command: string[], path: string) => string[],
  count = 24,
): Promise<Trial> {
  const path = join(folder, FILE_NAME);
  const earlier = await prepare(path);
  const command = wrap(attemptsOn(path, earlier, count), path);
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0)
    throw new Error(`The child ended with ${child.exitCode}: ${errors.slice(-2_000)}`);
  return { path, earlier, attempts: parse(output) };
}

function injected(
  name: string,
  suffix: string,
  injection: string,
  step: number,
  errors: readonly string[],
  runs: number,
  { repeat = "", calls = 24, short = 1 } = {},
): Fault {
  return {
    name,
    errors,
    runs: { short: short, full: runs },
    missing: missingTrace,
    run: (folder, run) =>
      withChild(
        folder,
        (command, path) => {
          const trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", `${path}${suffix}`];
          return [...trace, "-e", `inject=${injection}:when=${step * run}${repeat}`, ...command];
        },
        calls,
      ),
  };
}

/** The store stays open, and its file handles with it; every call is done or rejected, and what is done is there. */
async function takeRightsAway(folder: string): Promise<Trial> {
  const path = join(folder, FILE_NAME);
  const earlier = await prepare(path);
  giveToNobody(folder, path);
  const child = Bun.spawn(asNobody([...attemptsOn(path, earlier, 8), "wait"]), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  let output = "";
  while (!output.includes("waiting")) output += await readText(reader);
  chmodSync(path, 0o444);
  chmodSync(folder, 0o555);
  await child.stdin.end();
  for (let text = await readText(reader); text !== ""; text = await readText(reader)) output += text;
  await child.exited;
  chmodSync(folder, 0o755);
  chmodSync(path, 0o644);
  return { path, earlier, attempts: parse(output).filter(({ outcome }) => outcome !== "waiting") };
}

async function openWithoutRights(folder: string, run: number): Promise<Trial> {
  const path = join(folder, FILE_NAME);
  const earlier = await prepare(path);
  giveToNobody(folder, path);
  chmodSync(path, run === 1 ? 0o444 : 0o644);
  chmodSync(folder, 0o555);
  const child = Bun.spawnSync(asNobody(attemptsOn(path, earlier, 4)), { stdout: "pipe", stderr: "inherit" });
  chmodSync(folder, 0o755);
  chmodSync(path, 0o644);
  return { path, earlier, attempts: parse(child.stdout.toString()) };
}

async function prepare(path: string): Promise<Earlier> {
  await using store = new SqliteCheckpointStore(path);
  return await writeEarlier(store);
}

function attemptsOn(path: string, earlier: Earlier, count: number): string[] {
  return commandOf("attempts.ts", [path, new JsonPlusSerializer().serialize(earlier), String(count), "6000"]);
}

function parse(output: string): Attempt[] {
  const lines = output.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Attempt);
}

async function readText(reader: {
  read(): Promise<{ value?: Uint8Array | undefined; done: boolean }>;
}): Promise<string> {
  const { value } = await reader.read();
  return value === undefined ? "" : new TextDecoder().decode(value);
}

function giveToNobody(folder: string, path: string): void {
  chownSync(folder, NOBODY, NOBODY);
  chownSync(path, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
}

function missingNobody(): string | undefined {
  return process.platform === "linux" && canRunAsNobody() ? undefined : "needs Linux, root and setpriv";
}

function missingTrace(): string | undefined {
  if (process.platform !== "linux" || Bun.which("strace") === null) return "needs Linux and strace";
  const command = ["strace", "-qq", "-o", "/dev/null", "true"];
  return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).success
    ? undefined
    : "strace may not trace";
}

function countsOf(names: readonly string[]): string {
  const counts = Map.groupBy(names, (name) => name);
  return [...counts].map(([name, all]) => `${all.length} ${name}`).join(", ") || "none";
}
