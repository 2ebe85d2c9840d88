/** The error of a call or a function that must fail, and of which class. For errors of the store, outcomes.ts is shorter. */

export type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/** The error that the call rejects with; fails if it resolves or rejects with anything that is not of the class. */
export async function rejectionWith<E extends Error>(
  errorClass: ErrorClass<E>,
  call: Promise<unknown>,
): Promise<E> {
  const [outcome] = await Promise.allSettled([call]);
  if (outcome.status === "fulfilled") throw new Error(`Should have rejected with ${errorClass.name}`);
  return asError(errorClass, outcome.reason);
}

/** The error that the function throws; fails if it returns or throws anything that is not of the class. */
export function thrownAs<E extends Error>(errorClass: ErrorClass<E>, work: () => unknown): E {
  try {
    work();
  } catch (error) {
    return asError(errorClass, error);
  }
  throw new Error(`Should have thrown ${errorClass.name}`);
}

function asError<E extends Error>(errorClass: ErrorClass<E>, error: unknown): E {
  if (error instanceof errorClass) return error;
  throw new Error(`Should have failed with ${errorClass.name}, not with ${String(error)}`, { cause: error });
}
