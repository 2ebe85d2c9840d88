/** Times, durations, sizes and ids as people read them. */

/** In the local time zone: `2026-01-31 09:30:00`. */
export function time(milliseconds: number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) {
    return String(milliseconds); // 0.2.3 stored any number.
  }
  const two = (part: number) => String(part).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** `340 ms`, `1.2 s`, `2 min 5 s`, `3 h 10 min` */
export function duration(milliseconds: number): string {
  const rounded = Math.round(milliseconds);
  if (Math.abs(rounded) < SECOND) {
    return `${rounded} ms`;
  }
  if (rounded < MINUTE) {
    return `${(Math.floor(rounded / 100) / 10).toFixed(1)} s`;
  }
  return rounded < HOUR
    ? `${Math.floor(rounded / MINUTE)} min ${Math.floor((rounded % MINUTE) / SECOND)} s`
    : `${Math.floor(rounded / HOUR)} h ${Math.floor((rounded % HOUR) / MINUTE)} min`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Of 1,000 each: `12 B`, `3.4 kB`, `120 MB` */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `1 session`, `2,000 sessions` */
export function amount(count: number, unit: string): string {
  return `${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`;
}

const SHORTEST_ID = 8;

/**
 * Shortens ids to as many characters as tell them apart, at least eight. Of sessions the beginnings; of checkpoints the ends, because
 * theirs begin with the time.
 */
export function shortener(ids: readonly string[], part: "beginning" | "end"): (id: string) => string {
  const shorten = (id: string, length: number) => (part === "end" ? id.slice(-length) : id.slice(0, length));
  const all = new Set(ids);
  const longest = Math.max(SHORTEST_ID, ...[...all].slice(0, 1).map((id) => id.length));
  let length = SHORTEST_ID;
  while (length < longest && new Set([...all].map((id) => shorten(id, length))).size < all.size) {
    length += 1;
  }
  return (id) => shorten(id, length);
}
