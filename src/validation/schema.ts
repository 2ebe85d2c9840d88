/** Building blocks for schemas of structured values. */
import { isBuiltIn } from "../json-plus/built-ins.js";
import { setOwn } from "../json-plus/tags.js";

/** What is wrong with a value, and at which path in it; `""` is the value itself. */
export interface Issue {
  path: string;
  expected: string;
  given: unknown;
}

/** The parts of type `T` that this package relies on. Fields that the schema does not name are accepted. */
export interface Schema<T> {
  /** The first issue of a value; `undefined` if there is none. */
  validate(value: unknown): Issue | undefined;
  accepts(value: unknown): value is T;
  copy: Copy;
}

export type Validate = (value: unknown) => Issue | undefined;

/**
 * Copies the fields of a caller's value that the schema names, and reads each once. An instance's fields may be getters of
 * its class, which an encoder would not see.
 */
export type Copy = (value: unknown) => unknown;

export function schema<T>(validate: Validate, copy: Copy = asIs): Schema<T> {
  return { validate, accepts: (value): value is T => validate(value) === undefined, copy };
}

/** Returns the value itself, uncopied: for leaves, and for values that no code relies on. */
export const asIs: Copy = (value) => value;

/** Copies a record's fields. Any other value is returned unchanged, and `validate` rejects it. */
export function copyFields(...names: readonly string[]): Copy {
  return (value) => {
    if (!isRecord(value)) {
      return value;
    }
    const copy: Record<string, unknown> = { ...value };
    for (const name of names) {
      if (!Object.hasOwn(copy, name)) {
        const field = value[name];
        if (field !== undefined) {
          copy[name] = field;
        }
      }
    }
    return copy;
  };
}

export function copyElements(copy: Copy): Copy {
  return (list) =>
    Array.isArray(list) && !hasToJSON(list)
      ? Array.from({ length: list.length }, (_, index) => copy(list[index]))
      : list;
}

export function copyValues(copy: Copy): Copy {
  return (record) => {
    if (!isRecord(record)) {
      return record;
    }
    const copies: Record<string, unknown> = { ...record };
    for (const key of Object.keys(copies)) {
      setOwn(copies, key, copy(copies[key]));
    }
    return copies;
  };
}

/** Whether a value is an object that reads back as a plain object: no array, Map, Date or other class with its own wire format. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || hasToJSON(value)) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || !isBuiltIn(value);
}

/** Whether a value has a `toJSON` method, so that it would read back as something else. */
export function hasToJSON(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
  );
}

export const string: Validate = (value) => (typeof value === "string" ? undefined : issue("a string", value));

export const finiteNumber: Validate = (value) =>
  Number.isFinite(value) ? undefined : issue("a finite number", value);

export function optional(validate: Validate): Validate {
  return (value) => (value === undefined || value === null ? undefined : validate(value));
}

export function withFields(expected: string, fields: Record<string, Validate>): Validate {
  const validations = Object.entries(fields);
  return (value) => {
    if (!isRecord(value)) {
      return issue(expected, value);
    }
    for (const [name, validate] of validations) {
      const found = validate(value[name]);
      if (found !== undefined) {
        return within(`.${name}`, found);
      }
    }
    return undefined;
  };
}

export function recordOf(
  expected: string,
  validate: Validate,
  isHolder: (value: unknown) => value is Record<string, unknown> = isRecord,
): Validate {
  return (value) => {
    if (!isHolder(value)) {
      return issue(expected, value);
    }
    for (const key of Object.keys(value)) {
      const found = validate(value[key]);
      if (found !== undefined) {
        return within(`[${JSON.stringify(key)}]`, found);
      }
    }
    return undefined;
  };
}

export function listOf(expected: string, validate: Validate): Validate {
  return (value) => {
    if (!Array.isArray(value)) {
      return issue(expected, value);
    }
    for (let index = 0; index < value.length; index++) {
      const found = validate(value[index]);
      if (found !== undefined) {
        return within(`[${index}]`, found);
      }
    }
    return undefined;
  };
}

export function issue(expected: string, given: unknown): Issue {
  return { path: "", expected, given };
}

function within(step: string, inner: Issue): Issue {
  return { ...inner, path: step + inner.path };
}
