/** `bun scripts/check-release.ts TAG`: fails unless the tag, package.json and CHANGELOG.md name the same version. */
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");

/** What is wrong with a release, one sentence each; empty if nothing is. */
export function releaseProblems(tag: string, version: string, changelog: string): string[] {
  const [, ...sections] = changelog.split(/^## /m);
  const newest = sections.find((section) => !section.startsWith("Unreleased"))?.split("\n")[0] ?? "none";
  const unreleased = sections.find((section) => section.startsWith("Unreleased"));
  return [
    ...(tag === `v${version}` ? [] : [`The tag is ${tag}, and package.json needs v${version}.`]),
    ...(newest.startsWith(`${version} - `)
      ? []
      : [`The newest version in CHANGELOG.md is "${newest}": it must be "${version} - " with the date.`]),
    ...(unreleased === undefined || !unreleased.includes("\n- ")
      ? []
      : [`CHANGELOG.md has changes under "Unreleased": move them to ${version}.`]),
  ];
}

if (import.meta.main) {
  const { version } = await Bun.file(join(root, "package.json")).json();
  const changelog = await Bun.file(join(root, "CHANGELOG.md")).text();
  const problems = releaseProblems(process.argv[2] ?? "missing", version, changelog);
  for (const problem of problems) {
    console.error(problem);
  }
  process.exitCode = problems.length === 0 ? 0 : 1;
}
