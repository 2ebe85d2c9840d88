/** Runs the command line from its sources: in a pipe, or on a pseudo-terminal. */
import { resolve } from "node:path";

export const BIN = resolve(import.meta.dir, "../../../src/cli/bin.ts");

export interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Text for the standard input, which is empty otherwise. */
  input?: string;
  env?: Record<string, string>;
}

const ENVIRONMENT = {
  ...process.env,
  TZ: "UTC",
  NO_COLOR: undefined,
  FORCE_COLOR: undefined,
  PAGER: "",
};

/** A command that takes longer is killed, and the test says which one it was; less than the limit of a test. */
const LIMIT_MS = 25_000;

/** The command and its arguments, as a process takes them. */
export function commandLine(...args: readonly string[]): string[] {
  return [process.execPath, BIN, ...args];
}

export async function run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = Bun.spawn(commandLine(...args), {
    stdin: new Blob([options.input ?? ""]),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...ENVIRONMENT, ...options.env },
    timeout: LIMIT_MS,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const exitCode = await child.exited;
  requireEnd(child, args, stdout + stderr);
  return { exitCode, stdout, stderr };
}

/** @throws if the process was killed because it did not end. */
function requireEnd({ signalCode }: { signalCode: unknown }, args: readonly string[], text: string): void {
  if (signalCode === "SIGKILL") {
    throw new Error(`${args.join(" ")} did not end within ${LIMIT_MS} ms. It printed: ${text.slice(-2_000)}`);
  }
}

/** The standard output of a command that must succeed and print no note. */
export async function printed(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(args);
  if (exitCode !== 0 || stderr !== "") {
    throw new Error(`${args.join(" ")} exited with ${exitCode}: ${stderr}`);
  }
  return stdout;
}

export interface Screen {
  exitCode: number;
  /** Everything that was written to the terminal, with its escape sequences. */
  text: string;
  lines: string[];
}

/** Bun before 1.3.5 has no pseudo-terminals. */
export const HAS_TERMINALS = Bun.semver.order(Bun.version, "1.3.5") >= 0;

export interface TerminalOptions {
  columns?: number;
  rows?: number;
  /** A command of the shell that runs before. */
  prepare?: string;
  /** Typed when the text is on the screen. */
  answer?: { to: string; type: string };
  env?: Record<string, string>;
}

/** Printed by the shell behind all that the command prints. */
const END = /\[exit code (\d+)\]\r\n$/;

/**
 * A shell runs the command and then prints its exit code: Bun does not tell when a pseudo-terminal has passed on all of its text,
 * and the process may have ended before that.
 */
export async function runOnTerminal(args: readonly string[], options: TerminalOptions = {}): Promise<Screen> {
  const decoder = new TextDecoder();
  const { promise: wholeText, resolve } = Promise.withResolvers<void>();
  let text = "";
  let isAnswered = false;
  const child = Bun.spawn(
    ["sh", "-c", `${options.prepare ?? ":"}; "$@"; echo "[exit code $?]"`, "sh", ...commandLine(...args)],
    {
      env: { ...ENVIRONMENT, TERM: "xterm-256color", ...options.env },
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
      terminal: {
        cols: options.columns ?? 80,
        rows: options.rows ?? 50,
        data(terminal, bytes) {
          text += decoder.decode(bytes, { stream: true });
          if (options.answer !== undefined && !isAnswered && text.includes(options.answer.to)) {
            isAnswered = true;
            terminal.write(`${options.answer.type}\r`);
          }
          if (END.test(text)) {
            resolve();
          }
        },
      },
    },
  );
  await child.exited;
  requireEnd(child, args, text);
  await wholeText;
  child.terminal?.close();
  const exitCode = Number(END.exec(text)?.[1]);
  text = text.replace(END, "");
  return { exitCode, text, lines: text.trimEnd().split("\r\n") };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence is looked for
const COLOUR = /\u001b\[\d+m/g;

export function withoutColours(text: string): string {
  return text.replaceAll(COLOUR, "");
}
