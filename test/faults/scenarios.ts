import { clockBack } from "./clock-back.js";
import { sigkill } from "./crash.js";
import { fullDisk } from "./full-disk.js";
import { hostileFiles } from "./hostile-files.js";
import { hostileValues } from "./hostile-values.js";
import { longReader } from "./long-reader.js";
import { manyWriters } from "./many-writers.js";
import { powerCut } from "./power-cut.js";
import type { Scenario } from "./scenario.js";
import { walDamage } from "./wal-damage.js";

/** In the order in which they are run and printed. */
export const SCENARIOS: readonly Scenario[] = [
  sigkill,
  powerCut,
  walDamage,
  fullDisk,
  manyWriters,
  longReader,
  clockBack,
  hostileValues,
  hostileFiles,
];
