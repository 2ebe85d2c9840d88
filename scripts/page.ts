/** Makes the inspector's page: one HTML file with its script and its styles, which loads nothing. */
import { rename } from "node:fs/promises";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");

/** Where the inspector looks for it, from its source and from the bundle. */
export const PAGE_FILE = join(root, "dist/inspector.html");

export const LARGEST_PAGE_GZIPPED = 32_000;

/** What is bundled into the page. */
const BUNDLED = ["preact"];

/** Returns its size in bytes, gzipped. */
export async function buildPage(): Promise<number> {
  const { outputs } = await Bun.build({
    entrypoints: [join(root, "src/inspector/page/index.html")],
    compile: true,
    target: "browser",
    minify: true,
  });
  const html = await outputs[0]?.text();
  if (html === undefined || /<(?:script|link)[^>]* (?:src|href)="(?!data:)/.test(html)) {
    throw new Error(
      "The inspector's page did not become one file: look at what Bun.build made of src/inspector/page.",
    );
  }
  // In one step, so that an inspector that starts meanwhile reads the old page or the new one.
  await Bun.write(`${PAGE_FILE}.new`, html);
  await rename(`${PAGE_FILE}.new`, PAGE_FILE);
  await writeLicences();
  return Bun.gzipSync(Buffer.from(html), { level: 9 }).length;
}

async function writeLicences(): Promise<void> {
  const texts = await Promise.all(
    BUNDLED.map(async (name) => {
      const folder = join(root, "node_modules", name);
      const { version, license } = await Bun.file(join(folder, "package.json")).json();
      return `${name} ${version} (${license}), in inspector.html\n\n${await Bun.file(join(folder, "LICENSE")).text()}`;
    }),
  );
  await Bun.write(join(root, "dist/inspector.LICENSES.txt"), texts.join("\n\n"));
}

if (import.meta.main) {
  console.log(`dist/inspector.html: ${await buildPage()} bytes gzipped`);
}
