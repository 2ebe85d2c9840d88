/**
 * A process that writes as fast as it can, with several calls in flight, and says what it does:
 * `bun recorded-writer.ts SETTINGS`.
 *
 * Its lines are with the kernel when writeSync returns, so that they outlive it. Nothing that it calls may fail: what
 * it deletes is used in no later call.
 */
import { writeSync } from "node:fs";
import { type NewEntity, type NewFact, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { killAt } from "../faults/crash/kill-points.js";
import type { Effect, Line, Write, WriterSettings } from "../faults/crash/writes.js";
import { Random } from "../faults/support/random.js";
import { longText } from "../support/large-outputs.js";

const MOST_SESSIONS = 9;
const LARGEST_BATCH = 8;
const MOST_IN_FLIGHT = 24;

/** What a later call may refer to. */
interface Known {
  id: string;
  sessionId: string;
}

class Writer {
  readonly #random: Random;
  readonly #sessions: string[] = [];
  #checkpoints: Known[] = [];
  #entities: Known[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #calls = 0;
  #batches = 0;

  constructor(
    readonly store: SqliteCheckpointStore,
    readonly settings: WriterSettings,
  ) {
    this.#random = new Random(settings.seed);
  }

  async run(): Promise<void> {
    while (this.#calls < (this.settings.calls ?? Number.POSITIVE_INFINITY)) {
      this.#callBatch();
      if (this.#inFlight.size > MOST_IN_FLIGHT || this.#random.chance(0.6)) await Promise.all(this.#inFlight);
      else await Bun.sleep(this.#random.below(3));
    }
    await Promise.all(this.#inFlight);
    await this.store.close();
  }

  /** All is announced before the first is called. */
  #callBatch(): void {
    const batch = ++this.#batches;
    const calls = Array.from({ length: this.#random.between(1, LARGEST_BATCH) }, () => {
      const call = ++this.#calls;
      return { call, batch, write: this.#next(`#${call}#`) };
    });
    say(...calls);
    for (const { call, write } of calls) {
      const settled: Promise<void> = this.#call(call, write).finally(() => this.#inFlight.delete(settled));
      this.#inFlight.add(settled);
    }
  }

  async #call(call: number, write: Write): Promise<void> {
    try {
      const effect = await this.#perform(write);
      say({ call, effect });
      this.#remember(effect);
    } catch (error) {
      say({ call, failed: String(error) });
      process.exit(1);
    }
  }

  async #perform(write: Write): Promise<Effect> {
    const { store } = this;
    switch (write.kind) {
      case "session":
        return { kind: "session", session: await store.createSession("/work", { title: write.title }) };
      case "message":
        return { kind: "message", message: await store.addMessage(write.message.sessionId, write.message) };
      case "checkpoint":
        return { kind: "checkpoint", checkpoint: await store.saveCheckpoint(write.checkpoint) };
      case "fork":
        return { ...write, session: await store.fork(write.checkpointId, { title: write.title }) };
      case "entity":
        return { kind: "entity", entity: await store.saveEntity(write.entity) };
      case "fact":
        return { kind: "fact", fact: await store.saveFact(write.fact) };
      case "deleteSession":
        await store.deleteSession(write.sessionId);
        return write;
      case "deleteEntity":
        await store.deleteEntity(write.entityId);
        return write;
    }
  }

  #remember(effect: Effect): void {
    if (effect.kind === "session" || effect.kind === "fork") this.#sessions.push(effect.session.id);
    // The session may have been deleted meanwhile.
    if (effect.kind === "checkpoint" && this.#knows(effect.checkpoint))
      this.#checkpoints.push(effect.checkpoint);
    if (effect.kind === "entity" && this.#knows(effect.entity)) this.#entities.push(effect.entity);
  }

  #knows({ sessionId }: Known): boolean {
    return this.#sessions.includes(sessionId);
  }

  #next(mark: string): Write {
    const sessionId = this.#sessions[this.#random.below(this.#sessions.length)];
    const dice = this.#random.fraction();
    if (sessionId === undefined || dice < 0.05) return { kind: "session", title: mark };
    if (dice < 0.15) return this.#fork(mark) ?? this.#message(mark, sessionId);
    if (dice < 0.35) return this.#checkpoint(mark, sessionId);
    if (dice < 0.45) return { kind: "entity", entity: this.#entity(mark, sessionId) };
    if (dice < 0.5) return { kind: "fact", fact: this.#fact(mark, sessionId) };
    if (dice < 0.55) return this.#deleteEntity() ?? this.#message(mark, sessionId);
    if (this.#sessions.length > MOST_SESSIONS) return this.#deleteSession(sessionId);
    return this.#message(mark, sessionId);
  }

  #message(mark: string, sessionId: string): Write {
    const call = { name: "look", toolUseId: mark, input: { query: this.#text(60), deep: [1, { n: null }] } };
    const toolCalls = this.#random.chance(0.3) ? { toolCalls: [call] } : {};
    // Now and then more than a page holds.
    const content = mark + this.#text(this.#random.chance(0.05) ? 9_000 : 300);
    return { kind: "message", message: { sessionId, role: "assistant", content, tokensIn: 7, ...toolCalls } };
  }

  #checkpoint(mark: string, sessionId: string): Write {
    return {
      kind: "checkpoint",
      checkpoint: {
        sessionId,
        namespace: this.#random.pick(["", "graph"]),
        version: this.#calls,
        step: this.#random.below(5),
        source: "loop",
        nodeResults: {
          [mark]: { status: "completed", output: { text: this.#text(900) }, startedAt: 5 },
          large: { status: "completed", output: this.#largeOutput() },
        },
        pendingNodes: ["next"],
        nodeId: mark,
      },
    };
  }

  /** One of few, so that checkpoints and sessions have many in common: a piece, several, or nothing large. */
  #largeOutput(): unknown {
    const seed = this.#random.below(6);
    return this.#random.pick([
      longText(seed),
      { entries: [longText(0, 9_000), longText(seed, 9_000)] },
      seed,
    ]);
  }

  #fork(title: string): Write | undefined {
    const checkpoint = this.#checkpoints[this.#random.below(this.#checkpoints.length)];
    return checkpoint && { kind: "fork", checkpointId: checkpoint.id, title };
  }

  #entity(name: string, sessionId: string): NewEntity {
    const attributes = { note: this.#text(80) };
    return { sessionId, name, type: "host", attributes, relationships: [], embedding: this.#embedding() };
  }

  #fact(content: string, sourceSessionId: string): NewFact {
    return { content, confidence: 0.5, sourceSessionId, embedding: this.#embedding() };
  }

  #embedding(): number[] {
    return Array.from({ length: 16 }, () => this.#random.fraction() + 0.001);
  }

  #deleteEntity(): Write | undefined {
    const [entity] = this.#entities.splice(this.#random.below(this.#entities.length), 1);
    return entity && { kind: "deleteEntity", entityId: entity.id };
  }

  #deleteSession(sessionId: string): Write {
    this.#sessions.splice(this.#sessions.indexOf(sessionId), 1);
    this.#checkpoints = this.#checkpoints.filter((checkpoint) => this.#knows(checkpoint));
    this.#entities = this.#entities.filter((entity) => this.#knows(entity));
    return { kind: "deleteSession", sessionId };
  }

  #text(longest: number): string {
    return "the quick brown fox é ".repeat(1 + this.#random.below(longest) / 22);
  }
}

function say(...lines: readonly Line[]): void {
  writeSync(1, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

const settings: WriterSettings = JSON.parse(process.argv[2] ?? "{}");
if (settings.kill) killAt(settings.kill);
const store = new SqliteCheckpointStore(settings.path, { synchronous: settings.synchronous });
await new Writer(store, settings).run();
