/** A run as a picture: its checkpoints in the order they were saved, each with what changed since the one before. */
import type { Row } from "../../database/connection.js";
import type { NodeChange, RunAnswer, RunCheckpoint } from "../answers.js";
import { toNodeChange, toPlainCheckpoint } from "./checkpoint-row.js";
import { counted, type InspectedFile, numberOf, optionalTextOf } from "./file.js";
import type { Forks } from "./forks.js";
import { parse, readNodeResults, Unread, type WireResult } from "./node-results.js";
import { toSessionItem } from "./sessions.js";
import { toValueNode } from "./wire.js";

/** Checkpoints of one answer. */
export const MOST_CHECKPOINTS = 1_000;

/** Bytes of node results that are parsed for one answer. */
const MOST_PARSED = 128 * 1024 * 1024;

const TOO_MUCH = `The checkpoints of this answer have more than ${MOST_PARSED} bytes of node results: open this one by itself.`;

/** @param before The position of a checkpoint: only older ones. */
export function readRun(
  file: InspectedFile,
  forks: Forks,
  sessionId: string,
  { before, limit }: { before: string | undefined; limit: number },
): RunAnswer | undefined {
  const row = file.statements.session.get(sessionId);
  if (row === null) {
    return undefined;
  }
  const page = newestFirst(file, sessionId, before, Math.min(limit, MOST_CHECKPOINTS) + 1);
  const hasEarlier = page.length > Math.min(limit, MOST_CHECKPOINTS);
  const rows = page.slice(0, Math.min(limit, MOST_CHECKPOINTS)).reverse();
  const origin = forks.originOf(sessionId);
  const metadata = metadataOf(row);
  return {
    session: { ...toSessionItem(file, row), ...(metadata === undefined ? {} : { metadata }) },
    checkpoints: new Changes(file, sessionId).read(rows),
    hasEarlier,
    total: counted(file.statements.countCheckpoints.get(sessionId)?.count),
    ...(origin === undefined ? {} : { origin }),
    forks: forks.of(sessionId),
  };
}

function newestFirst(
  file: InspectedFile,
  sessionId: string,
  before: string | undefined,
  limit: number,
): Row[] {
  const first = before === undefined ? null : file.statements.checkpoint.get(before);
  return first === null
    ? file.statements.newest.all(sessionId, limit)
    : file.statements.newestBefore.all(
        sessionId,
        limit,
        numberOf(first.created_at),
        numberOf(first.position),
      );
}

function metadataOf({ metadata }: Row): RunAnswer["session"]["metadata"] | undefined {
  const text = optionalTextOf(metadata);
  try {
    return text === null ? undefined : toValueNode(parse(text, "metadata"));
  } catch {
    return { type: "damaged", text: "metadata is not JSON" };
  }
}

class Changes {
  readonly #latest = new Map<string, Map<string, string>>();
  #left = MOST_PARSED;

  constructor(
    readonly file: InspectedFile,
    readonly sessionId: string,
  ) {}

  read(rows: readonly Row[]): RunCheckpoint[] {
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

  #changes({ namespace, position }: { namespace: string; position: number }, bytes: number): NodeChange[] {
    this.#left -= bytes;
    if (this.#left < 0) {
      throw new Unread(TOO_MUCH);
    }
    const before = this.#latest.get(namespace);
    const results = readNodeResults(this.file, position, bytes);
    const now = new Map(results.map((result) => [result.node, fingerprint(result)]));
    this.#latest.set(namespace, now);
    return results
      .filter(({ node }) => before?.get(node) !== now.get(node))
      .map((result) => toNodeChange(this.file, this.sessionId, result));
  }
}

/** Tells a node's result from the one before, without its text where a hash or the times do. */
function fingerprint({ status, startedAt, completedAt, error, hash, output }: WireResult): string {
  const value = hash ?? (startedAt === undefined ? JSON.stringify(output?.wire) : "");
  return [status, startedAt, completedAt, error, value].join("\0");
}
