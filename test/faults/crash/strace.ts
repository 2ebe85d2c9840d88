/**
 * Records what a process writes to a database's files, what it syncs, and what it says meanwhile, in order.
 *
 * Limits: only what the main thread does, which is all that bun:sqlite does; a system call on one of the files that is
 * not known here is an error. The shared memory of the log is left out: it does not survive a power cut.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** One change of the files of a folder. A file has a number of its own: its name may be another's later. */
export type DiskEvent =
  | { kind: "create"; name: string; file: number }
  | { kind: "unlink"; name: string }
  | { kind: "write"; file: number; offset: number; bytes: Uint8Array }
  | { kind: "truncate"; file: number; length: number }
  | { kind: "sync"; file: number }
  | { kind: "syncFolder" }
  | { kind: "say"; text: string };

const SYSTEM_CALLS =
  "open,openat,creat,close,write,writev,pwrite64,pwritev,pwritev2,truncate,ftruncate,fallocate,fsync,fdatasync," +
  "sync_file_range,unlink,unlinkat,rename,renameat,renameat2,link,linkat";

const TRACE = "strace";

/** What this machine lacks for it. */
export function missingForTracing(): string | undefined {
  if (Bun.which("strace") === null) return "strace is not installed";
  const attempt = Bun.spawnSync(["strace", "-qq", "-f", "-o", "/dev/null", "true"], { stderr: "ignore" });
  return attempt.success ? undefined : "this machine does not permit ptrace";
}

/** The command to run a process under; its trace is left next to the database. */
export function tracing(databasePath: string): string[] {
  const trace = join(dirname(databasePath), TRACE);
  // One file a thread, so that no line is cut by another thread's.
  return ["strace", "-qq", "-ff", "-xx", "-s", "16777216", "-e", `trace=${SYSTEM_CALLS}`, "-o", trace];
}

/** Reads the trace, and removes it. */
export function readTrace(databasePath: string): DiskEvent[] {
  const folder = dirname(databasePath);
  const files = readdirSync(folder).filter((name) => name.startsWith(`${TRACE}.`));
  const texts = files.map((name) => readFileSync(join(folder, name), "latin1"));
  const main = texts.find((text) => text.includes(`"${hexOf(databasePath)}"`));
  for (const name of files) rmSync(join(folder, name));
  if (main === undefined) throw new Error("The trace does not mention the database");
  const reader = new TraceReader(databasePath);
  for (const line of main.split("\n")) reader.read(line);
  return reader.events;
}

/** `call(arguments) = result`, if the call succeeded. */
const LINE = /^(\w+)\((.*)\)\s+= (\d+)$/;

class TraceReader {
  readonly events: DiskEvent[] = [];
  readonly #folder: string;
  readonly #paths: readonly string[];
  /** The folder itself is file 0. */
  readonly #fileOf = new Map<string, number>();
  readonly #fileOfDescriptor = new Map<number, number>();
  #lastFile = 0;

  constructor(databasePath: string) {
    this.#folder = dirname(databasePath);
    this.#paths = ["", "-wal", "-journal"].map((suffix) => databasePath + suffix);
  }

  read(line: string): void {
    const [, call, list = "", result] = LINE.exec(line) ?? [];
    if (call === undefined) return;
    const parameters = list.split(", ");
    if (call === "openat") this.#open(textOf(parameters[1]), String(parameters[2]), Number(result));
    else if (call === "unlink") this.#unlink(textOf(parameters[0]));
    else if (list.includes("AT_FDCWD") || list.startsWith('"')) this.#refuseOurs(list, line);
    else this.#useDescriptor(call, parameters, Number(result), line);
  }

  #open(path: string, flags: string, descriptor: number): void {
    this.#fileOfDescriptor.delete(descriptor);
    if (path === this.#folder) this.#fileOfDescriptor.set(descriptor, 0);
    if (!this.#paths.includes(path)) return;
    const file = this.#fileOf.get(path) ?? this.#create(path);
    this.#fileOfDescriptor.set(descriptor, file);
    if (flags.includes("O_TRUNC")) this.events.push({ kind: "truncate", file, length: 0 });
  }

  #create(path: string): number {
    const file = ++this.#lastFile;
    this.#fileOf.set(path, file);
    this.events.push({ kind: "create", name: this.#nameOf(path), file });
    return file;
  }

  #unlink(path: string): void {
    if (!this.#fileOf.delete(path)) return;
    this.events.push({ kind: "unlink", name: this.#nameOf(path) });
  }

  #useDescriptor(call: string, parameters: readonly string[], result: number, line: string): void {
    const descriptor = Number(parameters[0]);
    const file = this.#fileOfDescriptor.get(descriptor);
    if (call === "close") this.#fileOfDescriptor.delete(descriptor);
    else if (call === "write" && descriptor === 1)
      this.events.push({ kind: "say", text: textOf(parameters[1]) });
    else if (file !== undefined) this.events.push(eventOf(call, file, parameters, result, line));
  }

  #refuseOurs(list: string, line: string): void {
    if (this.#paths.some((path) => list.includes(`"${hexOf(path)}"`))) throw notUnderstood(line);
  }

  #nameOf(path: string): string {
    return path.slice(this.#folder.length + 1);
  }
}

function eventOf(
  call: string,
  file: number,
  parameters: readonly string[],
  result: number,
  line: string,
): DiskEvent {
  switch (call) {
    case "fsync":
    case "fdatasync":
      return file === 0 ? { kind: "syncFolder" } : { kind: "sync", file };
    case "ftruncate":
      return { kind: "truncate", file, length: Number(parameters[1]) };
    case "pwrite64": {
      const bytes = bytesOf(parameters[1]).subarray(0, result);
      return { kind: "write", file, offset: Number(parameters[3]), bytes };
    }
    default:
      throw notUnderstood(line);
  }
}

function notUnderstood(line: string): Error {
  return new Error(`A system call that the trace reader does not know: ${line.slice(0, 200)}`);
}

function hexOf(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

function bytesOf(quoted = ""): Uint8Array {
  return Buffer.from(quoted.slice(1, -1).replaceAll("\\x", ""), "hex");
}

function textOf(quoted = ""): string {
  return Buffer.from(bytesOf(quoted)).toString();
}
