/** Values that plain JSON loses or changes, created by every call, so that nothing is shared by accident. */
export interface ExoticValue {
  readonly name: string;
  make(): unknown;
}

export const exoticValues: readonly ExoticValue[] = [
  { name: "a Date", make: () => new Date("2026-01-02T03:04:05.678Z") },
  { name: "an invalid Date", make: () => new Date(Number.NaN) },
  { name: "a Date far before the epoch", make: () => new Date(-8.64e15) },
  {
    name: "a Map whose keys are objects, Dates and Maps",
    make: () =>
      new Map<unknown, unknown>([
        [{ a: 1 }, "x"],
        [new Date(5), new Set([1])],
        [new Map([[1, 2]]), null],
      ]),
  },
  { name: "an empty Map and an empty Set", make: () => ({ map: new Map(), set: new Set() }) },
  { name: "a Set of objects", make: () => new Set<unknown>([{ a: 1 }, [2], "three", null]) },
  { name: "a Buffer", make: () => Buffer.from([0, 1, 127, 128, 255]) },
  { name: "an empty Buffer", make: () => Buffer.alloc(0) },
  { name: "undefined inside an array", make: () => [1, undefined, 3] },
  {
    name: "undefined inside a Map and a Set",
    make: () => [
      new Map([
        [undefined, 1],
        ["a", undefined],
      ] as const),
      new Set([undefined, 1]),
    ],
  },
  { name: "bigints", make: () => [0n, -1n, 2n ** 80n, -(2n ** 64n)] },
  { name: "NaN and the infinities", make: () => [Number.NaN, Infinity, -Infinity] },
  { name: "minus zero", make: () => ({ zero: -0, list: [-0, 0] }) },
  { name: "a RegExp", make: () => /a\/(b|"c")+/giu },
  { name: "a URL", make: () => new URL("https://user@example.com:8080/a%20b?q=1&q=2#frag") },
  { name: "an Error with cause and own fields", make: makeError },
  { name: "an ArrayBuffer", make: () => new Uint8Array([1, 2, 3, 255]).buffer },
  ...typedArrays(),
  {
    name: "a typed array over part of a buffer",
    make: () => new Uint16Array(new ArrayBuffer(16), 4, 3).fill(513),
  },
  { name: "an object that looks like a tagged Date", make: () => ({ __type: "Date", value: "tomorrow" }) },
  { name: "an object that looks like a tagged Map", make: () => ({ __type: "Map", value: [["a", 1]] }) },
  { name: "an object with an unknown tag", make: () => ({ __type: "Point", value: { x: 1 }, more: true }) },
  { name: "an object whose __type is no string", make: () => ({ __type: 5, nested: { __type: null } }) },
  {
    name: "a tag look-alike inside a Map",
    make: () => new Map([["k", { __type: "Set", value: [new Date(1)] }]]),
  },
  { name: "keys named __proto__, constructor and prototype", make: makeHostileKeys },
  { name: "a hundred levels of nesting", make: () => nest(100, new Date(7)) },
  {
    name: "unicode, NUL and control characters",
    make: () => ["días — 日本語 🚀", "a\u0000b", "\u0001\u001f\u2028\ufeff"],
  },
  { name: "lone surrogates inside a value", make: () => ({ "\ud800": "a\udfffb" }) },
  {
    name: "empty strings, arrays and objects",
    make: () => ({ "": "", a: [], o: {}, n: null, f: false, z: 0 }),
  },
  {
    name: "numbers at the edges",
    make: () => [Number.MAX_SAFE_INTEGER, 5e-324, 1.7976931348623157e308, 0.1 + 0.2],
  },
];

/** `levels` objects inside each other, `core` in the innermost. */
export function nest(levels: number, core: unknown): unknown {
  let value = core;
  for (let level = 0; level < levels; level++) value = { inner: value };
  return value;
}

/** The stacks are set: an error created elsewhere would have another one. */
function makeError(): Error {
  const cause = Object.assign(new Error("because", { cause: { code: 7n } }), {
    stack: "Error: because\n    at b",
  });
  const error = new TypeError("it broke", { cause });
  return Object.assign(error, { stack: "TypeError: it broke\n    at a", attempts: 3, at: new Date(9) });
}

/** JSON.parse makes `__proto__` an own property; an object literal would set the prototype. */
function makeHostileKeys(): unknown {
  return JSON.parse(
    '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"prototype":[1],"toString":"x"}',
  );
}

function typedArrays(): ExoticValue[] {
  return [
    { name: "an Int8Array", make: () => new Int8Array([-128, 0, 127]) },
    { name: "a Uint8Array", make: () => new Uint8Array([0, 128, 255]) },
    { name: "a Uint8ClampedArray", make: () => new Uint8ClampedArray([0, 128, 255]) },
    { name: "an Int16Array", make: () => new Int16Array([-32768, 32767]) },
    { name: "a Uint16Array", make: () => new Uint16Array([0, 65535]) },
    { name: "an Int32Array", make: () => new Int32Array([-(2 ** 31), 2 ** 31 - 1]) },
    { name: "a Uint32Array", make: () => new Uint32Array([0, 2 ** 32 - 1]) },
    { name: "a Float16Array", make: () => new Float16Array([-0, 1.5, Infinity]) },
    { name: "a Float32Array", make: () => new Float32Array([-0, 1.5, Number.NaN]) },
    { name: "a Float64Array", make: () => new Float64Array([-0, 0.1, Number.NaN]) },
    { name: "a BigInt64Array", make: () => new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]) },
    { name: "a BigUint64Array", make: () => new BigUint64Array([0n, 2n ** 64n - 1n]) },
  ];
}
