/**
 * Which session was forked from which. The contract keeps only `parentId` in the fork's first checkpoint, so finding the forks
 * of a session needs a look at every session: once, in steps, and then only at new ones.
 */
import type { Row } from "../../database/connection.js";
import { nextTurn, sleep } from "../../runtime/event-loop.js";
import type { FamilyAnswer, FamilyMember, ForkLink, RunAnswer } from "../answers.js";
import { latestId, latestRow, stateOf } from "./checkpoint-row.js";
import { counted, type InspectedFile, numberOf, optionalTextOf, textOf } from "./file.js";
import { LONGEST_TITLE } from "./sessions.js";

const SESSIONS_PER_STEP = 250;

/** A new session may take the place of one that was deleted. */
const LOOKED_AT_AGAIN = 500;

/** Sessions of one drawing. */
const MOST_MEMBERS = 300;

interface Fork {
  sessionId: string;
  /** The fork's own first checkpoint. */
  firstId: string;
  /** The checkpoint that was forked. */
  parentId: string;
  version: number;
}

export class Forks {
  readonly #file: InspectedFile;
  /** By the session that was forked. */
  readonly #byOriginal = new Map<string, Fork[]>();
  readonly #bySession = new Map<string, Fork & { originalId: string }>();
  #dataVersion: number | undefined;
  #position = 0;
  #scan: Promise<void> | undefined;

  constructor(file: InspectedFile) {
    this.#file = file;
  }

  /**
   * Finds the forks among sessions that were not looked at yet. Resolves when that is done, or after `patience` milliseconds:
   * then `onFound` is called in the end, if it brought something.
   */
  update(patience: number, onFound: () => void): Promise<void> {
    const before = this.#bySession.size;
    let isLate = false;
    this.#scan ??= this.#scanNew().finally(() => {
      this.#scan = undefined;
    });
    const scanned = this.#scan.then(() => {
      if (isLate && this.#bySession.size > before) {
        onFound();
      }
    });
    const late = sleep(patience).then(() => {
      isLate = true;
    });
    return Promise.race([scanned, late]);
  }

  originOf(sessionId: string): RunAnswer["origin"] {
    const fork = this.#bySession.get(sessionId);
    if (fork === undefined) {
      return undefined;
    }
    const { originalId, parentId, version } = fork;
    const latest = latestId(this.#file, originalId);
    return {
      sessionId: originalId,
      title: this.#titleOf(originalId),
      checkpointId: parentId,
      version,
      ...(latest === undefined ? {} : { latestId: latest }),
    };
  }

  of(sessionId: string): ForkLink[] {
    return this.#forksOf(sessionId).map(({ sessionId: id, parentId }) => {
      const row = this.#file.statements.session.get(id);
      return {
        sessionId: id,
        title: titleIn(row),
        checkpointId: parentId,
        createdAt: numberOf(row?.created_at),
      };
    });
  }

  /** The session's oldest ancestor and what was forked from it, directly or not; cut, with the session and its ancestors. */
  family(sessionId: string): FamilyAnswer {
    const line = this.#lineOf(sessionId);
    const kept = new Set(line.slice(-MOST_MEMBERS));
    let left = MOST_MEMBERS - kept.size;
    let isCut = line.length > MOST_MEMBERS;
    const seen = new Set<string>();
    const members: FamilyMember[] = [];
    const add = (id: string) => {
      if (seen.has(id) || !this.#isThere(id)) {
        return;
      }
      if (!kept.has(id) && left === 0) {
        isCut = true;
        return;
      }
      seen.add(id);
      left -= kept.has(id) ? 0 : 1;
      members.push(this.#member(id));
      for (const { sessionId: forkId } of this.#byOriginal.get(id) ?? []) {
        add(forkId);
      }
    };
    add([...kept][0] ?? sessionId);
    return { members, isCut };
  }

  async #scanNew(): Promise<void> {
    const { dataVersion } = this.#file;
    if (dataVersion === this.#dataVersion) {
      return;
    }
    const last = numberOf(this.#file.statements.lastSession.get()?.position);
    let from = Math.max(0, Math.min(this.#position, last) - LOOKED_AT_AGAIN);
    while (from < last) {
      const to = Math.min(from + SESSIONS_PER_STEP, last);
      for (const row of this.#file.statements.forksAmong.all(from, to)) {
        this.#add(row);
      }
      from = to;
      await nextTurn();
    }
    this.#position = last;
    this.#dataVersion = dataVersion;
  }

  #add(row: Row): void {
    const parent = this.#file.statements.checkpoint.get(textOf(row.parent_id));
    const fork: Fork = {
      sessionId: textOf(row.session_id),
      firstId: textOf(row.id),
      parentId: textOf(row.parent_id),
      version: numberOf(row.version),
    };
    const originalId = optionalTextOf(parent?.session_id);
    // A run's own checkpoints name parents in their own session.
    if (originalId === null || originalId === fork.sessionId || this.#bySession.has(fork.sessionId)) {
      return;
    }
    this.#bySession.set(fork.sessionId, { ...fork, originalId });
    const siblings = this.#byOriginal.get(originalId);
    if (siblings === undefined) {
      this.#byOriginal.set(originalId, [fork]);
    } else {
      siblings.push(fork);
    }
  }

  /** Those that are still there. */
  #forksOf(sessionId: string): Fork[] {
    return (this.#byOriginal.get(sessionId) ?? []).filter(({ sessionId: id }) => this.#isThere(id));
  }

  #isThere(sessionId: string): boolean {
    return this.#file.statements.session.get(sessionId) !== null;
  }

  /** From the oldest ancestor to the session itself. */
  #lineOf(sessionId: string): string[] {
    const line = new Set([sessionId]);
    let fork = this.#bySession.get(sessionId);
    while (fork !== undefined && !line.has(fork.originalId) && this.#isThere(fork.originalId)) {
      line.add(fork.originalId);
      fork = this.#bySession.get(fork.originalId);
    }
    return [...line].reverse();
  }

  #member(sessionId: string): FamilyMember {
    const row = this.#file.statements.session.get(sessionId);
    const fork = this.#bySession.get(sessionId);
    const latest = latestRow(this.#file, sessionId);
    return {
      sessionId,
      title: titleIn(row),
      createdAt: numberOf(row?.created_at),
      updatedAt: numberOf(row?.updated_at),
      checkpoints: counted(this.#file.statements.countCheckpoints.get(sessionId)?.count),
      ...stateOf(this.#file, sessionId),
      ...(latest === null ? {} : { latest: { id: textOf(latest.id), version: numberOf(latest.version) } }),
      ...(fork === undefined
        ? {}
        : { from: { sessionId: fork.originalId, checkpointId: fork.parentId, version: fork.version } }),
    };
  }

  #titleOf(sessionId: string): string | null {
    return titleIn(this.#file.statements.session.get(sessionId));
  }
}

function titleIn(row: Row | null): string | null {
  return optionalTextOf(row?.title)?.slice(0, LONGEST_TITLE) ?? null;
}
