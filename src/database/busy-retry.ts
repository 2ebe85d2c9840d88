/**
 * Waiting for a lock that another connection holds.
 *
 * The delays are random, so that several waiting processes do not come back at the same moment. Measured with four
 * processes writing as fast as they can: no delay between attempts starves some of them, a long one wastes the lock.
 */
import { elapsed, sleep, sleepSync } from "../runtime/event-loop.js";
import { isBusy, toStoreError } from "./sqlite-errors.js";

const SHORTEST_DELAY = 1;
const LONGEST_DELAY = 33;

export function delayBeforeRetry(): Promise<void> {
  return sleep(randomDelay());
}

/** Runs an attempt again for as long as it fails because of a lock, until the timeout (ms) has passed. */
export async function retryWhileBusy<T>(attempt: () => T | Promise<T>, busyTimeout: number): Promise<T> {
  const deadline = elapsed() + busyTimeout;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isBusy(error) || elapsed() >= deadline) {
        throw toStoreError(error, busyTimeout);
      }
    }
    await delayBeforeRetry();
  }
}

/**
 * The same, blocking the event loop until it returns.
 *
 * @throws what the last attempt threw.
 */
export function retryWhileBusySync<T>(attempt: () => T, busyTimeout: number): T {
  const deadline = elapsed() + busyTimeout;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || elapsed() >= deadline) {
        throw error;
      }
    }
    sleepSync(randomDelay());
  }
}

function randomDelay(): number {
  return SHORTEST_DELAY + Math.random() * (LONGEST_DELAY - SHORTEST_DELAY);
}
