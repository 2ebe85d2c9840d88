/** A value, or what somebody threw, in the words of an error message: its kind and a little of it, never the whole payload. */

/** How many characters of a value an error shows. */
const LONGEST_SHOWN = 60;

/** Never throws, whatever the value: a revoked Proxy cannot even be asked what it is. */
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

/** The message of whatever was thrown. Never throws: `String(error)` does for many a value, such as one without a prototype. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return describe(error);
  }
}

/** `instanceof` for a value of somebody else's. Never throws: a revoked Proxy, or one with a trap, makes `instanceof` throw. */
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
