/**
 * What a fault scenario is: something is done to a store that should not be, and what was lost is counted.
 *
 * Every scenario has a short form, which `npm test` runs, and a full one, which `npm run test:faults` runs and prints.
 */

export type Scale = "short" | "full";

/** One line of a scenario's table. Every row of a scenario has the same columns. */
export type ReportRow = Readonly<Record<string, string | number>>;

export interface Report {
  /** What was tried, and what came of it. */
  readonly rows: readonly ReportRow[];
  /** What must not be: one sentence a violation, with what is needed to see it again. Empty: the scenario holds. */
  readonly violations: readonly string[];
}

export interface Scenario {
  /** As `npm run test:faults NAME` takes it. */
  readonly name: string;
  /** One sentence: what is done, and what must hold. */
  readonly about: string;
  /** What this machine lacks for it, as the end of "skipped: "; `undefined` if it can run. */
  missing(): string | undefined;
  /** @param progress Told what is being done, from time to time. */
  run(scale: Scale, progress: (doing: string) => void): Promise<Report>;
}
