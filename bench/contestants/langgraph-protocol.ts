/** What is said to LangGraph's process: one request a line on its stdin, one answer a line on its stdout, both JSON. */
import type { ValueSize } from "../harness/data.js";
import type { Job, WholeRun } from "../harness/jobs.js";
import type { Durability } from "./subject.js";

export type Request =
  | { do: "open"; path: string; durability: Durability }
  | { do: "close" }
  | { do: "run"; job: Job }
  /** On a new file. */
  | { do: "wholeRun"; path: string; durability: Durability; run: WholeRun }
  /** Fills a session; answers with its id. */
  | { do: "fillCheckpoints"; count: number; namespaces: readonly string[] }
  | { do: "fillMessages"; count: number }
  /** Opens a file and closes it, so many times. */
  | { do: "reopen"; calls: number; path: string }
  | { do: "codec"; calls: number; bytes: ValueSize; isRich: boolean; direction: "serialize" | "deserialize" };

/** `ms` is how long the timed part took together. */
export type Answer = { ms: number; id?: string } | { error: string };
