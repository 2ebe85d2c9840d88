/** Paths at which there is no store: a clear error, or it works, and what is there stays as it is to the byte. */
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { asNobody, canRunAsNobody, commandOf } from "../support/children.js";
import { runOn } from "../support/sql.js";
import { createTemporaryFolder } from "../support/temporary-folder.js";
import type { Report, ReportRow, Scenario } from "./scenario.js";
import { writeEarlier } from "./support/attempts.js";
import { Random } from "./support/random.js";

/** `works`, or the error and what its message must say. */
type Expectation = "works" | RegExp;

interface HostileFile {
  readonly name: string;
  /** Puts something at the path, or gives another one. `good`: a closed file of a store. */
  readonly make: (path: string, good: string) => unknown;
  readonly writable: Expectation;
  readonly readonly: Expectation;
  /** Opened by a user who owns nothing. */
  readonly asNobody?: boolean;
  /** What else must hold if it works. */
  readonly faultAfter?: (path: string) => string | undefined;
  /** If it works, the file may become a store. */
  readonly becomesStore?: boolean;
}

interface Opening {
  readonly sessions?: number;
  readonly error?: string;
  readonly message?: string;
}

const LONGEST_OPENING = 10_000;
const LONGEST_MESSAGE = 2_000;
/** The short form tries one of so many: each is opened by two processes of its own. */
const SHORT_FORM = 4;
const random = new Random(7);

const FILES: readonly HostileFile[] = [
  {
    name: "a symbolic link to a store",
    make: (path, good) => symlinkSync(good, path),
    writable: "works",
    readonly: "works",
  },
  {
    name: "a dangling symbolic link",
    make: (path) => symlinkSync(`${path}-nowhere`, path),
    writable: "works",
    readonly: /does not exist/,
    faultAfter: faultOfMode,
    becomesStore: true,
  },
  { name: "a symbolic link to itself", make: (path) => symlinkSync(path, path), ...both(/ELOOP/) },
  { name: "a directory", make: (path) => mkdirSync(path), ...both(/is a directory/) },
  {
    name: "a symbolic link to a directory",
    make: (path) => {
      mkdirSync(`${path}-d`);
      symlinkSync(`${path}-d`, path);
    },
    ...both(/is a directory/),
  },
  { name: "a FIFO", make: (path) => Bun.spawnSync(["mkfifo", path]), ...both(/not a regular file/) },
  { name: "a socket", make: makeSocket, ...both(/not a regular file/) },
  { name: "/dev/null", make: () => "/dev/null", ...both(/not a regular file/) },
  {
    name: "a path below a file",
    make: (path) => {
      writeFileSync(path, "file");
      return join(path, "store.db");
    },
    ...both(/ENOTDIR|not a directory/),
  },
  {
    name: "a name of 300 characters",
    make: (path) => path + "x".repeat(300),
    ...both(/ENAMETOOLONG|name too long/),
  },
  {
    name: "a text",
    make: (path) => writeFileSync(path, "A letter, not a database. ".repeat(300)),
    ...both(/not a SQLite database/),
  },
  {
    name: "random bytes",
    make: (path) => writeFileSync(path, random.bytes(20_000)),
    ...both(/not a SQLite database/),
  },
  {
    name: "a text of ten bytes",
    make: (path) => writeFileSync(path, "0123456789"),
    ...both(/not a SQLite database/),
  },
  {
    name: "a file of one byte",
    make: (path) => writeFileSync(path, "x"),
    ...both(/not a SQLite database/),
  },
  {
    name: "SQLite's header and random bytes",
    make: (path) =>
      writeFileSync(path, Buffer.concat([Buffer.from("SQLite format 3\0"), random.bytes(20_000)])),
    ...both(/not a SQLite database|damaged/),
  },
  {
    name: "a store cut off half way",
    make: (path, good) => writeFileSync(path, readFileSync(good).subarray(0, 10_000)),
    ...both(/damaged/),
  },
  {
    name: "a store with its first page zeroed",
    make: (path, good) => writeFileSync(path, readFileSync(good).fill(0, 0, 4096)),
    ...both(/not a SQLite database|damaged/),
  },
  {
    name: "an empty file",
    make: (path) => writeFileSync(path, ""),
    writable: "works",
    readonly: /missing tables.*sessions/,
    becomesStore: true,
  },
  {
    name: "a store of a newer schema",
    make: (path, good) =>
      withStatements(path, good, "INSERT INTO checkpoint_sqlite_migrations VALUES (999, 'future', 1)"),
    ...both(/999 is newer/),
  },
  {
    name: "a store without one of its tables",
    make: (path, good) => withStatements(path, good, "DROP TABLE messages"),
    ...both(/missing tables.*messages/),
  },
  {
    name: "another application's file, no names in common",
    make: (path) =>
      runOn(
        path,
        "CREATE TABLE notes (a TEXT)",
        "INSERT INTO notes VALUES ('kept')",
        "PRAGMA user_version = 41",
        "PRAGMA application_id = 7",
      ),
    writable: "works",
    readonly: /missing tables.*sessions/,
    becomesStore: true,
  },
  {
    name: "another application's file with a table sessions",
    make: (path) =>
      runOn(path, "CREATE TABLE sessions (sid TEXT, data TEXT)", "INSERT INTO sessions VALUES ('a', 'b')"),
    ...both(/sessions has a different definition/),
  },
  {
    name: "another application's file with a view messages",
    make: (path) => runOn(path, "CREATE TABLE mails (id)", "CREATE VIEW messages AS SELECT * FROM mails"),
    ...both(/messages has a different definition/),
  },
  {
    name: "another application's file with an index of our name",
    make: (path) => runOn(path, "CREATE TABLE mails (id)", "CREATE INDEX idx_messages_session ON mails (id)"),
    ...both(/idx_messages_session has a different definition/),
  },
  {
    name: "another application's file with a table checkpoint_sqlite_vectors",
    make: (path) => runOn(path, "CREATE TABLE checkpoint_sqlite_vectors (a)"),
    ...both(/checkpoint_sqlite_vectors has a different definition/),
  },
  {
    name: "another application's file with a table checkpoint_sqlite_migrations",
    make: (path) => runOn(path, "CREATE TABLE checkpoint_sqlite_migrations (a)"),
    ...both(/checkpoint_sqlite_migrations has a different definition/),
  },
  {
    name: "another application's file with a trigger of our name",
    make: (path) =>
      runOn(
        path,
        "CREATE TABLE mails (id)",
        "CREATE TRIGGER checkpoint_sqlite_fact_inserted AFTER INSERT ON mails BEGIN SELECT 1; END",
      ),
    ...both(/checkpoint_sqlite_fact_inserted|missing tables.*sessions/),
  },
  {
    name: "a store beside which its log is random bytes",
    make: (path, good) => {
      copyFileSync(good, path);
      writeFileSync(`${path}-wal`, random.bytes(9_000));
    },
    writable: "works",
    readonly: "works",
    becomesStore: true,
  },
  {
    name: "a backup of a store, beside the log of another",
    make: (path, good) => makeRestored(path, good),
    ...both(/the log of another database file/),
  },
  {
    name: "nothing, beside the log of a store that was moved away",
    make: (path, good) => {
      makeRestored(path, good);
      unlinkSync(path);
    },
    writable: /no longer there/,
    readonly: /does not exist/,
  },
  {
    name: "a store with a hard link",
    make: (path, good) => linkSync(good, path),
    ...both(/hard link/),
  },
  {
    name: "a store beside which its log is a directory",
    make: (path, good) => {
      copyFileSync(good, path);
      mkdirSync(`${path}-wal`);
    },
    ...both(/./),
  },
  {
    name: "a store that may not be read",
    make: (path, good) => {
      copyFileSync(good, path);
      chmodSync(path, 0o600);
    },
    ...both(/no permission/),
    asNobody: true,
  },
  {
    name: "a store that may only be read",
    make: (path, good) => {
      copyFileSync(good, path);
      chmodSync(path, 0o644);
    },
    writable: /no permission/,
    readonly: /folder/,
    asNobody: true,
  },
  {
    name: "a folder that may not be written to",
    make: () => undefined,
    writable: /cannot be created/,
    readonly: /does not exist/,
    asNobody: true,
  },
];

