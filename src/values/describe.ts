/** Describes values, and whatever was thrown, for error messages: the type and a short excerpt, never the whole payload. */

/** How many characters of a value an error shows. */
const LONGEST_SHOWN = 60;

/** Never throws, even for a revoked Proxy, whose type cannot be read. */
export function describe(value: unknown): string {
  try {
    return describeReadable(value);
  } catch {
    return "an object that cannot be read";
  }
}

function describeReadable(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `the string ${JSON.stringify(shortened(value))}`;
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : `an object (${className(value)})`;
    case "undefined":
      return "undefined";
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    default:
      return `the ${typeof value} ${shortened(String(value))}`;
  }
}

/** The message of whatever was thrown. Never throws, while `String(error)` may, such as for an object without a prototype. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return describe(error);
  }
}

/** `instanceof` for a caller's value. Never throws, while `instanceof` does for a revoked Proxy or one with a throwing trap. */
export function isInstance<T>(value: unknown, Class: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof Class;
  } catch {
    return false;
  }
}

function className(value: object): string {
  return shortened(Object.prototype.toString.call(value).slice("[object ".length, -1));
}

function shortened(text: string): string {
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}…`;
}
