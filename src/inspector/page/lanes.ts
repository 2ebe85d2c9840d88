/**
 * From the checkpoints of a run to its picture: one lane per node, one bar per visit of it.
 *
 * A node that runs again, in a loop or after a crash, has another start: that is another visit. A namespace that is named after
 * a node of another one belongs to a graph that ran within that node; its lanes lie under that node's.
 */
import type { RunAnswer, RunCheckpoint } from "../answers.js";

export interface Visit {
  node: string;
  status: string;
  from: number;
  to: number;
  /** Whether the times are the node's own, not those of its checkpoints. */
  isTimed: boolean;
  /** The checkpoint that says so, and its place in the run. */
  checkpoint: string;
  step: number;
  /** From 1. */
  iteration: number;
  error?: string;
  /** It was copied by a fork. */
  isCopied: boolean;
}

export interface Lane {
  /** Unique: namespace and node. */
  key: string;
  namespace: string;
  node: string;
  depth: number;
  visits: Visit[];
  /** Lanes of the graph that ran within the node. */
  children: Lane[];
}

export interface Mark {
  checkpoint: RunCheckpoint;
  step: number;
  /** The loop went back here: its iteration. */
  iteration?: number;
  forks: number;
  /** Of a graph within a node. */
  isInner: boolean;
  /** Its namespace, if it is not the run's only one. */
  place?: string;
}

/** A back edge that a checkpoint took: the run went on with a node that had run before. */
export interface Loop {
  mark: Mark;
  /** Keys of lanes. */
  from: string;
  to: string;
  iteration: number;
}

export interface Picture {
  lanes: Lane[];
  marks: Mark[];
  loops: Loop[];
  from: number;
  to: number;
}

export function pictureOf({ checkpoints, forks }: Pick<RunAnswer, "checkpoints" | "forks">): Picture {
  const lanes = new LaneBuilder(checkpoints);
  const marks = marksOf(checkpoints, forks, lanes.inner);
  const times = [...lanes.times, ...checkpoints.map(({ createdAt }) => createdAt)];
  return {
    lanes: lanes.roots(),
    marks,
    loops: marks.flatMap(loopOf),
    from: times.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY),
    to: times.reduce((most, at) => Math.max(most, at), Number.NEGATIVE_INFINITY),
  };
}

function marksOf(
  checkpoints: readonly RunCheckpoint[],
  forks: RunAnswer["forks"],
  inner: ReadonlySet<string>,
): Mark[] {
  const outer = new Set(checkpoints.map(({ namespace }) => namespace).filter((name) => !inner.has(name)));
  const iterations = new Map<string, number>();
  const forkCounts = new Map<string, number>();
  for (const { checkpointId } of forks) {
    forkCounts.set(checkpointId, (forkCounts.get(checkpointId) ?? 0) + 1);
  }
  return checkpoints.map((checkpoint, step) => {
    const { namespace, cycle, id } = checkpoint;
    const before = iterations.get(namespace);
    const now = cycle?.iteration ?? 0;
    iterations.set(namespace, now);
    const isBack = now > 0 && now !== before && (before !== undefined || step === 0);
    return {
      checkpoint,
      step,
      forks: forkCounts.get(id) ?? 0,
      isInner: inner.has(namespace),
      ...(isBack ? { iteration: now } : {}),
      ...(inner.has(namespace) || outer.size > 1 ? { place: namespace } : {}),
    };
  });
}

function loopOf(mark: Mark): Loop[] {
  const { checkpoint, iteration } = mark;
  const [from, to] = checkpoint.cycle?.backEdge.split("->") ?? [];
  return iteration === undefined || from === undefined || to === undefined
    ? []
    : [
        {
          mark,
          from: keyOf(checkpoint.namespace, from),
          to: keyOf(checkpoint.namespace, to),
          iteration,
        },
      ];
}

function keyOf(namespace: string, node: string): string {
  return JSON.stringify([namespace, node]);
}

class LaneBuilder {
  readonly times: number[] = [];
  /** Namespaces of graphs that run within a node. */
  readonly inner: ReadonlySet<string>;
  readonly #lanes = new Map<string, Lane>();
  readonly #previous = new Map<string, number>();

  constructor(checkpoints: readonly RunCheckpoint[]) {
    this.inner = innerNamespaces(checkpoints);
    checkpoints.forEach((checkpoint, step) => {
      this.#add(checkpoint, step);
    });
    this.#addPending(checkpoints);
  }

