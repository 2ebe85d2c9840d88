/**
 * Calls a store's method by its name, with arguments the compiler would not let through: what plain JavaScript
 * callers, and recordings of them, do.
 */
export function callUntyped(store: object, method: string, args: readonly unknown[]): Promise<unknown> {
  const implementation: unknown = Reflect.get(store, method);
  if (typeof implementation !== "function") throw new TypeError(`The store has no method ${method}`);
  const answer: unknown = Reflect.apply(implementation, store, args);
  if (!(answer instanceof Promise)) throw new TypeError(`${method} returned something else than a promise`);
  return answer;
}
