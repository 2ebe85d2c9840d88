/** Runs a command in a pseudo-terminal and keeps what it prints, line by line. */

export type Line = readonly Span[];

/** A piece of a line in one style. */
export interface Span {
  text: string;
  style: Style;
}

/** What the demo's terminal can do; the codes are those of ANSI. */
export type Style = "plain" | "bold" | "dim" | "red" | "green" | "cyan";

const STYLES = new Map<string, Style>([
  ["0", "plain"],
  ["1", "bold"],
  ["2", "dim"],
  ["31", "red"],
  ["32", "green"],
  ["36", "cyan"],
]);

const ESCAPE = "\u001b";
const CLEAR_LINE = `\r${ESCAPE}[2K`;
const STYLE_CODE = new RegExp(`${ESCAPE}\\[(\\d+)m`);

/** @throws if the command fails, with what it printed. */
export async function record(command: readonly string[], columns: number): Promise<Line[]> {
  const lines: Line[] = [];
  const decoder = new TextDecoder();
  let rest = "";
  const child = Bun.spawn([...command], {
    env: { ...process.env, TERM: "xterm-256color", NO_COLOR: "" },
    terminal: {
      cols: columns,
      rows: 50,
      data(_, bytes) {
        const complete = (rest + decoder.decode(bytes, { stream: true })).split("\n");
        rest = complete.pop() ?? "";
        lines.push(...complete.map(spansOf));
      },
    },
  });
  const exitCode = await child.exited;
  if (exitCode !== 0) {
    throw new Error(`${command.join(" ")} exited with ${exitCode}:\n${lines.map(textOf).join("\n")}${rest}`);
  }
  return lines;
}

export function textOf(spans: Line): string {
  return spans.map(({ text }) => text).join("");
}

/** The styled text of a line as it stays: what a busy indicator drew before is cleared. */
export function spansOf(line: string): Span[] {
  const kept = line.split(CLEAR_LINE).at(-1) ?? "";
  const pieces = kept.replaceAll("\r", "").split(STYLE_CODE);
  const spans: Span[] = [];
  let style: Style = "plain";
  pieces.forEach((piece, index) => {
    if (index % 2 === 1) {
      style = STYLES.get(piece) ?? "plain";
    } else if (piece !== "") {
      spans.push({ text: piece, style });
    }
  });
  return spans;
}
