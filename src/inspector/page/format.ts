/** Numbers, times and texts as people read them. */
import type { Counted } from "../answers.js";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1_000 ** power;
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${UNITS[power]}`;
}

export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) {
    return `${Math.round(milliseconds)} ms`;
  }
  const seconds = milliseconds / 1_000;
  if (seconds < 60) {
    return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return `${minutes} min ${Math.round(seconds % 60)} s`;
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
  if (seconds < 5) {
    return "just now";
  }
  if (seconds < 60) {
    return `${seconds} s ago`;
  }
  if (seconds < 3_600) {
    return `${Math.round(seconds / 60)} min ago`;
  }
  return seconds < 86_400 ? `${Math.round(seconds / 3_600)} h ago` : day(milliseconds);
}

export function number(value: number): string {
  return value.toLocaleString("en-US");
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
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isToday(at: Date): boolean {
  return at.toDateString() === new Date().toDateString();
}
