import { type Fork, listForks } from "../../maintenance/forks.js";
import type { SqliteCheckpointStore } from "../../sqlite-checkpoint-store.js";
import type { Session } from "../../types.js";
import { waveText } from "../checkpoint-text.js";
import type { Cli } from "../cli.js";
import { newCommand } from "../command.js";
import { SESSION_HELP, sessionNamed } from "../naming.js";
import { NO_SESSIONS, note } from "../output.js";
import type { Colours } from "../terminal.js";
import { cut, oneLine } from "../text.js";
import { type Wave, wavesOf } from "../waves.js";

export function treeCommand(cli: Cli) {
  return newCommand(
    "tree",
    "draw sessions and their forks as a tree; of one session with its checkpoints",
    "runs.db",
    'runs.db "Security scan"',
  )
    .argument("<file>", "a database")
    .argument("[session]", SESSION_HELP)
    .action(async (file, name) => {
      const root = name === undefined ? undefined : (await sessionNamed(cli, file, name)).id;
      const forks = await cli.longRead(file, (options) => listForks(file, options));
      await cli.read(file, async (store) => {
        const tree = new Tree(await store.listSessions(), forks, store, cli);
        await (cli.output.isJson ? tree.printJson(root) : tree.draw(root));
      });
    });
}

class Tree {
  readonly #sessions: Map<string, Session>;
  readonly #forkOf: Map<string, Fork>;
  readonly #forksOf: Map<string | null, Fork[]>;
  readonly #short: (id: string) => string;

  constructor(
    sessions: readonly Session[],
    forks: readonly Fork[],
    readonly store: SqliteCheckpointStore,
    readonly cli: Cli,
  ) {
    this.#sessions = new Map(sessions.map((session) => [session.id, session]));
    this.#forkOf = new Map(forks.map((fork) => [fork.sessionId, fork]));
    this.#forksOf = Map.groupBy(forks, ({ parentSessionId }) => parentSessionId);
    this.#short = cli.output.shortener([...this.#sessions.keys()], "beginning");
  }

  get #colours(): Colours {
    return this.cli.output.colours;
  }

  #roots(root: string | undefined): string[] {
    return root === undefined
      ? [...this.#sessions.keys()].filter((id) => (this.#forkOf.get(id)?.parentSessionId ?? null) === null)
      : [root];
  }

  /** Each session with its depth and what it was forked from, parents first. */
  printJson(root: string | undefined): void {
    const stack = this.#roots(root)
      .reverse()
      .map((id) => ({ id, depth: 0 }));
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { id, depth } = next;
      const fork = this.#forkOf.get(id);
      const forkedFrom =
        fork === undefined
          ? null
          : { checkpointId: fork.parentId, sessionId: fork.parentSessionId, version: fork.parentVersion };
      this.cli.output.json({ depth, session: this.#sessions.get(id), forkedFrom });
      const below = this.#forksOf.get(id) ?? [];
      stack.push(...below.toReversed().map(({ sessionId }) => ({ id: sessionId, depth: depth + 1 })));
    }
  }

  async draw(root: string | undefined): Promise<void> {
    if (this.#sessions.size === 0) {
      note(NO_SESSIONS);
    }
    const lines = [];
    for (const id of this.#roots(root)) {
      lines.push(await this.#lines(id, root !== undefined));
    }
    for (const line of lines.flat()) {
      this.cli.output.cutLine(line);
    }
  }

  /** The session's line, and below it its checkpoints, or only those that were forked; a fork stands below its checkpoint. */
  async #lines(id: string, hasCheckpoints: boolean): Promise<string[]> {
    const forks = this.#forksOf.get(id) ?? [];
    const branches = hasCheckpoints
      ? (await wavesOf(this.store, id)).map((wave) => this.#checkpointBranch(wave, forks))
      : forks.map((fork) => ({ text: `v${fork.parentVersion}`, forks: [fork] }));
    const lines = [this.#sessionLine(id)];
    for (const [index, branch] of branches.entries()) {
      const isLast = index === branches.length - 1;
      lines.push(`${isLast ? "└─ " : "├─ "}${branch.text}`);
      for (const fork of branch.forks) {
        const below = await this.#lines(fork.sessionId, hasCheckpoints);
        for (const [at, line] of below.entries()) {
          lines.push(`${isLast ? "   " : "│  "}${at === 0 ? "╰─ fork: " : "   "}${line}`);
        }
      }
    }
    return lines;
  }

  #sessionLine(id: string): string {
    const { bold, dim } = this.#colours;
    const title = oneLine(this.#sessions.get(id)?.title ?? "(no title)");
    const fork = this.#forkOf.get(id);
    const isOrphan = fork !== undefined && fork.parentSessionId === null;
    const origin = isOrphan ? `  forked from ${oneLine(fork.parentId)}, which was deleted` : "";
    const { width } = this.cli.output;
    const shown = width === undefined ? title : cut(title, Math.floor(width / 2)); // Its id must fit too.
    return `${bold(shown)}  ${dim(oneLine(this.#short(id)) + origin)}`;
  }

  #checkpointBranch(wave: Wave, forks: readonly Fork[]): { text: string; forks: Fork[] } {
    const { cyan, dim } = this.#colours;
    const namespace = wave.namespace === "" ? "" : ` ${dim(`in ${oneLine(wave.namespace)}`)}`;
    const place = dim(`${oneLine(wave.source)}, step ${wave.step}`);
    return {
      text: `${cyan(`v${wave.version}`)}${namespace}  ${place}  ${waveText(wave, this.#colours)}`.trimEnd(),
      forks: forks.filter(({ parentId }) => parentId === wave.id),
    };
  }
}
