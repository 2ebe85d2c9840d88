/** What the repository says of itself to those who work on it. */
import { describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { releaseProblems } from "../../scripts/check-release.js";

const root = resolve(import.meta.dir, "../..");
const read = (file: string) => Bun.file(join(root, file)).text();
const manifest = await Bun.file(join(root, "package.json")).json();
const contributing = await read("CONTRIBUTING.md");
const changelog = await read("CHANGELOG.md");
const yamlFiles = [...new Bun.Glob(".github/**/*.yml").scanSync({ cwd: root, dot: true })].sort();

describe("CONTRIBUTING.md", () => {
  test("gives a reason for every dev dependency, and for no other package", () => {
    const table = /^## Dev dependencies$(.*?)^## /ms.exec(contributing)?.[1] ?? "";
    const named = [...table.matchAll(/^\| `([^`]+)` \| \S/gm)].map(([, name]) => name);
    expect(named).toEqual(Object.keys(manifest.devDependencies));
  });

  test("names only files and commands that exist", async () => {
    const files = [...contributing.matchAll(/(?:bun(?: test)?|`) ?((?:test|scripts|src)\/[\w./-]+\.ts)/g)];
    expect(files.length).toBeGreaterThan(4);
    for (const [, file = ""] of files) {
      expect({ file, exists: await Bun.file(join(root, file)).exists() }).toEqual({ file, exists: true });
    }
    const commands = [...contributing.matchAll(/npm run ([\w:]+)/g)].map(([, command]) => command);
    expect(commands.length).toBeGreaterThan(5);
    expect(commands.filter((command) => command === undefined || !(command in manifest.scripts))).toEqual([]);
  });
});

describe("package.json", () => {
  test("pins every dev dependency to one version", () => {
    for (const version of Object.values(manifest.devDependencies)) {
      expect(version).toMatch(/^(?:npm:@?[\w/-]+@)?\d+\.\d+\.\d+$/);
    }
  });
});

describe("the workflows and templates", () => {
  test.each(yamlFiles)("are valid YAML: %s", async (file) => {
    expect(Bun.YAML.parse(await read(file))).toBeInstanceOf(Object);
  });

  test("pin every action by a full commit SHA, with its version beside it", async () => {
    const uses = (await Promise.all(yamlFiles.map(read)))
      .flatMap((yaml) => yaml.split("\n"))
      .filter((line) => /^\s*(?:- )?uses:/.test(line));
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((line) => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });
});

describe("CHANGELOG.md", () => {
  const versions = [...changelog.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);

  test("begins with what is not released, and dates every version", () => {
    expect(versions[0]).toBe("Unreleased");
    for (const heading of versions.slice(1)) {
      expect(heading).toMatch(/^\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}$/);
    }
    expect(versions[1]).toStartWith(`${manifest.version} - `);
  });

  test("puts what may break a program first in each version", () => {
    const sections = [...changelog.matchAll(/^##(#?) (.*)$/gm)].map(([, sub, title]) =>
      sub ? title : "version",
    );
    const misplaced = sections.filter((title, at) => title === "Breaking" && sections[at - 1] !== "version");
    expect(misplaced).toEqual([]);
  });
});

describe("scripts/check-release.ts", () => {
  const ready =
    "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-01-31\n\n- A change.\n\n## 1.2.2 - 2026-01-01\n";

  test("accepts a tag, a package.json and a changelog of the same version", () => {
    expect(releaseProblems("v1.2.3", "1.2.3", ready)).toEqual([]);
    expect(releaseProblems("v1.2.3", "1.2.3", ready.replace("## Unreleased\n\n", ""))).toEqual([]);
  });

  test("refuses a tag of another version", () => {
    expect(releaseProblems("v1.2.2", "1.2.3", ready)).toEqual([
      "The tag is v1.2.2, and package.json needs v1.2.3.",
    ]);
  });

  test("refuses a version that the changelog does not have, or has without a date", () => {
    for (const changes of [
      ready.replace("1.2.3 - 2026-01-31", "1.2.3"),
      ready.replace("1.2.3", "1.2.30"),
      "",
    ]) {
      expect(releaseProblems("v1.2.3", "1.2.3", changes)).toEqual([
        expect.stringContaining('it must be "1.2.3 - " with the date'),
      ]);
    }
  });

  test("refuses changes that are still under Unreleased", () => {
    const changes = ready.replace("## Unreleased\n", "## Unreleased\n\n### Added\n\n- Something.\n");
    expect(releaseProblems("v1.2.3", "1.2.3", changes)).toEqual([
      'CHANGELOG.md has changes under "Unreleased": move them to 1.2.3.',
    ]);
  });

  test("ends with exit code 1 and the reasons if there is a problem", async () => {
    const child = Bun.spawn([process.execPath, join(root, "scripts/check-release.ts"), "v0.0.0"], {
      stderr: "pipe",
    });
    expect(await child.stderr.text()).toContain("The tag is v0.0.0");
    expect(await child.exited).toBe(1);
  });
});
