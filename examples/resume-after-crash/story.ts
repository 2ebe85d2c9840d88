/** Tells what happens, as it happens. */
import { inspect } from "node:util";
import type { Checkpoint } from "../../src/index.js";
import { QUESTION } from "./nodes.js";
import { NAMESPACE, type Visit } from "./pipeline.js";
import type { Terminal } from "./terminal.js";
import { treeLines } from "./tree.js";
import type { StoredSession, WorkerEvent } from "./worker.js";

const NODE_WIDTH = 15;
const WIDTH = 78;

export class Story {
  readonly #terminal: Terminal;
  readonly #beganAt = performance.now();
  readonly #running = new Set<string>();
  readonly #remarks = new Map<string, string>();
  readonly #startedSinceCrash = new Set<string>();
  #resumedFrom: Checkpoint | undefined;
  #chapter = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  open(): void {
    const { bold } = this.#terminal;
    this.#say(bold("An agent run that survives kill -9"));
    this.#say();
    this.#say(`A research agent is asked: ${QUESTION} It plans, searches three sources`);
    this.#say("at once, writes and critiques until the text passes, and publishes it.");
    this.#say("After every wave of nodes it saves a checkpoint into one SQLite file; so does");
    this.#say("the graph of its own that runs within the node write.");
  }

  chapter(title: string, pid?: number): void {
    const { bold, dim } = this.#terminal;
    this.#chapter += 1;
    const heading = `${this.#chapter}  ${title}`;
    const process = pid === undefined ? "" : `process ${pid}`;
    const rule = "─".repeat(Math.max(2, WIDTH - heading.length - process.length - 2));
    this.#say();
    this.#say(`${bold(heading)} ${dim(pid === undefined ? rule : `${rule} ${process}`)}`);
    this.#say();
  }

  /** Events of a running pipeline; the others have chapters of their own. */
  show(event: WorkerEvent): void {
    switch (event.type) {
      case "node-started":
        this.#startedSinceCrash.add(event.node);
        this.#running.add(event.node);
        this.#terminal.busy([...this.#running].join(", "));
        break;
      case "node-finished":
        this.#finished(event.node, event.note, event.milliseconds);
        break;
      case "checkpoint-saved":
        this.#saved(event.checkpoint);
        break;
    }
  }

  killed({ node, draft }: Visit, pid: number, last: Checkpoint | undefined, files: readonly string[]): void {
    const { red, dim } = this.#terminal;
    this.#running.clear();
    this.#timed(red("✗"), node, red(`killed in the middle of draft ${draft}`));
    this.#say();
    this.#say(`SIGKILL to process ${pid}: nothing could be flushed, closed or tidied up.`);
    this.#say(dim(`Left on disk: ${files.join(", ")}`));
    if (last !== undefined) {
      this.#remarks.set(last.id, `✗ process ${pid} was killed here`);
    }
  }

  survived({ session, messages, checkpoints }: StoredSession, latest: Checkpoint): void {
    const { green } = this.#terminal;
    const outer = checkpoints.filter(({ namespace }) => namespace === NAMESPACE);
    const inner = checkpoints.filter(({ namespace }) => namespace !== NAMESPACE);
    this.#resumedFrom = latest;
    this.#startedSinceCrash.clear();
    this.#say("It is told the file's path and nothing else. This is what it finds:");
    this.#say();
    this.#row("session", session.title ?? session.id);
    this.#row("messages", messages.map(({ role }) => role).join(", "));
    this.#row("checkpoints", versionsOf(outer));
    this.#row("within write", `${versionsOf(inner)}; its newest is newer than v${latest.version}`);
    this.#row("the latest", placeOf(latest));
    this.#say();
    this.#results(latest);
    const counts = `${checkpoints.length} checkpoints, ${messages.length} messages`;
    this.#say();
    this.#say(`${green("✓")} Everything that was acknowledged survived, equal in every value:`);
    this.#say(`  ${counts}; a Date is a Date, a Map a Map, a Set a Set.`);
  }

  resuming(): void {
    const { version, pendingNodes = [] } = this.#resumedFrom ?? {};
    this.#say(
      `It continues from v${version} with the node that was pending, ${pendingNodes.join(", ")}. Only the`,
    );
    this.#say("wave that was under way at the kill is done again.");
    this.#say();
  }

  resumed(): void {
    const completed = Object.keys(this.#resumedFrom?.nodeResults ?? {});
    const kept = completed.filter((node) => !this.#startedSinceCrash.has(node));
    this.#say();
    this.#say(`${this.#terminal.green("✓")} Not run again: ${kept.join(", ")}.`);
  }

  forked({ version }: Checkpoint, { messages }: StoredSession): void {
    this.#say(
      `A new session begins at v${version}, with the searches done and the ${messages.length} messages up to`,
    );
    this.#say("there. It tells a bedtime story; the first session stays as it is.");
    this.#say();
  }

  tree(sessions: readonly StoredSession[]): void {
    const [original] = sessions;
    if (original !== undefined) {
      for (const line of treeLines(original, { sessions, remarks: this.#remarks }, this.#terminal)) {
        this.#say(line);
      }
      this.#say();
      this.#say(
        this.#terminal.dim(
          "A version is unique in session and namespace; a step counts the waves, and a resumed run counts on.",
        ),
      );
    }
  }

  close(path: string): void {
    const { bold, dim, green } = this.#terminal;
    this.#say();
    this.#say(`${green("✓")} Nothing that was acknowledged is missing. ${dim(`${this.#seconds()} in all.`)}`);
    this.#say();
    this.#say(`${dim("The file:    ")}${bold(path)}`);
    this.#say(`${dim("Inspect it:  ")}npm run inspect -- ${shellQuoted(path)}`);
  }

  #finished(node: string, note: string, milliseconds: number): void {
    const { dim, green } = this.#terminal;
    if (note !== "") {
      this.#timed(green("✓"), node, `${dim(`${milliseconds} ms`.padStart(6))}  ${note}`);
    }
    this.#running.delete(node);
    if (this.#running.size > 0) {
      this.#terminal.busy([...this.#running].join(", "));
    }
  }

  #saved({ namespace, version, nodeResults, pendingNodes }: Checkpoint): void {
    const { cyan, dim } = this.#terminal;
    if (namespace !== NAMESPACE) {
      const node = `${namespace}/${Object.keys(nodeResults).at(-1)}`;
      this.#timed(dim("∙"), node, dim(`saved v${version} within ${namespace}`));
      return;
    }
    const next = pendingNodes.length === 0 ? "nothing is pending" : `next: ${pendingNodes.join(", ")}`;
    this.#timed(cyan("●"), cyan(`saved v${version}`.padEnd(NODE_WIDTH)), dim(next));
  }

  #results({ nodeResults, pendingNodes, cycleState }: Checkpoint): void {
    const { green, cyan } = this.#terminal;
    for (const [node, { output }] of Object.entries(nodeResults)) {
      fieldsOf(output).forEach((field, index) => {
        const label = index === 0 ? `${green("✓")} ${node.padEnd(NODE_WIDTH)}` : " ".repeat(NODE_WIDTH + 2);
        this.#say(`${label} ${field}`);
      });
    }
    for (const node of pendingNodes) {
      const isAgain = nodeResults[node] !== undefined && cycleState !== undefined;
      const reason = isAgain ? `pending again, by the back edge ${cycleState.backEdge}` : "pending";
      this.#say(`${cyan("→")} ${node.padEnd(NODE_WIDTH)} ${cyan(reason)}`);
    }
  }

  #timed(mark: string, name: string, text: string): void {
    this.#say(
      `${this.#terminal.dim(this.#seconds().padStart(6))}  ${mark} ${name.padEnd(NODE_WIDTH)} ${text}`,
    );
  }

  #row(name: string, text: string): void {
    this.#say(`  ${name.padEnd(NODE_WIDTH)} ${text}`);
  }

  #say(text = ""): void {
    this.#terminal.line(text === "" ? "" : `  ${text}`);
  }

  #seconds(): string {
    return `${((performance.now() - this.#beganAt) / 1000).toFixed(2)} s`;
  }
}

/** Oldest first. */
function versionsOf(checkpoints: readonly Checkpoint[]): string {
  return checkpoints
    .map(({ version }) => `v${version}`)
    .toReversed()
    .join(", ");
}

function placeOf({ version, step, cycleState }: Checkpoint): string {
  const loop =
    cycleState === undefined ? "" : `, iteration ${cycleState.iteration} of ${cycleState.backEdge}`;
  return `v${version}, step ${step}${loop}`;
}

/** An object field by field, anything else as it is. */
function fieldsOf(output: unknown): string[] {
  const isPlain = Object.prototype.toString.call(output) === "[object Object]";
  return isPlain && output instanceof Object
    ? Object.entries(output).map(([name, value]) => `${name}: ${shown(value)}`)
    : [shown(output)];
}

function shown(value: unknown): string {
  const text = inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  return value instanceof Date ? `Date ${text}` : text;
}

function shellQuoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
