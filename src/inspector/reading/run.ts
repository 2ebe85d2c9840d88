/** A run as a picture: its checkpoints in the order they were saved, each with what changed since the one before. */
import type { Row } from "../../database/connection.js";
import type { NodeChange, RunAnswer, RunCheckpoint } from "../answers.js";
import { latestId, type PlainCheckpoint, toNodeChange, toPlainCheckpoint } from "./checkpoint-row.js";
import { counted, type InspectedFile, numberOf, optionalTextOf } from "./file.js";
import type { Forks } from "./forks.js";
import { parse, readNodeResults, Unread, type WireResult } from "./node-results.js";
import type { SessionItems } from "./sessions.js";
import { LARGEST_COLUMN } from "./statements.js";
import { toValueNode } from "./wire.js";

/** Checkpoints of one answer. */
export const MOST_CHECKPOINTS = 1_000;

/** Bytes of node results that are parsed for one answer. */
const MOST_PARSED = 64 * 1024 * 1024;

const TOO_MUCH = `The checkpoints of this answer have more than ${MOST_PARSED} bytes of node results: open this one by itself.`;

export interface RunPage {
  /** The id of a checkpoint: only older ones. */
  before: string | undefined;
  /** The id of the last checkpoint that the page has: only newer ones, if nothing else changed. */
  after: string | undefined;
}

/** Runs that were read lately. A page on a live run asks several times a second, and only new rows are read again. */
const MOST_RUNS = 4;

export class Runs {
  readonly #file: InspectedFile;
  readonly #forks: Forks;
  readonly #items: SessionItems;
  readonly #known = new Map<string, KnownRun>();

  constructor(file: InspectedFile, forks: Forks, items: SessionItems) {
    this.#file = file;
    this.#forks = forks;
    this.#items = items;
  }