export const hostileFiles: Scenario = {
  name: "hostile-files",
  about:
    "Something else than a store is at the path: a clear typed error or it works, and the file unchanged to the byte.",
  missing: () => undefined,
  async run(scale, progress): Promise<Report> {
    const rows: ReportRow[] = [];
    const violations: string[] = [];
    const hasNobody = canRunAsNobody();
    for (const file of FILES.filter((_, index) => scale === "full" || index % SHORT_FORM === 0)) {
      progress(file.name);
      if (file.asNobody === true && !hasNobody) {
        rows.push(toRow(`${file.name} (skipped: needs root and setpriv)`, "", "", 0));
      } else {
        rows.push(await tryFile(file, violations));
      }
    }
    return { rows, violations };
  },
};

async function tryFile(file: HostileFile, violations: string[]): Promise<ReportRow> {
  const before = violations.length;
  const writable = await tryOpening(file, false, violations);
  const readonly = await tryOpening(file, true, violations);
  return toRow(file.name, describe(writable), describe(readonly), violations.length - before);
}

async function tryOpening(file: HostileFile, readonly: boolean, violations: string[]): Promise<Opening> {
  const folder = await createTemporaryFolder();
  try {
    chmodSync(folder.path, 0o755);
    const good = join(folder.path, "good.db");
    await makeGood(good);
    const made = join(folder.path, "path");
    mkdirSync(made);
    const given = join(made, "store.db");
    const other = file.make(given, good);
    const path = typeof other === "string" ? other : given;
    const before = contentsOf(folder.path, readonly);
    const opening = open(path, readonly, file.asNobody === true);
    const expectation = readonly ? file.readonly : file.writable;
    const mayChange = expectation === "works" && file.becomesStore === true;
    const note = (what: string) =>
      violations.push(`${file.name}, ${readonly ? "readonly" : "writable"}: ${what}`);
    const fault = faultOf(opening, expectation);
    if (fault !== undefined) note(fault);
    const faultAfter = opening.error === undefined ? file.faultAfter?.(path) : undefined;
    if (faultAfter !== undefined) note(faultAfter);
    const after = contentsOf(folder.path, readonly);
    if (!mayChange && after !== before) note(`changed the files from\n${before}\nto\n${after}`);
    if (readonly && after !== before) note("readonly changed the files");
    return opening;
  } finally {
    await folder.remove();
  }
}

