/**
 * `npm run inspector-pictures`: draws the views of docs/inspector.md into docs/img/, in light and dark. Needs a browser as
 * `npm run test:browser` does, or its path in TEST_BROWSER.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium, type Page } from "playwright-core";
import { inspect } from "../src/inspector/index.js";
import { buildPage } from "./page.js";
import { SAMPLE, writeSampleRuns } from "./sample-runs.js";

const IMAGES = resolve(import.meta.dir, "../docs/img");
const COLOURS = ["light", "dark"] as const;

/** Of the file's last write, and of the browser's clock: every picture has the same times. */
const NOW = Date.UTC(2026, 0, 31, 9, 30);

interface View {
  name: string;
  width?: number;
  height: number;
  /** From the list of sessions to the view. */
  show: (page: Page) => Promise<void>;
}

const VIEWS: readonly View[] = [
  // Its rows are aligned in columns if the page is wider than 1,100 pixels.
  { name: "sessions", width: 1_280, height: 640, show: async () => {} },
  {
    name: "session",
    height: 900,
    show: async (page) => {
      await open(page, SAMPLE.looped);
      await page.getByRole("link", { name: /^v4: verify completed/ }).click();
      await page.getByRole("button", { name: "probe" }).click();
      await page.getByRole("region", { name: "Checkpoint v4" }).waitFor();
      await page.evaluate("scrollTo(0, 0)");
    },
  },
  {
    name: "failed",
    height: 760,
    show: async (page) => {
      await open(page, SAMPLE.failed);
      await page.locator("pre.error").waitFor();
    },
  },
  {
    name: "differences",
    height: 860,
    show: async (page) => {
      await open(page, SAMPLE.fork);
      await page.getByRole("link", { name: "Compare with how the original ended" }).click();
      await page.getByRole("region", { name: "report" }).waitFor();
    },
  },
  {
    name: "forks",
    height: 380,
    show: async (page) => {
      await open(page, SAMPLE.looped);
      await page.getByRole("link", { name: "Fork tree" }).click();
      await page.getByRole("treeitem", { name: SAMPLE.fork }).focus();
    },
  },
  {
    name: "growth",
    height: 760,
    show: async (page) => {
      await page.getByRole("link", { name: "Growth" }).click();
      await page.getByRole("heading", { name: "Tables" }).waitFor();
    },
  },
];

async function open(page: Page, title: string): Promise<void> {
  await page
    .getByRole("link", { name: `${title} `, exact: false })
    .last()
    .click();
  await page.getByRole("heading", { name: title, exact: true, level: 1 }).waitFor();
  await page.locator(".checkpoint .facts").waitFor();
}

const folder = await mkdtemp(join(tmpdir(), "inspector-pictures-"));
const browser = await chromium.launch({
  executablePath: process.env.TEST_BROWSER ?? "/usr/bin/chromium-headless-shell",
  args: ["--no-sandbox"],
});
try {
  await buildPage();
  const path = join(folder, "runs.db");
  await writeSampleRuns(path, NOW);
  await using inspector = await inspect(path, { port: 0 });
  for (const colorScheme of COLOURS) {
    for (const view of VIEWS) {
      const viewport = { width: view.width ?? 1_100, height: view.height };
      const context = await browser.newContext({ viewport, colorScheme, timezoneId: "UTC", locale: "en-GB" });
      const page = await context.newPage();
      await page.clock.setFixedTime(NOW);
      await page.goto(inspector.url);
      await page.locator("a.session-row").first().waitFor();
      await view.show(page);
      await page.mouse.move(0, 0);
      await page.screenshot({
        path: join(IMAGES, `inspector-${view.name}-${colorScheme}.png`),
        animations: "disabled",
      });
      await context.close();
    }
  }
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}
