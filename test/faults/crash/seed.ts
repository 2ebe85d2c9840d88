import type { Scale } from "../scenario.js";

/** The short form tries the same every time; the full one is new every time, unless FAULTS_SEED repeats one. */
export function seedFor(scale: Scale): number {
  const given = process.env.FAULTS_SEED;
  if (given !== undefined) return Number(given);
  return scale === "short" ? 1 : (crypto.getRandomValues(new Uint32Array(1))[0] ?? 1);
}
