/** The entries of the package. A new one is a line in this table, and its place in `exports` or `bin` of package.json. */

export interface Entry {
  /** Bundle and declarations keep this place below dist/: `src/a/index.ts` becomes `dist/a/index.js` and `dist/a/index.d.ts`. */
  readonly source: `src/${string}.ts`;
  /** Limit for the entry with every chunk that it loads, gzipped, in bytes. */
  readonly largestGzipped: number;
  /** The program that a command loads once it runs under Bun. Nobody imports a command, so it has no declarations. */
  readonly program?: `src/${string}.ts`;
}

export const ENTRIES: readonly Entry[] = [
  // What users import.
  { source: "src/index.ts", largestGzipped: 40_000 },
  // What operators import.
  { source: "src/maintenance/index.ts", largestGzipped: 60_000 },
  // The way to PostgreSQL and back.
  { source: "src/postgres/index.ts", largestGzipped: 45_000 },
  // What people look at a file with. Its page is a file of its own: scripts/page.ts.
  { source: "src/inspector/index.ts", largestGzipped: 60_000 },
  // What people run.
  { source: "src/cli/bin.ts", largestGzipped: 118_000, program: "src/cli/main.ts" },
];

/** Where the file of an entry is built, below the package's folder. */
export function builtFile({ source }: Entry, extension: ".js" | ".d.ts"): string {
  return source.replace(/^src\//, "dist/").replace(/\.ts$/, extension);
}