  read(sessionId: string, { before, after }: RunPage): RunAnswer | undefined {
    const row = this.#file.statements.session.get(sessionId);
    if (row === null) {
      return undefined;
    }
    const origin = this.#forks.originOf(sessionId);
    const metadata = metadataOf(this.#file, sessionId);
    const latest = latestId(this.#file, sessionId);
    return {
      session: { ...this.#items.of(row), ...(metadata === undefined ? {} : { metadata }) },
      ...(before === undefined ? this.#latest(sessionId, after) : this.#earlier(sessionId, before)),
      total: counted(this.#file.statements.countCheckpoints.get(sessionId)?.count),
      ...(origin === undefined ? {} : { origin }),
      ...(latest === undefined ? {} : { latestId: latest }),
      forks: this.#forks.of(sessionId),
    };
  }

  #latest(
    sessionId: string,
    after: string | undefined,
  ): Pick<RunAnswer, "checkpoints" | "hasEarlier" | "isContinued"> {
    const known = this.#known.get(sessionId);
    const continuation = known?.continue() ?? "unknown";
    const run =
      known === undefined || continuation === "unknown" ? new KnownRun(this.#file, sessionId) : known;
    this.#known.delete(sessionId);
    this.#known.set(sessionId, run);
    for (const oldest of [...this.#known.keys()].slice(0, -MOST_RUNS)) {
      this.#known.delete(oldest);
    }
    const position =
      continuation === "appended" ? run.checkpoints.findLastIndex(({ id }) => id === after) : -1;
    return position < 0
      ? { checkpoints: run.checkpoints, hasEarlier: run.hasEarlier }
      : { checkpoints: run.checkpoints.slice(position + 1), hasEarlier: run.hasEarlier, isContinued: true };
  }

  #earlier(sessionId: string, before: string): Pick<RunAnswer, "checkpoints" | "hasEarlier"> {
    const { statements } = this.#file;
    const first = statements.checkpoint.get(before);
    const rows =
      first === null
        ? []
        : statements.newestBefore.all(
            sessionId,
            MOST_CHECKPOINTS + 1,
            numberOf(first.created_at),
            numberOf(first.position),
          );
    const page = rows.slice(0, MOST_CHECKPOINTS).reverse();
    return {
      checkpoints: new Changes(this.#file, sessionId).read(page),
      hasEarlier: rows.length > page.length,
    };
  }
}

/** How a known run goes on: with new checkpoints only, also without its oldest, or otherwise. */
type Continuation = "appended" | "shortened" | "unknown";

/** The newest checkpoints of a session, which are continued as long as new ones come and old ones go. */
class KnownRun {
  checkpoints: RunCheckpoint[];
  hasEarlier: boolean;
  readonly #file: InspectedFile;
  readonly #sessionId: string;
  readonly #changes: Changes;

  constructor(file: InspectedFile, sessionId: string) {
    this.#file = file;
    this.#sessionId = sessionId;
    this.#changes = new Changes(file, sessionId);
    const rows = file.statements.newest.all(sessionId, MOST_CHECKPOINTS + 1);
    this.hasEarlier = rows.length > MOST_CHECKPOINTS;
    this.checkpoints = this.#changes.read(rows.slice(0, MOST_CHECKPOINTS).reverse());
  }

  /** Reads what is new. After "unknown" all is to be read again. */
  continue(): Continuation {
    const [first, last] = [this.checkpoints[0], this.checkpoints.at(-1)];
    if (first === undefined || last === undefined || this.checkpoints.length > 2 * MOST_CHECKPOINTS) {
      return "unknown";
    }
    const rows = this.#file.statements.newerThan
      .all(this.#sessionId, MOST_CHECKPOINTS, last.createdAt, last.position)
      .reverse();
    const there = this.#positionsSince(first);
    const gone = this.checkpoints.findIndex(({ position }) => there.has(position));
    const kept = gone < 0 ? [] : this.checkpoints.slice(gone);
    // Also false if a new row has the place of a deleted one, or one in between was deleted.
    if (kept.length === 0 || there.size !== kept.length + rows.length) {
      return "unknown";
    }
    if (gone > 0 || rows.length > 0) {
      this.checkpoints = [...kept, ...this.#changes.read(rows)];
    }
    this.hasEarlier = this.hasEarlier && this.#isAfterOthers(first);
    return gone > 0 ? "shortened" : "appended";
  }

  #positionsSince({ createdAt, position }: RunCheckpoint): Set<number> {
    const rows = this.#file.statements.positionsSince.all(
      this.#sessionId,
      4 * MOST_CHECKPOINTS,
      createdAt,
      position,
    );
    return new Set(rows.map((row) => numberOf(row.position)));
  }

  #isAfterOthers({ createdAt, position }: RunCheckpoint): boolean {
    return this.#file.statements.newestBefore.get(this.#sessionId, 1, createdAt, position) !== null;
  }
}

function metadataOf(file: InspectedFile, sessionId: string): RunAnswer["session"]["metadata"] | undefined {
  const row = file.statements.metadata.get(sessionId);
  const bytes = numberOf(row?.bytes);
  if (bytes > LARGEST_COLUMN) {
    return { type: "unread", text: `too large to be shown here (${bytes} bytes)` };
  }
  const text = optionalTextOf(row?.metadata);
  try {
    return text === null ? undefined : toValueNode(parse(text, "metadata"));
  } catch {
    return { type: "damaged", text: "metadata is not JSON" };
  }
}

class Changes {
  readonly #latest = new Map<string, Map<string, string>>();
  #left = 0;

  constructor(
    readonly file: InspectedFile,
    readonly sessionId: string,
  ) {}

  read(rows: readonly Row[]): RunCheckpoint[] {
    this.#left = MOST_PARSED;
    return rows.map((row) => {
      const rowBytes = numberOf(row.bytes);
      const checkpoint = toPlainCheckpoint(row);
      try {
        return { ...checkpoint, rowBytes, changes: this.#changes(checkpoint, rowBytes) };
      } catch (error) {
        if (error instanceof Unread) {
          return { ...checkpoint, rowBytes, changes: [], unread: error.message };
        }
        throw error;
      }
    });
  }

  #changes(checkpoint: PlainCheckpoint, bytes: number): NodeChange[] {
    const { namespace, position } = checkpoint;
    this.#left -= bytes;
    if (this.#left < 0) {
      throw new Unread(TOO_MUCH);
    }
    const before = this.#latest.get(namespace) ?? this.#predecessor(checkpoint);
    const results = readNodeResults(this.file, position, bytes);
    const now = fingerprints(results);
    this.#latest.set(namespace, now);
    return results
      .filter(({ node }) => before?.get(node) !== now.get(node))
      .map((result) => toNodeChange(this.file, this.sessionId, result));
  }

  /** The first checkpoint of a page changed only what its namespace's one before it, on the page before, did not have. */
  #predecessor({ namespace, createdAt, position }: PlainCheckpoint): Map<string, string> | undefined {
    const { predecessorInRoot, predecessorInNamed } = this.file.statements;
    const statement = namespace === "" ? predecessorInRoot : predecessorInNamed;
    const row = statement.get(this.sessionId, namespace, createdAt, position);
    const bytes = numberOf(row?.bytes);
    if (row === null || bytes > this.#left) {
      return undefined;
    }
    this.#left -= bytes;
    try {
      return fingerprints(readNodeResults(this.file, numberOf(row.position), bytes));
    } catch (error) {
      if (error instanceof Unread) {
        return undefined;
      }
      throw error;
    }
  }
}

function fingerprints(results: readonly WireResult[]): Map<string, string> {
  return new Map(results.map((result) => [result.node, fingerprint(result)]));
}

/** Tells a node's result from the one before, without its text where a hash or the times do. */
function fingerprint({ status, startedAt, completedAt, error, hash, output }: WireResult): string {
  const value = hash ?? (startedAt === undefined ? JSON.stringify(output?.wire) : "");
  return [status, startedAt, completedAt, error, value].join("\0");
}
