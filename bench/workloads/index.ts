/** All workloads, in the order of the report. */
import { atOnce } from "./at-once.js";
import { changed } from "./changed.js";
import { deleteSession } from "./delete-session.js";
import { fork } from "./fork.js";
import { growth } from "./growth.js";
import { lastMessages } from "./last-messages.js";
import { latest } from "./latest.js";
import { limits } from "./limits.js";
import { listSessions } from "./list-sessions.js";
import { memory } from "./memory.js";
import { message } from "./message.js";
import { metadata } from "./metadata.js";
import { open } from "./open.js";
import { save } from "./save.js";
import { search } from "./search.js";
import { serializer } from "./serializer.js";
import { traces } from "./traces.js";
import { turn } from "./turn.js";
import { wave } from "./wave.js";
import { wholeRun } from "./whole-run.js";
import type { Workload } from "./workload.js";

export const WORKLOADS: readonly Workload[] = [
  save,
  message,
  turn,
  wave,
  changed,
  wholeRun,
  growth,
  atOnce,
  limits,
  latest,
  lastMessages,
  listSessions,
  fork,
  deleteSession,
  serializer,
  metadata,
  search,
  open,
  memory,
  traces,
];
