/** What the worker process and the test that kills it agree on. */

/** A kill may leave so many writes in the file whose acknowledgement was never written. */
export const CALLS_IN_FLIGHT = 8;
