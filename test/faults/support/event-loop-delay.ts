/** How late timers fire, which is how long the event loop was held up by something else. */

/** Milliseconds. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const INTERVAL = 5;

export class EventLoopDelay {
  readonly #delays: number[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  #last = performance.now();

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#delays.push(Math.max(0, now - this.#last - INTERVAL));
      this.#last = now;
    }, INTERVAL);
  }

  stop(): Delays {
    clearInterval(this.#timer);
    const sorted = this.#delays.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}
