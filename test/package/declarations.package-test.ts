/** The declarations that ship: which they are, and the projects in which they compile. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { builtFile, ENTRIES } from "../../scripts/entries.js";
import { type InstalledPackage, packAndInstall, ROOT, tool } from "./installed-package.js";

/** Uses what the declarations declare, and no type of Bun's or Node's. */
const TYPES_ONLY_PROGRAM = `
import {
  type Checkpoint, isCheckpointStoreError, SqliteCheckpointStore, type SqliteCheckpointStoreOptions,
} from "@obsku/checkpoint-sqlite";

const options: SqliteCheckpointStoreOptions = { busyTimeout: 1000 };
export const store: AsyncDisposable = new SqliteCheckpointStore("runs.db", options);
export const latest = (id: string): Promise<Checkpoint | null> => new SqliteCheckpointStore().getLatestCheckpoint(id);
export const codeOf = (error: unknown): string => (isCheckpointStoreError(error) ? error.code : "UNKNOWN");
`;

/** Passes a Database of its own, which has Bun's type. */
const HOST_PROGRAM = `
import { Database } from "bun:sqlite";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";

export const store = new SqliteCheckpointStore(new Database(":memory:"));
`;

/** Must not compile: they are internal. */
const INTERNALS_PROGRAM = `
import { InvalidArgumentError, type StoreSettings } from "@obsku/checkpoint-sqlite";
import { Database } from "@obsku/checkpoint-sqlite/dist/runtime/bun.js";
import { SerializationError } from "@obsku/checkpoint-sqlite";

new SerializationError("$", "contains itself").within("message");
export type { Database, InvalidArgumentError, StoreSettings };
`;

const DECLARED_NAME = /^export (?:declare )?(?:abstract )?(?:class|interface|type|function|const) (\w+)/gm;

const STRICTEST = { strict: true, exactOptionalPropertyTypes: true, noEmit: true };

const MODULES = [
  { module: "Node16", moduleResolution: "Node16" },
  { module: "NodeNext", moduleResolution: "NodeNext" },
  { module: "ESNext", moduleResolution: "Bundler" },
];

const TYPES_OF_BUN = { types: ["bun"], typeRoots: [join(ROOT, "node_modules/@types")] };

const PROJECTS = MODULES.flatMap((modules) =>
  [false, true].flatMap((skipLibCheck) => [
    {
      title: `${modules.moduleResolution}, skipLibCheck ${skipLibCheck}, without @types/bun`,
      compilerOptions: { ...modules, skipLibCheck, target: "ES2022", types: [] },
      files: ["types-only.ts"],
    },
    {
      title: `${modules.moduleResolution}, skipLibCheck ${skipLibCheck}, with @types/bun`,
      compilerOptions: {
        ...modules,
        ...TYPES_OF_BUN,
        skipLibCheck,
        target: "ES2023",
        lib: ["ES2023", "ESNext.Disposable"],
      },
      files: ["types-only.ts", "host.ts"],
    },
  ]),
);

/** What the functions of maintenance take and return. */
const MAINTENANCE = [
  "backup",
  "compact",
  "copy-file",
  "copy-session",
  "export-sessions",
  "import-sessions",
  "index",
  "options",
  "prune",
  "salvage",
  "stats",
  "verify",
];

const POSTGRES = [
  "copy-from-postgres",
  "copy-to-postgres",
  "does-not-fit-error",
  "index",
  "options",
  "reports",
];

let installed: InstalledPackage;

beforeAll(async () => {
  installed = await packAndInstall();
  await installed.write("types-only.ts", TYPES_ONLY_PROGRAM);
  await installed.write("host.ts", HOST_PROGRAM);
  await installed.write("internals.ts", INTERNALS_PROGRAM);
});

afterAll(() => installed.remove());

async function compile(compilerOptions: object, files: string[]): Promise<string> {
  await installed.write(
    "tsconfig.json",
    JSON.stringify({ compilerOptions: { ...STRICTEST, ...compilerOptions }, files }),
  );
  const { output, exitCode } = await installed.run(tool("tsc"), "--project", "tsconfig.json");
  expect(exitCode === 0).toBe(output === "");
  return output;
}

function declarations(): string[] {
  return [...new Bun.Glob("**/*.d.ts").scanSync(join(installed.folder, "dist"))].sort();
}

describe("the declarations in the packed tarball", () => {
  test("are those of the public modules, and no others", () => {
    expect(declarations()).toEqual([
      "errors.d.ts",
      "index.d.ts",
      ...["index", "inspect", "options"].map((module) => `inspector/${module}.d.ts`),
      "json-plus/json-plus-serializer.d.ts",
      ...MAINTENANCE.map((module) => `maintenance/${module}.d.ts`),
      "options.d.ts",
      ...POSTGRES.map((module) => `postgres/${module}.d.ts`),
      "sqlite-checkpoint-store.d.ts",
      "types.d.ts",
    ]);
  });

  test("export no name that an entry does not export", () => {
    const entries = ENTRIES.filter((entry) => entry.program === undefined).map((entry) =>
      readFileSync(join(installed.folder, builtFile(entry, ".d.ts")), "utf8"),
    );
    const names = declarations().flatMap((file) =>
      [...readFileSync(join(installed.folder, "dist", file), "utf8").matchAll(DECLARED_NAME)].map(
        ([, name]) => name,
      ),
    );
    expect(names).toContain("SqliteCheckpointStoreOptions");
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(entries.join()))).toEqual([]);
  });

  test("let no program use what is internal", async () => {
    const output = await compile({ ...MODULES[0], types: [], target: "ES2022" }, ["internals.ts"]);
    const errors = [...output.matchAll(/^internals\.ts\((\d+),\d+\): error (TS\d+)/gm)];
    expect(errors.map(([, line, code]) => `line ${line}: ${code}`).sort()).toEqual([
      "line 2: TS2305", // has no exported member StoreSettings
      "line 3: TS2307", // cannot find the module
      "line 6: TS2339", // property within does not exist
    ]);
  });

  test.each(PROJECTS)("compile in a strict project: $title", async ({ compilerOptions, files }) => {
    expect(await compile(compilerOptions, files)).toBe("");
  });
});
