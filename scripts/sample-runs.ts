/** A file with runs of every kind, for the inspector's pictures and its tests in a browser. */
import { type CheckpointNodeResult, type NewCheckpoint, SqliteCheckpointStore } from "../src/index.js";

/** Titles of the sessions that the views are shown with. */
export const SAMPLE = {
  looped: "Scan example.com",
  fork: "Scan example.com, without the slow ports",
  failed: "Summarise the incident reports",
  pending: "Index the handbook",
} as const;

const OTHERS = [
  ["Answer the support mailbox", "mail"],
  ["Translate the release notes", "docs"],
  ["Review pull request 412", "reviews"],
  ["Draft the weekly digest", "docs"],
  ["Review pull request 409", "reviews"],
  ["Sort the invoices of January", null],
] as const;

/** @param now The time of the last write; the runs are hours before it. */
export async function writeSampleRuns(path: string, now: number): Promise<void> {
  const clock = new Clock(now - 18 * 3_600_000);
  await using store = new SqliteCheckpointStore(path, { clock: clock.now });
  for (const [title, workspaceId] of OTHERS) {
    await writeShortRun(new Run(store, clock, await create(store, title, workspaceId)));
    clock.pass(2.5 * 3_600_000);
  }
  await writePending(store, clock);
  clock.pass(3_600_000);
  await writeFailed(store, clock);
  clock.pass(3_600_000);
  await writeLooped(store, clock);
}

async function writeShortRun(run: Run): Promise<void> {
  await run.say("user", "Please do, and tell me what is left.");
  await run.wave({ read: { takes: 900, output: { items: 14, since: new Date(run.clock.time) } } }, ["write"]);
  await run.wave(
    { write: { takes: 2_400, output: { text: "Done; two items need a person.", left: 2 } } },
    [],
  );
  await run.say("assistant", "Done; two items need a person.");
}

async function writePending(store: SqliteCheckpointStore, clock: Clock): Promise<void> {
  const run = new Run(store, clock, await create(store, SAMPLE.pending, "docs"));
  await run.say("user", "Index the handbook, all 214 pages.");
  const pages = new Map(
    Array.from({ length: 40 }, (_, page) => [`page-${page}`, `Chapter ${page}. `.repeat(60)]),
  );
  await run.wave({ load: { takes: 3_100, output: { pages, bytes: 4_812_330n } } }, ["embed"]);
  const vectors = Buffer.from(Array.from({ length: 6_000 }, (_, index) => (index * 37) % 251));
  await run.wave({ embed: { takes: 9_400, output: { vectors, dimensions: 384 } } }, ["cluster", "store"]);
}

async function writeFailed(store: SqliteCheckpointStore, clock: Clock): Promise<void> {
  const run = new Run(store, clock, await create(store, SAMPLE.failed, "mail"));
  await run.say("user", "Summarise the incident reports of this week.");
  await run.wave(
    { fetch: { takes: 1_200, output: { reports: 3, from: new URL("https://example.com/incidents") } } },
    ["summarise", "classify"],
  );
  await run.wave(
    {
      classify: { takes: 1_900, output: new Set(["network", "billing"]) },
      summarise: {
        takes: 4_200,
        error:
          "RateLimitError: 429 Too Many Requests: the model allows 40,000 tokens a minute, and 61,204 were sent\n    at request (model.ts:88:11)\n    at summarise (nodes/summarise.ts:21:18)",
      },
    },
    ["summarise"],
  );
}

async function writeLooped(store: SqliteCheckpointStore, clock: Clock): Promise<void> {
  const run = new Run(store, clock, await create(store, SAMPLE.looped, "scans"));
  await run.say("user", "Scan example.com, and stop when the report is complete.");
  await run.wave(
    { resolve: { takes: 420, output: { hosts: new Set(["192.0.2.1", "192.0.2.7"]), ttl: 300 } } },
    ["probe"],
  );
  const [, forked] = [
    await run.say("assistant", "It has two addresses. I probe their ports."),
    await run.wave(
      { whois: { takes: 650, output: { registrar: "IANA", since: new Date(808_372_800_000) } } },
      ["probe"],
    ),
  ];
  await run.nested("probe", [
    ["connect", 1_300],
    ["banner", 900],
  ]);
  await run.wave({ probe: { takes: 0, output: { open: [22, 443], filtered: [8080] } } }, ["verify"]);
  await run.wave(
    { verify: { takes: 700, output: { complete: false, missing: ["192.0.2.7:8080"] } } },
    ["probe"],
    { backEdge: "verify->probe", iteration: 1 },
  );
  await run.say("assistant", "Port 8080 of 192.0.2.7 did not answer: I probe it once more.");
  await run.nested("probe", [
    ["connect", 2_600],
    ["banner", 800],
  ]);
  await run.wave({ probe: { takes: 0, output: { open: [22, 443, 8080], filtered: [] } } }, ["verify"]);
  await run.wave({ verify: { takes: 640, output: { complete: true, missing: [] } } }, ["report"]);
  const report = {
    title: "example.com",
    text: "Three ports are open. 8080 answers slowly, with an old server.",
  };
  await run.wave({ report: { takes: 1_500, output: report } }, []);
  await run.say("assistant", report.text);

  clock.pass(600_000);
  const session = await store.fork(forked, { title: SAMPLE.fork });
  const fork = await Run.continuing(store, clock, session.id);
  await fork.say("user", "Leave the slow ports out.");
  await fork.wave({ probe: { takes: 700, output: { open: [22, 443], filtered: [] } } }, ["verify"]);
  await fork.wave({ verify: { takes: 500, output: { complete: true, missing: [] } } }, ["report"]);
  const short = { title: "example.com", text: "Two ports are open. Slow ports were left out." };
  await fork.wave({ report: { takes: 1_100, output: short } }, []);
  await fork.say("assistant", short.text);
}

