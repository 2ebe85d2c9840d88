/** One small, realistic breakage of the code, and the tests that must notice it. */
export interface Mutation {
  /** Below the repository's root. */
  readonly file: string;
  /** A piece of its text that is found exactly once: one that is gone, or there twice, is an error of the list. */
  readonly find: string;
  readonly replace: string;
  /** What goes wrong with it, in one line. */
  readonly breaks: string;
  /** The narrowest test files that should notice. */
  readonly tests: readonly string[];
  /** Of these, only the tests whose names fit this pattern: the conformance suite as a whole takes half a minute. */
  readonly only?: string;
  /** Also tried by `.ci/run`. */
  readonly quick?: boolean;
}
