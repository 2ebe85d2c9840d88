import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { buildPage } from "../../scripts/page.js";
import { SqliteCheckpointStore } from "../../src/index.js";
import { watchOpening } from "../support/opened-database.js";
import { rowsOf } from "../support/sql.js";
import { createTemporaryFolder, type TemporaryFolder } from "../support/temporary-folder.js";

const root = resolve(import.meta.dir, "../..");

interface CodeBlock {
  title: string;
  code: string;
}

const allBlocks = ["README.md", ...markdownIn("docs")].flatMap(codeBlocksOf);

/** Blocks of TypeScript that can run here: the framework is not on the registry. */
const blocks = allBlocks.filter((block) => !isOfFramework(block));

function codeBlocksOf(file: string): CodeBlock[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    return { title: `${file}, line ${line}`, code: match[1] ?? "" };
  });
}

/** What the block says that it prints, line by line. */
function promisedOutput(code: string): string[] {
  return [...code.matchAll(/\/\/ prints: (.*)$/gm)].map((match) => match[1] ?? "");
}

describe("the documentation's code", () => {
  let folder: TemporaryFolder;
  beforeAll(buildPage); // The inspector serves it.
  beforeEach(async () => {
    folder = await createTemporaryFolder();
  });
  afterEach(() => folder.remove());

  test("has blocks to run, most of which say what they print", () => {
    expect(blocks.length).toBeGreaterThanOrEqual(4);
    expect(blocks.filter(({ code }) => promisedOutput(code).length > 0).length).toBeGreaterThanOrEqual(4);
  });

  test.each(blocks)("runs as it stands: $title", async ({ title, code }) => {
    await new SqliteCheckpointStore(join(folder.path, "runs.db")).close(); // The file that all blocks are about.
    const program = join(folder.path, fileNameOf(title));
    await Bun.write(
      program,
      code
        .replaceAll('"@obsku/checkpoint-sqlite"', JSON.stringify(join(root, "src/index.ts")))
        .replaceAll(
          '"@obsku/checkpoint-sqlite/maintenance"',
          JSON.stringify(join(root, "src/maintenance/index.ts")),
        )
        .replaceAll(
          '"@obsku/checkpoint-sqlite/postgres"',
          JSON.stringify(join(root, "src/postgres/index.ts")),
        )
        .replaceAll(
          '"@obsku/checkpoint-sqlite/inspector"',
          JSON.stringify(join(root, "src/inspector/index.ts")),
        ),
    );
    const child = Bun.spawn([process.execPath, program], {
      cwd: folder.path,
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, NO_COLOR: "1" },
    });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect({ exitCode: await child.exited, errors }).toEqual({ exitCode: 0, errors: "" });
    expect(flattened(output)).toBe(flattened(promisedOutput(code).join("\n")));
  });
});

describe("the documentation's code, to the compiler", () => {
  test("has blocks that need the framework: a run, a resumed run, and an agent's memory", () => {
    const imported = allBlocks.map(({ code }) => /\{ (.*) \} from "@obsku\/framework"/.exec(code)?.[1]);
    expect(imported).toEqual(expect.arrayContaining(["graph, run", "run", "agent"]));
  });

  test("has no type errors, with the framework or without", async () => {
    expect(await typeErrorsIn(allBlocks)).toBe("");
  });

  test("would not compile with an option or a value that is not of the contract", async () => {
    const mistakes: readonly (readonly [string, string])[] = [
      ["sessionId: session.id,", "session: session.id,"],
      ["checkpointStore: store,", "store,"],
      ["checkpointStore: store,", "checkpointStore: new Map(),"],
      ["checkpoint.pendingNodes)", "checkpoint.pending)"],
      ["resumeFrom: latest", "resumeFrom: session"],
      ["resumeFrom: latest", "resume: latest"],
      ["listSessions(", "listAllSessions("],
      ["enabled: true, ", ""],
      ["enabled: true, store,", "enabled: true, checkpointStore: store,"],
      ["enabled: true, store,", "enabled: true, store: new Map(),"],
      ["entityMemory: true", "entities: true"],
    ];
    const broken = mistakes.map(([right, wrong], index) => {
      const code = allBlocks.find((block) => isOfFramework(block) && block.code.includes(right))?.code ?? "";
      return { title: `mistake ${index}`, code: code.replace(right, wrong) };
    });
    const errors = await typeErrorsIn(broken);
    expect(broken.filter(({ title }) => !errors.includes(`${fileNameOf(title)}(`))).toEqual([]);
  });
});

function isOfFramework({ code }: CodeBlock): boolean {
  return code.includes("@obsku/framework");
}

function fileNameOf(title: string): string {
  return `${title.replaceAll(/\W+/g, "-")}.ts`;
}

