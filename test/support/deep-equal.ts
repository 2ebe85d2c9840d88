/**
 * Whether two values are the same data, stricter than the runners' deep equality: -0 is not 0, a Buffer is not a
 * Uint8Array, Maps and Sets keep their order, bytes are compared as bytes, errors by all they hold.
 *
 * Two things are the same here: a property that is `undefined` and one that is absent (also in errors and sparse
 * arrays). The order of an object's keys does not matter. Limit: neither value may contain itself.
 */
export function deepEqual(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) {
    return true;
  }
  return (
    isObject(left) &&
    isObject(right) &&
    Object.getPrototypeOf(left) === Object.getPrototypeOf(right) &&
    haveEqualContents(left, right)
  );
}

/** What the values hold beside their properties, then the properties. */
function haveEqualContents(left: object, right: object): boolean {
  if (isBytes(left) && isBytes(right)) {
    return Buffer.compare(bytesOf(left), bytesOf(right)) === 0;
  }
  return areListsEqual(innerValues(left), innerValues(right)) && havePropertiesEqual(left, right);
}

function innerValues(value: object): unknown[] {
  if (value instanceof Date) {
    return [value.getTime()];
  }
  if (value instanceof Map) {
    return [...value].flat(1);
  }
  if (value instanceof Set) {
    return [...value];
  }
  if (value instanceof RegExp) {
    return [value.source, value.flags, value.lastIndex];
  }
  if (value instanceof URL) {
    return [value.href];
  }
  if (value instanceof Error) {
    return ["name", "message", "stack", "cause", "errors"].map((key) => Reflect.get(value, key));
  }
  return Array.isArray(value) ? [value.length] : [];
}

function areListsEqual(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((element, index) => deepEqual(element, right[index]));
}

function havePropertiesEqual(left: object, right: object): boolean {
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => deepEqual(ownProperty(left, key), ownProperty(right, key)));
}

/** Never through the prototype: a key named `__proto__` or `constructor` is data like any other. */
function ownProperty(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function isBytes(value: object): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  return value instanceof ArrayBuffer
    ? Buffer.from(value)
    : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
