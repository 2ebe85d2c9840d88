/**
 * `copyToPostgres`: the rows of a file into the tables of `@obsku/checkpoint-postgres`.
 *
 * Limits: the file is read twice, first to check it. Meanwhile its read transaction keeps the write-ahead log from being cut. What
 * stores write after the call is not copied.
 */
import { openForReading } from "../maintenance/opening.js";
import { filePath, type LongWork, longRunning } from "../maintenance/options.js";
import { oneOf, optionalBoolean, optionalText, optionalTexts } from "../validation/arguments.js";
import { Check, type CheckSettings, type Findings } from "./check.js";
import { type CopyProblem, DoesNotFitError } from "./does-not-fit-error.js";
import type { CopyToPostgresOptions } from "./options.js";
import type { CopyDifference, RowCounts } from "./reports.js";
import { PostgresServer, type Purpose, serverUrl } from "./server.js";
import { type Scope, Source } from "./source.js";
import { totalOf, type Value } from "./tables.js";
import {
  createMissing,
  raiseMessageIds,
  readTargetTables,
  requireUtf8,
  reserveMessageIds,
  TableWriter,
  type TargetTable,
} from "./target.js";

export interface CopyToPostgresReport {
  /** Rows that were copied, or would be. */
  rows: RowCounts;
  /** Rows that were left out, because their session, or the fact, is there already. */
  skipped: RowCounts;
  /** What did not fit: all that `fix` replaced, and in a dry run all that would have to be. */
  problems: CopyProblem[];
  /** What is different there, although it fits. */
  differences: CopyDifference[];
  dryRun: boolean;
}

interface Settings extends CheckSettings {
  scope: Scope;
  dryRun: boolean;
}

const OPTION_NAMES = [
  "sessionIds",
  "workspaceId",
  "onConflict",
  "fix",
  "renumberSteps",
  "renumberMessages",
  "dryRun",
] as const;

const WRITE: Purpose = { begin: "BEGIN", ifFailed: "Nothing was written there." };

/**
 * Copies sessions with everything in them, and facts: one state of the file, in one transaction there. Creates the tables that
 * are missing. Ids, times and texts stay the same; outputs that are kept once are written whole.
 *
 * Everything is checked first. If it rejects, nothing was written, except that an `OutcomeUnknownError` leaves that open.
 *
 * @param url Such as `postgres://user@localhost:5432/agents`, or `postgres://user@/agents?host=/run/postgresql` for a Unix socket.
 * @throws {DoesNotFitError} with all that PostgreSQL would not take.
 * @throws {SessionNotFoundError} for an id in `sessionIds`.
 * @throws {StorageError} for what the server answers, such as a missing right.
 * @throws {OutcomeUnknownError} if the server does not answer to COMMIT: call again with `onConflict: "skip"`.
 *
 * @example
 * const { problems, differences } = await copyToPostgres("runs.db", process.env.POSTGRES_URL, { dryRun: true });
 */
export async function copyToPostgres(
  path: string,
  url: string,
  options?: CopyToPostgresOptions,
): Promise<CopyToPostgresReport> {
  const file = filePath("path", path);
  const server = serverUrl("url", url);
  const { given, work } = longRunning(options, OPTION_NAMES);
  const settings: Settings = {
    scope: {
      sessionIds: optionalTexts("options.sessionIds", given.sessionIds),
      workspaceId: optionalText("options.workspaceId", given.workspaceId),
    },
    onConflict: oneOf("options.onConflict", given.onConflict ?? "error", ["error", "skip"]),
    fix: optionalBoolean("options.fix", given.fix) ?? false,
    renumberSteps: optionalBoolean("options.renumberSteps", given.renumberSteps) ?? false,
    renumberMessages: optionalBoolean("options.renumberMessages", given.renumberMessages) ?? false,
    dryRun: optionalBoolean("options.dryRun", given.dryRun) ?? false,
  };
  work.throwIfAborted();
  const connection = openForReading(file, work.busyTimeout);
  try {
    return await Source.read(connection, settings, work, (source) =>
      PostgresServer.transaction(server, WRITE, work.signal, (there) => copy(source, there, settings, work)),
    );
  } finally {
    connection.close();
  }
}

async function copy(
  source: Source,
  server: PostgresServer,
  settings: Settings,
  work: LongWork,
): Promise<{ result: CopyToPostgresReport; commit: boolean }> {
  await requireUtf8(server);
  const targets = await readTargetTables(server);
  const check = new Check(server, source, settings, work);
  await check.run(targets);
  const unfixed = check.findings.problems.filter(({ fix }) => fix === undefined);
  if (unfixed.length > 0 && !settings.dryRun) {
    throw new DoesNotFitError(unfixed);
  }
  if (!settings.dryRun) {
    await createMissing(server, targets);
    await new Copy(server, source, check, work).run(targets, settings.renumberMessages);
  }
  return { result: reportOf(check.findings, settings.dryRun), commit: !settings.dryRun };
}

function reportOf({ rows, skipped, problems, differences }: Findings, dryRun: boolean): CopyToPostgresReport {
  return { rows, skipped, problems, differences, dryRun };
}

/** Rows between two reports of progress. */
const STEP_ROWS = 1_000;

class Copy {
  readonly #server: PostgresServer;
  readonly #source: Source;
  readonly #check: Check;
  readonly #work: LongWork;
  readonly #total: number;
  #done = 0;
  #lastMessageId = 0n;

  constructor(server: PostgresServer, source: Source, check: Check, work: LongWork) {
    this.#server = server;
    this.#source = source;
    this.#check = check;
    this.#work = work;
    this.#total = totalOf(check.findings.rows);
  }

  async run(targets: readonly TargetTable[], renumbersMessages: boolean): Promise<void> {
    if (renumbersMessages) {
      this.#lastMessageId = await reserveMessageIds(this.#server, this.#check.findings.rows.messages);
    }
    for (const target of targets) {
      const isRenumbered = renumbersMessages && target.table.name === "messages";
      await this.#copyTable(target, isRenumbered);
    }
    const last = largest(this.#source.lastMessageId(), this.#lastMessageId);
    if (!renumbersMessages && last > 0n) {
      await raiseMessageIds(this.#server, last);
    }
    await this.#endStep();
  }

  async #copyTable(target: TargetTable, isRenumbered: boolean): Promise<void> {
    const writer = new TableWriter(this.#server, target);
    for (const read of this.#source.rows(target.table)) {
      const values = this.#check.valuesOf(target, read);
      if (values !== undefined) {
        await writer.write(target.table.name === "messages" ? this.#numbered(values, isRenumbered) : values);
        this.#done += 1;
        if (this.#done % STEP_ROWS === 0) {
          await this.#endStep();
        }
      }
    }
    await writer.end();
  }

  /** The id is the first of a message's columns. */
  #numbered([id = null, ...others]: readonly Value[], isRenumbered: boolean): Value[] {
    if (isRenumbered) {
      this.#lastMessageId += 1n;
      return [this.#lastMessageId, ...others];
    }
    if (typeof id === "bigint" && id > this.#lastMessageId) {
      this.#lastMessageId = id;
    }
    return [id, ...others];
  }

  #endStep(): Promise<void> {
    return this.#work.endStep({ done: this.#done, total: this.#total, unit: "rows copied" });
  }
}

function largest(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
