/**
 * A disk that a power cut can happen to.
 *
 * - What was synced is there. What was not is there, or not, or in part: each write as a whole, or each of its sectors
 *   of 512 bytes, and not in the order of the writes.
 * - A name that was made or removed is certain once its folder was synced; before that, the changes of names up to
 *   some point are there, in their order, as in the journal of ext4 and XFS. Syncing a file does not make its name
 *   certain, although it does there.
 * - The folder itself was there before.
 */
import type { Random } from "../support/random.js";
import type { DiskEvent } from "./strace.js";

const SECTOR = 512;

/** What happened to what was not synced. */
export const CUT_STYLES = ["all kept", "all dropped", "cut in order", "some kept", "torn"] as const;

export type CutStyle = (typeof CUT_STYLES)[number];

type Change = Extract<DiskEvent, { kind: "write" | "truncate" }>;
type NameChange = Extract<DiskEvent, { kind: "create" | "unlink" }>;

interface FileOnDisk {
  synced: Content;
  unsynced: Change[];
}

export class Disk {
  readonly #files = new Map<number, FileOnDisk>();
  readonly #names = new Map<string, number>();
  #unsyncedNames: NameChange[] = [];

  apply(event: DiskEvent): void {
    switch (event.kind) {
      case "create":
        this.#files.set(event.file, { synced: new Content(), unsynced: [] });
        this.#unsyncedNames.push(event);
        return;
      case "unlink":
        this.#unsyncedNames.push(event);
        return;
      case "write":
      case "truncate":
        this.#files.get(event.file)?.unsynced.push(event);
        return;
      case "sync":
        this.#sync(event.file);
        return;
      case "syncFolder":
        changeNames(this.#names, this.#unsyncedNames.splice(0));
        return;
      case "say":
        return;
    }
  }

  /** What is found when the power is back. The disk itself continues as if nothing had happened. */
  cut(style: CutStyle, random: Random): Map<string, Uint8Array> {
    const names = new Map(this.#names);
    changeNames(names, this.#unsyncedNames.slice(0, keptNames(this.#unsyncedNames.length, style, random)));
    return new Map([...names].map(([name, file]) => [name, this.#contentOf(file, style, random)]));
  }

  #sync(number: number): void {
    const file = this.#files.get(number);
    for (const change of file?.unsynced.splice(0) ?? []) file?.synced.apply(change);
  }

  #contentOf(number: number, style: CutStyle, random: Random): Uint8Array {
    const file = this.#files.get(number);
    const content = new Content(file?.synced.bytes());
    for (const change of survivors(file?.unsynced ?? [], style, random)) content.apply(change);
    return content.bytes();
  }
}

function changeNames(names: Map<string, number>, changes: readonly NameChange[]): void {
  for (const change of changes) {
    if (change.kind === "create") names.set(change.name, change.file);
    else names.delete(change.name);
  }
}

function keptNames(count: number, style: CutStyle, random: Random): number {
  if (style === "all dropped") return 0;
  return style === "all kept" ? count : random.between(0, count);
}

function survivors(changes: readonly Change[], style: CutStyle, random: Random): Change[] {
  const share = random.fraction();
  switch (style) {
    case "all kept":
      return [...changes];
    case "all dropped":
      return [];
    case "cut in order": {
      const whole = changes.slice(0, random.between(0, changes.length));
      const last = changes[whole.length];
      return last === undefined ? whole : [...whole, ...tear(last, () => random.chance(0.5))];
    }
    case "some kept":
      return changes.filter(() => random.chance(share));
    case "torn":
      return changes.flatMap((change) => tear(change, () => random.chance(share)));
  }
}

/** By the sectors of the disk, not of the write. */
function tear(change: Change, isKept: () => boolean): Change[] {
  if (change.kind === "truncate") return isKept() ? [change] : [];
  const pieces: Change[] = [];
  const { offset, bytes } = change;
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR - ((offset + from) % SECTOR));
    if (isKept()) pieces.push({ ...change, offset: offset + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return pieces;
}

/** A file's bytes, with room to grow. What was never written is zero. */
class Content {
  #bytes: Uint8Array;
  #length: number;

  constructor(bytes: Uint8Array = new Uint8Array()) {
    this.#bytes = bytes.slice();
    this.#length = bytes.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  apply(change: Change): void {
    if (change.kind === "truncate") {
      this.#bytes.fill(0, change.length);
      this.#grow(change.length);
      this.#length = change.length;
    } else {
      const end = change.offset + change.bytes.length;
      this.#grow(end);
      this.#bytes.set(change.bytes, change.offset);
      this.#length = Math.max(this.#length, end);
    }
  }

  #grow(length: number): void {
    if (length <= this.#bytes.length) return;
    const grown = new Uint8Array(length * 2);
    grown.set(this.bytes());
    this.#bytes = grown;
  }
}
