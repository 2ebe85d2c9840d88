/** Which part of the demo's output the picture shows: all of it would be too tall. */

const HEADING = /^ {2}(\d) {2}\S/;

/** The run and the kill, the resumed run, and both sessions as they are in the file. */
const SHOWN = ["1", "3", "5"];

/** Where the demo's last chapter ends and its closing words begin. */
const CLOSING = /^ {2}A version is unique/;

/** The lines of the chapters that are shown; `undefined` stands for those that were left out between two. */
export function shownLines<T>(lines: readonly T[], textOf: (line: T) => string): (T | undefined)[] {
  const shown: (T | undefined)[] = [];
  let chapter = "";
  for (const line of lines) {
    const text = textOf(line);
    const next = HEADING.exec(text)?.[1];
    if (next !== undefined && SHOWN.includes(next) && shown.length > 0) {
      shown.push(undefined);
    }
    chapter = CLOSING.test(text) ? "" : (next ?? chapter);
    if (SHOWN.includes(chapter) && text !== "") {
      shown.push(line);
    }
  }
  return shown;
}
