/**
 * What of a row PostgreSQL would not take, or would take and change: found before anything is written.
 *
 * Limits: an index takes keys of up to 2,704 bytes after compression. Compression is not tried here, so a longer key that
 * PostgreSQL could compress is refused as well.
 */
import { isInstance } from "../values/describe.js";
import { lineOf } from "./copy-text.js";
import type { Column, ColumnType, Table, Value } from "./tables.js";

/** A row of the file by column. */
export type SourceRow = Record<string, Value>;

/** What does not fit, and how to go on. */
export interface Misfit {
  column: string;
  problem: string;
  remedy: string;
  /** What `fix` puts in its place; absent if nothing can. */
  replacement?: Value;
}

const LARGEST: Readonly<Record<"integer" | "bigint", bigint>> = {
  integer: 2n ** 31n - 1n,
  bigint: 2n ** 63n - 1n,
};

/** Largest value of a 32-bit float. */
const LARGEST_REAL = (2 - 2 ** -23) * 2 ** 127;

/** 2,704 without what PostgreSQL adds to a tuple of two texts and an integer. */
export const LONGEST_KEY = 2_660;

/** PostgreSQL reads a row of COPY into one buffer of less than 1 GiB. */
const LONGEST_LINE = 1_000_000_000;

const MOST_BYTES_PER_UNIT = 3;
/** Escapes double a byte, and bytes in hexadecimal too. */
const LONGEST_ESCAPE = 2;

const FIX = "pass fix: true (--fix) to replace it, or change it in the file";
const CHANGE = "change it in the file, or leave the session out";

/** @param columns As they are in the database there. */
export function misfitsOf(table: Table, columns: readonly Column[], row: SourceRow): Misfit[] {
  const found = columns.flatMap((column) => {
    const misfit = misfitOf(column, row[column.name] ?? null);
    return misfit === undefined ? [] : [misfit];
  });
  return [...found, ...longKeys(table, row), ...longLine(columns, row)];
}

function misfitOf(column: Column, value: Value): Misfit | undefined {
  if (value === null) {
    return column.isRequired ? missing(column) : undefined;
  }
  switch (column.type) {
    case "text":
      return textMisfit(column, value);
    case "integer":
    case "bigint":
      return integerMisfit(column, value, LARGEST[column.type]);
    case "real":
    case "double precision":
      return numberMisfit(column, value);
    case "bytea":
      return typeof value === "string" || value instanceof Uint8Array
        ? undefined
        : { column: column.name, problem: `is ${kindOf(value)}, not bytes`, remedy: CHANGE };
  }
}

function missing({ name, absent }: Column): Misfit {
  const problem = "is NULL, which is not allowed there";
  return absent === undefined
    ? { column: name, problem, remedy: CHANGE }
    : {
        column: name,
        problem,
        remedy: `pass fix: true (--fix) to write "${absent}", or change it in the file`,
        replacement: absent,
      };
}

function textMisfit({ name, fixable }: Column, value: Value): Misfit | undefined {
  if (typeof value !== "string") {
    return { column: name, problem: `is ${kindOf(value)}, not text`, remedy: CHANGE };
  }
  if (!value.includes("\0")) {
    return undefined;
  }
  const problem = "contains a NUL character";
  return fixable === "text"
    ? { column: name, problem, remedy: FIX, replacement: value.replaceAll("\0", "\uFFFD") }
    : { column: name, problem, remedy: CHANGE };
}

function integerMisfit({ name, fixable }: Column, value: Value, largest: bigint): Misfit | undefined {
  if (typeof value === "bigint" && value <= largest && value >= -largest - 1n) {
    return undefined;
  }
  const problem =
    typeof value === "bigint"
      ? `is ${value}, and the column there takes ${-largest - 1n} to ${largest}`
      : `is ${kindOf(value)}, not an integer`;
  const replacement = fixable === "number" ? nearestInteger(value, largest) : undefined;
  return replacement === undefined
    ? { column: name, problem, remedy: remedyFor(name) }
    : { column: name, problem, remedy: FIX, replacement };
}

function remedyFor(column: string): string {
  switch (column) {
    case "step":
      return "pass renumberSteps: true (--renumber-steps), or make the column there a BIGINT";
    case "id":
      return "pass renumberMessages: true (--renumber-messages), or make the column there a BIGINT";
    default:
      return "make the column there a BIGINT, or change it in the file";
  }
}

function nearestInteger(value: Value, largest: bigint): bigint | undefined {
  if (typeof value === "bigint") {
    return value > 0n ? largest : -largest - 1n;
  }
  if (typeof value !== "number" || !Number.isFinite(value)) {
    return undefined;
  }
  const whole = BigInt(Math.trunc(value));
  return whole > largest || whole < -largest ? nearestInteger(whole, largest) : whole;
}

function numberMisfit({ name, type }: Column, value: Value): Misfit | undefined {
  if (typeof value !== "number" && typeof value !== "bigint") {
    return { column: name, problem: `is ${kindOf(value)}, not a number`, remedy: CHANGE };
  }
  const number = Number(value);
  const rounded = Math.fround(number);
  if (type === "double precision" || !Number.isFinite(number) || isInRange(number, rounded)) {
    return undefined;
  }
  return {
    column: name,
    problem: `is ${number}, which a REAL cannot hold`,
    remedy: FIX,
    replacement: rounded === 0 ? 0 : Math.sign(number) * LARGEST_REAL,
  };
}

