/** Builds the inspector's page: one HTML file with its script and its styles, which loads nothing. */
import { rename } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");

/** The inspector looks for it there, from its source and from the bundle. */
const PAGE_FILE = join(root, "dist/inspector.html");

export const LARGEST_PAGE_GZIPPED = 32_000;

export interface BuiltPage {
  gzipped: number;
  /** Paths of all modules in it. */
  sources: string[];
}

export async function buildPage(): Promise<BuiltPage> {
  const { outputs, metafile } = await Bun.build({
    entrypoints: [join(root, "src/inspector/page/index.html")],
    compile: true,
    target: "browser",
    minify: true,
    metafile: true,
  });
  const html = await outputs[0]?.text();
  if (html === undefined || /<(?:script|link)[^>]* (?:src|href)="(?!data:)/.test(html)) {
    throw new Error(
      "The inspector's page did not become one file: look at what Bun.build made of src/inspector/page.",
    );
  }
  // In one step, so that an inspector that starts meanwhile reads the old page or the new one.
  const written = `${PAGE_FILE}.${process.pid}`;
  await Bun.write(written, html);
  await rename(written, PAGE_FILE);
  return {
    gzipped: Bun.gzipSync(Buffer.from(html), { level: 9 }).length,
    sources: Object.keys(metafile?.inputs ?? {}),
  };
}

if (import.meta.main) {
  await buildPage();
}