async function create(
  store: SqliteCheckpointStore,
  title: string,
  workspaceId: string | null,
): Promise<string> {
  const options = workspaceId === null ? { title } : { title, workspaceId };
  return (await store.createSession("./agents", options)).id;
}

/** Time passes when it is told to, so that every file has the same times. */
class Clock {
  constructor(public time: number) {}

  readonly now = () => {
    this.time += 1;
    return this.time;
  };

  pass(milliseconds: number): void {
    this.time += milliseconds;
  }
}

interface Visit {
  takes: number;
  output?: unknown;
  error?: string;
}

/** Saves waves of nodes as the framework does: all results so far, and the nodes to go on with. */
class Run {
  #results: Record<string, CheckpointNodeResult> = {};
  #versions = new Map<string, number>();
  #step = 0;
  #cycle: NewCheckpoint["cycleState"];
  #startedAt: number | undefined;

  constructor(
    readonly store: SqliteCheckpointStore,
    readonly clock: Clock,
    readonly sessionId: string,
  ) {}

  static async continuing(store: SqliteCheckpointStore, clock: Clock, sessionId: string): Promise<Run> {
    const run = new Run(store, clock, sessionId);
    const latest = await store.getLatestCheckpoint(sessionId);
    run.#results = latest?.nodeResults ?? {};
    run.#versions.set("", latest?.version ?? 0);
    run.#step = (latest?.step ?? 0) + 1;
    return run;
  }

  async say(role: "user" | "assistant", content: string): Promise<void> {
    await this.store.addMessage(this.sessionId, { sessionId: this.sessionId, role, content });
  }

  /** The node's own graph; the next wave has the node. */
  async nested(namespace: string, nodes: readonly (readonly [node: string, takes: number])[]): Promise<void> {
    this.#startedAt = this.clock.time;
    const results: Record<string, CheckpointNodeResult> = {};
    for (const [index, [node, takes]] of nodes.entries()) {
      results[node] = this.#result({ takes, output: { node, attempts: index + 1 } }, this.clock.time);
      this.clock.pass(takes);
      const pending = nodes.slice(index + 1).map(([name]) => name);
      await this.#save(namespace, { ...results }, pending, index);
    }
  }

  /** Nodes at the same time. Resolves with the checkpoint's id. */
  async wave(
    visits: Record<string, Visit>,
    pendingNodes: string[],
    cycleState?: NewCheckpoint["cycleState"],
  ): Promise<string> {
    const startedAt = this.#startedAt ?? this.clock.time;
    this.clock.pass(Math.max(...Object.values(visits).map(({ takes }) => takes)));
    this.#startedAt = undefined;
    for (const [node, visit] of Object.entries(visits)) {
      const takes = visit.takes === 0 ? this.clock.time - startedAt : visit.takes;
      this.#results[node] = this.#result({ ...visit, takes }, startedAt);
    }
    this.#cycle = cycleState ?? this.#cycle;
    const id = await this.#save("", { ...this.#results }, pendingNodes, this.#step);
    this.#step += 1;
    return id;
  }

  #result({ takes, output, error }: Visit, startedAt: number): CheckpointNodeResult {
    const times = { startedAt, completedAt: startedAt + takes };
    return error === undefined
      ? { status: "completed", output, ...times }
      : { status: "failed", error, ...times };
  }

  async #save(
    namespace: string,
    nodeResults: Record<string, CheckpointNodeResult>,
    pendingNodes: string[],
    step: number,
  ): Promise<string> {
    const version = (this.#versions.get(namespace) ?? 0) + 1;
    this.#versions.set(namespace, version);
    const cycleState = namespace === "" ? this.#cycle : undefined;
    const { id } = await this.store.saveCheckpoint({
      ...{ sessionId: this.sessionId, namespace, version, step, source: "loop", nodeResults, pendingNodes },
      ...(cycleState === undefined ? {} : { cycleState }),
    });
    return id;
  }
}

if (import.meta.main) {
  await writeSampleRuns(process.argv[2] ?? "sample.db", Date.now());
}
