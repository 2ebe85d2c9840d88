/**
 * Lines of a terminal as SVG, readable on a light page and on a dark one.
 *
 * Pieces are placed and stretched to the columns they had, so the picture is the same in every monospaced font. It does not move: an
 * image that is shown at its first frame, as by a preview, would be empty.
 */
import type { Line, Span } from "./recording.js";

const COLUMN = 8.4;
const LINE = 18;
const FONT = 14;
const PADDING = 16;

interface Colours {
  page: string;
  edge: string;
  plain: string;
  dim: string;
  red: string;
  green: string;
  cyan: string;
}

const LIGHT: Colours = {
  page: "#ffffff",
  edge: "#d0d7de",
  plain: "#1f2328",
  dim: "#59636e",
  red: "#cf222e",
  green: "#1a7f37",
  cyan: "#0550ae",
};

const DARK: Colours = {
  page: "#0d1117",
  edge: "#3d444d",
  plain: "#f0f6fc",
  dim: "#9198a1",
  red: "#ff7b72",
  green: "#3fb950",
  cyan: "#79c0ff",
};

/** Without CSS variables, which not every renderer of SVG knows. */
const STYLE = `
  text { font: ${FONT}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .bold { font-weight: 700; }
  ${rules(LIGHT)}
  @media (prefers-color-scheme: dark) { ${rules(DARK)} }
`;

function rules({ page, edge, plain, dim, red, green, cyan }: Colours): string {
  return [
    `rect { fill: ${page}; stroke: ${edge}; }`,
    `text { fill: ${plain}; }`,
    `.dim { fill: ${dim}; }`,
    `.red { fill: ${red}; }`,
    `.green { fill: ${green}; }`,
    `.cyan { fill: ${cyan}; }`,
  ].join(" ");
}

/** @param lines `undefined` for a gap. */
export function terminalSvg(title: string, command: string, lines: readonly (Line | undefined)[]): string {
  const prompt: Line = [{ text: `$ ${command}`, style: "bold" }];
  const all = [prompt, undefined, ...lines];
  const columns = Math.max(...all.map((line) => lengthOf(line ?? [])));
  const width = Math.ceil(columns * COLUMN + 2 * PADDING);
  const height = all.length * LINE + 2 * PADDING;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...all.flatMap((line, index) => (line === undefined ? [] : [lineSvg(line, index)])),
    "</svg>",
    "",
  ].join("\n");
}

function lineSvg(spans: Line, index: number): string {
  const y = PADDING + index * LINE + FONT;
  let column = 0;
  const texts = spans.flatMap((span) => {
    const start = column;
    column += span.text.length;
    return piecesOf(span, start).map((piece) => pieceSvg(piece, span.style, y));
  });
  return `<g>${texts.join("")}</g>`;
}

interface Piece {
  text: string;
  column: number;
}

/** A span cut where it has two blanks or more, which a renderer may not keep. */
function piecesOf({ text }: Span, start: number): Piece[] {
  return [...text.matchAll(/\S+(?: \S+)*/g)].map((match) => ({
    text: match[0],
    column: start + match.index,
  }));
}

function pieceSvg({ text, column }: Piece, style: string, y: number): string {
  const x = (PADDING + column * COLUMN).toFixed(1);
  const length = (text.length * COLUMN).toFixed(1);
  return `<text class="${style}" x="${x}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs">${escaped(text)}</text>`;
}

function lengthOf(spans: Line): number {
  return spans.reduce((sum, { text }) => sum + text.length, 0);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
