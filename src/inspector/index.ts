// Imported first: on Node it reports that Bun is missing before anything else can fail.
import "../runtime/bun.js";

export { type Inspector, inspect } from "./inspect.js";
export type { InspectOptions } from "./options.js";
