/**
 * Waits for a lock that another connection holds.
 *
 * The delays are random, so that waiting processes do not retry at the same moment. Measured with four processes that write
 * as fast as they can: without a delay some of them starve, and with a long one the lock stays unused.
 */
import { elapsed, sleep, sleepSync } from "../runtime/event-loop.js";
import { isBusy, toStoreError } from "./sqlite-errors.js";

const SHORTEST_DELAY = 1;
const LONGEST_DELAY = 33;

export function delayBeforeRetry(): Promise<void> {
  return sleep(randomDelay());
}

/** Retries an attempt while it fails because of a lock, until the timeout (ms) has passed. */
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
 * Retries like {@link retryWhileBusy}, but blocks the event loop until it returns.
 *
 * @throws the error of the last attempt.
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
