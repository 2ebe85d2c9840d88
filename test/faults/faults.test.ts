/** The short form of every fault scenario. */
import { expect, test } from "bun:test";
import { SCENARIOS } from "./scenarios.js";

for (const scenario of SCENARIOS) {
  const missing = scenario.missing();
  const title = missing === undefined ? scenario.about : `${scenario.about} (skipped: ${missing})`;
  test.skipIf(missing !== undefined)(
    `${scenario.name}: ${title}`,
    async () => {
      const report = await scenario.run("short", () => {});
      expect(report.violations).toEqual([]);
      expect(report.rows.length).toBeGreaterThan(0);
    },
    60_000,
  );
}
