/** A file with rows of every kind, in several sessions, over several pages of every table. */
import { SqliteCheckpointStore } from "../../src/index.js";
import { buildFullCheckpoint, buildFullMessage } from "./builders.js";
import { longText } from "./large-outputs.js";
import { buildFullEntity, buildFullFact } from "./memory-builders.js";
import { rowsOf, withDatabase } from "./sql.js";

export interface FillSizes {
  sessions: number;
  /** In each session. */
  rows: number;
}

export async function fillFile(path: string, { sessions, rows }: FillSizes): Promise<void> {
  await using store = new SqliteCheckpointStore(path, { synchronous: "normal" });
  for (let number = 0; number < sessions; number++) {
    const metadata = { number, note: "n".repeat(300), since: new Date(5) };
    const { id } = await store.createSession(`./d${number}`, { title: `session ${number}`, metadata });
    // Outputs that are kept apart: one that never changes, and one in pieces that grows.
    const outputs = (step: number) => ({
      plan: { status: "completed", output: longText(number) } as const,
      log: { status: "completed", output: `${longText(number, 20_000)} ${step}` } as const,
    });
    const version = (step: number) => {
      const full = buildFullCheckpoint(id);
      return { ...full, nodeResults: { ...full.nodeResults, ...outputs(step) }, version: step, step };
    };
    await Promise.all(
      Array.from({ length: rows }, (_, row) => [
        store.addMessage(id, { ...buildFullMessage(id), content: `${row} ${"é".repeat(150)}` }),
        store.saveCheckpoint(version(row)),
        store.saveEntity({ ...buildFullEntity(id), name: `entity ${row}` }),
        store.saveFact({ ...buildFullFact(id), content: `fact ${row}` }),
      ]).flat(),
    );
  }
}

export const TABLES = ["sessions", "messages", "checkpoints", "entities", "facts"] as const;

export type Rows = Map<string, Record<string, unknown>>;

/** Every row of the contract's tables by its id, as SQLite returns it, with its rowid. */
export function readTables(path: string): Record<string, Rows> {
  return withDatabase(path, (database) =>
    Object.fromEntries(
      TABLES.map((table) => {
        const rows = rowsOf(database, `SELECT rowid AS position, * FROM ${table} ORDER BY rowid`);
        return [table, new Map(rows.map((row) => [String(row.id), row]))];
      }),
    ),
  );
}