  /**
   * Those of the run itself; the others below the node that they ran within. Each namespace has one place: graphs that name each
   * other would otherwise have one per path between them.
   */
  roots(): Lane[] {
    const lanes = [...this.#lanes.values()];
    const placed = new Set<string>();
    const nest = (lane: Lane, depth: number): Lane => {
      const isHolder = this.inner.has(lane.node) && !placed.has(lane.node);
      placed.add(lane.node);
      const children = isHolder ? lanes.filter(({ namespace }) => namespace === lane.node) : [];
      return { ...lane, depth, children: children.map((child) => nest(child, depth + 1)) };
    };
    const isOuter = ({ namespace }: Lane) => !this.inner.has(namespace);
    const roots = lanes.filter(isOuter).map((lane) => nest(lane, 0));
    // Those that name only each other hang below no lane of the run.
    const unplaced = lanes.filter((lane) => !isOuter(lane) && !placed.has(lane.namespace));
    return [...roots, ...unplaced.map((lane) => ({ ...lane, depth: 0 }))];
  }

  #add(checkpoint: RunCheckpoint, step: number): void {
    const { namespace, createdAt, id, source } = checkpoint;
    const before = this.#previous.get(namespace) ?? createdAt;
    for (const { node, status, startedAt, completedAt, error } of checkpoint.changes) {
      const lane = this.#lane(namespace, node);
      const last = lane.visits.at(-1);
      const isSame = startedAt !== undefined && last?.isTimed === true && last.from === startedAt;
      const visit: Visit = {
        node,
        status,
        from: startedAt ?? Math.min(before, createdAt),
        to: Math.max(completedAt ?? createdAt, startedAt ?? 0),
        isTimed: startedAt !== undefined,
        checkpoint: id,
        step: isSame ? last.step : step,
        iteration: (last?.iteration ?? 0) + (isSame ? 0 : 1),
        isCopied: source === "fork",
        ...(error === undefined ? {} : { error }),
      };
      lane.visits.splice(isSame ? -1 : lane.visits.length, isSame ? 1 : 0, visit);
      this.times.push(visit.from, visit.to);
    }
    this.#previous.set(namespace, createdAt);
  }

  /** What the latest checkpoint of each namespace of the run itself would go on with. */
  #addPending(checkpoints: readonly RunCheckpoint[]): void {
    const latest = new Map(
      checkpoints.map((checkpoint, step) => [checkpoint.namespace, { checkpoint, step }]),
    );
    for (const { checkpoint, step } of latest.values()) {
      if (!this.inner.has(checkpoint.namespace)) {
        for (const node of checkpoint.pending) {
          this.#addPendingVisit(checkpoint, step, node);
        }
      }
    }
  }

  #addPendingVisit({ namespace, createdAt, id }: RunCheckpoint, step: number, node: string): void {
    const lane = this.#lane(namespace, node);
    lane.visits.push({
      node,
      status: "pending",
      from: createdAt,
      to: createdAt,
      isTimed: false,
      checkpoint: id,
      step: step + 1,
      iteration: (lane.visits.at(-1)?.iteration ?? 0) + 1,
      isCopied: false,
    });
  }

  #lane(namespace: string, node: string): Lane {
    const key = keyOf(namespace, node);
    const lane = this.#lanes.get(key) ?? { key, namespace, node, depth: 0, visits: [], children: [] };
    this.#lanes.set(key, lane);
    return lane;
  }
}

/** Two graphs that name each other's namespaces are both of the run itself. */
function innerNamespaces(checkpoints: readonly RunCheckpoint[]): Set<string> {
  const holders = new Map<string, Set<string>>();
  for (const { namespace, changes, pending } of checkpoints) {
    for (const node of [...changes.map((change) => change.node), ...pending]) {
      holders.set(node, (holders.get(node) ?? new Set()).add(namespace));
    }
  }
  const namespaces = new Set(checkpoints.map(({ namespace }) => namespace));
  const inner = [...namespaces].filter((namespace) =>
    [...(holders.get(namespace) ?? [])].some((holder) => holder !== namespace),
  );
  return new Set(inner.length === namespaces.size ? [] : inner);
}

/** The lanes as they are drawn, from above; those within a node only if it is open. */
export function visibleLanes(lanes: readonly Lane[], open: ReadonlySet<string>): Lane[] {
  return lanes.flatMap((lane) => [lane, ...(open.has(lane.key) ? visibleLanes(lane.children, open) : [])]);
}

