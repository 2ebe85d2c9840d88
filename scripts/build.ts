/** `npm run build`: one ESM bundle with its source map, and the declarations, into dist/. */
import { rm } from "node:fs/promises";

/** Of the bundle as it travels, gzipped; in bytes. */
const LARGEST_BUNDLE = 40_000;

await rm("dist", { recursive: true, force: true });
await bundle();
await run("node_modules/.bin/tsc", "--project", "tsconfig.build.json");

async function bundle(): Promise<void> {
  const { outputs } = await Bun.build({
    entrypoints: ["src/index.ts"],
    outdir: "dist",
    target: "bun",
    format: "esm",
    sourcemap: "linked",
    minify: true,
  });
  const entry = outputs.find((output) => output.kind === "entry-point");
  if (entry === undefined) {
    throw new Error("The bundler made no entry point.");
  }
  const gzipped = Bun.gzipSync(new Uint8Array(await entry.arrayBuffer()), { level: 9 }).length;
  console.log(`dist/index.js: ${entry.size} bytes, ${gzipped} gzipped (at most ${LARGEST_BUNDLE})`);
  if (gzipped > LARGEST_BUNDLE) {
    throw new Error("The bundle is larger than promised.");
  }
}

async function run(...command: string[]): Promise<void> {
  const exitCode = await Bun.spawn(command, { stdio: ["ignore", "inherit", "inherit"] }).exited;
  if (exitCode !== 0) {
    throw new Error(`${command.join(" ")} exited with ${exitCode}.`);
  }
}
