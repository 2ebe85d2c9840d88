/**
 * `prune`: deletes old checkpoints and idle sessions in short transactions, alongside running stores.
 *
 * Limits: a session of more than some hundred rows goes in several transactions; it stays, with what is left of it, if something is
 * written to it meanwhile. The freed pages stay in the file for new rows: `compact` gives them back.
 */
import type { Connection, Statements } from "../database/connection.js";
import { InvalidArgumentError } from "../errors.js";
import { ColumnReader } from "../rows/column-reader.js";
import { OutputsSweep, type StoredOutput } from "../tables/outputs-sweep.js";
import {
  optionalBoolean,
  optionalObject,
  optionalPositiveInteger,
  optionalText,
  optionalTexts,
  optionalTime,
  requiredObject,
} from "../validation/arguments.js";
import { type CheckpointRules, ExpiredCheckpoints } from "./expired-checkpoints.js";
import { IdleSessions, SESSION_TABLES, type SessionRow, type SessionTable } from "./idle-sessions.js";
import { openForReading, openForWriting } from "./opening.js";
import { filePath, type LongRunningOptions, type LongWork, longRunning } from "./options.js";
import { requireProgress } from "./paging.js";
import { Sweeping } from "./sweeping.js";
import { ShortTransactions, STEP_ROWS, stepOf } from "./transactions.js";

/**
 * What to delete: at least one of the first three. A checkpoint goes if any rule says so; the newest of its session and namespace
 * never does, unless the whole session goes. Facts stay.
 */
export interface PrunePolicy {
  /** Keeps the newest so many checkpoints of each session and namespace, at least 1. */
  keepCheckpoints?: number | undefined;
  /** Deletes checkpoints that were saved before this time, in milliseconds since the epoch. */
  checkpointsOlderThan?: number | undefined;
  /**
   * Deletes sessions, with everything in them, in which nothing was written since this time, in milliseconds since the epoch: no
   * message, no checkpoint, no entity, no update.
   */
  sessionsIdleSince?: number | undefined;
  /** Only these sessions. Unknown ids are no error. */
  sessionIds?: readonly string[] | undefined;
  /** Only sessions of this workspace. */
  workspaceId?: string | undefined;
  /** Only checkpoints of this namespace; not with `sessionsIdleSince`, because a session goes as a whole. */
  namespace?: string | undefined;
  /**
   * Changes nothing, and reports what would go.
   * @default false
   */
  dryRun?: boolean | undefined;
}

export interface PruneReport {
  sessions: number;
  checkpoints: number;
  messages: number;
  /** Outputs that are kept once per session, and that no checkpoint refers to any more. */
  outputs: number;
  /** Of the texts in the deleted rows, without indexes and the rest of their pages. */
  bytes: number;
  dryRun: boolean;
}

/** @internal */
export const PRUNE_SQL = {
  count: `
    SELECT count(*) AS count
    FROM main.sessions
    WHERE ?1 IS NULL
      OR workspace_id = ?1`,

  page: `
    SELECT id
    FROM main.sessions
    WHERE id > +?1
      AND (?2 IS NULL OR workspace_id = +?2)
    ORDER BY id
    LIMIT +?3`,

  isInScope: `
    SELECT 1
    FROM main.sessions
    WHERE id = ?1
      AND (?2 IS NULL OR workspace_id = ?2)`,
};

/** What the report counts; of entities it has the bytes only. */
type Counted = "sessions" | "outputs" | SessionTable;

/** As SQL's LIMIT takes it. */
const ALL = -1;

interface Rules extends CheckpointRules {
  sessionsIdleSince: number | null;
  /** `null`: all. */
  sessionIds: readonly string[] | null;
  workspaceId: string | null;
  dryRun: boolean;
}

/**
 * Deletes checkpoints and sessions by a policy, and the outputs that nothing refers to any more.
 *
 * Killed or aborted, it leaves a whole file, and another call finishes its work.
 *
 * @throws {InvalidArgumentError} for a policy without a rule, or one that is not allowed.
 * @throws {StoreOpenError} if there is no such file, or a store would not open it.
 * @throws {StoreBusyError} if another connection held the lock for longer than `busyTimeout`. What was deleted before stays so.
 *
 * @example
 * const report = await prune("runs.db", { keepCheckpoints: 10, sessionsIdleSince: Date.now() - 90 * 86_400_000 });
 */
