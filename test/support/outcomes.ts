/** What came of calls: for tests that look at many at once. */
import { CheckpointStoreError } from "@obsku/checkpoint-sqlite";

/** `ok`, or the name of the error, for each promise in order. */
export async function outcomesOf(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((result) => (result.status === "fulfilled" ? "ok" : nameOf(result.reason)));
}

/** The error a call rejects with. */
export async function rejectionOf(call: Promise<unknown>): Promise<CheckpointStoreError> {
  const outcome = await call.then(
    () => "nothing",
    (error: unknown) => error,
  );
  return asStoreError(outcome);
}

/** The error a function throws. */
export function thrownBy(work: () => unknown): CheckpointStoreError {
  let thrown: unknown = "nothing";
  try {
    work();
  } catch (error) {
    thrown = error;
  }
  return asStoreError(thrown);
}

function asStoreError(error: unknown): CheckpointStoreError {
  if (error instanceof CheckpointStoreError) return error;
  throw new Error(`Should have failed with an error of the store, not with ${String(error)}`, {
    cause: error,
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}
