/** What this process takes of memory and file handles, and whether it takes ever more. */
import { heapStats } from "bun:jsc";
import { existsSync, readdirSync } from "node:fs";

export interface Sample {
  /** Milliseconds since the start. */
  readonly at: number;
  /** What JavaScript holds on to, after a garbage collection. */
  readonly heapMiB: number;
  /** What the system has given the process: SQLite's memory is in it, and what the allocators keep for later. */
  readonly rssMiB: number;
  /** NaN if the system does not list them. */
  readonly handles: number;
}

export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly highest: number;
  /** By the line of least squares through the second half: how much higher its end is than its beginning. */
  readonly growth: number;
}

const HANDLES = "/proc/self/fd";

export function takeSample(startedAt: number): Sample {
  Bun.gc(true);
  return {
    at: performance.now() - startedAt,
    heapMiB: heapStats().heapSize / 2 ** 20,
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
    handles: existsSync(HANDLES) ? readdirSync(HANDLES).length : Number.NaN,
  };
}

export function trendOf(samples: readonly Sample[], field: "heapMiB" | "rssMiB" | "handles"): Trend {
  const values = samples.map((sample) => sample[field]);
  const secondHalf = samples.slice(Math.floor(samples.length / 2));
  const begin = secondHalf[0]?.at ?? 0;
  const end = secondHalf.at(-1)?.at ?? 0;
  const slope = slopeOf(secondHalf.map((sample) => [sample.at, sample[field]]));
  return {
    first: values[0] ?? Number.NaN,
    last: values.at(-1) ?? Number.NaN,
    highest: Math.max(...values),
    growth: slope * (end - begin),
  };
}

function slopeOf(points: readonly (readonly [number, number])[]): number {
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const together = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return spread === 0 ? 0 : together / spread;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
