/**
 * `npm run build`: the bundles of all entries with their source maps, the inspector's page, the licences of what is bundled,
 * and the public declarations, into dist/.
 *
 * Fails if an entry or the page is larger than its limit in entries.ts.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { bundle, bundleCommand, bundledFiles, declarationFiles, gzippedSize } from "./bundle.js";
import { builtFile, ENTRIES, type Entry } from "./entries.js";
import { licencesOf } from "./licences.js";
import { type BuiltPage, buildPage, LARGEST_PAGE_GZIPPED } from "./page.js";

const root = resolve(import.meta.dir, "..");
const dist = join(root, "dist");

await rm(dist, { recursive: true, force: true });
const importable = ENTRIES.filter(({ program }) => program === undefined);
await bundle(
  importable.map(({ source }) => join(root, source)),
  { root: join(root, "src"), outdir: dist },
);
for (const { source, program } of ENTRIES) {
  if (program !== undefined) {
    await bundleCommand(join(root, source), join(root, program), { root: join(root, "src"), outdir: dist });
  }
}
const page = await buildPage();
await Bun.write(join(dist, "THIRD-PARTY-LICENSES.txt"), await licencesOf(root, dist, page.sources));
for (const entry of ENTRIES) {
  await checkSize(entry);
}
checkPage(page);
await emitDeclarations();

function checkPage({ gzipped }: BuiltPage): void {
  console.log(`dist/inspector.html: ${gzipped} bytes gzipped (at most ${LARGEST_PAGE_GZIPPED})`);
  if (gzipped > LARGEST_PAGE_GZIPPED) {
    throw new Error(
      `dist/inspector.html is ${gzipped} bytes gzipped, and scripts/page.ts allows ${LARGEST_PAGE_GZIPPED}: make it smaller, or raise the limit.`,
    );
  }
}

async function checkSize(entry: Entry): Promise<void> {
  const file = builtFile(entry, ".js");
  const files = await bundledFiles(join(root, file));
  const size = await gzippedSize(files);
  console.log(`${file}: ${size} bytes gzipped in ${files.size} files (at most ${entry.largestGzipped})`);
  if (size > entry.largestGzipped) {
    throw new Error(
      `${file} is ${size} bytes gzipped, and scripts/entries.ts allows ${entry.largestGzipped}: make it smaller, or raise the limit.`,
    );
  }
}

/** TypeScript declares every module; only those that the declarations of an entry refer to are copied into dist/. */
async function emitDeclarations(): Promise<void> {
  const everything = await mkdtemp(join(tmpdir(), "declarations-"));
  try {
    const compiler = join(root, "node_modules/.bin/tsc");
    await run(compiler, "--project", join(root, "tsconfig.build.json"), "--outDir", everything);
    for (const entry of importable) {
      const declarations = join(everything, relative("dist", builtFile(entry, ".d.ts")));
      for (const file of await declarationFiles(declarations)) {
        const declared = await Bun.file(file).text();
        await Bun.write(join(dist, relative(everything, file)), withoutBareImports(declared));
      }
    }
  } finally {
    await rm(everything, { recursive: true, force: true });
  }
}

/** An import without names declares nothing, and the module that it runs has no declarations in the package. */
function withoutBareImports(declarations: string): string {
  return declarations.replace(/^import "[^"]+";\n/gm, "");
}

async function run(...command: string[]): Promise<void> {
  const exitCode = await Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] }).exited;
  if (exitCode !== 0) {
    throw new Error(`${command.join(" ")} exited with ${exitCode}.`);
  }
}