/** The modules of a reader's own that the blocks import. */
const READERS_MODULES = {
  "scan.ts": 'import { graph } from "@obsku/framework";\nexport const scan = graph({});\n',
  "embeddings.ts": "export const embeddingProvider = {};\n",
};

/** What the compiler says of the blocks, each as a module of its own. */
async function typeErrorsIn(modules: readonly CodeBlock[]): Promise<string> {
  const folder = await createTemporaryFolder();
  const files = modules.map(({ title, code }) => [fileNameOf(title), code] as const);
  const tsconfig = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      moduleDetection: "force",
      module: "ESNext",
      moduleResolution: "Bundler",
      noUnusedLocals: false,
      typeRoots: [join(root, "node_modules/@types")],
      paths: {
        "@obsku/checkpoint-sqlite": [join(root, "src/index.ts")],
        "@obsku/checkpoint-sqlite/maintenance": [join(root, "src/maintenance/index.ts")],
        "@obsku/checkpoint-sqlite/postgres": [join(root, "src/postgres/index.ts")],
        "@obsku/checkpoint-sqlite/inspector": [join(root, "src/inspector/index.ts")],
        "@obsku/framework": [join(root, "test/types/framework.ts")],
      },
    },
    include: ["*.ts"],
  };
  try {
    for (const [name, code] of [...files, ...Object.entries(READERS_MODULES)]) {
      await Bun.write(join(folder.path, name), code);
    }
    await Bun.write(join(folder.path, "tsconfig.json"), JSON.stringify(tsconfig));
    const child = Bun.spawn([join(root, "node_modules/.bin/tsc"), "--project", "."], {
      cwd: folder.path,
      stdout: "pipe",
      stderr: "inherit",
    });
    return await new Response(child.stdout).text();
  } finally {
    await folder.remove();
  }
}

/** Bun breaks long values into lines, the documentation does not. */
function flattened(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/,(?= [}\]])/g, "")
    .trim();
}

describe("the links in", () => {
  const pages = ["README.md", "CHANGELOG.md", "bench/README.md", "bench/results.md", ...markdownIn("docs")];

  test("README.md lead to pages", () => {
    expect(linksIn("README.md").length).toBeGreaterThan(5);
  });

  test.each(pages)("%s lead to files and headings that exist", (page) => {
    const broken = linksIn(page).filter(({ file, heading }) => {
      const target = join(root, file === "" ? page : join(dirname(page), file));
      return !existsSync(target) || (heading !== undefined && !headingsIn(target).includes(heading));
    });
    expect(broken).toEqual([]);
  });
});

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => join(folder, file));
}

/** The links of a page that stay within the repository. */
function linksIn(page: string): { file: string; heading: string | undefined }[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)].map((match) => ({
    file: match[1] ?? "",
    heading: match[2],
  }));
}

/** The headings of a page as GitHub links to them. */
function headingsIn(path: string): string[] {
  const text = readFileSync(path, "utf8").replaceAll(/^```.*?^```$/gms, "");
  return [...text.matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("figures in the documentation are those of the code", () => {
  /** The files that state them. */
  const texts = ["docs/api.md", "docs/reliability.md", "docs/operating.md", "src/options.ts"].map(
    (file) => [file, readFileSync(join(root, file), "utf8")] as const,
  );
  let folder: TemporaryFolder;
  let inForce: Map<string, number>;

  beforeEach(async () => {
    folder = await createTemporaryFolder();
    const path = join(folder.path, "store.db");
    const { result: store, database } = watchOpening(path, () => new SqliteCheckpointStore(path));
    const names = ["wal_autocheckpoint", "page_size", "journal_size_limit"];
    inForce = new Map(
      names.map((name) => [name, Number(rowsOf(database, `PRAGMA ${name}`)[0]?.[name])] as const),
    );
    await store.close();
  });
  afterEach(() => folder.remove());

  function pragma(name: string): number {
    return inForce.get(name) ?? Number.NaN;
  }

  test.each(texts)("how much of the log a WAL checkpoint copies: %s", (_, text) => {
    const megabytes = Math.round((pragma("wal_autocheckpoint") * pragma("page_size")) / 1e6);
    const stated = [...text.matchAll(/(?:every|up to|pages) \(?(\d+) MB/g)].map((match) => Number(match[1]));
    expect(stated.length).toBeGreaterThan(0);
    expect(new Set(stated)).toEqual(new Set([megabytes]));
  });

  test("after how many pages, and to what size the log is cut", () => {
    const operating = texts.find(([file]) => file === "docs/operating.md")?.[1];
    expect(operating).toContain(`${pragma("wal_autocheckpoint").toLocaleString("en")} pages`);
    expect(operating).toContain(`cut to ${pragma("journal_size_limit") / 1024 ** 2} MiB`);
  });
});
