/**
 * Bundles entries into ESM for Bun, and follows the imports of what was built.
 *
 * Modules that several entries use go into shared chunks. Otherwise each entry would bring an error class of its own, and
 * `instanceof` would be false for an error that another entry threw.
 */
import { dirname, resolve } from "node:path";

/** @param root The folder whose layout `outdir` keeps. */
export async function bundle(
  sources: readonly string[],
  { root, outdir }: { root: string; outdir: string },
): Promise<void> {
  await Bun.build({
    entrypoints: [...sources],
    root,
    outdir,
    target: "bun",
    format: "esm",
    splitting: true,
    sourcemap: "linked",
    minify: true,
  });
}

/**
 * Bundles a launcher, which Node must be able to read, and the program that it loads: one file each, because a process that loads
 * many small files starts later.
 */
export async function bundleCommand(
  launcher: string,
  program: string,
  { root, outdir }: { root: string; outdir: string },
): Promise<void> {
  const shared = { root, outdir, target: "bun", format: "esm", sourcemap: "linked", minify: true } as const;
  await Bun.build({ ...shared, entrypoints: [launcher], external: ["*"] });
  await Bun.build({ ...shared, entrypoints: [program] });
}

/** The bundle and every chunk that it loads, directly or not; absolute paths. */
export function bundledFiles(entry: string): Promise<Set<string>> {
  const transpiler = new Bun.Transpiler({ loader: "js" });
  return reachableFiles(entry, (code) =>
    transpiler.scanImports(withoutShebang(code)).map(({ path }) => path),
  );
}

/** Bun's scanner takes it for a syntax error. */
function withoutShebang(code: string): string {
  return code.replace(/^#!.*/, "");
}

/** The declarations of an entry and every file that they refer to, directly or not; absolute paths. */
export function declarationFiles(entry: string): Promise<Set<string>> {
  // Not with Bun's scanner: it leaves out imports of types.
  return reachableFiles(entry, (code) =>
    [...withoutComments(code).matchAll(/\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/g)]
      .map(([, from, inline]) => from ?? inline ?? "")
      .map((path) => path.replace(/\.js$/, ".d.ts")),
  );
}

function withoutComments(code: string): string {
  return code.replace(/\/\*.*?\*\//gs, "");
}

/** Bytes of the files, each gzipped on its own, as a server would send them. */
export async function gzippedSize(files: Iterable<string>): Promise<number> {
  let size = 0;
  for (const file of files) {
    size += Bun.gzipSync(await Bun.file(file).bytes(), { level: 9 }).length;
  }
  return size;
}

async function reachableFiles(entry: string, importsOf: (code: string) => string[]): Promise<Set<string>> {
  const files = new Set([resolve(entry)]);
  // A Set also visits what is added while it is being iterated.
  for (const file of files) {
    const relative = importsOf(await Bun.file(file).text()).filter((path) => path.startsWith("."));
    for (const path of relative) {
      files.add(resolve(dirname(file), path));
    }
  }
  return files;
}
