/** What every operation of the soak test works with: the store, the model, and the comparison of the two. */
import {
  CheckpointStoreError,
  SqliteCheckpointStore,
  type SqliteCheckpointStoreOptions,
} from "@obsku/checkpoint-sqlite";
import { difference } from "../../support/difference.js";
import { exoticValues } from "../../support/exotic-values.js";
import { longText } from "../../support/large-outputs.js";
import type { Random } from "../support/random.js";
import { Model, type ModelSession } from "./model.js";

/** The workspaces of this process; what other processes write is in others. */
export const WORKSPACES = ["soak-a", "soak-b", "soak-c"] as const;

/** Sessions of another process bear this workspace. */
export const WORKER_WORKSPACE = "soak-worker";

/** Longer than any transaction of the two processes may take on a busy machine. */
const BUSY_TIMEOUT = 60_000;

export class Soak {
  readonly model = new Model();
  readonly violations: string[] = [];
  comparisons = 0;
  store: SqliteCheckpointStore;
  #clockOffset = 0;

  constructor(
    readonly path: string,
    readonly random: Random,
  ) {
    this.store = this.open();
  }

  open(options: SqliteCheckpointStoreOptions = {}): SqliteCheckpointStore {
    return new SqliteCheckpointStore(this.path, {
      busyTimeout: BUSY_TIMEOUT,
      clock: () => Date.now() + this.#clockOffset,
      ...options,
    });
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = this.open({
      synchronous: this.random.pick(["full", "normal"]),
      vectorMemory: this.random.pick([0, 4_096, 268_435_456]),
      shareOutputs: this.random.chance(0.7),
    });
  }

  /** Up to an hour back or forward. */
  setClock(): void {
    this.#clockOffset = this.random.between(-3_600_000, 3_600_000);
  }

  compare(what: string, actual: unknown, expected: unknown): void {
    const found = difference(actual, expected, what);
    this.expect(found === undefined, found ?? what);
  }

  expect(holds: boolean, what: string): void {
    this.comparisons += 1;
    if (!holds) this.violations.push(what);
  }

  /** The call must reject with the error of that name. */
  async compareRejection(what: string, call: Promise<unknown>, name: string): Promise<void> {
    const outcome = await call.then(
      () => "no error",
      (error: unknown) => (error instanceof CheckpointStoreError ? error.name : String(error)),
    );
    this.compare(what, outcome, name);
  }

  anySession(): ModelSession | undefined {
    return this.#any(this.model.sessions);
  }

  anyEntityId(): string | undefined {
    return this.#any(this.model.entities)?.id;
  }

  anyFactId(): string | undefined {
    return this.#any(this.model.facts)?.id;
  }

  /** A record with something in it that plain JSON would lose. */
  record(): Record<string, unknown> {
    return { value: this.random.pick(exoticValues).make(), text: this.text() };
  }

  /** From one character to some pieces. There are few, so checkpoints have many in common, and parts of them. */
  output(): unknown {
    const text = longText(this.random.below(20), 2 ** this.random.between(0, 15));
    const entries = () =>
      Array.from({ length: this.random.between(1, 30) }, (_, index) => longText(index, 1_000));
    return this.random.pick([
      () => this.record(),
      () => text,
      () => ({ log: entries() }),
      () => new Map([[text, 5n]]),
    ])();
  }

  text(): string {
    return `${this.random.below(1e9)} — é 日本 🚀 `.repeat(
      this.random.between(1, this.random.chance(0.02) ? 2_000 : 12),
    );
  }

  optional<T>(make: () => T): T | undefined {
    return this.random.chance(0.5) ? make() : undefined;
  }

  #any<T>(map: ReadonlyMap<string, T>): T | undefined {
    return map.size === 0 ? undefined : this.random.pick([...map.values()]);
  }
}

/** Without the properties that are `undefined`, as a store returns its objects. */
export function present<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
