/** Where and with what the figures were measured. */
import { Database } from "bun:sqlite";
import { cpus, release, totalmem, type } from "node:os";
import { versionOf, whyLangGraphIsMissing } from "../contestants/langgraph.js";

export function machineLines(command: string): string[] {
  const missing = whyLangGraphIsMissing();
  return [
    `- Date: ${new Date().toISOString().slice(0, 10)}, by \`${command}\``,
    `- Machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    `- Bun ${Bun.version} with SQLite ${sqliteVersion()}; mitata ${versionOf("mitata")}`,
    "- 0.2.3: `@obsku/checkpoint-sqlite` 0.2.3, on the same Bun",
    missing === undefined
      ? `- LangGraph: \`@langchain/langgraph-checkpoint-sqlite\` ${versionOf("@langchain/langgraph-checkpoint-sqlite")}, ` +
        `better-sqlite3 ${versionOf("better-sqlite3")}, Node ${nodeVersion()}`
      : `- LangGraph did not take part: ${missing}`,
  ];
}

function sqliteVersion(): string {
  using database = new Database(":memory:");
  return String(database.query("SELECT sqlite_version()").values()[0]?.[0]);
}

function nodeVersion(): string {
  return Bun.spawnSync(["node", "--version"]).stdout.toString().trim();
}
