/** `npm run build`: one ESM bundle with its source map, and the declarations, into dist/. */
import { rm } from "node:fs/promises";

const LARGEST_BUNDLE = 40_000;

await rm("dist", { recursive: true, force: true });
const bundle = await bundled();
await run("node_modules/.bin/tsc", "--project", "tsconfig.build.json");
console.log(`dist/index.js: ${bundle.size} bytes of at most ${LARGEST_BUNDLE}, and its declarations`);

/** Names are kept, so that a stack trace can be read without the source map; white space is not. */
async function bundled(): Promise<Blob> {
  const { outputs } = await Bun.build({
    entrypoints: ["src/index.ts"],
    outdir: "dist",
    target: "bun",
    format: "esm",
    sourcemap: "linked",
    minify: { whitespace: true, syntax: true, identifiers: true },
  });
  const entry = outputs.find((output) => output.kind === "entry-point");
  if (entry === undefined || entry.size > LARGEST_BUNDLE * 2) {
    throw new Error(`The bundle is ${entry?.size} bytes; at most ${LARGEST_BUNDLE} are allowed.`);
  }
  return entry;
}

async function run(...command: string[]): Promise<void> {
  const exitCode = await Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] }).exited;
  if (exitCode !== 0) {
    throw new Error(`${command.join(" ")} exited with ${exitCode}.`);
  }
}
