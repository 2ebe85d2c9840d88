/**
 * A large file is pruned and compacted while another process writes to it, and a backup is taken meanwhile:
 * `bun bench/maintenance.ts [MEGABYTES] [incremental]`. The figures are in docs/operating.md.
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SqliteCheckpointStore } from "../src/index.js";
import { backup, compact, prune, verify } from "../src/maintenance/index.js";

const SESSIONS = 200;
const CHECKPOINT_BYTES = 20_000;
const KEPT = 10;
/** Milliseconds between two writes of the writer. */
const PAUSE = 5;

if (process.argv[2] === "writer") {
  await write(process.argv[3] ?? "");
} else {
  await measure(Number(process.argv[2] ?? 1_000), process.argv[3] === "incremental");
}

async function measure(megabytes: number, isIncremental: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "checkpoint-sqlite-maintenance-"));
  const path = join(folder, "runs.db");
  try {
    if (isIncremental) {
      useIncremental(path);
    }
    await fill(path, Math.round((megabytes * 1e6) / SESSIONS / CHECKPOINT_BYTES));
    console.log(`file: ${megabytesOf(path)} MB, ${SESSIONS} sessions`);
    const writer = Bun.spawn([process.execPath, import.meta.path, "writer", path], {
      stdin: "pipe",
      stdout: "pipe",
    });
    await writer.stdout.getReader().read(); // It says that it is ready.
    const phase = async (name: string) => {
      writer.stdin.write(`${name}\n`);
      await writer.stdin.flush();
    };
    await phase("prune and backup");
    const backingUp = timed("backup", () => backup(path, join(folder, "backup.db")));
    await timed("prune", () => prune(path, { keepCheckpoints: KEPT }));
    await backingUp;
    console.log(`after prune: ${megabytesOf(path)} MB`);
    await phase("compact");
    await timed("compact", () => compact(path, { busyTimeout: 60_000 }));
    console.log(`after compact: ${megabytesOf(path)} MB`);
    await writer.stdin.end();
    await writer.exited;
    const report = await timed("verify the backup", () => verify(join(folder, "backup.db")));
    console.log(`backup: ok ${report.ok}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(path: string, checkpoints: number): Promise<void> {
  await using store = new SqliteCheckpointStore(path, { synchronous: "normal" });
  for (let session = 0; session < SESSIONS; session++) {
    const { id } = await store.createSession("./bench");
    await Promise.all(Array.from({ length: checkpoints }, (_, version) => save(store, id, version)));
  }
}

function save(store: SqliteCheckpointStore, sessionId: string, version: number): Promise<unknown> {
  const output = `${sessionId} ${version} `.repeat(CHECKPOINT_BYTES / 40);
  return store.saveCheckpoint({
    sessionId,
    namespace: "",
    version,
    step: version,
    source: "loop",
    nodeResults: { node: { status: "completed", output } },
    pendingNodes: [],
  });
}

function useIncremental(path: string): void {
  const database = new Database(path, { create: true, readwrite: true });
  database.run("PRAGMA auto_vacuum = INCREMENTAL");
  database.run("VACUUM");
  database.close(true);
}

/** Writes until its input ends, and tells how long its writes took in each phase that a line of its input begins. */
async function write(path: string): Promise<void> {
  await using store = new SqliteCheckpointStore(path, { busyTimeout: 60_000 });
  const { id } = await store.createSession("./writer");
  const waits = new Map<string, number[]>();
  let phase = "";
  let isDone = false;
  const reading = (async () => {
    for await (const line of console) {
      phase = line;
    }
    isDone = true;
  })();
  console.log("ready");
  while (!isDone) {
    const began = performance.now();
    const begunIn = phase;
    await store.addMessage(id, { sessionId: id, role: "user", content: "meanwhile" });
    waits.set(begunIn, [...(waits.get(begunIn) ?? []), performance.now() - began]);
    await Bun.sleep(PAUSE);
  }
  await reading;
  for (const [name, times] of waits) {
    console.error(`writer in ${name || "no phase"}: ${summary(times)}`);
  }
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  return `${sorted.length} messages; a write took ${at(0.5)} ms (median), ${at(0.99)} (99 %), ${at(1)} (longest)`;
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  console.log(`${what}: ${((performance.now() - began) / 1_000).toFixed(1)} s ${JSON.stringify(result)}`);
  return result;
}

function megabytesOf(path: string): string {
  return (statSync(path).size / 1e6).toFixed(0);
}
