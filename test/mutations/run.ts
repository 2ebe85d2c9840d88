/**
 * `npm run test:mutations`: breaks a copy of the code on purpose, one breakage at a time, and reports which ones the tests notice.
 *
 *     npm run test:mutations                     the whole list, each with the tests that it names
 *     npm run test:mutations -- --quick          those that .ci/run tries
 *     npm run test:mutations -- --all            each with the whole suite (hours)
 *     npm run test:mutations -- write-queue      those whose file or description has this text
 *
 * Exits with 1 if a breakage is not noticed, if its text is not in its file exactly once, or if the tests it names fail without it.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { markdownTable } from "../faults/support/markdown.js";
import { WHY_NOT } from "../postgres/support/programs.js";
import type { Mutation } from "./mutation.js";
import { MUTATIONS } from "./mutations.js";
import { Workspace } from "./workspace.js";

type Verdict = "noticed" | "NOT NOTICED" | "does not apply" | "tests fail without it";

interface Outcome {
  readonly mutation: Mutation;
  readonly verdict: Verdict;
  /** The test that noticed it, or what is wrong with the entry. */
  readonly by: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    jobs: { type: "string", default: String(availableParallelism()) },
  },
});

const chosen = MUTATIONS.filter(
  (mutation) =>
    (!values.quick || mutation.quick === true) &&
    (positionals.length === 0 ||
      positionals.some((part) => `${mutation.file} ${mutation.breaks}`.includes(part))),
);
if (chosen.length === 0) {
  console.error(`No mutation has the text ${positionals.join(" or ")}.`);
  process.exit(2);
}

if (WHY_NOT !== undefined && chosen.some(needsServer)) {
  console.log(`!! ${chosen.filter(needsServer).length} mutations are not tried: ${WHY_NOT}`);
}

const queue = chosen.filter((mutation) => WHY_NOT === undefined || !needsServer(mutation));
const outcomes: Outcome[] = [];
/** By what is run: whether those tests pass on the code as it is. */
const baselines = new Map<string, Promise<string | undefined>>();
await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, workThroughQueue));
report();

async function workThroughQueue(): Promise<void> {
  await using workspace = await Workspace.create();
  for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
    const outcome = await tryOut(workspace, mutation);
    outcomes.push(outcome);
    console.log(
      `${outcomes.length}/${chosen.length} ${outcome.verdict}: ${mutation.file}: ${mutation.breaks}`,
    );
  }
}

/** Without a server such tests are skipped, and would notice nothing. */
function needsServer({ tests }: Mutation): boolean {
  return tests.some((test) => test.endsWith(".postgres-test.ts"));
}

async function tryOut(workspace: Workspace, mutation: Mutation): Promise<Outcome> {
  const { tests, only } = values.all ? { tests: [], only: undefined } : mutation;
  const occurrences = await workspace.countOf(mutation);
  if (occurrences !== 1) {
    return { mutation, verdict: "does not apply", by: `its text is found ${occurrences} times` };
  }
  const key = JSON.stringify([tests, only]);
  const baseline = baselines.get(key) ?? workspace.failureOf(tests, only);
  baselines.set(key, baseline);
  const failure = await baseline;
  if (failure !== undefined) {
    return { mutation, verdict: "tests fail without it", by: failure };
  }
  const noticed = await workspace.broken(mutation, () => workspace.failureOf(tests, only));
  return noticed === undefined
    ? { mutation, verdict: "NOT NOTICED", by: "" }
    : { mutation, verdict: "noticed", by: noticed };
}

function report(): void {
  const inOrder = outcomes.toSorted((a, b) => chosen.indexOf(a.mutation) - chosen.indexOf(b.mutation));
  const rows = inOrder.map(({ mutation, verdict, by }) => ({
    file: mutation.file,
    breaks: mutation.breaks,
    verdict,
    by: by.length > 120 ? `${by.slice(0, 120)}…` : by,
  }));
  const missed = inOrder.filter(({ verdict }) => verdict !== "noticed");
  console.log(`\n${markdownTable(rows)}\n`);
  console.log(`${outcomes.length - missed.length} of ${outcomes.length} mutations noticed`);
  for (const { mutation, verdict, by } of missed) {
    console.log(`${verdict}: ${mutation.file}: ${mutation.breaks} ${by}`);
  }
  process.exitCode = missed.length > 0 ? 1 : 0;
}
