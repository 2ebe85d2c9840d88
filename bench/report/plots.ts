/** Cost against size as SVG, both axes logarithmic: what stays flat is a level line. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { CONTESTANTS, type ContestantName } from "../contestants/contestant.js";
import type { MeasuredRow } from "../harness/rounds.js";
import { median } from "../harness/statistics.js";
import type { Workload } from "../workloads/workload.js";

interface Point {
  contestant: string;
  size: number;
  cost: number;
}

const HEIGHT = 400;
const MARGIN_TOP = 40;
const MARGIN_BOTTOM = 40;
/** Between two labels, in pixels. */
const LINE_HEIGHT = 13;

const COLOURS: Record<ContestantName, string> = {
  floor: "#8a8a8a",
  ours: "#1f6feb",
  unshared: "#8250df",
  "0.2.3": "#d1242f",
  "0.2.3+WAL": "#bf8700",
  LangGraph: "#1a7f37",
};

/** A line of its own: what no store can do without. */
const DISTINCT = "distinct data";
const DISTINCT_COLOUR = "#1f2328";

/** @returns The plot's path, or `undefined` if there are fewer than two sizes. */
export function writePlot(
  folder: string,
  { title, plot }: Workload,
  rows: readonly MeasuredRow[],
): string | undefined {
  const points = pointsOf(rows);
  if (plot === undefined || new Set(points.map(({ size }) => size)).size < 2) {
    return undefined;
  }
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${plot.file}.svg`);
  const cost = plot.measure === "MB" ? "MB" : "milliseconds a call";
  writeFileSync(path, `${svg(`${title}: ${cost}`, plot.axis, points)}\n`);
  return path;
}

function pointsOf(rows: readonly MeasuredRow[]): Point[] {
  return rows.flatMap(({ size, samples, distinct }) => {
    if (size === undefined) {
      return [];
    }
    const points: Point[] = [...samples].map(([contestant, values]) => ({
      contestant,
      size,
      cost: median(values),
    }));
    return distinct === undefined ? points : [...points, { contestant: DISTINCT, size, cost: distinct }];
  });
}

function svg(cost: string, axis: string, points: readonly Point[]): string {
  const { document } = parseHTML("<html><body></body></html>");
  const channels = { x: "size", y: "cost", stroke: "contestant" };
  const figure = Plot.plot({
    document,
    width: 720,
    height: HEIGHT,
    marginLeft: 60,
    marginRight: 90,
    marginTop: MARGIN_TOP,
    marginBottom: MARGIN_BOTTOM,
    style: { background: "white", color: "#1f2328" },
    x: { type: "log", label: `${axis} →`, grid: true, ticks: decades(points) },
    y: { type: "log", label: `↑ ${cost}`, grid: true, tickFormat: String },
    color: {
      domain: [...CONTESTANTS, DISTINCT],
      range: [...CONTESTANTS.map((name) => COLOURS[name]), DISTINCT_COLOUR],
    },
    marks: [
      Plot.line(points, { ...channels, strokeWidth: 2 }),
      Plot.dot(points, { ...channels, fill: "contestant" }),
      Plot.text(labelsOf(points), {
        x: "size",
        y: "cost",
        text: "contestant",
        fill: "contestant",
        dx: 8,
        textAnchor: "start",
      }),
    ],
  });
  figure.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return figure.outerHTML;
}

/** Each line's name at its end; if several end together, one above the other. */
function labelsOf(points: readonly Point[]): Point[] {
  const lines = Map.groupBy(points, ({ contestant }) => contestant);
  const ends = [...lines.values()].flatMap((line) => line.toSorted((a, b) => a.size - b.size).slice(-1));
  const costs = points.map(({ cost }) => cost);
  const pixels = HEIGHT - MARGIN_TOP - MARGIN_BOTTOM;
  const leastRatio = (Math.max(...costs) / Math.min(...costs)) ** (LINE_HEIGHT / pixels);
  const placed: Point[] = [];
  for (const end of ends.toSorted((a, b) => a.cost - b.cost)) {
    const below = placed.findLast(({ size }) => size === end.size)?.cost ?? 0;
    placed.push({ ...end, cost: Math.max(end.cost, below * leastRatio) });
  }
  return placed;
}

function decades(points: readonly Point[]): number[] {
  const largest = Math.max(...points.map(({ size }) => size));
  const smallest = Math.min(...points.map(({ size }) => size));
  const exponents = Array.from({ length: 10 }, (_, exponent) => 10 ** exponent);
  return exponents.filter((value) => value >= smallest && value <= largest);
}
