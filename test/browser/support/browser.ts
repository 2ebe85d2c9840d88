/** A headless browser, and inspectors whose pages it opens. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { buildPage } from "../../../scripts/page.js";
import { type InspectOptions, type Inspector, inspect } from "../../../src/inspector/index.js";
import { createTemporaryFolder, type TemporaryFolder } from "../../support/temporary-folder.js";

/** Of Debian, of GitHub's runners, and of a Mac. */
const PLACES = [
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** A page of the network resolves to this machine, as in DNS rebinding. */
export const FOREIGN_NAME = "inspector.example";

const PATIENCE_MS = 20_000;

let browser: Browser | undefined;

/** A suite in the browser; without one, a single skipped test, or a failed one where a browser must be there. */
export function describeInBrowser(title: string, define: () => void): void {
  const path = process.env.TEST_BROWSER ?? PLACES.find((place) => existsSync(place));
  if (path === undefined) {
    test.skipIf(process.env.TEST_BROWSER_REQUIRED === undefined)(
      `${title} (skipped: no browser; install chromium-headless-shell, or set TEST_BROWSER to its path)`,
      () => {
        throw new Error(`TEST_BROWSER_REQUIRED is set, and there is no browser at ${PLACES.join(", ")}.`);
      },
    );
    return;
  }
  describe(title, () => {
    beforeAll(async () => {
      await buildPage();
      browser = await chromium.launch({
        executablePath: path,
        args: ["--no-sandbox", `--host-resolver-rules=MAP ${FOREIGN_NAME} 127.0.0.1`],
      });
    });
    afterAll(() => browser?.close());
    define();
  });
}

/** A context of its own, as another person's browser. */
export async function newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  if (browser === undefined) {
    throw new Error("The browser is not running: call this within describeInBrowser.");
  }
  const context = await browser.newContext({ viewport: { width: 1_280, height: 860 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

export interface OpenOptions extends InspectOptions {
  context?: BrowserContextOptions;
  /** Where in the page to begin, such as `#/growth`. */
  hash?: string;
}

/** An inspector on a file, its page in a context of its own, and what went wrong in it. */
export class OpenPage {
  readonly problems: string[] = [];

  private constructor(
    readonly inspector: Inspector,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.on("pageerror", (error) => this.problems.push(error.message));
    page.on("dialog", (dialog) => {
      this.problems.push(`a dialog: ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.problems.push(message.text());
      }
    });
  }

  static async on(
    path: string,
    { context: contextOptions, hash = "", ...options }: OpenOptions = {},
  ): Promise<OpenPage> {
    const inspector = await inspect(path, { port: 0, ...options });
    const context = await newContext(contextOptions);
    const opened = new OpenPage(inspector, context, await context.newPage());
    await opened.page.goto(inspector.url + hash);
    return opened;
  }

  get origin(): string {
    return new URL(this.inspector.url).origin;
  }

  /** To another place, in a page that is loaded again: nothing of the place before is left in it. */
  async go(hash: string): Promise<void> {
    await this.page.goto("about:blank");
    await this.page.goto(`${this.origin}/${hash}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
    await this.inspector.close();
  }
}

/** A temporary folder for the suite around it. */
export function useFolder(): { readonly path: string } {
  let folder: TemporaryFolder | undefined;
  beforeAll(async () => {
    folder = await createTemporaryFolder();
  });
  afterAll(() => folder?.remove());
  return {
    get path() {
      return folder?.path ?? "";
    },
  };
}
