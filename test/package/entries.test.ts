/** The package has one entry today. These tests build it together with others, as the build will when there are more. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { bundle, bundledFiles, gzippedSize } from "../../scripts/bundle.js";

const root = resolve(import.meta.dir, "../..");
const outdir = mkdtempSync(join(tmpdir(), "entries-"));
const built = {
  index: join(outdir, "src/index.js"),
  throwAnError: join(outdir, "test/package/entries/throw-an-error.js"),
  openAStore: join(outdir, "test/package/entries/open-a-store.js"),
};

const index = (): Promise<typeof import("../../src/index.js")> => import(built.index);

beforeAll(async () => {
  const sources = [
    "src/index.ts",
    "test/package/entries/throw-an-error.ts",
    "test/package/entries/open-a-store.ts",
  ];
  await Bun.write(join(outdir, "package.json"), '{ "type": "module" }');
  await bundle(
    sources.map((source) => join(root, source)),
    { root, outdir },
  );
});

afterAll(() => rmSync(outdir, { recursive: true, force: true }));

describe("entries that are built together", () => {
  test("have the same error classes, so that instanceof holds for an error that another entry throws", async () => {
    const { CheckpointStoreError, SessionNotFoundError } = await index();
    const { throwAnError }: typeof import("./entries/throw-an-error.js") = await import(built.throwAnError);
    expect(throwAnError).toThrow(SessionNotFoundError);
    expect(throwAnError).toThrow(CheckpointStoreError);
  });

  test("have the same store, so that one entry takes a store that another one opened", async () => {
    const { SessionNotFoundError, SqliteCheckpointStore } = await index();
    const { openAStore }: typeof import("./entries/open-a-store.js") = await import(built.openAStore);
    await using store = openAStore();
    expect(store).toBeInstanceOf(SqliteCheckpointStore);
    await expect(store.listCheckpoints("nobody")).rejects.toBeInstanceOf(SessionNotFoundError);
  });

  test("are counted with the chunks that they load", async () => {
    const files = await bundledFiles(built.throwAnError);
    const chunks = [...files].filter((file) => file !== built.throwAnError);
    expect(chunks.map((file) => basename(file))).toEqual([expect.stringMatching(/^chunk-/)]);
    expect(await gzippedSize(files)).toBeGreaterThan(await gzippedSize([built.throwAnError]));
    expect(await gzippedSize(await bundledFiles(built.index))).toBeGreaterThan(20_000);
  });

  test.each(["index", "openAStore"] as const)(
    "say on Node what is missing, before anything else fails: %s",
    async (name) => {
      const child = Bun.spawn(["node", built[name]], { stdout: "pipe", stderr: "pipe" });
      expect(await child.stderr.text()).toContain("Error: @obsku/checkpoint-sqlite needs Bun ");
      expect(await child.exited).not.toBe(0);
    },
  );
});
