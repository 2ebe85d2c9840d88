/** Every view in light and dark for a screen reader, and on a narrow screen. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import { SAMPLE, writeSampleRuns } from "../../scripts/sample-runs.js";
import { describeInBrowser, OpenPage, useFolder } from "./support/browser.js";
import { placesIn } from "./support/file.js";

const AXE = readFileSync(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir), "utf8");

describeInBrowser("the inspector, for everybody", () => {
  const folder = useFolder();
  let path = "";
  let views: [name: string, hash: string][] = [];
  beforeAll(async () => {
    path = join(folder.path, "sample.db");
    await writeSampleRuns(path, Date.now());
    const places = await placesIn(path);
    views = [
      ...Object.entries(places.views(SAMPLE.looped)),
      ["a fork", places.session(SAMPLE.fork)],
      ["a failed run", places.session(SAMPLE.failed)],
      ["a pending run", places.session(SAMPLE.pending)],
      ["an unknown session", "#/session/unknown"],
    ];
  });

  function violationsOn({ page }: OpenPage): Promise<object[]> {
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
      const { violations } = await axe.run({ resultTypes: ["violations"] });
      return violations.map(({ id, nodes }) => ({
        id,
        nodes: nodes.map(({ html, failureSummary }) => `${html}: ${failureSummary}`),
      }));
    });
  }

  async function settle({ page }: OpenPage, hash: string): Promise<void> {
    await page.locator("main h1").first().waitFor();
    await page.locator("main .loading").first().waitFor({ state: "detached" });
    if (hash.endsWith("/forks")) {
      await page.getByRole("treeitem").first().waitFor();
    } else if (hash.startsWith("#/session/") && !hash.endsWith("unknown")) {
      await page.locator(".checkpoint .facts").waitFor();
    }
  }

  test("axe finds nothing in any view, in light and in dark colours", async () => {
    await using opened = await OpenPage.on(path, { context: { bypassCSP: true } });
    const found: object[] = [];
    for (const [name, hash] of views) {
      await opened.go(hash);
      await settle(opened, hash);
      await opened.page.evaluate(AXE);
      for (const colorScheme of ["light", "dark"] as const) {
        await opened.page.emulateMedia({ colorScheme });
        found.push(...(await violationsOn(opened)).map((violation) => ({ name, colorScheme, ...violation })));
      }
    }
    expect(found).toEqual([]);
  });

  test("nothing is wider than a screen of 380 pixels", async () => {
    await using opened = await OpenPage.on(path, { context: { viewport: { width: 380, height: 780 } } });
    for (const [name, hash] of views) {
      await opened.go(hash);
      await settle(opened, hash);
      const width = await opened.page.evaluate(() => document.documentElement.scrollWidth);
      expect({ name, width }).toEqual({ name, width: 380 });
    }
    expect(opened.problems.filter((text) => !text.includes("404"))).toEqual([]);
  });

  test("a reader's choice of colours stays", async () => {
    await using opened = await OpenPage.on(path, { context: { colorScheme: "light" } });
    const { page } = opened;
    await page.getByRole("button", { name: "Use dark colours" }).click();
    await page.getByRole("button", { name: "Use light colours" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Use light colours" }).waitFor();
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(background).toBe("rgb(15, 19, 25)");
  });
});
