/** A store and an inspector on one file in a temporary folder, and requests to it as a page makes them. */
import { join } from "node:path";
import { type NewCheckpoint, SqliteCheckpointStore } from "@obsku/checkpoint-sqlite";
import { buildPage } from "../../../scripts/page.js";
import { type InspectOptions, type Inspector, inspect } from "../../../src/inspector/index.js";
import { createTemporaryFolder, type TemporaryFolder } from "../../support/temporary-folder.js";

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the server answers is what the tests look at.
  body: any;
}

let built: Promise<unknown> | undefined;

export class Inspected {
  private constructor(
    readonly folder: TemporaryFolder,
    readonly store: SqliteCheckpointStore,
    readonly inspector: Inspector,
    readonly path: string,
  ) {}

  static async open(
    options: InspectOptions = {},
    fill?: (store: SqliteCheckpointStore) => Promise<void>,
  ): Promise<Inspected> {
    built ??= buildPage();
    await built;
    const folder = await createTemporaryFolder();
    const path = join(folder.path, "runs.db");
    const store = new SqliteCheckpointStore(path);
    await fill?.(store);
    return new Inspected(folder, store, await inspect(path, { port: 0, ...options }), path);
  }

  get origin(): string {
    return new URL(this.inspector.url).origin;
  }

  /** As the page's own script asks, after the link was opened. */
  async ask(path: string, parameters: Record<string, string | number> = {}): Promise<Answer> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) {
      query.set(name, String(value));
    }
    return this.send(`/api/${path}?${query}`, { headers: { cookie: await this.cookie() } });
  }

  async send(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(new URL(path, this.origin), init);
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : text };
  }

  async cookie(): Promise<string> {
    const response = await fetch(this.inspector.url);
    return (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.inspector.close();
    await this.store.close();
    await this.folder.remove();
  }
}

/** A checkpoint of a run with these nodes. */
export function checkpointOf(
  sessionId: string,
  version: number,
  nodeResults: NewCheckpoint["nodeResults"],
  fields: Partial<NewCheckpoint> = {},
): NewCheckpoint {
  return {
    sessionId,
    namespace: "",
    version,
    step: version - 1,
    source: "loop",
    nodeResults,
    pendingNodes: [],
    ...fields,
  };
}
