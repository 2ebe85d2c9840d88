import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openStore, STORES, type StoreName, takesPart } from "../contestants/contestant.js";
import type { Durability } from "../contestants/subject.js";
import { type Recording, readRecording, replay } from "../harness/recording.js";
import type { Lane } from "../harness/rounds.js";
import { collectGarbage } from "../harness/time.js";
import { DURABILITIES } from "./files.js";
import type { Bench, Workload } from "./workload.js";

const FOLDER = join(import.meta.dir, "../../test/fixtures/framework-traces");
/** It uses entities and facts, which the floor does not have. */
const WITH_MEMORY = "agent-memory.jsonl";

export const traces: Workload = {
  name: "traces",
  title: "The framework's recorded runs",
  about:
    "All recorded runs of @obsku/framework, one after another into one new file, opening included. The floor has no entities " +
    "and facts; LangGraph's saver does not answer the framework.",
  async run(bench) {
    const files = readdirSync(FOLDER).sort();
    const chosen = files.filter((file) => file !== WITH_MEMORY).slice(0, bench.isQuick ? 2 : undefined);
    const withoutMemory = chosen.map(read);
    for (const durability of DURABILITIES) {
      const names = STORES.filter((name) => takesPart(name, durability));
      await bench.measure([
        {
          label: `${withoutMemory.length} runs, ${durability}`,
          isHeadline: durability === "full",
          lanes: names.map((name) => lane(bench, name, withoutMemory, durability)),
        },
        {
          label: `a run with memory, ${durability}`,
          lanes: names
            .filter((name) => name !== "floor")
            .map((name) => lane(bench, name, [read(WITH_MEMORY)], durability)),
        },
      ]);
    }
  },
};

function read(file: string): Recording {
  return readRecording(join(FOLDER, file));
}

function lane(
  bench: Bench,
  contestant: StoreName,
  recordings: readonly Recording[],
  durability: Durability,
): Lane {
  return {
    contestant,
    calls: 1,
    async round() {
      const path = bench.scratch.newPath();
      collectGarbage();
      const start = performance.now();
      const subject = await openStore(contestant, path, durability);
      for (const recording of recordings) {
        await replay(recording, subject);
      }
      await subject.close();
      const took = performance.now() - start;
      bench.scratch.delete(path);
      return took;
    },
  };
}
