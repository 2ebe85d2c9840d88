/** What the tests use of a package that has no types of its own. */
declare module "@sinonjs/fake-timers" {
  export interface Clock {
    /** Advances the time and calls what falls due. */
    tick(milliseconds: number): number;
    uninstall(): void;
  }
  /** Replaces the timers and clocks of this realm. */
  export function install(options?: { now?: number }): Clock;
}
