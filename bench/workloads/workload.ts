/** What a workload is, and what it is given to work with. */
import type { ContestantName } from "../contestants/contestant.js";
import type { Row } from "../harness/rounds.js";
import type { Scratch } from "../harness/scratch.js";

export interface Workload {
  /** As it is named on the command line. */
  name: string;
  title: string;
  /** What is done, what stands in for it if a contestant cannot, and who is left out and why. */
  about: string;
  /** A plot of cost against size, if that is the question; default: milliseconds a call. */
  plot?: { file: string; axis: string; measure?: "MB" };
  run(bench: Bench): Promise<void>;
}

export interface Bench {
  /** Sizes and times are cut down: it only shows that everything works. */
  isQuick: boolean;
  scratch: Scratch;
  /** Those of the names that can take part on this machine. */
  present<Name extends ContestantName>(names: readonly Name[]): Name[];
  /** Says what is being done, if someone is watching. */
  progress(text: string): void;
  /** Measures rows together, and puts them into the workload's table. */
  measure(rows: readonly Row[]): Promise<void>;
}