export async function prune(
  path: string,
  policy: PrunePolicy,
  options?: LongRunningOptions,
): Promise<PruneReport> {
  const file = filePath("path", path);
  const rules = encodePolicy(policy);
  const { work } = longRunning(options);
  work.throwIfAborted();
  const open = rules.dryRun ? openForReading : openForWriting;
  const connection = open(file, work.busyTimeout);
  try {
    return await new Pruning(connection, rules, work).run();
  } finally {
    connection.close();
  }
}

const POLICY_NAMES = [
  "keepCheckpoints",
  "checkpointsOlderThan",
  "sessionsIdleSince",
  "sessionIds",
  "workspaceId",
  "namespace",
  "dryRun",
] as const;

function encodePolicy(policy: unknown): Rules {
  requiredObject("policy", policy, []);
  const given = optionalObject("policy", policy, POLICY_NAMES);
  const rules: Rules = {
    keepCheckpoints: optionalPositiveInteger("policy.keepCheckpoints", given.keepCheckpoints),
    checkpointsOlderThan: optionalTime("policy.checkpointsOlderThan", given.checkpointsOlderThan),
    sessionsIdleSince: optionalTime("policy.sessionsIdleSince", given.sessionsIdleSince),
    sessionIds: optionalTexts("policy.sessionIds", given.sessionIds),
    workspaceId: optionalText("policy.workspaceId", given.workspaceId),
    namespace: optionalText("policy.namespace", given.namespace),
    dryRun: optionalBoolean("policy.dryRun", given.dryRun) ?? false,
  };
  refuseContradictions(rules);
  return rules;
}

function refuseContradictions(rules: Rules): void {
  if (!hasCheckpointRule(rules) && rules.sessionsIdleSince === null) {
    throw new InvalidArgumentError(
      "policy",
      "has no rule, which is not taken for everything: give keepCheckpoints, checkpointsOlderThan or sessionsIdleSince",
    );
  }
  if (rules.namespace !== null && rules.sessionsIdleSince !== null) {
    throw new InvalidArgumentError(
      "policy.namespace",
      "cannot be given with sessionsIdleSince, because a session goes with all its namespaces: call prune twice",
    );
  }
}

function hasCheckpointRule({ keepCheckpoints, checkpointsOlderThan }: Rules): boolean {
  return keepCheckpoints !== null || checkpointsOlderThan !== null;
}

/** What one transaction of a session's deletion did. */
interface SessionStep {
  /** `"active"`: something was written to the session meanwhile, and nothing was deleted. */
  outcome: "active" | "begun" | "deleted";
  rows: readonly SessionRow[];
  outputs: readonly StoredOutput[];
}

const sessions = new ColumnReader("sessions");

class Pruning {
  readonly #rules: Rules;
  readonly #work: LongWork;
  readonly #statements: Statements<keyof typeof PRUNE_SQL>;
  readonly #transactions: ShortTransactions;
  readonly #expired: ExpiredCheckpoints;
  readonly #idle: IdleSessions;
  readonly #outputs: OutputsSweep;
  readonly #sweeping: Sweeping;
  readonly #report: PruneReport;

  constructor(connection: Connection, rules: Rules, work: LongWork) {
    this.#rules = rules;
    this.#work = work;
    this.#statements = connection.statements(PRUNE_SQL);
    this.#transactions = new ShortTransactions(connection, work.busyTimeout);
    this.#expired = new ExpiredCheckpoints(connection, rules);
    this.#idle = new IdleSessions(connection, rules.sessionsIdleSince ?? Number.MIN_SAFE_INTEGER);
    this.#outputs = new OutputsSweep(connection);
    this.#sweeping = new Sweeping(connection, this.#transactions);
    this.#report = { sessions: 0, checkpoints: 0, messages: 0, outputs: 0, bytes: 0, dryRun: rules.dryRun };
  }

