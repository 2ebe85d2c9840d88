/** Taking the time of calls. Runs under Bun and Node. */
import type { Awaitable } from "../contestants/subject.js";

/** How long so many calls take, one after the other, in milliseconds. */
export async function timed(calls: number, call: (index: number) => Awaitable<unknown>): Promise<number> {
  const start = performance.now();
  for (let index = 0; index < calls; index++) {
    await call(index);
  }
  return performance.now() - start;
}

/** So that nobody pays for another's garbage. Under Node it takes `--expose-gc`. */
export function collectGarbage(): void {
  if (typeof Bun === "undefined") {
    globalThis.gc?.();
  } else {
    Bun.gc(true);
  }
}
