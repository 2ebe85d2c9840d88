/**
 * The tags of the wire format: JSON, plus objects `{"__type": tag, "value": …}` for what JSON cannot say.
 *
 * The first four are those of 0.2.3. Ours start with `js:`, so that no object which a user of 0.2.3 stored under
 * a `__type` key of their own is ever taken for one of them; 0.2.3 in turn reads them as plain objects.
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
  /** A user's own object that has a `__type` key. */
  object: "js:object",
} as const;

/** How an invalid Date is written. 0.2.3 cannot write one, and reads this as one. */
export const INVALID_DATE = "Invalid Date";

export interface Tagged {
  [TYPE_KEY]: string;
  value: unknown;
}

export function tagged(tag: string, value: unknown): Tagged {
  return { [TYPE_KEY]: tag, value };
}

/** The parts of an error on the wire; what is absent was absent. */
export interface ErrorParts {
  name: string;
  message: string;
  stack?: string;
  cause?: unknown;
  /** Of an AggregateError. */
  errors?: unknown;
  /** Own enumerable properties besides those above. */
  fields?: Record<string, unknown>;
}

/** Sets an own property under any key: plain assignment to `__proto__` would replace the prototype. */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    Reflect.set(target, key, value);
  }
}

/** A path as people write it: `$.nodes[2]["odd key"]`. */
export function pathOf(keys: readonly (string | number)[]): string {
  return `$${keys.map((key) => (typeof key === "number" ? `[${key}]` : memberOf(key))).join("")}`;
}

function memberOf(key: string): string {
  return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