  async run(): Promise<PruneReport> {
    const { sessionIds, workspaceId } = this.#rules;
    let done = 0;
    let total = sessionIds?.length ?? Number(this.#statements.count.get(workspaceId)?.count);
    for (const id of this.#sessions()) {
      await (this.#rules.dryRun ? this.#estimate(id) : this.#pruneSession(id));
      done += 1;
      total = Math.max(total, done);
      await this.#work.endStep({ done, total, unit: "sessions" });
    }
    return this.#report;
  }

  /** Pages by id, so it does not matter which sessions come and go meanwhile. */
  *#sessions(): Generator<string> {
    const { sessionIds, workspaceId } = this.#rules;
    if (sessionIds !== null) {
      yield* sessionIds.filter((id) => this.#statements.isInScope.get(id, workspaceId) !== null);
      return;
    }
    let last: string | undefined = "";
    while (last !== undefined) {
      const rows = this.#statements.page.all(last, workspaceId, STEP_ROWS);
      const page = rows.map((row) => sessions.text(row, "id"));
      yield* page;
      const end: string | undefined = page.at(-1);
      last = end === undefined ? undefined : requireProgress("sessions", last, end);
    }
  }

  async #pruneSession(id: string): Promise<void> {
    if (this.#isIdle(id) && (await this.#deleteSession(id))) {
      return;
    }
    if (hasCheckpointRule(this.#rules)) {
      await this.#deleteExpired(id);
      await this.#sweep(id);
    }
  }

  #isIdle(id: string): boolean {
    return this.#rules.sessionsIdleSince !== null && this.#idle.isIdle(id);
  }

  /** Returns whether the session is gone: it stays if something is written to it before its last row is deleted. */
  async #deleteSession(id: string): Promise<boolean> {
    const own = this.#idle.bytes(id);
    for (;;) {
      const { outcome, rows, outputs } = await this.#transactions.run(() => this.#deleteSessionStep(id));
      this.#countRows(rows);
      this.#count("outputs", outputs);
      if (outcome === "deleted") {
        this.#count("sessions", [{ bytes: own }]);
      }
      if (outcome !== "begun") {
        return outcome === "deleted";
      }
      this.#work.throwIfAborted();
    }
  }

  /** Deletes the next rows of a session; the last ones, and the outputs that they refer to, go with the session itself. */
  #deleteSessionStep(id: string): SessionStep {
    if (!this.#idle.isIdle(id)) {
      return { outcome: "active", rows: [], outputs: [] };
    }
    const rows = SESSION_TABLES.flatMap((table) => this.#idle.rows(table, id, STEP_ROWS + 1));
    if (stepOf(rows).length < rows.length) {
      return this.#deletePart(id, stepOf(rows), []);
    }
    const outputs = this.#outputs.stored(id, STEP_ROWS + 1);
    if (stepOf(outputs).length < outputs.length) {
      const referring = rows.filter(({ table }) => table === "checkpoints");
      return this.#deletePart(id, referring, stepOf(outputs));
    }
    this.#idle.deleteSession(id);
    return { outcome: "deleted", rows, outputs };
  }

  #deletePart(id: string, rows: readonly SessionRow[], outputs: readonly StoredOutput[]): SessionStep {
    this.#idle.delete(rows);
    this.#outputs.delete(id, outputs);
    return { outcome: "begun", rows, outputs };
  }

  async #deleteExpired(id: string): Promise<void> {
    for (const namespace of this.#expired.namespaces(id)) {
      await this.#deleteExpiredIn(id, namespace);
    }
  }

  /** The write lock is taken only if there is something to delete. */
  async #deleteExpiredIn(id: string, namespace: string): Promise<void> {
    const find = () => this.#expired.first(id, namespace, STEP_ROWS);
    while (find().length > 0) {
      const deleted = await this.#transactions.run(() => {
        const step = stepOf(find());
        this.#expired.delete(step);
        return step;
      });
      this.#count("checkpoints", deleted);
      this.#work.throwIfAborted();
    }
  }

  /** Also what a call that was killed before its sweep left behind. */
  async #sweep(id: string): Promise<void> {
    await this.#sweeping.deleteUnused(id, (outputs) => {
      this.#count("outputs", outputs);
      this.#work.throwIfAborted();
    });
  }

  /** Counts what {@link #pruneSession} would delete. */
  async #estimate(id: string): Promise<void> {
    if (this.#isIdle(id)) {
      this.#count("sessions", [{ bytes: this.#idle.bytes(id) }]);
      this.#countRows(SESSION_TABLES.flatMap((table) => this.#idle.rows(table, id, ALL)));
      this.#count("outputs", this.#outputs.stored(id, ALL));
    } else if (hasCheckpointRule(this.#rules)) {
      const expired = this.#expired
        .namespaces(id)
        .flatMap((namespace) => this.#expired.first(id, namespace, ALL));
      this.#count("checkpoints", expired);
      const dropped = new Set(expired.map(({ position }) => position));
      this.#count("outputs", this.#outputs.unused(id, dropped).outputs);
    }
  }

  #countRows(rows: readonly SessionRow[]): void {
    for (const table of SESSION_TABLES) {
      this.#count(
        table,
        rows.filter((row) => row.table === table),
      );
    }
  }

  #count(what: Counted, rows: readonly { bytes: number }[]): void {
    if (what !== "entities") {
      this.#report[what] += rows.length;
    }
    this.#report.bytes += rows.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
