/**
 * The alternating runner: round after round, every contestant has its turn (A B C A B C …), so that a slow minute of the
 * machine hits all alike. What it reports are medians, and ratios within a round.
 */
import type { ContestantName } from "../contestants/contestant.js";
import { collectGarbage } from "./time.js";

/** One contestant at one task. */
export interface Lane {
  contestant: ContestantName;
  /** Makes so many calls; how long they took together, in milliseconds (or, if a row has its own unit, how much). */
  round(calls: number): Promise<number>;
  /** How many calls a round makes. Default: as many as fill the time. */
  calls?: number;
  /** Calls are made in multiples of this. Default: 1. */
  multipleOf?: number;
  /** At most so many calls per round: if each one leaves much behind. */
  atMost?: number;
}

/** What ours is to reach. */
export type Target =
  /** Ours takes at most so many times the contestant's time. */
  | { kind: "within"; of: ContestantName; times: number }
  /** Ours is at least so many times as fast. */
  | { kind: "faster"; than: ContestantName; times: number }
  /** Ours takes at most so many times what it takes in the row of that label. */
  | { kind: "flat"; from: string; times: number }
  | { kind: "under"; milliseconds: number }
  /** Ours takes at most so many times the row's distinct data. */
  | { kind: "data"; times: number };

/** A line of a table: one task, at one size and setting, for all that take part. */
export interface Row {
  label: string;
  lanes: readonly Lane[];
  targets?: readonly Target[];
  /** Where the row stands on a plot's axis. */
  size?: number;
  unit?: "ms" | "MB";
  /** What the row's checkpoints hold if everything is counted once, in MB. */
  distinct?: number;
  /** Whether the table "In brief" of results.md shows it. */
  isHeadline?: boolean;
}

/** A row's figures: for each contestant one per round, per call. */
export interface MeasuredRow extends Omit<Row, "lanes"> {
  samples: Map<ContestantName, number[]>;
}

export interface Pace {
  /** How long one lane's turn should take, in milliseconds. */
  turn: number;
  /** How long all rounds of a group may take, in milliseconds. */
  group: number;
  leastRounds: number;
  mostRounds: number;
}

export const FULL_PACE: Pace = { turn: 50, group: 9_000, leastRounds: 3, mostRounds: 11 };
export const QUICK_PACE: Pace = { turn: 4, group: 150, leastRounds: 2, mostRounds: 2 };

interface Turn {
  lane: Lane;
  calls: number;
  /** What a turn took while it warmed up, in milliseconds. */
  expected: number;
  samples: number[];
}

/** Measures rows together, every lane of every row in turn, so that rows can be compared with one another too. */
export async function measure(
  rows: readonly Row[],
  pace: Pace,
  progress: (text: string) => void,
): Promise<MeasuredRow[]> {
  const planned: { row: Row; turns: Turn[] }[] = [];
  for (const row of rows) {
    const turns: Turn[] = [];
    for (const lane of row.lanes) {
      progress(`${row.label}: ${lane.contestant} warms up`);
      turns.push(await warmUp(lane, pace));
    }
    planned.push({ row, turns });
  }
  const turns = planned.flatMap((plan) => plan.turns);
  const rounds = roundsFor(turns, pace);
  for (let round = 1; round <= rounds; round++) {
    progress(`${rows[0]?.label ?? ""}${rows.length > 1 ? " …" : ""}: round ${round} of ${rounds}`);
    await playRound(turns);
  }
  return planned.map(({ row, turns }) => measuredRow(row, turns));
}

async function playRound(turns: readonly Turn[]): Promise<void> {
  for (const turn of turns) {
    collectGarbage();
    turn.samples.push((await turn.lane.round(turn.calls)) / turn.calls);
  }
}

/** Doubles the number of calls until it can tell how many fill a turn; by then the code is warm. */
async function warmUp(lane: Lane, pace: Pace): Promise<Turn> {
  const step = lane.multipleOf ?? 1;
  let calls = lane.calls ?? step;
  const started = performance.now();
  let took = await lane.round(calls);
  if (lane.calls !== undefined) {
    return { lane, calls, expected: performance.now() - started, samples: [] };
  }
  const most = lane.atMost ?? Number.POSITIVE_INFINITY;
  while (took < pace.turn / 2 && calls * 2 <= most) {
    calls *= 2;
    took = await lane.round(calls);
  }
  const fitting = Math.round((calls * pace.turn) / took / step) * step;
  calls = Math.max(step, Math.min(fitting, most));
  return { lane, calls, expected: Math.max(pace.turn, took), samples: [] };
}

function roundsFor(turns: readonly Turn[], pace: Pace): number {
  const round = turns.reduce((sum, { expected }) => sum + expected, 0);
  const least = round > pace.group ? 2 : pace.leastRounds;
  return Math.min(pace.mostRounds, Math.max(least, Math.floor(pace.group / round)));
}

function measuredRow({ lanes: _, ...row }: Row, turns: readonly Turn[]): MeasuredRow {
  return { ...row, samples: new Map(turns.map(({ lane, samples }) => [lane.contestant, samples])) };
}
