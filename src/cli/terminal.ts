/** What the process is connected to: terminals, their width, and whether colour is wanted. */

type Paint = (text: string) => string;

/** Styles by name; on a stream that is no terminal they change nothing. */
export interface Colours {
  bold: Paint;
  dim: Paint;
  red: Paint;
  green: Paint;
  yellow: Paint;
  cyan: Paint;
}

/** The names and values that a process was started with. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** FORCE_COLOR goes before NO_COLOR, as in Node. */
export function hasColours(isTerminal: boolean, environment: Environment): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = environment;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") {
    return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  }
  return isTerminal && (NO_COLOR ?? "") === "" && TERM !== "dumb";
}

export function coloursFor(stream: { isTTY?: boolean }, environment: Environment = process.env): Colours {
  const isColoured = hasColours(stream.isTTY === true, environment);
  const paint =
    (code: number): Paint =>
    (text) =>
      isColoured && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text;
  return {
    bold: paint(1),
    dim: paint(2),
    red: paint(31),
    green: paint(32),
    yellow: paint(33),
    cyan: paint(36),
  };
}
