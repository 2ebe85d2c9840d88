/** Makes values again with the classes of another realm, as a code interpreter (node:vm) returns them. */
import { types } from "node:util";
import { createContext, runInContext } from "node:vm";

const context = createContext({});

/** URLs and Buffers stay of this realm: the other one has neither. */
export function inOtherRealm(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof URL || Buffer.isBuffer(value)) {
    return value;
  }
  if (Array.isArray(value)) return withOwnOf(value, make("Array", value.length));
  if (value instanceof Date) return make("Date", value.getTime());
  if (value instanceof RegExp) return withOwnOf(value, make("RegExp", value.source, value.flags));
  if (value instanceof Map)
    return make(
      "Map",
      [...value].map((entry) => entry.map(inOtherRealm)),
    );
  if (value instanceof Set) return make("Set", [...value].map(inOtherRealm));
  if (value instanceof ArrayBuffer) return bufferOf(value);
  if (ArrayBuffer.isView(value)) return viewOf(value);
  if (types.isBoxedPrimitive(value)) return make("Object", value.valueOf());
  if (value instanceof AggregateError) return withOwnOf(value, make("AggregateError", []));
  return withOwnOf(value, value instanceof Error ? make(classNameOf(value)) : make("Object"));
}

function make(className: string, ...args: unknown[]): object {
  const Class: unknown = runInContext(className, context);
  if (typeof Class !== "function") throw new TypeError(`The other realm has no class ${className}`);
  return Reflect.construct(Class, args);
}

/** Hidden ones too: an error's message, stack and cause are. */
function withOwnOf(value: object, target: object): object {
  for (const key of Object.getOwnPropertyNames(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    Object.defineProperty(target, key, { ...property, value: inOtherRealm(Reflect.get(value, key)) });
  }
  return target;
}

function bufferOf(buffer: ArrayBufferLike): object {
  const copy = make("ArrayBuffer", buffer.byteLength);
  new Uint8Array(copy as ArrayBuffer).set(new Uint8Array(buffer));
  return copy;
}

function viewOf(view: ArrayBufferView): object {
  const length = view instanceof DataView ? view.byteLength : Reflect.get(view, "length");
  return make(classNameOf(view), bufferOf(view.buffer), view.byteOffset, length);
}

function classNameOf(value: object): string {
  return Object.getPrototypeOf(value).constructor.name;
}
