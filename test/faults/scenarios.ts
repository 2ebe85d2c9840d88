import type { Scenario } from "./scenario.js";

/** In the order in which they are run and printed. */
export const SCENARIOS: readonly Scenario[] = [];
