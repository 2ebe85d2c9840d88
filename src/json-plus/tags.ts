/**
 * The tags of the wire format: JSON, plus objects `{"__type": tag, "value": …}` for values that JSON cannot represent.
 *
 * The first four are from 0.2.3. New ones start with `js:`, so that an object with a `__type` key that a user stored with
 * 0.2.3 is never mistaken for one; 0.2.3 reads the new ones as plain objects.
 */
export const TYPE_KEY = "__type";

export const TAG = {
  date: "Date",
  map: "Map",
  set: "Set",
  buffer: "Buffer",
  undefined: "js:undefined",
  bigint: "js:bigint",
  /** NaN, the infinities and -0, as their source text. */
  number: "js:number",
  regExp: "js:RegExp",
  url: "js:URL",
  error: "js:Error",
  arrayBuffer: "js:ArrayBuffer",
  /** Typed arrays and DataView: this prefix and the name of the view. */
  view: "js:",
  /** A user's object with a `__type` key. */
  object: "js:object",
} as const;

/** The text of an invalid Date. 0.2.3 cannot write an invalid Date, but reads this text as one. */
export const INVALID_DATE = "Invalid Date";

export interface Tagged {
  [TYPE_KEY]: string;
  value: unknown;
}

export function tagged(tag: string, value: unknown): Tagged {
  return { [TYPE_KEY]: tag, value };
}

/** The parts of an error in the wire format; a part that the error lacks is absent. */
export interface ErrorParts {
  name: string;
  message: string;
  stack?: string;
  cause?: unknown;
  /** The errors of an AggregateError. */
  errors?: unknown;
  /** Other own enumerable properties. */
  fields?: Record<string, unknown>;
}

/** Sets an own property with any key: a plain assignment to `__proto__` would replace the prototype. */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    Reflect.set(target, key, value);
  }
}

/** A path for people to read: `$.nodes[2]["odd key"]`. */
export function pathOf(keys: readonly (string | number)[]): string {
  return `$${keys.map((key) => (typeof key === "number" ? `[${key}]` : memberOf(key))).join("")}`;
}

function memberOf(key: string): string {
  return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
