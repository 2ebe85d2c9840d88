/**
 * LangGraph's SqliteSaver doing the same job through its own API. Runs under Node: it refuses to start on Bun.
 *
 * A session is a thread; it has no row of its own. A checkpoint's node results and the thread's messages are channel
 * values, as in a graph whose state has a `messages` channel; a message on its own is a pending write of the thread's
 * newest checkpoint, which is the least that the saver can be asked to keep.
 */
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite";
import type { ListCheckpointsOptions, NewCheckpoint, NewMessage } from "../../src/types.js";
import { messageOf, prose } from "../harness/data.js";
import type { Durability, Subject } from "./subject.js";

interface Thread {
  newestCheckpointId: string;
  namespace: string;
  messages: NewMessage[];
}

const TASK = "agent";

export class LangGraphSubject implements Subject {
  readonly saver: SqliteSaver;
  readonly #threads = new Map<string, Thread>();
  #steps = 0;
  #writes = 0;

  /** Its own setting is the write-ahead log at synchronous NORMAL. */
  constructor(path: string, durability: Durability) {
    this.saver = SqliteSaver.fromConnString(path);
    this.saver.db.pragma("journal_mode = WAL");
    if (durability === "full") {
      this.saver.db.pragma("synchronous = FULL");
    }
  }

  async createSession(): Promise<{ id: string }> {
    const id = crypto.randomUUID();
    this.#threads.set(id, { newestCheckpointId: "", namespace: "", messages: [] });
    await this.#put(id, "", {});
    return { id };
  }

  /** Nothing to do: what is known of a thread is in its newest checkpoint, which getMessages reads. */
  getSession(): undefined {
    return undefined;
  }

  async addMessage(sessionId: string, message: NewMessage): Promise<void> {
    const thread = this.#thread(sessionId);
    thread.messages.push(message);
    // Each write has a task of its own, because the saver ignores a second one of the same task and channel.
    await this.saver.putWrites(
      configOf(sessionId, thread.namespace, thread.newestCheckpointId),
      [["messages", message]],
      `${TASK}-${++this.#writes}`,
    );
  }

  async getMessages(sessionId: string): Promise<readonly unknown[]> {
    const tuple = await this.saver.getTuple(configOf(sessionId, this.#thread(sessionId).namespace));
    const kept = tuple?.checkpoint.channel_values.messages;
    return [...(Array.isArray(kept) ? kept : []), ...(tuple?.pendingWrites ?? [])];
  }

  saveCheckpoint({ sessionId, namespace, nodeResults }: NewCheckpoint): Promise<{ id: string }> {
    return this.#put(sessionId, namespace, nodeResults);
  }

  /** Without a namespace it can only be found by a list. */
  async getLatestCheckpoint(sessionId: string, namespace?: string): Promise<unknown> {
    if (namespace !== undefined) {
      return this.saver.getTuple(configOf(sessionId, namespace));
    }
    const list = this.saver.list({ configurable: { thread_id: sessionId } }, { limit: 1 });
    const newest = await list.next();
    return newest.value;
  }

  /** Of one namespace only the newest, as the workloads ask. */
  async listCheckpoints(sessionId: string, { namespace }: ListCheckpointsOptions = {}): Promise<unknown[]> {
    return [await this.getLatestCheckpoint(sessionId, namespace)];
  }

  deleteSession(sessionId: string): Promise<void> {
    this.#threads.delete(sessionId);
    return this.saver.deleteThread(sessionId);
  }

  /** A thread of so many checkpoints, its namespaces in turn. */
  async fillCheckpoints(count: number, namespaces: readonly string[]): Promise<string> {
    const { id } = await this.createSession();
    for (let index = 0; index < count; index++) {
      const namespace = namespaces[index % namespaces.length] ?? "";
      await this.#put(id, namespace, { node: { status: "completed", output: prose(180, index) } });
    }
    return id;
  }

  /** A thread of so many messages, as pending writes of its one checkpoint. */
  async fillMessages(count: number): Promise<string> {
    const { id } = await this.createSession();
    const thread = this.#thread(id);
    const config = configOf(id, thread.namespace, thread.newestCheckpointId);
    const writes = Array.from({ length: count }, (_, index): [string, NewMessage] => [
      "messages",
      messageOf(id, index),
    ]);
    await this.saver.putWrites(config, writes, TASK);
    return id;
  }

  close(): void {
    this.saver.db.close();
  }

  async #put(sessionId: string, namespace: string, nodeResults: unknown): Promise<{ id: string }> {
    const thread = this.#thread(sessionId);
    const id = uuid6(this.#steps);
    const state = { nodes: nodeResults, messages: thread.messages };
    const checkpoint = { ...emptyCheckpoint(), id, channel_values: state };
    await this.saver.put(configOf(sessionId, namespace, thread.newestCheckpointId || undefined), checkpoint, {
      source: "loop",
      step: this.#steps++,
      parents: {},
    });
    thread.newestCheckpointId = id;
    thread.namespace = namespace;
    return { id };
  }

  #thread(sessionId: string): Thread {
    const thread = this.#threads.get(sessionId);
    if (thread === undefined) {
      throw new Error(`Thread ${sessionId} was not created`);
    }
    return thread;
  }
}

function configOf(thread_id: string, checkpoint_ns: string, checkpoint_id?: string) {
  return { configurable: { thread_id, checkpoint_ns, ...(checkpoint_id && { checkpoint_id }) } };
}
