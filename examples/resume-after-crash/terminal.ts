/**
 * Lines for a terminal, and a last one that moves while something is under way.
 *
 * Where nobody is looking (a pipe, a file), or NO_COLOR or TERM=dumb asks for it, there are plain lines only: no
 * colour, no cursor movement, and nothing that moves.
 */
type Paint = (text: string) => string;

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MILLISECONDS = 80;
const CLEAR_LINE = "\r\u001b[2K";

export class Terminal {
  readonly #stream: NodeJS.WriteStream;
  readonly #isLively: boolean;
  #animation: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    const { NO_COLOR, TERM } = process.env;
    this.#stream = stream;
    this.#isLively = stream.isTTY === true && (NO_COLOR ?? "") === "" && TERM !== "dumb";
  }

  readonly bold: Paint = (text) => this.#paint(1, text);
  readonly dim: Paint = (text) => this.#paint(2, text);
  readonly red: Paint = (text) => this.#paint(31, text);
  readonly green: Paint = (text) => this.#paint(32, text);
  readonly cyan: Paint = (text) => this.#paint(36, text);

  line(text = ""): void {
    this.quiet();
    this.#stream.write(`${text}\n`);
  }

  /** Says what is under way, until the next line is written. */
  busy(text: string): void {
    this.quiet();
    if (!this.#isLively) {
      return;
    }
    let frame = 0;
    const draw = () => {
      this.#stream.write(
        `${CLEAR_LINE}  ${this.cyan(FRAMES[frame % FRAMES.length] ?? "")} ${this.dim(text)}`,
      );
      frame += 1;
    };
    draw();
    this.#animation = setInterval(draw, FRAME_MILLISECONDS);
  }

  quiet(): void {
    if (this.#animation !== undefined) {
      clearInterval(this.#animation);
      this.#animation = undefined;
      this.#stream.write(CLEAR_LINE);
    }
  }

  #paint(code: number, text: string): string {
    return this.#isLively ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
