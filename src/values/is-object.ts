/** Whether a value is an object other than an array: a plain object or an instance of any class. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
