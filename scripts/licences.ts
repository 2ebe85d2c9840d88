/** The licences of the packages whose code is in the bundles. */
import { join } from "node:path";

const PACKAGE_FOLDER = /node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/**
 * The text that ships: each package's name, version and licence. Reads which packages they are from the source maps.
 *
 * @param others Paths of modules that are in a file without a source map.
 */
export async function licencesOf(root: string, dist: string, others: readonly string[]): Promise<string> {
  const names = new Set(packagesOf(others));
  for (const file of new Bun.Glob("**/*.js.map").scanSync(dist)) {
    const { sources }: { sources: string[] } = await Bun.file(join(dist, file)).json();
    for (const name of packagesOf(sources)) {
      names.add(name);
    }
  }
  const texts = await Promise.all(
    [...names].sort().map((name) => licenceOf(join(root, "node_modules", name))),
  );
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

function packagesOf(sources: readonly string[]): string[] {
  return sources.map((source) => PACKAGE_FOLDER.exec(source)?.[1]).filter((name) => name !== undefined);
}

async function licenceOf(folder: string): Promise<string> {
  const { name, version } = await Bun.file(join(folder, "package.json")).json();
  const [file] = [...new Bun.Glob("LICEN[CS]E*").scanSync(folder)];
  if (file === undefined) {
    throw new Error(`${folder} has no file LICENSE: ${name} cannot be bundled without it.`);
  }
  return `${name} ${version}\n\n${(await Bun.file(join(folder, file)).text()).trim()}\n`;
}
