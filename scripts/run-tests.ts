/**
 * Runs the whole suite as CI does: in a random order, in a temporary folder of its own, and counted by the runner's report
 * instead of its words.
 *
 *     bun scripts/run-tests.ts              a new seed, which is printed
 *     bun scripts/run-tests.ts --seed 42    the order of that seed again
 *     bun scripts/run-tests.ts --package    the tests of the packed tarball instead
 *     bun scripts/run-tests.ts --postgres   those that need a PostgreSQL server instead
 *     bun scripts/run-tests.ts --browser    those of the inspector in a browser instead
 *
 * Fails if a test fails, if a test file took no part, if fewer distinct cases ran than the floor below, if a test is
 * skipped whose title does not say why, or if anything is left in the temporary folder. Ends with one line: `N passed, N failed, N skipped`.
 */
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/**
 * Cases that differ in more than the store they run on: the conformance suite runs each of its own on several. Raise it with the
 * suite; lower it only together with a test that is deleted on purpose.
 */
const LEAST_DISTINCT = 2_800;

/** Longer than the suite takes on a busy machine. */
const TIME_LIMIT_MS = 20 * 60_000;

const LINES_BEFORE_A_FAILURE = 30;

/** Tests that are not part of `npm test`. */
const SUITES = {
  package: "test/package/*.package-test.ts",
  postgres: "test/postgres/*.postgres-test.ts",
  browser: "test/browser/*.browser-test.ts",
} as const;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    package: { type: "boolean" },
    postgres: { type: "boolean" },
    browser: { type: "boolean" },
  },
});
const suite = (["package", "postgres", "browser"] as const).find((name) => values[name] === true);
const expectedFiles = [
  ...new Bun.Glob(suite === undefined ? "test/**/*.test.ts" : SUITES[suite]).scanSync("."),
];
const files = suite === undefined ? [] : expectedFiles.map((file) => `./${file}`);
const leastDistinct = suite === undefined ? LEAST_DISTINCT : 1;
const testTimeout = suite === undefined ? "30000" : "120000";
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const temporary = mkdtempSync(join(tmpdir(), "checkpoint-sqlite-tests-"));
const report = join(temporary, "report.xml");
const log = join(temporary, "log.txt");
const work = mkdtempSync(join(temporary, "work-"));
for (const folder of [temporary, work]) {
  chmodSync(folder, 0o755); // Some fault scenarios run a child as a user without rights.
}

const again = [...(suite === undefined ? [] : [`--${suite}`]), "--seed", seed].join(" ");
console.log(`The order of seed ${seed}. Again: bun scripts/run-tests.ts ${again}`);
const run = Bun.spawn(
  [
    ...[process.execPath, "test", "--timeout", testTimeout, "--randomize", `--seed=${seed}`],
    ...["--reporter=junit", `--reporter-outfile=${report}`, ...files],
  ],
  {
    // Colours would only be in the way of whoever reads the log.
    env: { ...process.env, CI: "true", TMPDIR: work, NO_COLOR: "1", FORCE_COLOR: undefined },
    stdio: ["ignore", "inherit", Bun.file(log)],
    timeout: TIME_LIMIT_MS,
    killSignal: "SIGKILL",
  },
);
const exitCode = await run.exited;
const lines = (await Bun.file(log).text()).split("\n");
console.log(lines.filter((line) => !line.startsWith("(pass)")).join("\n"));

const cases = await casesIn(report);
const failed = cases.filter(({ outcome }) => outcome === "failed").length;
const skipped = cases.filter(({ outcome }) => outcome === "skipped");
const passed = cases.length - failed - skipped.length;
const distinct = new Set(cases.map(({ file, name }) => `${file}: ${name}`)).size;
const problems = [
  ...failuresIn(lines),
  ...(exitCode === 0 ? [] : [`the runner ended with ${run.signalCode ?? exitCode}`]),
  ...(distinct >= leastDistinct ? [] : [`${distinct} distinct cases ran, at least ${leastDistinct} must`]),
  ...absentFiles().map((file) => `${file} took no part`),
  ...skipped
    .filter(({ name }) => !name.includes("(skipped:"))
    .map(({ name }) => `skipped without a reason: ${name}`),
  ...readdirSync(work).map((name) => `left in the temporary folder: ${name}`),
];
rmSync(temporary, { recursive: true, force: true });

for (const { name } of skipped) {
  console.log(`skipped: ${name}`);
}
for (const problem of problems) {
  console.log(`!! ${problem}`);
}
console.log(`${distinct} distinct cases in ${new Set(cases.map(({ file }) => file)).size} files`);
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exitCode = problems.length > 0 || failed > 0 ? 1 : 0;

interface Case {
  file: string;
  name: string;
  outcome: "passed" | "failed" | "skipped";
}

async function casesIn(path: string): Promise<Case[]> {
  const xml = (await Bun.file(path).exists()) ? await Bun.file(path).text() : "";
  return [...xml.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)].map(
    ([, attributes = "", body = ""]) => ({
      file: /file="([^"]*)"/.exec(attributes)?.[1] ?? "",
      name: /name="([^"]*)"/.exec(attributes)?.[1] ?? "",
      outcome: body.includes("<failure") ? "failed" : body.includes("<skipped") ? "skipped" : "passed",
    }),
  );
}

/** Every failed test with the end of what was printed before it, so that the end of a long log tells all. */
function failuresIn(printed: readonly string[]): string[] {
  const ends = printed.flatMap((line, index) => (/^\((?:pass|fail|skip)\) /.test(line) ? [index] : []));
  return ends.flatMap((end, nth) =>
    printed[end]?.startsWith("(fail)")
      ? printed.slice(Math.max((ends[nth - 1] ?? -1) + 1, end - LINES_BEFORE_A_FAILURE), end + 1)
      : [],
  );
}

function absentFiles(): string[] {
  const ran = new Set(cases.map(({ file }) => file));
  return expectedFiles.filter((file) => !ran.has(file));
}
