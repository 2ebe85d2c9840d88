import { join } from "node:path";
import type { StoreName } from "../contestants/contestant.js";
import type { Lane } from "../harness/rounds.js";
import { filledFile } from "./files.js";
import type { Bench, Workload } from "./workload.js";

const NAMES: readonly StoreName[] = ["floor", "ours", "0.2.3"];

export const memory: Workload = {
  name: "memory",
  title: "Resident memory",
  about:
    "The most that a process takes while it reads and writes in a file of 1 M checkpoints in 10 k sessions: 500 times the " +
    "latest checkpoint, a message, and the last 20; 125 checkpoints. The process itself (Bun) is in it. 0.2.3 works on a copy " +
    "of the file that ours made.",
  async run(bench) {
    const sessions = bench.isQuick ? 200 : 10_000;
    const what = bench.isQuick ? "20 k in 200 sessions" : "1 M in 10 k sessions";
    const path = await filledFile(bench, "ours", `${what} checkpoints`, (filling) =>
      filling.sessions(sessions).checkpoints(sessions, 100),
    );
    await bench.measure([
      {
        label: `${what}`,
        unit: "MB",
        isHeadline: true,
        lanes: NAMES.map((name) => lane(bench, name, path, sessions)),
      },
    ]);
  },
};

function lane(bench: Bench, contestant: StoreName, filled: string, sessions: number): Lane {
  return {
    contestant,
    calls: 1,
    async round() {
      const path = contestant === "0.2.3" ? await ownCopy(bench, filled) : filled;
      const calls = bench.isQuick ? 40 : 500;
      const script = join(import.meta.dir, "memory-child.ts");
      const child = Bun.spawn([process.execPath, script, contestant, path, String(sessions), String(calls)], {
        stdout: "pipe",
        stderr: "inherit",
      });
      const peak = Number(await child.stdout.text());
      return peak / 1e6;
    },
  };
}

/** What 0.2.3 adds must not stand in the way of the others' versions. */
function ownCopy(bench: Bench, filled: string): Promise<string> {
  return bench.scratch.filled(`a copy of ${filled}`, async (path) => bench.scratch.copy(filled, path));
}
