/**
 * What the machine and SQLite allow, to compare the missed targets with: the same rows in one transaction by hand, and the same
 * bytes written to a plain file.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { type Floor, openFloor } from "../contestants/floor.js";
import { openOurs } from "../contestants/ours.js";
import type { Durability, Subject } from "../contestants/subject.js";
import { type CheckpointSize, checkpointOf, MOST_SAVES, messageOf } from "../harness/data.js";
import { runJob } from "../harness/jobs.js";
import type { Lane, Row } from "../harness/rounds.js";
import { timed } from "../harness/time.js";
import { DURABILITIES, OpenStores } from "./files.js";
import type { Bench, Workload } from "./workload.js";

type Kind = "save" | "message";

const NAMES = { save: "small checkpoints", message: "messages" } as const;
const SIZES = ["small", "middle", "large"] as const;
const TITLES = { small: "1 KB", middle: "100 KB", large: "5 MB" } as const;

export const limits: Workload = {
  name: "limits",
  title: "What the machine allows",
  about:
    "So many writes at once, beside the same rows by hand in one transaction: what is left to gain by sharing a commit. Then one " +
    "checkpoint saved at `full`, beside the floor of all durable writes: its text written to a plain file once, with one fsync.",
  async run(bench) {
    for (const durability of DURABILITIES) {
      for (const kind of ["save", "message"] as const) {
        await measureTogether(bench, kind, durability);
      }
    }
    for (const size of bench.isQuick ? SIZES.slice(0, 2) : SIZES) {
      await measureFile(bench, size);
    }
  },
};

async function measureTogether(bench: Bench, kind: Kind, durability: Durability): Promise<void> {
  const floor = await openFloor(bench.scratch.newPath(), durability);
  const ours = openOurs(bench.scratch.newPath(), durability);
  try {
    await bench.measure([8, 64].map((count) => togetherRow(floor, ours, kind, count, durability)));
  } finally {
    floor.close();
    await ours.close();
  }
}

function togetherRow(floor: Floor, ours: Subject, kind: Kind, count: number, durability: Durability): Row {
  const sessionIds = Array.from({ length: count }, () => floor.createSession("./project").id);
  let version = 0;
  const writeAll = () => {
    version++;
    for (const sessionId of sessionIds) {
      if (kind === "save") {
        floor.saveCheckpoint(checkpointOf("small", sessionId, version));
      } else {
        floor.addMessage(sessionId, messageOf(sessionId, version));
      }
    }
  };
  const lanes: Lane[] = [
    {
      contestant: "floor",
      multipleOf: count,
      round: (calls) => timed(calls / count, () => floor.together(writeAll)),
    },
    {
      contestant: "ours",
      multipleOf: count,
      round: (calls) =>
        runJob(
          ours,
          kind === "save" ? { kind, size: "small", calls, atOnce: count } : { kind, calls, atOnce: count },
        ),
    },
  ];
  return {
    label: `${count} ${NAMES[kind]} in one transaction, ${durability}`,
    lanes,
    targets: [{ kind: "within", of: "floor", times: 1.15 }],
  };
}

async function measureFile(bench: Bench, size: CheckpointSize): Promise<void> {
  await using stores = new OpenStores();
  const lanes: Lane[] = [fileLane(bench, size)];
  for (const contestant of ["ours", "0.2.3"] as const) {
    const subject = await stores.open(contestant, bench.scratch.newPath());
    lanes.push({
      contestant,
      atMost: MOST_SAVES[size],
      round: (calls) => runJob(subject, { kind: "save", size, calls, atOnce: 1 }),
    });
  }
  await bench.measure([{ label: `${TITLES[size]} written to a plain file`, lanes }]);
}

/** Text after text to the end of one file, each synced before the next. */
function fileLane(bench: Bench, size: CheckpointSize): Lane {
  const { nodeResults } = checkpointOf(size, "", 0);
  return {
    contestant: "floor",
    atMost: MOST_SAVES[size],
    async round(calls) {
      const path = bench.scratch.newPath();
      const file = openSync(path, "w");
      try {
        return await timed(calls, () => {
          writeSync(file, JSON.stringify(nodeResults));
          fsyncSync(file);
        });
      } finally {
        closeSync(file);
        bench.scratch.delete(path);
      }
    },
  };
}
