/** The packed tarball passes the conformance suite, which finds the installed package by its name. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { type InstalledPackage, packAndInstall, ROOT } from "./installed-package.js";

/** One kind of store is enough: what differs here is the bundle. */
const CASES = ["--test-name-pattern", "store: in a file (?!that)", "./test/conformance/conformance.test.ts"];

let installed: InstalledPackage;

beforeAll(async () => {
  installed = await packAndInstall();
});

afterAll(() => installed.remove());

test("the packed tarball is a checkpoint store and a memory store as their contracts say", async () => {
  for (const folder of ["conformance", "support"]) {
    cpSync(join(ROOT, "test", folder), join(installed.project, "test", folder), { recursive: true });
  }
  const result = await installed.run(process.execPath, "test", "--timeout", "30000", ...CASES);
  const [, passed] = /^ *(\d+) pass$/m.exec(result.stderr) ?? [];
  expect(result.exitCode, result.output).toBe(0);
  expect(Number(passed)).toBeGreaterThan(650);
});
