/** Stored text on a terminal: control characters escaped, cut to columns. */

/**
 * Control characters (C0, DEL, C1), line and paragraph separators, and those that turn the direction of text: a title must
 * neither clear a screen nor make a line read as another one.
 */
const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** The same but for line feeds and tabs. */
const CONTROL_IN_LINES = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text on one line. */
export function oneLine(text: string): string {
  return text.replace(CONTROL, escaped).toWellFormed();
}

/** The lines of a text. */
export function linesOf(text: string): string[] {
  return text.replaceAll("\r\n", "\n").replace(CONTROL_IN_LINES, escaped).toWellFormed().split("\n");
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return (
    SHORT_ESCAPES[character] ??
    (code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`)
  );
}

/** JSON that says the same, and in which strings have the characters escaped that JSON itself leaves as they are. */
export function jsonLine(json: string): string {
  return json.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** In columns of a terminal: East Asian characters and emoji take two. */
export function widthOf(text: string): number {
  return Bun.stringWidth(text);
}

/** Fills with blanks; the text may have colours. */
export function padded(text: string, width: number, isRight = false): string {
  const blanks = " ".repeat(Math.max(0, width - widthOf(text)));
  return isRight ? blanks + text : text + blanks;
}

/** A colour as {@link coloursFor} writes it. Stored text has its escape characters escaped before it is painted. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence is looked for
const PAINT = /(\u001b\[\d+m)/;
const UNPAINTED = "\u001b[0m";

/** The longest beginning that fits, with an ellipsis if anything was cut. The text may have colours. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) {
    return text;
  }
  let kept = "";
  let room = width - 1;
  const parts = text.split(PAINT); // Each second one is a colour.
  for (const [index, part] of parts.entries()) {
    const shown = index % 2 === 1 ? part : beginning(part, room);
    kept += shown;
    room -= widthOf(shown);
    if (shown !== part) {
      break;
    }
  }
  return width < 1 ? "" : `${kept}…${parts.length > 1 ? UNPAINTED : ""}`;
}

/** Whole characters, as people count them. */
function beginning(text: string, width: number): string {
  const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  let room = width;
  for (const { segment, index } of graphemes.segment(text)) {
    room -= widthOf(segment);
    if (room < 0) {
      return text.slice(0, index);
    }
  }
  return text;
}
