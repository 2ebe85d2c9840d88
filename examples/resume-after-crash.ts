/**
 * An agent run is killed half way and goes on in a new process; then a fork of it ends in another way.
 *
 *     bun examples/resume-after-crash.ts [path of a new file]
 *
 * This process only watches: it starts the workers, kills the first one, writes down what the store acknowledged to
 * them, and ends with exit code 1 where any of it is missing afterwards.
 */
import { existsSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { startWorker } from "./resume-after-crash/child-process.js";
import { Ledger } from "./resume-after-crash/ledger.js";
import { isSameVisit, NAMESPACE } from "./resume-after-crash/pipeline.js";
import { Story } from "./resume-after-crash/story.js";
import { Terminal } from "./resume-after-crash/terminal.js";
import { CRASH_POINT, WORKER_ROLES, type WorkerEvent, work } from "./resume-after-crash/worker.js";

const WORKER_FLAG = "--worker=";

/** The node at the crash point waits far longer, so that the kill always comes in the middle of it. */
const WELL_UNDER_WAY_MILLISECONDS = 120;

async function main([first, second]: readonly string[]): Promise<void> {
  const role = WORKER_ROLES.find((candidate) => first === WORKER_FLAG + candidate);
  if (role !== undefined && second !== undefined) {
    return work(role, second);
  }
  const path = await newFile(first);
  const terminal = new Terminal();
  try {
    await demonstrate(path, new Story(terminal));
  } catch (error) {
    terminal.quiet();
    throw new Error(`${messageOf(error)}\nThe file is left for you to look at: ${path}`, { cause: error });
  }
}

async function newFile(path: string | undefined): Promise<string> {
  if (path === undefined) {
    return join(await mkdtemp(join(tmpdir(), "checkpoint-sqlite-demo-")), "runs.db");
  }
  if (path.startsWith("-")) {
    throw new Error("Usage: bun examples/resume-after-crash.ts [path of a new file]");
  }
  if (existsSync(path)) {
    throw new Error(`${path} exists. The demo writes into a new file only: name one, or leave the path out.`);
  }
  return resolve(path);
}

async function demonstrate(path: string, story: Story): Promise<void> {
  const ledger = new Ledger();
  story.open();
  await runUntilKilled(path, story, ledger);
  await recover(path, story, ledger);
  expectNone("Left beside the file, which was not closed cleanly", filesAt(path).slice(1));
  story.close(path);
}

async function runUntilKilled(path: string, story: Story, ledger: Ledger): Promise<void> {
  const worker = startWorker(import.meta.path, "begin", path);
  story.chapter("A run begins", worker.pid);
  try {
    for await (const event of worker.events) {
      ledger.note(event);
      story.show(event);
      if (event.type === "node-started" && isSameVisit(event, CRASH_POINT)) {
        await Bun.sleep(WELL_UNDER_WAY_MILLISECONDS);
        worker.kill();
      }
    }
  } finally {
    worker.kill();
  }
  const ending = await worker.ending();
  if (ending !== "SIGKILL") {
    throw new Error(`The first process was to be killed, and ended by itself with ${ending}.`);
  }
  story.killed(
    CRASH_POINT,
    worker.pid,
    ledger.checkpoints.findLast(({ namespace }) => namespace === NAMESPACE),
    filesAt(path),
  );
}

async function recover(path: string, story: Story, ledger: Ledger): Promise<void> {
  const worker = startWorker(import.meta.path, "recover", path);
  let isFinished = false;
  try {
    for await (const event of worker.events) {
      ledger.note(event);
      tell(event, worker.pid, story, ledger);
      isFinished ||= event.type === "finished";
    }
    const ending = await worker.ending();
    if (ending !== 0 || !isFinished) {
      throw new Error(`The second process did not come to its end: it ended with ${ending}.`);
    }
  } finally {
    worker.kill();
  }
}

function tell(event: WorkerEvent, pid: number, story: Story, ledger: Ledger): void {
  switch (event.type) {
    case "found":
      expectNone("Lost in the crash, although it was acknowledged", ledger.missingFrom([event]));
      story.chapter("A new process opens the same file", pid);
      story.survived(event, event.latest);
      story.chapter("It resumes where the file says", pid);
      story.resuming();
      break;
    case "forked":
      expectNone("Run again, although a checkpoint held the result", ledger.repeatedVisits);
      story.resumed();
      story.chapter("A fork tells it another way", pid);
      story.forked(event.from, event.fork);
      break;
    case "finished":
      expectNone("Run again, although a checkpoint held the result", ledger.repeatedVisits);
      expectNone("Missing in the end, although it was acknowledged", ledger.missingFrom(event.sessions));
      expectNone("In the file, although nobody was told so", ledger.unknownIn(event.sessions));
      story.chapter("Both sessions, as they are in the file");
      story.tree(event.sessions);
      break;
    default:
      story.show(event);
  }
}

function expectNone(complaint: string, found: readonly string[]): void {
  if (found.length > 0) {
    throw new Error(`${complaint}: ${found.join(", ")}`);
  }
}

/** The database, and what SQLite keeps beside it while it is open or after a crash. */
function filesAt(path: string): string[] {
  return ["", "-wal", "-shm", "-journal"]
    .map((suffix) => path + suffix)
    .filter((file) => existsSync(file))
    .map((file) => `${basename(file)} (${Math.ceil(statSync(file).size / 1024)} kB)`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`\n${messageOf(error)}`);
  process.exitCode = 1;
}
