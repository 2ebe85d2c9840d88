/**
 * Waiting for a lock that another connection holds, without holding up the event loop.
 *
 * The delays are random, so that several waiting processes do not come back at the same moment. Measured with four
 * processes writing as fast as they can: no delay between attempts starves some of them, a long one wastes the lock.
 */
import { isBusy, toStoreError } from "./sqlite-errors.js";

const SHORTEST_DELAY = 1;
const LONGEST_DELAY = 33;

export function delayBeforeRetry(): Promise<void> {
  const milliseconds = SHORTEST_DELAY + Math.random() * (LONGEST_DELAY - SHORTEST_DELAY);
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** Runs an attempt again for as long as it fails because of a lock, until the timeout (ms) has passed. */
export async function retryWhileBusy<T>(attempt: () => T | Promise<T>, busyTimeout: number): Promise<T> {
  const deadline = performance.now() + busyTimeout;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) {
        throw toStoreError(error, busyTimeout);
      }
    }
    await delayBeforeRetry();
  }
}
