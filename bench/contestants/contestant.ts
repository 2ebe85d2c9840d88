/** Who takes part, and how each is opened. */
import { runJob } from "../harness/jobs.js";
import { openFloor } from "./floor.js";
import { LangGraph } from "./langgraph.js";
import { openOurs, openUnshared } from "./ours.js";
import { openPublished, openPublishedWithWal } from "./published.js";
import type { Runner } from "./runner.js";
import type { Durability, StoreSubject } from "./subject.js";

/** Those that live in this process and take part everywhere, in the order in which they take turns. */
export const STORES = ["floor", "ours", "0.2.3", "0.2.3+WAL"] as const;

/** "unshared" is ours with `shareOutputs: false`. It takes part if large outputs matter. */
export type StoreName = (typeof STORES)[number] | "unshared";
export type ContestantName = StoreName | "LangGraph";

/** In the order of the tables. */
export const CONTESTANTS: readonly ContestantName[] = [
  "floor",
  "ours",
  "unshared",
  "0.2.3",
  "0.2.3+WAL",
  "LangGraph",
];

export async function openStore(
  name: StoreName,
  path: string,
  durability: Durability,
): Promise<StoreSubject> {
  switch (name) {
    case "floor":
      return openFloor(path, durability);
    case "ours":
      return openOurs(path, durability);
    case "unshared":
      return openUnshared(path, durability);
    case "0.2.3":
      return openPublished(path);
    case "0.2.3+WAL":
      return openPublishedWithWal(path);
  }
}

export async function openRunner(
  name: ContestantName,
  path: string,
  durability: Durability,
): Promise<Runner> {
  if (name === "LangGraph") {
    return LangGraph.open(path, durability);
  }
  const subject = await openStore(name, path, durability);
  return { run: (job) => runJob(subject, job), close: async () => subject.close() };
}

/** 0.2.3's connection is at synchronous FULL, and cannot be set. */
export function takesPart(name: ContestantName, durability: Durability): boolean {
  return durability === "full" || !name.startsWith("0.2.3");
}
