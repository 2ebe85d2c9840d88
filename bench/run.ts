/** `npm run bench [-- NAME… --quick]`: installs what is measured against on first use, then runs the workloads. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const FOLDER = import.meta.dir;

if (existsSync(join(FOLDER, "node_modules/.package-lock.json"))) {
  const { runBench } = await import("./bench.js");
  await runBench(process.argv.slice(2));
} else {
  console.log(
    "First use: installing bench/ (contestants and plots; building better-sqlite3 takes a minute) …",
  );
  run(FOLDER, "npm", "ci", "--no-fund", "--no-audit");
  // In a new process: this one has looked for node_modules, and remembers that there were none.
  run(process.cwd(), process.execPath, ...process.argv.slice(1));
}

function run(cwd: string, ...command: string[]): void {
  const { exitCode } = Bun.spawnSync(command, { cwd, stdio: ["ignore", "inherit", "inherit"] });
  if (exitCode !== 0) {
    throw new Error(`${command.join(" ")} exited with ${exitCode}`);
  }
}