/** From a time to a place between 0 and 1. */
export interface Scale {
  at: (time: number) => number;
  /** Idle time that was shortened, so that the rest can be seen. */
  pauses: { from: number; to: number; milliseconds: number }[];
  ticks: { at: number; milliseconds: number }[];
}

/** An idle span longer than this part of the busy time is shortened to a fifth of it. */
const LONGEST_PAUSE = 0.4;
const SHOWN_PAUSE = 0.08;

export function timeScale({ lanes, marks, from, to }: Picture): Scale {
  const busy = busySpans(lanes, marks);
  const busyTime = Math.max(
    1,
    busy.reduce((sum, [start, end]) => sum + end - start, 0),
  );
  const points: { time: number; length: number }[] = [{ time: from, length: 0 }];
  const long: { from: number; to: number }[] = [];
  let length = 0;
  let end = from;
  for (const [start, stop] of busy) {
    const idle = start - end;
    const isLong = idle > busyTime * LONGEST_PAUSE && idle > 2_000;
    if (isLong) {
      long.push({ from: end, to: start });
    }
    length += isLong ? busyTime * SHOWN_PAUSE : Math.max(0, idle);
    points.push({ time: start, length });
    length += stop - start;
    points.push({ time: stop, length });
    end = stop;
  }
  const whole = Math.max(1, length);
  const at = (time: number) => placeOn(points, Math.min(Math.max(time, from), to)) / whole;
  return {
    at,
    pauses: long.map((pause) => ({
      from: at(pause.from),
      to: at(pause.to),
      milliseconds: pause.to - pause.from,
    })),
    ticks: ticksOf(from, to, long, at),
  };
}

function busySpans(lanes: readonly Lane[], marks: readonly Mark[]): [number, number][] {
  const all = (lane: Lane): Visit[] => [...lane.visits, ...lane.children.flatMap(all)];
  const spans: [number, number][] = [
    ...lanes.flatMap(all).map(({ from, to }): [number, number] => [from, to]),
    ...marks.map(({ checkpoint: { createdAt } }): [number, number] => [createdAt, createdAt]),
  ];
  spans.sort(([one], [other]) => one - other);
  const merged: [number, number][] = [];
  for (const [from, to] of spans) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) {
      last[1] = Math.max(last[1], to);
    } else {
      merged.push([from, to]);
    }
  }
  return merged;
}

function placeOn(points: readonly { time: number; length: number }[], time: number): number {
  let [low, high] = [0, points.length - 1];
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.time ?? 0) <= time) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const [left, right] = [points[low], points[high]];
  if (left === undefined || right === undefined || right.time === left.time) {
    return right?.length ?? 0;
  }
  return left.length + ((time - left.time) / (right.time - left.time)) * (right.length - left.length);
}

const TICK_STEPS = [1, 2, 5].flatMap((digit) => [1, 10, 100, 1_000, 10_000].map((power) => digit * power));
const LONG_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1_440, 10_080].map((minutes) => minutes * 60_000);
const MOST_TICKS = 7;
const LEAST_DISTANCE = 0.08;

function ticksOf(
  from: number,
  to: number,
  pauses: readonly { from: number; to: number }[],
  at: (time: number) => number,
): Scale["ticks"] {
  const steps = [...TICK_STEPS, ...LONG_STEPS].sort((one, other) => one - other);
  const idle = pauses.reduce((sum, pause) => sum + pause.to - pause.from, 0);
  const step = steps.find((candidate) => (to - from - idle) / candidate <= MOST_TICKS) ?? to - from + 1;
  const ticks: Scale["ticks"] = [];
  const starts = [from, ...pauses.map((pause) => pause.to)];
  const ends = [...pauses.map((pause) => pause.from), to];
  starts.forEach((start, index) => {
    const first = Math.ceil((start - from) / step);
    const last = Math.floor(((ends[index] ?? to) - from) / step);
    // Counted from 0: adding a step to a number of 1e300 leaves it as it was, and a loop over times would not end.
    for (let count = 0; count <= Math.min(last - first, MOST_TICKS); count += 1) {
      const time = from + (first + count) * step;
      const place = at(time);
      if (place - (ticks.at(-1)?.at ?? -1) >= LEAST_DISTANCE) {
        ticks.push({ at: place, milliseconds: time - from });
      }
    }
  });
  return ticks;
}
