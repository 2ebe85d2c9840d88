/** Outcomes of a store's calls: of many at once, or the store's error of one that must fail. */
import { CheckpointStoreError } from "@obsku/checkpoint-sqlite";
import { rejectionWith, thrownAs } from "./failures.js";

/** `ok`, or the name of the error, for each promise in order. */
export async function outcomesOf(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((result) => (result.status === "fulfilled" ? "ok" : nameOf(result.reason)));
}

/** The store's error that the call rejects with. */
export function rejectionOf(call: Promise<unknown>): Promise<CheckpointStoreError> {
  return rejectionWith(CheckpointStoreError, call);
}

/** The store's error that the function throws. */
export function thrownBy(work: () => unknown): CheckpointStoreError {
  return thrownAs(CheckpointStoreError, work);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}
