/** Tables that fit the terminal's width. */
import type { Colours } from "./terminal.js";
import { cut, oneLine, padded, widthOf } from "./text.js";

export interface Column<T> {
  title: string;
  text: (row: T) => string;
  /** Numbers stand to the right. */
  isRight?: boolean;
  /** Cut if the terminal is too narrow; other columns are shown whole. */
  isFlexible?: boolean;
  paint?: keyof Colours;
}

const GAP = 2;
/** A flexible column keeps at least so many columns. */
const NARROWEST = 8;

/** @param width `undefined`: nothing is cut. */
export function tableLines<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  colours: Colours,
  width: number | undefined,
): string[] {
  const cells = rows.map((row) => columns.map(({ text }) => oneLine(text(row))));
  const natural = columns.map(({ title }, at) =>
    cells.reduce((widest, row) => Math.max(widest, widthOf(row[at] ?? "")), widthOf(title)),
  );
  const widths = width === undefined ? natural : fitted(natural, columns, width);
  const line = (texts: readonly string[], paint: (text: string, at: number) => string) =>
    texts
      .map((text, at) => {
        const isLast = at === texts.length - 1;
        const room = widths[at] ?? 0;
        const shown = paint(cut(text, room), at);
        return isLast && columns[at]?.isRight !== true ? shown : padded(shown, room, columns[at]?.isRight);
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  return [
    line(
      columns.map(({ title }) => title),
      colours.dim,
    ),
    ...cells.map((row) =>
      line(row, (text, at) => {
        const paint = columns[at]?.paint;
        return paint === undefined ? text : colours[paint](text);
      }),
    ),
  ];
}

/** Takes what is missing from the widest flexible columns. */
function fitted<T>(natural: readonly number[], columns: readonly Column<T>[], width: number): number[] {
  const widths = [...natural];
  const total = () => widths.reduce((sum, each) => sum + each, GAP * (widths.length - 1));
  const flexible = columns.flatMap(({ isFlexible }, at) => (isFlexible === true ? [at] : []));
  while (total() > width) {
    const widest = flexible.reduce<number | undefined>(
      (best, at) => ((widths[at] ?? 0) > (best === undefined ? NARROWEST : (widths[best] ?? 0)) ? at : best),
      undefined,
    );
    if (widest === undefined) {
      break;
    }
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}
