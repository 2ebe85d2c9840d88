/** Outputs that are kept apart from their rows, and a look at where they are. */
import type { Database } from "bun:sqlite";
import { type Checkpoint, JsonPlusSerializer } from "@obsku/checkpoint-sqlite";
import { SHARING } from "../../src/outputs/node-results.js";
import { buildCheckpoint, type NewCheckpoint } from "./builders.js";
import { rowsOf } from "./sql.js";

/** As a row refers to it. */
export const referenceTo = (hash: string) => `{"__type":"Map","value":"${hash}"}`;

/** Text without repetition, of a seed. Its default length is one piece; 20,000 characters or more are several. */
export function longText(seed: number, length = 2_000): string {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0).toString(36);
  };
  let text = "";
  while (text.length < length) text += `${next()} `;
  return text.slice(0, length);
}

/** A checkpoint of the root namespace whose nodes completed with these outputs. */
export function buildWave(
  sessionId: string,
  version: number,
  outputs: Readonly<Record<string, unknown>>,
): NewCheckpoint {
  const nodes = Object.entries(outputs).map(([id, output]) => [id, { status: "completed", output }] as const);
  return buildCheckpoint(sessionId, { namespace: "", version, nodeResults: Object.fromEntries(nodes) });
}

export function outputsOf(checkpoint: Checkpoint | null | undefined): Record<string, unknown> {
  const nodes = Object.entries(checkpoint?.nodeResults ?? {});
  return Object.fromEntries(nodes.map(([id, { output }]) => [id, output]));
}

export interface StoredOutput {
  readonly session_id: string;
  readonly hash: string;
  readonly text: string | null;
  readonly pieces: string | null;
}

export function storedOutputs(database: Database): StoredOutput[] {
  return rowsOf<StoredOutput>(database, "SELECT * FROM checkpoint_sqlite_outputs ORDER BY rowid");
}

/** By id, what the view shows of the checkpoints, as the API would return it. */
export function readView(database: Database): Map<string, object> {
  const serializer = new JsonPlusSerializer();
  const decoded = (text: unknown) => (text === null ? undefined : serializer.deserialize(String(text)));
  const rows = rowsOf(database, "SELECT * FROM checkpoint_sqlite_checkpoints");
  return new Map(
    rows.map((row) => [
      String(row.id),
      {
        id: row.id,
        sessionId: row.session_id,
        namespace: row.namespace,
        parentId: row.parent_id ?? undefined,
        version: row.version,
        step: row.step,
        nodeId: row.node_id ?? undefined,
        nodeResults: decoded(row.node_results),
        pendingNodes: decoded(row.pending_nodes),
        cycleState: decoded(row.cycle_state),
        source: row.source,
        createdAt: row.created_at,
      },
    ]),
  );
}

/** Until it is disposed of, every output is kept apart that is not a number, a boolean, null or undefined. */
export function sharingEverything(): Disposable {
  const { threshold } = SHARING;
  SHARING.threshold = 1;
  return {
    [Symbol.dispose]() {
      SHARING.threshold = threshold;
    },
  };
}

/** One of a pool of outputs, so that saves have many in common: of all sizes, strings and others, some sharing pieces. */
export function outputOf(seed: number): unknown {
  const kinds = [
    () => `small ${seed}`,
    () => longText(seed, 1_500),
    () => ({ log: Array.from({ length: 10 + seed }, (_, index) => longText(index, 1_000)) }),
    () => new Map([[seed, longText(seed, 30_000)]]),
  ];
  return kinds[seed % kinds.length]?.();
}
