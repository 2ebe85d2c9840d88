/** LangGraph's saver, as this process sees it: bundled for Node, started there, and asked for batches. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Job } from "../harness/jobs.js";
import type { Answer, Request } from "./langgraph-protocol.js";
import type { Runner } from "./runner.js";
import type { Durability } from "./subject.js";

const FOLDER = join(import.meta.dir, "..");
/** Inside node_modules, so that Node finds the packages from there. */
const CACHE = join(FOLDER, "node_modules", ".cache");
const ADDON = join(FOLDER, "node_modules/better-sqlite3/build/Release/better_sqlite3.node");

/** Why it cannot take part; `undefined` if it can. */
export function whyLangGraphIsMissing(): string | undefined {
  if (Bun.which("node") === null) {
    return "there is no node on this machine";
  }
  return existsSync(ADDON) ? undefined : "better-sqlite3 could not be built here";
}

export function versionOf(name: string): string {
  const path = join(FOLDER, "node_modules", name, "package.json");
  return existsSync(path) ? String(createRequire(import.meta.url)(path).version) : "not installed";
}

export class LangGraph implements Runner {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;

  private constructor(script: string) {
    this.#child = Bun.spawn(["node", "--expose-gc", script], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#answers = linesOf(this.#child.stdout);
  }

  /** A process without a file open yet. */
  static async start(): Promise<LangGraph> {
    const { outputs } = await Bun.build({
      entrypoints: [join(import.meta.dir, "langgraph-child.ts")],
      outdir: CACHE,
      naming: "langgraph-child.mjs",
      target: "node",
      packages: "external",
    });
    return new LangGraph(outputs[0]?.path ?? "");
  }

  static async open(path: string, durability: Durability): Promise<LangGraph> {
    const process = await LangGraph.start();
    await process.ask({ do: "open", path, durability });
    return process;
  }

  async run(job: Job): Promise<number> {
    const { ms } = await this.ask({ do: "run", job });
    return ms;
  }

  async ask(request: Request): Promise<{ ms: number; id?: string }> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    this.#child.stdin.flush();
    const line = await this.#answers.next();
    const answer: Answer = line.done ? { error: "its process ended" } : JSON.parse(line.value);
    if ("error" in answer) {
      throw new Error(`LangGraph, asked to ${request.do}: ${answer.error}`);
    }
    return answer;
  }

  async close(): Promise<void> {
    await this.ask({ do: "close" });
    this.#child.stdin.end();
    await this.#child.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
