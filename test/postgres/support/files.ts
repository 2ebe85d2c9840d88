/** Files of every kind, each with sessions, messages, checkpoints, entities and facts. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import {
  buildCheckpoint,
  buildFullCheckpoint,
  buildFullMessage,
  buildMessage,
} from "../../support/builders.js";
import { exoticValues } from "../../support/exotic-values.js";
import { buildEntity, buildFact, buildFullEntity, buildFullFact } from "../../support/memory-builders.js";

const PUBLISHED = join(import.meta.dir, "../../fixtures/published-0.2.3.db");

/** What COPY, JSON or a terminal gives a meaning to. */
const ODD_TEXTS = [
  "",
  "\\N",
  "\\.",
  "\t\n\r\b\f\v\\t\\n",
  "\\x00ff",
  "C:\\temp\\new",
  "\uFEFFwith a mark",
  "日本語 🚀 é",
  `'"; DROP TABLE sessions; --`,
  "x".repeat(300_000),
];

type Create = (path: string) => Promise<void>;

export const FILES: Readonly<Record<string, Create>> = {
  "that is new": async (path) => {
    await new SqliteCheckpointStore(path).close();
  },
  "from 0.2.3": async (path) => {
    copyFileSync(PUBLISHED, path);
  },
  "with whole outputs": (path) => fill(path, false),
  "with outputs kept once": (path) => fill(path, true),
  "with odd texts": fillOddly,
};

/** Outputs that grow from step to step, in pieces and in one, a fork, a nested graph, a second run, memory, and a gap in the ids. */
export async function fill(path: string, shareOutputs: boolean): Promise<void> {
  await using store = new SqliteCheckpointStore(path, { shareOutputs });
  const { id } = await store.createSession("./scan", {
    workspaceId: "ws-1",
    title: "Scan",
    metadata: { at: new Date(5) },
  });
  const found: string[] = [];
  for (let step = 0; step < 12; step++) {
    await store.addMessage(id, buildMessage(id, { content: `step ${step}` }));
    found.push(`${step}:`.padEnd(700, String.fromCharCode(97 + step)));
    const nodeResults = {
      scan: { status: "completed" as const, output: { found: [...found] }, startedAt: 1 },
      plan: { status: "completed" as const, output: "the plan ".repeat(150) },
    };
    const namespace = step % 5 === 4 ? "graph/sub" : "graph";
    await store.saveCheckpoint(
      buildCheckpoint(id, { namespace, version: step + 1, step: step % 6, nodeResults }),
    );
  }
  const last = await store.saveCheckpoint(buildFullCheckpoint((await store.createSession("./full")).id));
  const fork = await store.fork(last.id, { title: "fork" });
  await store.addMessage(fork.id, buildFullMessage(fork.id));
  await store.saveEntity(buildEntity(id));
  await store.saveEntity(buildFullEntity(fork.id));
  await store.saveFact(buildFact());
  await store.saveFact(buildFullFact(id));
  const gone = await store.createSession("./gone");
  await store.addMessage(gone.id, buildMessage(gone.id));
  await store.deleteSession(gone.id);
}

async function fillOddly(path: string): Promise<void> {
  await using store = new SqliteCheckpointStore(path);
  for (const [index, text] of ODD_TEXTS.entries()) {
    const { id } = await store.createSession(text, {
      title: text,
      workspaceId: `w\t\\${index}`,
      metadata: { [text]: text },
    });
    await store.addMessage(id, buildMessage(id, { content: text }));
    await store.saveCheckpoint(
      buildCheckpoint(id, { nodeResults: { [text]: { status: "completed", output: text } } }),
    );
    await store.saveEntity(buildEntity(id, { name: text, attributes: { text } }));
    await store.saveFact(buildFact({ content: text, sourceSessionId: id }));
  }
  const { id } = await store.createSession("./values");
  for (const [version, { name, make }] of exoticValues.entries()) {
    await store.saveCheckpoint(
      buildCheckpoint(id, {
        version,
        step: version,
        nodeResults: {
          [name]: { status: "completed", output: make() },
          large: { status: "completed", output: [make(), "x".repeat(2_000)] },
        },
      }),
    );
  }
}
