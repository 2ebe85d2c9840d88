/** docs/api.md says what the code does: names, signatures, options and errors are compared with the declarations. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as entry from "../../src/index.js";
import { DEFAULT_PORT, inspectSettings } from "../../src/inspector/settings.js";
import { settingsOf } from "../../src/validation/options.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const root = resolve(import.meta.dir, "../..");
const page = readFileSync(join(root, "docs/api.md"), "utf8");

/** The text below a heading of the second level, up to the next one. */
function section(title: string): string {
  return page.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? "";
}

/** The signatures and declarations in a text. */
function declarationsIn(text: string): string {
  return [...text.matchAll(/^```typescript\n(.*?)^```$/gms)].map((match) => match[1] ?? "").join("\n");
}

/** The cells of a table's rows, without its head and rule. */
function tableIn(text: string): string[][] {
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  return rows.slice(2).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.replaceAll(/[`\\]/g, "").trim()),
  );
}

describe("docs/api.md names", () => {
  test("every class and value that the package exports", () => {
    const missing = Object.keys(entry).filter((name) => !page.includes(name));
    expect(missing).toEqual([]);
  });

  test("every type that the package exports, and no other", () => {
    const documented = namesDeclaredIn(declarationsIn(section("Types")));
    expect(documented.toSorted()).toEqual(exportedTypes("src/index.ts").toSorted());
  });

  test.each([
    ["SqliteCheckpointStore", entry.SqliteCheckpointStore],
    ["JsonPlusSerializer", entry.JsonPlusSerializer],
  ])("every method of %s under a heading of its own, and no other", (name, documentedClass) => {
    const headings = [...section(name).matchAll(/^#### (.*)$/gm)].map((match) => match[1]);
    const methods = Reflect.ownKeys(documentedClass.prototype).map((key) =>
      typeof key === "symbol" ? `[${key.description}]` : key,
    );
    expect(headings.toSorted()).toEqual(methods.filter((method) => method !== "constructor").toSorted());
  });
});

describe("docs/api.md and the compiler agree", () => {
  let folder: TemporaryFolder;
  beforeAll(async () => {
    folder = await createTemporaryFolder();
  });
  afterAll(() => folder.remove());

  test("on every signature and type", async () => {
    expect(await typeErrorsIn(folder, page)).toBe("");
  });

  test.each([
    [
      "an optional parameter",
      "listEntities(options?: ListEntitiesOptions)",
      "listEntities(options: ListEntitiesOptions)",
    ],
    ["a result", "Promise<Checkpoint | null>", "Promise<Checkpoint>"],
    ["a field", "toolUseId: string", "toolUseId?: string"],
    ["an option", "vectorMemory?: number | undefined", "vectorMemory?: string | undefined"],
    ["a method", "deleteFact(factId: string): Promise<void>;", ""],
    ["the serializer", "serialize(value: unknown): string", "serialize(value: unknown): string | undefined"],
  ])("so a mistake in %s is noticed", async (_, right, wrong) => {
    expect(page).toContain(right);
    expect(await typeErrorsIn(folder, page.replaceAll(right, wrong))).toContain("TS2322");
  });
});

describe("docs/api.md lists the errors of", () => {
  // The methods of the contract have their comments there; a class has those of its own.
  const commented = [
    ["SqliteCheckpointStore", "src/types.ts"],
    ["SqliteCheckpointStore", "src/sqlite-checkpoint-store.ts"],
    ["JsonPlusSerializer", "src/json-plus/json-plus-serializer.ts"],
  ] as const;
  const methods = commented.flatMap(([name, file]) =>
    [...errorsInSource(file)].map(([method, errors]) => ({ method, errors, documented: section(name) })),
  );

  test("methods, of which most name some", () => {
    expect(methods.filter(({ errors }) => errors.length > 0).length).toBeGreaterThan(10);
  });

  test.each(methods)("$method", ({ method, errors, documented }) => {
    const text =
      documented.split(/^####? /m).find((part) => part.startsWith(`${method}\n`)) ??
      documented.split(/^### /m)[0];
    const stated = /^\*\*(?:Rejects with|Throws)\*\* (.*)\.$/m.exec(text ?? "")?.[1] ?? "";
    const names = [...stated.matchAll(/`(\w+)`/g)].map((match) => match[1]);
    expect(names.toSorted()).toEqual(errors.toSorted());
  });
});

test("README.md names every option, and no other", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [list] = /^- \*\*Options\*\*: .*?, each with/ms.exec(readme) ?? [""];
  const named = [...list.matchAll(/`(\w+)`/g)].map((match) => match[1]);
  expect(named.toSorted()).toEqual(Object.keys(settingsOf({})).toSorted());
});

test("docs/api.md's table of the inspector's options has every option with its default", () => {
  const rows = tableIn(section("Inspector"));
  const { port, signal, ...defaults } = inspectSettings({});
  expect([port, signal]).toEqual([undefined, undefined]);
  const stated = new Map(rows.map(([name, , value]) => [name, value?.replaceAll(/^"|"$/g, "")]));
  expect([...stated.keys()].toSorted()).toEqual(Object.keys(inspectSettings({})).toSorted());
  expect(stated.get("port")).toStartWith(String(DEFAULT_PORT));
  for (const [name, value] of Object.entries(defaults)) {
    expect([name, stated.get(name)]).toEqual([name, String(value)]);
  }
});

describe("docs/api.md's table of options", () => {
  const rows = tableIn(section("Options"));

  test("has every option, and no other", () => {
    expect(rows.map(([name]) => name).toSorted()).toEqual(Object.keys(settingsOf({})).toSorted());
  });

  test("states the default of every option", () => {
    const { clock, ...defaults } = settingsOf({});
    const stated = new Map(rows.map(([name, , value]) => [name, value?.replaceAll(/^"|"$/g, "")]));
    expect(typeof clock()).toBe("number");
    expect(stated.get("clock")).toBe("Date.now");
    for (const [name, value] of Object.entries(defaults)) {
      expect([name, stated.get(name)]).toEqual([name, String(value)]);
    }
  });

  test("states the highest busyTimeout and the lowest numbers that are allowed", () => {
    const [highest] = /\d{4,}/.exec(rows.find(([name]) => name === "busyTimeout")?.[3] ?? "") ?? [];
    expect(settingsOf({ busyTimeout: Number(highest) }).busyTimeout).toBe(Number(highest));
    expect(() => settingsOf({ busyTimeout: Number(highest) + 1 })).toThrow(String(highest));
    expect(settingsOf({ busyTimeout: 0, vectorMemory: 0 })).toMatchObject({
      busyTimeout: 0,
      vectorMemory: 0,
    });
  });
});

describe("docs/api.md's table of errors", () => {
  test("has every class with its code, whether it is retryable, and its fields, and no other", () => {
    const stated = tableIn(section("Errors")).map(([name, code, retryable, fields]) => ({
      name,
      code,
      retryable: retryable === "yes",
      fields: (fields ?? "").split(", ").filter((field) => field !== ""),
    }));
    const expected = errorClasses().map(([name, ErrorClass]) => {
      const error: object = new ErrorClass();
      const { code, retryable, ...others } = Object.fromEntries(Object.entries(error));
      const fields = Object.keys(others).filter((key) => !["_tag", "name"].includes(key));
      return { name, code, retryable, fields };
    });
    expect(stated.toSorted(byName)).toEqual(expected.toSorted(byName));
  });
});

function byName(a: { name: string | undefined }, b: { name: string | undefined }): number {
  return String(a.name).localeCompare(String(b.name));
}

function errorClasses(): [string, new () => object][] {
  return Object.entries(entry).flatMap(([name, value]): [string, new () => object][] =>
    value.prototype instanceof entry.CheckpointStoreError ? [[name, Object(value)]] : [],
  );
}

function namesDeclaredIn(source: string): string[] {
  return [...source.matchAll(/^(?:export )?(?:interface|type) (\w+)/gm)].map((match) => match[1] ?? "");
}

/** The types that a module exports, by name or with a star. */
function exportedTypes(file: string): string[] {
  const source = readFileSync(join(root, file), "utf8");
  const named = [...source.matchAll(/^export type \{(.*?)\}/gms)].flatMap((match) =>
    (match[1] ?? "").split(",").map((name) => name.trim()),
  );
  const starred = [...source.matchAll(/^export type \* from "(.*)\.js"/gm)].flatMap((match) =>
    namesDeclaredIn(readFileSync(join(root, dirname(file), `${match[1]}.ts`), "utf8")),
  );
  return [...named, ...starred].filter((name) => name !== "");
}

/** The errors that the comment of each method names. */
function errorsInSource(file: string): Map<string, string[]> {
  const source = readFileSync(join(root, file), "utf8");
  const methods = source.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s+(?:async )?(\[?[\w.]+\]?)\(/gs);
  return new Map(
    [...methods].map(([, comment = "", method = ""]) => [
      method,
      [...comment.matchAll(/@throws \{(\w+)\}/g)].map((match) => match[1] ?? ""),
    ]),
  );
}

/** What the compiler says of the page's declarations next to those of the code. */
async function typeErrorsIn(folder: TemporaryFolder, text: string): Promise<string> {
  await Bun.write(join(folder.path, "documented.ts"), comparisonOf(text));
  await Bun.write(
    join(folder.path, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        module: "ESNext",
        moduleResolution: "Bundler",
        noUnusedLocals: false,
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: ["*.ts"],
    }),
  );
  const child = Bun.spawn([join(root, "node_modules/.bin/tsc"), "--project", "."], {
    cwd: folder.path,
    stdout: "pipe",
    stderr: "inherit",
  });
  return child.stdout.text();
}

/** A module that compiles only if each documented declaration is identical to the exported one. */
function comparisonOf(text: string): string {
  const sections = new Map(
    text.split(/^## /m).map((part) => [part.slice(0, part.indexOf("\n")), declarationsIn(part)]),
  );
  const types = sections.get("Types") ?? "";
  const members = (name: string) => (sections.get(name) ?? "").replaceAll(/^constructor\(.*\);$/gm, "");
  const opened = (sections.get("SqliteCheckpointStore") ?? "").match(/^constructor\(.*\);$/gm) ?? [];
  return `
    import * as Actual from ${JSON.stringify(join(root, "src/index.js"))};
    type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
    type Members<T> = { [K in keyof T]: T[K] };
    declare namespace Documented {
      ${types.replaceAll(/^(interface|type) /gm, "export $1 ")}
      export interface SqliteCheckpointStore { ${members("SqliteCheckpointStore")} }
      export interface JsonPlusSerializer { ${members("JsonPlusSerializer")} }
      export interface Opening {
        ${opened.map((line) => `${line.replace("constructor", "new").replace(";", "")}: Actual.SqliteCheckpointStore;`).join("\n")}
      }
    }
    const opening: Documented.Opening = Actual.SqliteCheckpointStore;
    const checked: [${[...namesDeclaredIn(types), "SqliteCheckpointStore", "JsonPlusSerializer"]
      .map((name) => `Same<Members<Documented.${name}>, Members<Actual.${name}>>`)
      .join(", ")}] = [${[...namesDeclaredIn(types), "", ""].map(() => "true").join(", ")}];
  `;
}
