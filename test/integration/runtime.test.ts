import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { LOWEST_BUN_VERSION } from "../../src/runtime/bun.js";

const root = resolve(import.meta.dir, "../..");
const { versions } = process;
const descriptor = Object.getOwnPropertyDescriptor(process, "versions");

/** Loads src/runtime/bun.ts once more, as if on that version of Bun; `undefined`: on a runtime that is not Bun. */
async function loadOn(version: string | undefined): Promise<unknown> {
  Object.defineProperty(process, "versions", { ...descriptor, value: { ...versions, bun: version } });
  return import(`${join(root, "src/runtime/bun.ts")}?on=${version}`);
}

describe("the runtime", () => {
  afterEach(() => {
    Object.defineProperty(process, "versions", { ...descriptor });
  });

  test.each([LOWEST_BUN_VERSION, "1.2.100", "1.3.0", "1.10.0", "2.0.0", "1.4.0-canary.20260101"])(
    "may be Bun %s",
    async (version) => {
      expect(await loadOn(version)).toHaveProperty("Database");
    },
  );

  test.each(["1.2.22", "1.1.45", "0.8.1", `${LOWEST_BUN_VERSION}-canary.1`])(
    "may not be Bun %s, which is told in one sentence",
    async (version) => {
      await expect(loadOn(version)).rejects.toThrow(
        new Error(
          `@obsku/checkpoint-sqlite needs Bun ${LOWEST_BUN_VERSION} or later, and this is Bun ${version}: run \`bun upgrade\`.`,
        ),
      );
    },
  );

  test("may not be another than Bun", async () => {
    await expect(loadOn(undefined)).rejects.toThrow(
      `@obsku/checkpoint-sqlite needs Bun ${LOWEST_BUN_VERSION} or later, because it is built on bun:sqlite`,
    );
  });

  test("has the same lowest version in package.json and the README", () => {
    const [manifest, readme] = ["package.json", "README.md"].map((file) =>
      readFileSync(join(root, file), "utf8"),
    );
    expect(manifest).toContain(`"bun": ">=${LOWEST_BUN_VERSION}"`);
    expect(readme).toContain(`\nBun ${LOWEST_BUN_VERSION} or later.`);
  });
});