function open(path: string, readonly: boolean, isNobody: boolean): Opening {
  const command = commandOf("open-store.ts", [path, JSON.stringify({ readonly, busyTimeout: 500 })]);
  const child = Bun.spawnSync(isNobody ? asNobody(command) : command, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: LONGEST_OPENING,
  });
  const answer = child.stdout.toString().split("\n")[1];
  if (answer === undefined || answer === "") {
    return {
      error: "none",
      message: `no answer: ${child.exitCode ?? child.signalCode} ${child.stderr.toString()}`,
    };
  }
  return JSON.parse(answer) as Opening;
}

function faultOf({ error, message = "" }: Opening, expectation: Expectation): string | undefined {
  if (expectation === "works") return error === undefined ? undefined : `${error}: ${message}`;
  if (error !== "StoreOpenError")
    return `was not refused with StoreOpenError: ${error ?? "it works"}: ${message}`;
  if (!expectation.test(message)) return `the message does not say ${String(expectation)}: ${message}`;
  return message.length > LONGEST_MESSAGE ? `the message has ${message.length} characters` : undefined;
}

/** A file that a store makes can be read by its owner only. */
function faultOfMode(path: string): string | undefined {
  const mode = (statSync(path).mode & 0o777).toString(8);
  return mode === "600" ? undefined : `made a file of mode ${mode}, not 600`;
}

/**
 * Kind, mode and content of everything in the folder. Nothing of it is open in this process.
 *
 * @param withoutLog A reader of a file with a write-ahead log creates an empty log if there is none, and as SQLite will
 *   have it only a writer can take it away.
 */
function contentsOf(folder: string, withoutLog: boolean): string {
  return readdirSync(folder)
    .filter((name) => !(withoutLog && /-(wal|shm)$/.test(name)))
    .sort()
    .map((name) => `${name} ${contentOf(join(folder, name), withoutLog)}`)
    .join("\n");
}

function contentOf(path: string, withoutLog: boolean): string {
  const status = lstatSync(path);
  const mode = (status.mode & 0o777).toString(8);
  if (status.isSymbolicLink()) return `link to ${readlinkSync(path)}`;
  if (status.isDirectory()) return `folder ${mode} (${contentsOf(path, withoutLog)})`;
  if (!status.isFile()) return `no regular file ${mode}`;
  const content = readFileSync(path);
  return `${mode} ${content.length} bytes ${Bun.hash(content).toString(16)}`;
}

async function makeGood(path: string): Promise<void> {
  await using store = new SqliteCheckpointStore(path);
  await writeEarlier(store);
}

function withStatements(path: string, good: string, ...statements: string[]): void {
  copyFileSync(good, path);
  runOn(path, ...statements);
}

/** A backup in the place of a file whose killed process left its log. */
function makeRestored(path: string, good: string): void {
  const script = `
    const { Database } = require("bun:sqlite");
    const database = new Database(${JSON.stringify(path)});
    for (const sql of ["PRAGMA journal_mode = WAL", "CREATE TABLE notes (a)"]) database.run(sql);
    process.kill(process.pid, "SIGKILL");`;
  Bun.spawnSync([process.execPath, "-e", script]);
  runOn(good, `VACUUM INTO '${good}-backup'`); // Not to the path itself: SQLite deletes a log next to a new file.
  renameSync(`${good}-backup`, path);
}

/** Its maker has ended; the file stays. */
function makeSocket(path: string): void {
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  Bun.spawnSync([process.execPath, "-e", script], { stdout: "ignore", stderr: "ignore" });
}

function both(expectation: Expectation) {
  return { writable: expectation, readonly: expectation };
}

function toRow(name: string, writable: string, readonly: string, wrong: number): ReportRow {
  return {
    "what is there": name,
    opened: writable,
    "opened with readonly": readonly,
    "wrong or changed": wrong,
  };
}

function describe({ error, message = "" }: Opening): string {
  if (error === undefined) return "works";
  const reason = message.slice(message.indexOf('": ') + 3);
  return `${error}: ${reason.length > 70 ? `${reason.slice(0, 70)}…` : reason}`.replaceAll("|", "\\|");
}
