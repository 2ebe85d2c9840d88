/**
 * Says in one line where two values first differ, or `undefined` if nowhere. Stricter than most runners' deep
 * equality: -0 is not 0, `null` is not `undefined`, a Buffer is not a Uint8Array, Maps and Sets keep their order,
 * errors are compared by all they hold. Two things are the same here: a property that is `undefined` and one that
 * is absent.
 */
export function difference(actual: unknown, expected: unknown, path = "$"): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (!isObject(actual) || !isObject(expected)) return unequal(actual, expected, path);
  if (kindOf(actual) !== kindOf(expected))
    return `${path}: is a ${kindOf(actual)}, not a ${kindOf(expected)}`;
  return compareSameKind(actual, expected, path);
}

function compareSameKind(actual: object, expected: object, path: string): string | undefined {
  if (actual instanceof Date && expected instanceof Date) {
    return difference(actual.getTime(), expected.getTime(), `${path}.getTime()`);
  }
  if (actual instanceof Map && expected instanceof Map) {
    return compareLists([...actual].flat(1), [...expected].flat(1), `${path}.entries`);
  }
  if (actual instanceof Set && expected instanceof Set) {
    return compareLists([...actual], [...expected], `${path}.values`);
  }
  if (actual instanceof RegExp || actual instanceof URL) {
    return difference(String(actual), String(expected), `${path}.text`);
  }
  if (isBytes(actual) && isBytes(expected)) {
    return compareLists([...bytesOf(actual)], [...bytesOf(expected)], `${path}.bytes`);
  }
  if (Array.isArray(actual) && Array.isArray(expected)) return compareLists(actual, expected, path);
  return compareFields(fieldsOf(actual), fieldsOf(expected), path);
}

function compareLists(
  actual: readonly unknown[],
  expected: readonly unknown[],
  path: string,
): string | undefined {
  if (actual.length !== expected.length) return `${path}: has ${actual.length}, not ${expected.length}`;
  for (let index = 0; index < expected.length; index++) {
    const found = difference(actual[index], expected[index], `${path}[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

type Fields = ReadonlyMap<string, unknown>;

function compareFields(actual: Fields, expected: Fields, path: string): string | undefined {
  for (const key of new Set([...expected.keys(), ...actual.keys()])) {
    const found = difference(actual.get(key), expected.get(key), `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Own properties only, so that a key named `__proto__` is data like any other. */
function fieldsOf(value: object): Fields {
  const fields = new Map<string, unknown>(Object.entries(value));
  if (value instanceof Error) {
    fields.set("name", value.name);
    fields.set("message", value.message);
    fields.set("stack", value.stack);
    fields.set("cause", value.cause);
  }
  return fields;
}

function kindOf(value: object): string {
  if (value instanceof Error) return "Error";
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return "plain object";
  return isObject(prototype) ? String(prototype.constructor.name) : "object";
}

function isBytes(value: object): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function unequal(actual: unknown, expected: unknown, path: string): string {
  return `${path}: is ${show(actual)}, not ${show(expected)}`;
}

function show(value: unknown): string {
  if (isObject(value)) return `a ${kindOf(value)}`;
  if (Object.is(value, -0)) return "-0";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
}
