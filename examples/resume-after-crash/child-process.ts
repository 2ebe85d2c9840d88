/** Starts workers as processes of their own, and reads what they report. */
import { eventFormat, type WorkerEvent, type WorkerRole } from "./worker.js";

export interface WorkerProcess {
  readonly pid: number;
  /** Ends when the process has, however it ended. */
  readonly events: AsyncIterable<WorkerEvent>;
  /** SIGKILL: the process is given no chance to do anything more. */
  kill(): void;
  /** How the process ended: its exit code, or the signal that ended it. */
  ending(): Promise<number | string>;
}

export function startWorker(script: string, role: WorkerRole, path: string): WorkerProcess {
  const child = Bun.spawn([process.execPath, script, `--worker=${role}`, path], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  return {
    pid: child.pid,
    events: readEvents(child.stdout),
    kill: () => child.kill("SIGKILL"),
    ending: async () => {
      const exitCode = await child.exited;
      return child.signalCode ?? exitCode;
    },
  };
}

async function* readEvents(output: ReadableStream<Uint8Array>): AsyncGenerator<WorkerEvent> {
  for await (const line of readLines(output)) {
    // The other end of the pipe is this same program.
    yield eventFormat.deserialize(line) as WorkerEvent;
  }
}

/** Whole lines only: a killed process may have been in the middle of one. */
async function* readLines(output: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of output) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
