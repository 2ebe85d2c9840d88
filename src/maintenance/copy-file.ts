/**
 * A checked copy of one state of a database file, which backup and restore are.
 *
 * VACUUM INTO makes it, in a thread of its own. Other processes go on writing: under a write-ahead log the copy is of one state
 * and holds no lock that a writer waits for. Under a rollback journal, as 0.2.3 used it, writers wait until the copy is made.
 */
import { isDeepStrictEqual } from "node:util";
import type { Row } from "../database/connection.js";
import { codeOf, toStoreError } from "../database/sqlite-errors.js";
import { CheckpointCorruptionError, StorageError } from "../errors.js";
import { sleep } from "../runtime/event-loop.js";
import { openForReading } from "./opening.js";
import type { LongWork } from "./options.js";
import { SqlWorker, type Statement } from "./sql-worker.js";
import { TargetFile } from "./target-file.js";

/** What was copied. */
export interface BackupReport {
  /** The size of the copy. */
  bytes: number;
  pages: number;
  /** Rows by table, those of your own tables in the file too. */
  rows: Record<string, number>;
}

const SELECT_SIZES = `
  SELECT page_size AS pageSize, page_count - freelist_count AS pages
  FROM pragma_page_size, pragma_page_count, pragma_freelist_count`;

const SELECT_TABLES = `
  SELECT name
  FROM main.sqlite_schema
  WHERE type = 'table'
    AND rootpage > 0
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  ORDER BY name`;

const COUNT_VIOLATIONS = `
  SELECT count(*) AS count
  FROM pragma_foreign_key_check`;

/** One problem is enough. */
const CHECK_INTEGRITY = "PRAGMA integrity_check(1)";

/** Milliseconds between two reports of progress. */
const REPORT_EVERY = 50;

/** Changes when another connection commits. In a transaction it is that of the snapshot. */
const SELECT_DATA_VERSION = "PRAGMA data_version";

/** The two connections of the worker on the source. */
const COUNTING = 0;
const COPYING = 1;

/** What is the same in a file and its copy. */
interface Contents {
  rows: Record<string, number>;
  /** Foreign keys without a row to refer to: 0.2.3, for one, could leave some behind. */
  violations: number;
}

/**
 * @throws {CheckpointCorruptionError} if the source is damaged. Whatever goes wrong, nothing at the target has changed.
 *
 * @internal
 */
export async function copyFile(
  source: string,
  to: string,
  isOverwriting: boolean,
  work: LongWork,
): Promise<BackupReport> {
  work.throwIfAborted();
  const shape = shapeOf(source, work.busyTimeout);
  const target = new TargetFile(to, source, isOverwriting);
  try {
    const rows = await copyChecked(source, shape, target, work);
    work.throwIfAborted();
    const bytes = target.size;
    target.commit();
    return { bytes, pages: bytes / shape.pageSize, rows };
  } catch (error) {
    target.discard();
    throw toStoreErrorUnlessAborted(error, work);
  }
}

async function copyChecked(
  source: string,
  shape: Shape,
  target: TargetFile,
  work: LongWork,
): Promise<Record<string, number>> {
  target.create();
  const copied = await makeCopy(source, shape, target, work);
  const found = await checkCopy(shape.tables, target, work);
  if (!copied.wasWrittenTo && !isDeepStrictEqual(found, copied.contents)) {
    throw new StorageError(
      `the copy of ${JSON.stringify(source)} does not hold as many rows as the file, to which nobody wrote meanwhile. ` +
        "Nothing was left behind: verify the file, then call again.",
    );
  }
  return found.rows;
}

interface Shape {
  pageSize: number;
  pages: number;
  tables: readonly string[];
}

/** @throws {StoreOpenError} if a store would not open the file. */
function shapeOf(source: string, busyTimeout: number): Shape {
  const connection = openForReading(source, busyTimeout);
  try {
    const sizes = connection.queryOnce(SELECT_SIZES)[0];
    const tables = connection.queryOnce(SELECT_TABLES).map(({ name }) => String(name));
    return { pageSize: Number(sizes?.pageSize), pages: Number(sizes?.pages), tables };
  } finally {
    connection.close();
  }
}

