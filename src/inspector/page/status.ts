/** What a node's status means. A file may hold any text there, also `__proto__`. */

const SIGNS: ReadonlyMap<string, string> = new Map([
  ["completed", "✓"],
  ["failed", "✕"],
  ["skipped", "–"],
  ["running", "▸"],
  ["pending", "○"],
]);

/** The name of a style. */
export function statusClass(status: string): string {
  const name = status.toLowerCase();
  if (name === "complete") {
    return "completed";
  }
  return SIGNS.has(name) ? name : "unknown";
}

export function signOf(status: string): string {
  return SIGNS.get(statusClass(status)) ?? "?";
}

export function isFailed({ status }: { status: string }): boolean {
  return statusClass(status) === "failed";
}
