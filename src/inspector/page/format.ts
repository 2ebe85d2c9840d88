/** Numbers, times and texts as people read them. */
import type { Counted } from "../answers.js";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1_000 ** power;
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${UNITS[power]}`;
}

export function duration(milliseconds: number): string {
  // The clock went back, or the file is damaged.
  if (!(milliseconds >= 0)) {
    return "—";
  }
  // Each unit is rounded before it is compared: 59.96 s are 1 min 0 s, not 60.0 s.
  if (Math.round(milliseconds) < 1_000) {
    return `${Math.round(milliseconds)} ms`;
  }
  const tenths = Math.round(milliseconds / 100);
  if (tenths < 600) {
    return `${(milliseconds / 1_000).toFixed(tenths < 100 ? 2 : 1)} s`;
  }
  const seconds = Math.round(milliseconds / 1_000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return `${minutes} min ${seconds % 60} s`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`;
}

/** A time of another day has its date. */
export function time(milliseconds: number): string {
  const at = new Date(milliseconds);
  if (Number.isNaN(at.getTime())) {
    return String(milliseconds);
  }
  const clock = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return isToday(at) ? clock : `${day(milliseconds)}, ${clock}`;
}

export function day(milliseconds: number): string {
  return new Date(milliseconds).toLocaleDateString(undefined, {
    year: "numeric",
    month: "short",
    day: "numeric",
  });
}

/** To the millisecond, as in the file. */
export function exactTime(milliseconds: number): string {
  const at = new Date(milliseconds);
  return Number.isNaN(at.getTime()) ? String(milliseconds) : at.toISOString();
}

export function ago(milliseconds: number, now = Date.now()): string {
  const seconds = Math.round((now - milliseconds) / 1_000);
  if (seconds < -5) {
    return time(milliseconds); // By another machine's clock.
  }
  if (seconds < 5) {
    return "just now";
  }
  if (seconds < 60) {
    return `${seconds} s ago`;
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) {
    return `${minutes} min ago`;
  }
  const hours = Math.round(minutes / 60);
  return hours < 24 ? `${hours} h ago` : day(milliseconds);
}

/** JSON has `null` for numbers that are not finite, which a damaged file may hold. */
export function number(value: number | null | undefined): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : "—";
}

export function count({ value, isCut }: Counted, one: string, many = `${one}s`): string {
  return `${number(value)}${isCut ? "+" : ""} ${value === 1 && !isCut ? one : many}`;
}

export function size({ value, isCut }: Counted): string {
  return `${bytes(value)}${isCut ? "+" : ""}`;
}

/** What a session is called if it has no title. */
export function titleOf(session: { title: string | null; id: string }): string {
  return session.title === null || session.title.trim() === ""
    ? `Session ${session.id.slice(0, 8)}`
    : session.title;
}

/** Control characters and marks that change the direction of text are shown, so that no name looks like another. */
export function visible(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isToday(at: Date): boolean {
  return at.toDateString() === new Date().toDateString();
}
