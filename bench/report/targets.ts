/** Whether ours reaches what it is to reach. */
import type { MeasuredRow, Target } from "../harness/rounds.js";
import { median, pairedRatio } from "../harness/statistics.js";
import { duration, times } from "./figures.js";

export interface Verdict {
  workload: string;
  row: string;
  /** What is asked for. */
  target: string;
  /** What was measured. */
  figure: string;
  isMet: boolean;
}

/** A target whose contestant did not take part in the row gives none. */
export function verdictsOf(workload: string, row: MeasuredRow, all: readonly MeasuredRow[]): Verdict[] {
  return (row.targets ?? []).flatMap((target) => {
    const judged = judge(target, row, all);
    return judged === undefined ? [] : [{ workload, row: row.label, ...judged }];
  });
}

type Judged = Omit<Verdict, "workload" | "row">;

function judge(target: Target, row: MeasuredRow, all: readonly MeasuredRow[]): Judged | undefined {
  const ours = row.samples.get("ours");
  if (ours === undefined) {
    return undefined;
  }
  switch (target.kind) {
    case "within":
      return atMost(
        `≤ ${target.times}× ${target.of === "floor" ? "the floor" : target.of}'s time`,
        target.times,
        ours,
        row.samples.get(target.of),
      );
    case "flat": {
      const smallest = all.find(({ label }) => label === target.from)?.samples.get("ours");
      return atMost(`flat: ≤ ${target.times}× "${target.from}"`, target.times, ours, smallest);
    }
    case "data": {
      const { distinct } = row;
      const data = distinct === undefined ? undefined : ours.map(() => distinct);
      return atMost(`≤ ${target.times}× its distinct data`, target.times, ours, data);
    }
    case "faster":
      return atLeast(target.than, target.times, row.samples.get(target.than), ours);
    case "under": {
      const took = median(ours);
      return {
        target: `< ${target.milliseconds} ms`,
        figure: duration(took),
        isMet: took < target.milliseconds,
      };
    }
  }
}

function atMost(
  target: string,
  most: number,
  ours: number[],
  theirs: number[] | undefined,
): Judged | undefined {
  if (theirs === undefined) {
    return undefined;
  }
  const ratio = pairedRatio(ours, theirs);
  return { target, figure: times(ratio), isMet: ratio <= most };
}

function atLeast(
  than: string,
  least: number,
  theirs: number[] | undefined,
  ours: number[],
): Judged | undefined {
  if (theirs === undefined) {
    return undefined;
  }
  const ratio = pairedRatio(theirs, ours);
  return {
    target: least === 1 ? `ahead of ${than}` : `≥ ${least}× as fast as ${than}`,
    figure: times(ratio),
    isMet: ratio >= least,
  };
}