/** The file immediately before it was copied. */
interface CopiedFile {
  contents: Contents;
  /** VACUUM INTO cannot run in the transaction that counts, so the copy may hold more commits: then its numbers may differ. */
  wasWrittenTo: boolean;
}

async function makeCopy(
  source: string,
  shape: Shape,
  target: TargetFile,
  work: LongWork,
): Promise<CopiedFile> {
  const worker = await SqlWorker.open([source, source], work.busyTimeout);
  try {
    const copying = worker.run(
      [
        { on: COUNTING, sql: "BEGIN" },
        { on: COUNTING, sql: SELECT_DATA_VERSION },
        { on: COPYING, sql: "VACUUM INTO ?1", parameters: [target.partial] },
      ],
      work.signal,
    );
    await reportGrowth(copying, shape, target, work);
    const [, before] = await copying;
    const contents = await readContents(worker, shape.tables, work);
    const [, after] = await worker.run(
      [
        { on: COUNTING, sql: "COMMIT" },
        { on: COUNTING, sql: SELECT_DATA_VERSION },
      ],
      work.signal,
    );
    return { contents, wasWrittenTo: !isDeepStrictEqual(before, after) };
  } finally {
    await close(worker, target, work);
  }
}

/** Ends with the copying, or as soon as the callback throws. */
async function reportGrowth(
  copying: Promise<unknown>,
  { pageSize, pages }: Shape,
  target: TargetFile,
  work: LongWork,
): Promise<void> {
  let isDone = false;
  const ended = copying.finally(() => {
    isDone = true;
  });
  ended.catch(() => {}); // It is awaited below, unless the callback throws first.
  while (!isDone) {
    await Promise.race([ended, sleep(REPORT_EVERY)]);
    const done = isDone ? pages : Math.min(Math.floor(target.size / pageSize), pages);
    work.report({ done, total: pages, unit: "pages" });
  }
  await ended;
}

async function checkCopy(tables: readonly string[], target: TargetFile, work: LongWork): Promise<Contents> {
  const worker = await SqlWorker.open([target.partial], work.busyTimeout);
  try {
    const [answers = []] = await worker.run([{ on: COUNTING, sql: CHECK_INTEGRITY }], work.signal);
    const problem = String(answers[0]?.integrity_check);
    if (problem !== "ok") {
      throw new CheckpointCorruptionError(
        `the database file itself: the copy fails integrity_check (${problem}). Nothing was left behind: restore a backup, or salvage the file.`,
      );
    }
    return await readContents(worker, tables, work);
  } finally {
    await close(worker, target, work);
  }
}

async function readContents(worker: SqlWorker, tables: readonly string[], work: LongWork): Promise<Contents> {
  const [violations, ...counts] = await worker.run(
    [COUNT_VIOLATIONS, ...tables.map(countRows)].map((sql): Statement => ({ on: COUNTING, sql })),
    work.signal,
  );
  const rows = Object.fromEntries(tables.map((table, index) => [table, countIn(counts[index])]));
  return { rows, violations: countIn(violations) };
}

function countRows(table: string): string {
  return `SELECT count(*) AS count FROM main."${table.replaceAll('"', '""')}"`;
}

function countIn(rows: readonly Row[] | undefined): number {
  return Number(rows?.[0]?.count);
}

/** After an abort nobody waits for the statement that is running; what it still writes is deleted when it has ended. */
async function close(worker: SqlWorker, target: TargetFile, work: LongWork): Promise<void> {
  const closed = worker.close();
  if (work.signal?.aborted === true) {
    closed.then(() => target.discard());
  } else {
    await closed;
  }
}

function toStoreErrorUnlessAborted(error: unknown, work: LongWork): unknown {
  const isOfSqlite = codeOf(error) !== undefined && work.signal?.aborted !== true;
  return isOfSqlite ? toStoreError(error, work.busyTimeout) : error;
}
