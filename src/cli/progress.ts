/** One moving line on stderr while something takes long; nothing if stderr is no terminal. */
import type { Progress } from "../maintenance/index.js";

const CLEAR_LINE = "\r\u001b[2K";
const REDRAW_MS = 100;

export class ProgressLine {
  readonly #isShown = process.stderr.isTTY === true && process.env.TERM !== "dumb";
  #drawnAt = Number.NEGATIVE_INFINITY;

  readonly show = ({ done, total, unit }: Progress): void => {
    if (this.#isShown && performance.now() - this.#drawnAt >= REDRAW_MS) {
      this.#drawnAt = performance.now();
      const percent = total > 0 ? ` (${Math.floor((100 * Math.min(done, total)) / total)} %)` : "";
      process.stderr.write(
        `${CLEAR_LINE}${done.toLocaleString("en")} of ${Math.max(done, total).toLocaleString("en")} ${unit}${percent}`,
      );
    }
  };

  clear(): void {
    if (this.#drawnAt > Number.NEGATIVE_INFINITY) {
      process.stderr.write(CLEAR_LINE);
    }
  }
}
