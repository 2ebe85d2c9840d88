/** What the commands have in common: their options, examples and arguments. */
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";

export const PROGRAM = "checkpoint-sqlite";

/** @param example Follows the program's name in the help. */
export function newCommand(name: string, summary: string, ...examples: readonly string[]) {
  const lines = examples.map((example) => `  ${PROGRAM} ${name} ${example}`);
  return new Command(name)
    .description(summary)
    .option("--json", "print JSON, values in the wire format")
    .option("--no-pager", "print long output without $PAGER")
    .option("--busy-timeout <ms>", "wait so long for a lock of another process", wholeNumber)
    .option("--debug", "show the stack of an error")
    .addHelpText("after", `\nExample${lines.length > 1 ? "s" : ""}:\n${lines.join("\n")}`);
}

/** For a command that changes a file. */
export const YES = ["-y, --yes", "do it without asking"] as const;

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw new InvalidArgumentError("It must be a whole number.");
  }
  return Number(text);
}

export function positiveNumber(text: string): number {
  const number = wholeNumber(text);
  if (number === 0) {
    throw new InvalidArgumentError("It must be at least 1.");
  }
  return number;
}

/** For an option that can be given several times. */
export function collected(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** In the local time zone, in which times are shown, unless the text has another. */
function dateIn(text: string): number | undefined {
  const [, day = "", time = "T00:00"] =
    /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.exec(text) ?? [];
  const date = Date.parse(day + time);
  // The parser takes February 30 for March 2.
  const exists = new Date(`${day}T00:00Z`).toJSON()?.startsWith(day);
  return Number.isNaN(date) || exists !== true ? undefined : date;
}

/** `90d` (ago), `12h`, `30m`, `2w`, or a date such as `2026-01-31` or `2026-01-31T09:30`; milliseconds since the epoch. */
export function pointInTime(text: string): number {
  const [, count, unit = ""] = /^(\d{1,9})([mhdw])$/.exec(text) ?? [];
  if (count !== undefined) {
    return Date.now() - Number(count) * (UNITS[unit] ?? 0);
  }
  const date = dateIn(text);
  if (date === undefined) {
    throw new InvalidArgumentError(
      "It must be an age such as 30m, 12h, 90d or 2w, or a date such as 2026-01-31.",
    );
  }
  return date;
}