/** PostgreSQL takes neither what overflows nor what becomes 0. */
function isInRange(number: number, rounded: number): boolean {
  return Number.isFinite(rounded) && (rounded !== 0 || number === 0);
}

function longKeys({ keys }: Table, row: SourceRow): Misfit[] {
  return keys.flatMap((names) => {
    const bytes = bytesOf(names.map((name) => row[name] ?? null));
    return bytes <= LONGEST_KEY
      ? []
      : [
          {
            column: names.join(", "),
            problem: `has ${bytes} bytes in UTF-8, and an index there takes ${LONGEST_KEY}`,
            remedy: CHANGE,
          },
        ];
  });
}

/** 0 if the texts cannot be longer than a key. */
function bytesOf(values: readonly Value[]): number {
  const text = values.filter((value) => typeof value === "string").join("");
  return text.length * MOST_BYTES_PER_UNIT <= LONGEST_KEY ? 0 : Buffer.byteLength(text);
}

/** @param longest Most bytes of a line. */
export function longLine(
  columns: readonly { name: string }[],
  row: SourceRow,
  longest: number = LONGEST_LINE,
): Misfit[] {
  const values = columns.map(({ name }) => row[name] ?? null);
  const length = values.reduce<number>((sum, value) => sum + lengthOf(value), 0);
  if (length * MOST_BYTES_PER_UNIT * LONGEST_ESCAPE <= longest) {
    return [];
  }
  const bytes = values.reduce<number>((sum, value) => sum + Buffer.byteLength(lineOf([value])), 0);
  return bytes <= longest
    ? []
    : [
        {
          column: columns.map(({ name }) => name).join(", "),
          problem: `have ${bytes} bytes together, and PostgreSQL takes a row of ${longest}`,
          remedy: CHANGE,
        },
      ];
}

function lengthOf(value: Value): number {
  return typeof value === "string" || value instanceof Uint8Array ? value.length : 0;
}

function kindOf(value: Value): string {
  return value instanceof Uint8Array ? "a BLOB" : typeof value === "string" ? "text" : `the number ${value}`;
}

/** What will be different there without being refused. */
export function differencesOf(
  columns: readonly Column[],
  row: SourceRow,
): { column: string; difference: string }[] {
  return columns.flatMap((column) => {
    const difference = differenceOf(column, row[column.name] ?? null);
    return difference === undefined ? [] : [{ column: column.name, difference }];
  });
}

function differenceOf({ type, isStructured }: Column, value: Value): string | undefined {
  if (type === "real" && typeof value === "number" && shortestOfReal(value) !== value) {
    return `is ${value}, and will be ${shortestOfReal(value)}: a REAL has 6 to 9 digits`;
  }
  return isStructured === true && typeof value === "string" ? structuredDifferenceOf(value) : undefined;
}

const FURTHER_TYPE = /\{"__type":"(js:\w+)"/;
const INVALID_DATE = '{"__type":"Date","value":"Invalid Date"}';
/** In a string the quotes would be escaped. */
const PROTO_KEY = '"__proto__":';

function structuredDifferenceOf(text: string): string | undefined {
  if (text.includes(INVALID_DATE)) {
    return "holds an invalid Date, which @obsku/checkpoint-postgres@0.2.3 throws on";
  }
  const [, tag] = FURTHER_TYPE.exec(text) ?? [];
  if (tag !== undefined) {
    return `holds a ${tag}, which @obsku/checkpoint-postgres@0.2.3 reads as an object { __type, value }`;
  }
  if (text.includes(PROTO_KEY)) {
    return "has a key __proto__, which @obsku/checkpoint-postgres@0.2.3 takes as the prototype";
  }
  return hasTaggedKey(text)
    ? "holds a Map with a Date, Map, Set or Buffer in a key, which @obsku/checkpoint-postgres@0.2.3 reads as an object { __type, value }"
    : undefined;
}

const MAP_START = '{"__type":"Map","value":[[';

/** Whether a key of a Map holds a value of another type than JSON's. Text that is not JSON, which is copied as it is, has none. */
function hasTaggedKey(text: string): boolean {
  if (!text.includes(MAP_START)) {
    return false;
  }
  let isFound = false;
  try {
    JSON.parse(text, (_, value: unknown) => {
      isFound ||= isMapWithTaggedKey(value);
      return value;
    });
  } catch {
    return false;
  }
  return isFound;
}

function isMapWithTaggedKey(value: unknown): boolean {
  if (!isInstance(value, Object) || Reflect.get(value, "__type") !== "Map") {
    return false;
  }
  const entries: unknown = Reflect.get(value, "value");
  return (
    Array.isArray(entries) &&
    entries.some((entry) => Array.isArray(entry) && JSON.stringify(entry[0])?.includes('{"__type":'))
  );
}

/** The shortest decimal number that a 32-bit float reads as: PostgreSQL writes this one. */
export function shortestOfReal(value: number): number {
  const rounded = Math.fround(value);
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(rounded.toPrecision(digits));
    if (Math.fround(candidate) === rounded) {
      return candidate;
    }
  }
  return Number(rounded.toPrecision(9));
}

/** What COPY is to write: bytes for an embedding, whose JSON may be text in the file. */
export function toWrite({ type }: { type: ColumnType }, value: Value): Value {
  return type === "bytea" && typeof value === "string" ? Buffer.from(value) : value;
}
