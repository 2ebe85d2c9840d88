/** One line that says what is being done, if someone is watching; nothing in a log. */
const isWatched = process.stderr.isTTY === true;
const CLEAR = "\r\u001b[2K";

export function showProgress(text: string): void {
  if (isWatched) {
    const width = (process.stderr.columns ?? 80) - 1;
    process.stderr.write(`${CLEAR}${text.slice(0, width)}`);
  }
}

export function clearProgress(): void {
  if (isWatched) {
    process.stderr.write(CLEAR);
  }
}
